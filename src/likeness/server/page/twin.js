// Two films that run as one, before and after, side by side.

import { el } from "./dom.js";
import { t } from "./words.js";

const APART = 0.06; // seconds by which they may be apart: about a frame and a half

export class Twin {
  /** @param {{before: string, after: string, poster: (side: string) => string}} addresses */
  constructor({ before, after, poster }) {
    this.films = Object.fromEntries(
      Object.entries({ before, after }).map(([side, src]) => [
        side,
        // A browser opens few connections to a server: a film takes its own when it is to be watched.
        el("video", { src, playsinline: true, preload: "none", loop: true, poster: poster(side), tabindex: -1 }),
      ]),
    );
    // One of the two is heard.
    this.films.before.muted = true;
    this.tags = Object.fromEntries(["before", "after"].map((side) => [side, el("span", { class: `tag tag-${side}` })]));
    this.play = el("button", { type: "button", class: "twin-play", onclick: () => this.toggle() });
    this.place = el("input", { type: "range", min: 0, max: 1, step: 0.001, value: 0 });
    this.clock = el("output", { class: "number" });
    this.closer = el("button", { type: "button", "aria-pressed": "false", onclick: () => this.zoom() });
    this.unplayable = el("p", { class: "help", role: "status", hidden: true });
    this.controls = el("div", { class: "twin-controls" }, this.play, this.place, this.clock, this.closer);
    this.element = el(
      "div",
      { class: "twin" },
      el("div", { class: "twin-films" }, ...["before", "after"].map((side) => el("figure", {}, this.films[side], this.tags[side]))),
      this.controls,
      this.unplayable,
    );
    this.place.addEventListener("input", () => this.go(this.place.valueAsNumber));
    const { before: first, after: second } = this.films;
    for (const name of ["play", "pause", "ended"]) second.addEventListener(name, () => this.show());
    for (const name of ["timeupdate", "seeked", "loadedmetadata"]) {
      second.addEventListener(name, () => {
        if (Math.abs(first.currentTime - second.currentTime) > APART) first.currentTime = second.currentTime;
        this.tell();
      });
    }
    for (const film of [first, second]) {
      film.addEventListener("error", () => this.fail());
      // Where the codec is not known the sound may still play, without a picture.
      film.addEventListener("loadeddata", () => film.videoWidth || this.fail());
      film.addEventListener("click", ({ offsetX, offsetY }) => this.zoom([offsetX / film.clientWidth, offsetY / film.clientHeight]));
    }
    const shape = (width, height) => second.parentElement.classList.toggle("upright", height > width);
    second.addEventListener("loadedmetadata", () => shape(second.videoWidth, second.videoHeight));
    const still = new Image();
    still.addEventListener("load", () => shape(still.width, still.height));
    // A film that was done over a restart may have no still: its first frame stands for it.
    still.addEventListener("error", () => this.open());
    still.src = poster("after");
    this.show();
  }

  toggle() {
    const { before, after } = this.films;
    this.open();
    if (!after.paused) {
      for (const film of [before, after]) film.pause();
      return;
    }
    before.currentTime = after.currentTime;
    // A pause while it begins ends that too, and is no failure.
    Promise.all([before.play(), after.play()]).catch((error) => error.name === "NotSupportedError" && this.fail());
  }

  go(share) {
    const { before, after } = this.films;
    this.open();
    if (!after.duration) {
      after.addEventListener("loadedmetadata", () => this.go(share), { once: true });
      return;
    }
    const seconds = share * after.duration;
    for (const film of [before, after]) film.currentTime = seconds;
  }

  /** Have both films fetched. */
  open() {
    for (const film of Object.values(this.films)) film.preload = "auto";
  }

  /** Let both films go, and what they hold open. */
  close() {
    for (const film of Object.values(this.films)) {
      film.pause();
      film.removeAttribute("src");
      film.load();
    }
  }

  /** Look closer at a point of both, or at all of them again. */
  zoom([across, down] = [0.5, 0.4]) {
    const on = this.element.classList.toggle("closer");
    this.element.style.setProperty("--across", `${100 * across}%`);
    this.element.style.setProperty("--down", `${100 * down}%`);
    this.closer.setAttribute("aria-pressed", String(on));
  }

  /** This browser knows the film's codec not: stills stay, and the download. */
  fail() {
    this.controls.hidden = true;
    this.unplayable.hidden = false;
  }

  tell() {
    const { currentTime, duration } = this.films.after;
    this.place.value = String(duration ? currentTime / duration : 0);
    this.place.style.setProperty("--at", this.place.value);
    this.clock.textContent = duration ? `${clock(currentTime)} / ${clock(duration)}` : "";
    this.place.setAttribute("aria-valuetext", this.clock.textContent);
  }

  show() {
    for (const [side, tag] of Object.entries(this.tags)) {
      tag.textContent = t(side);
      this.films[side].setAttribute("aria-label", t(side));
    }
    this.closer.textContent = t("video.closer");
    this.play.textContent = t(this.films.after.paused ? "video.play" : "video.pause");
    this.place.setAttribute("aria-label", t("video.place"));
    this.unplayable.textContent = t("video.unplayable");
    this.tell();
  }
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
