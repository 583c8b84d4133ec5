// One picture of a job, large: before and after with a divider, and what can be done with it.

import { el } from "./dom.js";
import { sentence } from "./said.js";
import { t } from "./words.js";

const LONGEST = 2048; // pixels of the longer side that the server is asked for

const ENLARGED = 3; // times, at most, that a small picture is shown

export class Lightbox {
  /** @param {{onOpen: Function, onAgain: Function}} page `onOpen` is told a job's id and one of its pictures, `onAgain` too. */
  constructor({ onOpen, onAgain }) {
    this.title = el("h2", { id: "lightbox-title" });
    this.place = el("span", { class: "count" });
    this.state = el("span", { class: "state" });
    this.reason = el("p", { class: "lightbox-reason" });
    this.images = Object.fromEntries(["after", "before"].map((side) => [side, el("img", { class: side, decoding: "async", draggable: "false" })]));
    this.tags = Object.fromEntries(["before", "after"].map((side) => [side, el("span", { class: `tag tag-${side}`, "aria-hidden": "true" })]));
    this.divider = el("input", { type: "range", class: "lightbox-divider", min: 0, max: 100, step: 0.5, value: 50 });
    this.compare = el(
      "div",
      { class: "lightbox-compare" },
      this.images.after,
      this.images.before,
      this.tags.before,
      this.tags.after,
      el("span", { class: "lightbox-line", "aria-hidden": "true" }),
      this.divider,
    );
    this.open = el("button", { type: "button", "data-t": "many.open", onclick: () => this.leave(onOpen) });
    this.again = el("button", { type: "button", "data-t": "many.again", onclick: () => this.leave(onAgain) });
    this.file = el("a", { class: "button primary", download: "" });
    this.previous = el("button", { type: "button", "data-t": "many.previous", onclick: () => this.step(-1) });
    this.next = el("button", { type: "button", "data-t": "many.next", onclick: () => this.step(1) });
    this.shut = el("button", { type: "button", class: "quiet", "data-label": "close", onclick: () => this.dialog.close() }, "×");
    this.dialog = el(
      "dialog",
      { class: "lightbox", "aria-labelledby": "lightbox-title" },
      el("header", {}, this.title, this.state, this.place, this.shut),
      el("div", { class: "lightbox-stage" }, this.compare),
      this.reason,
      el("footer", {}, this.previous, this.next, this.open, this.again, this.file),
    );
    // As large as there is room, and no larger than pixels bear.
    const { after } = this.images;
    const loaded = () => this.compare.classList.toggle("loading", !Object.values(this.images).every((image) => image.complete));
    for (const image of Object.values(this.images)) for (const name of ["load", "error"]) image.addEventListener(name, loaded);
    after.addEventListener("load", () => {
      const { naturalWidth: wide, naturalHeight: high } = after;
      this.compare.style.width = `min(100cqw, ${(100 * wide) / high}cqh, ${wide * ENLARGED}px)`;
    });
    this.divider.addEventListener("input", () => this.split());
    this.dialog.addEventListener("keydown", (event) => {
      // On the divider the arrows move it.
      const step = event.target === this.divider ? 0 : { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.step(step);
    });
    // Pixels that are not seen need not be kept.
    this.dialog.addEventListener("close", () => Object.values(this.images).forEach((image) => image.removeAttribute("src")));
  }

  /**
   * Show a picture of a job.
   * @param {{id: string, version: string, pictures: Map<number, any>}} job
   * @param {number} number
   */
  show(job, number) {
    this.job = job;
    this.number = number;
    const tile = job.pictures.get(number);
    const { name, notice } = tile.told;
    const shown = this.shown;
    this.title.textContent = name;
    this.place.textContent = t("many.place", { number: shown.indexOf(number) + 1, count: shown.length });
    this.state.textContent = t(`state.${tile.looked}`);
    this.state.className = `state ${tile.looked}`;
    this.reason.textContent = notice ? sentence(notice) : "";
    this.reason.hidden = !notice;
    // Until both are there, what was shown before stands for neither.
    this.compare.classList.add("loading");
    for (const [side, image] of Object.entries(this.images)) {
      image.src = tile.picture(side, LONGEST);
      image.alt = `${name}: ${t(side)}`;
      this.tags[side].textContent = t(side);
    }
    this.divider.setAttribute("aria-label", t("compare.divider"));
    this.file.textContent = t("many.download");
    this.file.href = tile.result;
    this.previous.disabled = shown[0] === number;
    this.next.disabled = shown.at(-1) === number;
    this.divider.value = "50";
    this.split();
    if (!this.dialog.open) this.dialog.showModal();
    // A button that is off loses the keys that lead on.
    if (this.next.disabled && !this.previous.disabled) this.previous.focus();
    else this.next.focus();
  }

  /** Numbers of the pictures that have a result, in the job's order. */
  get shown() {
    return [...this.job.pictures.keys()].sort((a, b) => a - b).filter((number) => this.job.pictures.get(number).done);
  }

  step(by) {
    const shown = this.shown;
    const next = shown[shown.indexOf(this.number) + by];
    if (next !== undefined) this.show(this.job, next);
  }

  split() {
    this.compare.style.setProperty("--at", `${this.divider.value}%`);
  }

  /** Close, and go elsewhere with the picture that is shown. */
  leave(where) {
    this.dialog.close();
    where(this.job.id, this.job.pictures.get(this.number).told);
  }
}
