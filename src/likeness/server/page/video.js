// A short film: brought, its person chosen, sent as a job, watched before and after, fetched.

import { addFields, jobPicture, patiently, startVideo } from "./api.js";
import { fieldsOf, lookSelect, wordSelect } from "./choice.js";
import { el } from "./dom.js";
import { JobList, timesOf } from "./jobs.js";
import { OPTIONS } from "./look.js";
import { peopleIn } from "./moment.js";
import { OtherPhotographs } from "./others.js";
import { canSay, said } from "./said.js";
import { Twin } from "./twin.js";
import "./words_video.js";
import { onLanguage, t } from "./words.js";

const KEPT = "likeness.videos";
const POSTER = 640; // pixels of the longer side of what stands for a film until it plays: as large as the server keeps it
const SETTLE_MS = 350; // the slider of a film rests for so long before its frame is looked at

export class Films {
  constructor({ about, getLook, onProblem }) {
    this.suffixes = about.video.suffixes;
    this.onProblem = onProblem;
    this.jobs = new JobList({
      kept: KEPT,
      makeCard: (id) => new FilmJob({ id, onDelete: (question) => this.jobs.remove(id, question) }),
      onProblem,
      onChange: () => (this.none.hidden = this.jobs.cards.size > 0),
    });
    this.none = el("p", { class: "none" });
    this.staging = new FilmStaging({ about, getLook, onProblem, onSent: (job) => this.sent(job) });
    const holder = document.getElementById("video");
    holder.append(el("div", { class: "many-inner" }, this.staging.element, this.jobs.element, this.none));
    onLanguage(() => this.reword());
    this.reword();
  }

  /** Whether a file is taken for a film: browsers know the kinds of few. */
  takes(file) {
    const name = file.name.toLowerCase();
    return file.type.startsWith("video/") || this.suffixes.some((end) => name.endsWith(end));
  }

  /** What nobody sees is not heard. */
  pause() {
    for (const film of document.querySelectorAll("#video video")) /** @type {HTMLVideoElement} */ (film).pause();
  }

  /** @param {boolean} alone whether nothing else was brought with it */
  add(film, alone) {
    this.staging.bring(film, alone);
  }

  sent(job) {
    this.jobs.put(job);
    this.jobs.keep(job.id);
  }

  reword() {
    this.none.textContent = t("video.none");
    this.none.hidden = this.jobs.cards.size > 0;
    this.staging.others.show();
    this.staging.show();
    for (const card of this.jobs.cards.values()) card.show();
  }
}

/** The film that is chosen and not sent: whom of it, and how they shall look. */
class FilmStaging {
  constructor({ about, getLook, onProblem, onSent }) {
    this.limits = about.video;
    this.hours = Math.round(about.keep_hours);
    this.getLook = getLook;
    this.onProblem = onProblem;
    this.onSent = onSent;
    this.file = null;
    this.alone = true;
    this.people = [];
    this.looked = false; // whether it is known who is seen at this moment
    this.person = null;
    this.chosen = null; // who was chosen at another moment
    this.turn = 0;
    this.input = el("input", { type: "file", hidden: true, id: "video-file", accept: ["video/*", ...about.video.suffixes].join(",") });
    this.input.addEventListener("change", () => {
      if (this.input.files.length) this.bring(this.input.files[0]);
      this.input.value = "";
    });
    this.title = el("h2", {});
    this.how = el("p", { class: "help" });
    this.first = el("p", { class: "help", role: "status" });
    this.kept = el("p", { class: "help" });
    this.choose = el("button", { type: "button", "data-t": "video.choose", onclick: () => this.input.click() });
    this.others = new OtherPhotographs({ part: "video", most: about.max_references });
    this.look = lookSelect(about);
    // What is chosen for each picture is nothing for a film.
    [...this.look.options].find(({ value }) => value === "auto")?.remove();
    this.lookLabel = el("label", { class: "look-label" }, el("span", { "data-t": "video.settings" }), this.look);
    this.start = el("button", { type: "button", class: "primary", id: "video-start", "data-t": "video.start", onclick: () => this.send() });
    this.clear = el("button", { type: "button", class: "quiet", "data-t": "many.clear", onclick: () => this.empty() });
    this.film = el("video", { class: "film", controls: true, muted: true, playsinline: true, preload: "auto" });
    this.film.muted = true;
    this.film.addEventListener("loadeddata", () => this.began());
    this.film.addEventListener("error", () => this.file && this.unseen());
    for (const name of ["seeked", "pause"]) this.film.addEventListener(name, () => this.settle());
    this.who = el("fieldset", { class: "people", id: "video-people" });
    this.help = el("p", { class: "help", role: "status" });
    this.bar = el("progress", { max: 1, value: 0, hidden: true, "data-label": "many.bar" });
    this.told = el("p", { role: "status", class: "film-told" });
    this.view = el("div", { class: "film-view" }, this.film, el("div", { class: "film-who" }, this.who, this.help));
    this.element = el(
      "section",
      { class: "staging" },
      this.title,
      this.how,
      this.first,
      el("div", { class: "row" }, this.choose, this.lookLabel, this.start, this.clear),
      this.view,
      this.others.element,
      this.told,
      this.bar,
      this.kept,
      this.input,
    );
    this.show();
  }

  bring(file, alone = true) {
    this.empty();
    this.file = file;
    this.alone = alone;
    this.playable = true;
    this.url = URL.createObjectURL(file);
    this.film.src = this.url;
    this.show();
  }

  empty() {
    this.turn += 1;
    clearTimeout(this.timer);
    if (this.url) URL.revokeObjectURL(this.url);
    this.film.pause();
    this.film.removeAttribute("src");
    this.film.load();
    this.person = null;
    this.others.empty();
    this.offer([]);
    Object.assign(this, { file: null, url: null, alone: true, looking: false, looked: false });
    this.show();
  }

  /** The film is there: a first frame is often black, so a later one is shown. */
  began() {
    // The sound may be of a codec that this browser knows, and the picture not.
    if (!this.film.videoWidth) {
      this.unseen();
      return;
    }
    this.film.currentTime = Math.min(1, (this.film.duration || 0) / 2);
    this.settle();
  }

  /** This browser knows the film's codec not; the server may. */
  unseen() {
    this.playable = false;
    this.show();
  }

  settle() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.lookAround(), SETTLE_MS);
  }

  /** Who is to be seen at this moment. */
  async lookAround() {
    if (!this.file || !this.film.paused || !this.film.videoWidth) return;
    this.turn += 1;
    const { turn } = this;
    this.looking = true;
    this.looked = false;
    this.show();
    try {
      const people = await patiently(() => peopleIn(this.film), () => turn === this.turn);
      if (turn !== this.turn) {
        forget(people);
        return;
      }
      this.offer(people);
      this.looked = true;
    } catch (error) {
      if (turn === this.turn) this.onProblem(error);
    }
    if (turn !== this.turn) return;
    this.looking = false;
    this.show();
  }

  /** Offer the people of a moment. Who was chosen stays on offer where another moment shows others. */
  offer(people) {
    forget([this.chosen, ...this.people].filter((person) => person && person !== this.person));
    this.chosen = this.person;
    this.people = people;
  }

  async send() {
    const form = new FormData();
    const { file } = this;
    form.append("file", file, file.name);
    if (this.person) form.append("person", this.person.picture, "person.png");
    this.others.fill(form);
    addFields(form, this.fields);
    this.start.disabled = true;
    this.bar.hidden = false;
    this.film.pause();
    try {
      const job = await startVideo(form, (share) => {
        this.bar.value = share;
        this.told.textContent = share < 1 ? t("many.sending", { percent: Math.floor(share * 100) }) : t("video.looking");
      });
      // Another one may have been brought meanwhile.
      if (this.file === file) this.empty();
      this.onSent(job);
    } catch (error) {
      this.onProblem(error);
    }
    this.bar.hidden = true;
    this.told.textContent = "";
    this.start.disabled = false;
    this.show();
  }

  get fields() {
    const wanted = fieldsOf(this.look.value, this.getLook);
    // Repairs are for pictures.
    const fields = Object.fromEntries(Object.entries(wanted).filter(([key]) => key === "preset" || OPTIONS.get(key)?.part === "controls"));
    // What this browser cannot play it could not show when it is restored.
    return this.playable ? fields : { ...fields, codec: "h264" };
  }

  show() {
    const some = this.file !== null;
    this.title.textContent = some ? this.file.name : t("video.drop");
    this.how.textContent = t("video.how", { minutes: Math.round(this.limits.seconds / 6) / 10, megabytes: this.limits.megabytes });
    this.kept.textContent = t("video.kept", { hours: this.hours });
    this.how.hidden = some;
    this.first.textContent = t("video.first");
    this.first.hidden = this.alone;
    for (const part of [this.start, this.clear, this.lookLabel, this.view, this.others.element]) part.hidden = !some;
    this.choose.className = some ? "" : "primary";
    this.element.classList.toggle("some", some);
    wordSelect(this.look);
    if (!some) return;
    this.film.hidden = !this.playable;
    this.film.setAttribute("aria-label", this.file.name);
    const focused = this.who.contains(document.activeElement);
    this.who.replaceChildren(
      el("legend", {}, t("video.who")),
      this.choice(null, t("video.everybody"), true),
      ...(this.chosen ? [this.choice(this.chosen, t("video.chosen"), true)] : []),
      ...this.people.map((person, number) => this.choice(person, t("video.person", { number: number + 1 }))),
    );
    // Those who choose by the keyboard stay where they are.
    if (focused) this.who.querySelector("input:checked")?.focus({ preventScroll: true });
    const key = !this.playable ? "unseen" : this.looking ? "searching" : this.people.length ? "found" : this.looked ? "nobody" : null;
    this.help.textContent = key ? t(`video.${key}`) : "";
  }

  /** @param {boolean} written whether the name is there to be read, too */
  choice(person, name, written = false) {
    const radio = el("input", {
      type: "radio",
      name: "video-person",
      onchange: () => {
        this.person = person;
      },
    });
    radio.checked = this.person === person;
    const face = person && el("img", { src: person.url, alt: written ? "" : name });
    return el("label", { class: "person" }, radio, face, written ? el("span", {}, name) : null);
  }
}

/** Let the small pictures of people go. */
function forget(people) {
  for (const { url } of people) URL.revokeObjectURL(url);
}

/** A film that was sent. */
class FilmJob {
  constructor({ id, onDelete }) {
    this.id = id;
    this.name = el("h2", {});
    this.told = el("p", { class: "film-told", role: "status" });
    this.bar = el("progress", { max: 1, value: 0, "data-label": "many.bar" });
    this.reason = el("p", { class: "help" });
    this.notes = el("ul", { class: "help", hidden: true });
    this.noted = [];
    this.file = el("a", { class: "button primary", download: "" });
    this.drop = el("button", { type: "button", class: "quiet", onclick: () => onDelete(t(this.done ? "video.delete.sure" : "video.cancel.sure")) });
    this.element = el(
      "article",
      { class: "job film-job", "data-job": id },
      el("header", {}, this.name, this.told, this.file, this.drop),
      this.bar,
      this.reason,
      this.notes,
    );
  }

  take(job) {
    this.summary = job;
    this.picture(job.pictures[0]);
  }

  progress(summary) {
    this.summary = summary;
    this.show();
  }

  picture(film) {
    this.film = film;
    if (film.state === "final" && !this.twin) {
      const address = `/v1/jobs/${this.id}/pictures/0`;
      this.twin = new Twin({
        before: `${address}/original`,
        after: `${address}/result`,
        poster: (side) => `${address}/thumbnails/${side}?longest=${POSTER}`,
      });
      this.element.append(this.twin.element);
      this.note();
    }
    this.show();
  }

  /** What there is to say of the result, such as why a photograph did not serve. */
  async note() {
    try {
      const { report } = await jobPicture(this.id, 0);
      this.noted = report?.notices ?? [];
    } catch {
      this.noted = []; // the job is gone, which the list of jobs tells
    }
    this.show();
  }

  /** It is gone from the page: what its films hold open is closed. */
  leave() {
    this.twin?.close();
  }

  get done() {
    return this.film !== undefined && !["queued", "running"].includes(this.film.state);
  }

  show() {
    if (!this.film) return;
    const { state, name, notice, share } = this.film;
    this.name.textContent = name;
    const percent = share === null ? [] : [t("video.share", { percent: Math.round(share * 100) })];
    this.told.textContent = [t(`state.${state}`), ...percent, ...timesOf(this.summary ?? {})].join(" · ");
    this.bar.hidden = this.done;
    this.bar.value = share ?? 0;
    this.reason.textContent = notice ? said(notice) : "";
    this.reason.hidden = !notice;
    this.notes.replaceChildren(...this.noted.filter(({ code }) => canSay(code)).map((one) => el("li", {}, said(one))));
    this.notes.hidden = this.noted.length === 0;
    this.file.hidden = state !== "final";
    this.file.textContent = t("many.download");
    this.file.setAttribute("aria-label", t("many.file", { name }));
    this.file.href = `/v1/jobs/${this.id}/pictures/0/result`;
    this.drop.textContent = t(this.done ? "many.delete" : "cancel");
    this.element.dataset.state = state;
    this.twin?.show();
  }
}
