// Many pictures: chosen, sent as a job, watched, fetched. The server keeps the queue; this page remembers the jobs' names.

import * as api from "./api.js";
import { fieldsOf, lookSelect, lookOf, wordSelect } from "./choice.js";
import { el } from "./dom.js";
import { JobList, timesOf } from "./jobs.js";
import { Lightbox } from "./lightbox.js";
import { OPTIONS } from "./look.js";
import { sentence } from "./said.js";
import { kindOf, Staging } from "./staging.js";
import { onLanguage, t } from "./words.js";

const KEPT = "likeness.jobs";
const SMALL = 256; // pixels of a tile's longer side
const VERSIONS = ["original", "web", "print"];
const HELD_MS = 350; // a tile that is pressed for longer is held, to see it as it was

export class Queue {
  constructor({ about, getLook, onProblem, onOpen }) {
    this.about = about;
    this.onProblem = onProblem;
    this.onOpen = onOpen;
    this.holder = document.getElementById("many");
    this.jobs = new JobList({
      kept: KEPT,
      makeCard: (id, thumbs) => this.makeCard(id, thumbs),
      onProblem,
      onChange: () => (this.none.hidden = this.jobs.cards.size > 0),
    });
    this.staging = new Staging({ about, getLook, onSend: (form, thumbs, progress) => this.send(form, thumbs, progress), onProblem });
    this.none = el("p", { class: "none" });
    this.again = new Again({ about, getLook, onProblem, onDone: (id) => this.jobs.watch(id) });
    this.lightbox = new Lightbox({ onOpen: (id, told) => this.openOne(id, told), onAgain: (id, told) => this.again.open(id, told) });
    this.holder.append(el("div", { class: "many-inner" }, this.staging.element, this.jobs.element, this.none), this.lightbox.dialog, this.again.dialog);
    onLanguage(() => this.reword());
    this.reword();
  }

  async send(form, thumbs, progress) {
    const job = await api.startJob(form, progress);
    this.jobs.put(job, job.id, thumbs());
    this.jobs.keep(job.id);
  }

  makeCard(id, thumbs) {
    return new Job({
      id,
      thumbs: thumbs ?? [],
      sizes: { side: this.about.web_side, scale: this.about.print_scale },
      onAgain: (picture) => this.again.open(id, picture),
      onLarge: (number) => this.lightbox.show(this.jobs.cards.get(id), number),
      onDelete: () => this.jobs.remove(id, t("many.delete.sure")),
    });
  }

  /** Open a picture of a job in the other page, with the settings that it was restored with. */
  async openOne(id, { number, name }) {
    const turn = Symbol(name);
    this.opening = turn;
    try {
      const { options } = await api.jobPicture(id, number);
      const file = await api.jobOriginal(id, number, name);
      // The last of several is the one that is wanted.
      if (this.opening === turn) await this.onOpen(file, lookOf(options, this.about));
    } catch (error) {
      this.onProblem(error);
    }
  }

  reword() {
    this.none.textContent = t("many.empty");
    this.none.hidden = this.jobs.cards.size > 0;
    this.staging.show();
    for (const card of this.jobs.cards.values()) card.show();
  }
}

class Job {
  constructor({ id, thumbs, sizes, onAgain, onLarge, onDelete }) {
    this.id = id;
    this.thumbs = thumbs;
    this.sizes = sizes;
    this.onAgain = onAgain;
    this.onLarge = onLarge;
    this.pictures = new Map();
    this.bar = el("progress", { max: 1, value: 0, "data-label": "many.bar" });
    this.told = el("p", { class: "job-told", role: "status" });
    this.zip = el("a", { class: "button primary", download: "" });
    this.versions = el("select", { onchange: () => this.show() }, ...VERSIONS.map((value) => el("option", { value })));
    this.drop = el("button", { type: "button", class: "quiet", "data-t": "many.delete", onclick: onDelete });
    this.grid = el("ul", { class: "grid" });
    this.element = el("article", { class: "job", "data-job": id }, el("header", {}, this.told, this.versions, this.zip, this.drop), this.bar, this.grid);
  }

  take(job) {
    for (const picture of job.pictures) this.picture(picture);
    this.progress(job);
  }

  /** It is gone from the page. */
  leave() {
    for (const thumb of this.thumbs) if (thumb) URL.revokeObjectURL(thumb);
  }

  /** As what results are downloaded. */
  get version() {
    return this.versions.value;
  }

  progress(summary) {
    this.summary = summary;
    this.show();
  }

  picture(told) {
    let tile = this.pictures.get(told.number);
    if (!tile) {
      tile = new Tile(this, told.number, this.thumbs[told.number]);
      this.pictures.set(told.number, tile);
      this.grid.append(tile.element);
    }
    tile.take(told);
  }

  show() {
    for (const tile of this.pictures.values()) tile.show();
    const { summary } = this;
    const results = summary ? summary.counts.final + summary.counts.review : 0;
    this.zip.hidden = this.versions.hidden = results === 0;
    this.zip.textContent = t(results === 1 ? "many.zip.one" : "many.zip", { count: results });
    this.zip.href = `/v1/jobs/${this.id}/zip?version=${this.version}`;
    this.versions.setAttribute("aria-label", t("many.version"));
    for (const option of this.versions.options) option.textContent = t(`many.version.${option.value}`, this.sizes);
    if (!summary) return;
    this.bar.max = summary.total;
    this.bar.value = summary.done;
    this.bar.hidden = summary.state === "done";
    this.element.dataset.state = summary.state;
    const { counts } = summary;
    const parts = summary.state === "done" ? [] : [t("many.progress", { done: summary.done, total: summary.total })];
    // What is worth a look is no plain success, though it may go out.
    const look = [...this.pictures.values()].filter((tile) => tile.looked === "look").length;
    const told = { ...counts, final: counts.final - look, look };
    for (const state of ["final", "look", "review", "skipped", "failed"]) if (told[state]) parts.push(t(`many.${state}`, { count: told[state] }));
    parts.push(...timesOf(summary));
    this.told.textContent = parts.join(" · ");
  }
}

class Tile {
  constructor(job, number, thumb) {
    this.job = job;
    this.number = number;
    this.image = el("img", { alt: "", loading: "lazy", decoding: "async" });
    if (thumb) this.image.src = thumb;
    this.flip = el("button", { type: "button", class: "flip" }, this.image);
    this.flip.addEventListener("pointerdown", (event) => {
      this.pressed = event.timeStamp;
      this.turn(true);
    });
    for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) this.flip.addEventListener(name, () => this.turn(false));
    this.flip.addEventListener("click", (event) => {
      // A key is no finger: it has no pointer, and opens at once.
      const held = event.detail > 0 && event.timeStamp - this.pressed > HELD_MS;
      if (!held) job.onLarge(number);
    });
    this.name = el("span", { class: "tile-name" });
    this.state = el("span", { class: "state" });
    this.reason = el("span", { class: "tile-reason" });
    this.file = el("a", { class: "link", download: "" });
    this.redo = el("button", { type: "button", class: "link", onclick: () => job.onAgain(this.told) });
    this.element = el("li", { class: "tile" }, this.flip, this.name, this.state, this.reason, el("span", { class: "tile-actions" }, this.file, this.redo));
  }

  take(told) {
    const was = this.told?.state;
    this.told = told;
    const fresh = this.done && was !== told.state;
    if (fresh) this.version = (this.version ?? 0) + 1;
    if (fresh) this.turn(false);
    this.show();
  }

  /** Whether there is a result. */
  get done() {
    return ["final", "review"].includes(this.told?.state);
  }

  /** Its state, and whether a result that may go out is worth a look. */
  get looked() {
    const { state, verdict } = this.told;
    return state === "final" && verdict === "look" ? "look" : state;
  }

  get address() {
    return `/v1/jobs/${this.job.id}/pictures/${this.number}`;
  }

  /** Where its result is downloaded from. */
  get result() {
    return `${this.address}/result?version=${this.job.version}`;
  }

  /** Where it is shown from, before or after, so large at most. */
  picture(side, longest = SMALL) {
    return `${this.address}/thumbnails/${side}?longest=${longest}&${this.version}`;
  }

  turn(before) {
    if (!this.done) return;
    const wanted = this.picture(before ? "before" : "after");
    if (this.image.getAttribute("src") !== wanted) this.image.src = wanted;
  }

  show() {
    if (!this.told) return;
    const { state, name, notice } = this.told;
    const { done, looked } = this;
    this.name.textContent = name;
    this.name.title = name;
    this.flip.dataset.kind = kindOf(name);
    this.state.textContent = t(`state.${looked}`);
    this.state.className = `state ${looked}`;
    this.reason.textContent = notice ? sentence(notice) : "";
    this.flip.setAttribute("aria-label", t("many.flip", { name }));
    this.flip.disabled = !done;
    this.file.textContent = t("many.download");
    this.file.setAttribute("aria-label", t("many.file", { name }));
    this.file.href = this.result;
    this.file.hidden = !done;
    this.redo.textContent = t("many.again");
    this.redo.setAttribute("aria-label", t("many.again.title", { name }));
    this.redo.hidden = ["queued", "running"].includes(state);
    this.element.dataset.state = state;
  }
}

/** The dialog that restores one picture of a job in another way. */
class Again {
  constructor({ about, getLook, onProblem, onDone }) {
    this.kept = {}; // the fields that the picture was restored with
    this.title = el("h2", { id: "again-title" });
    this.look = lookSelect(about, "kept");
    this.look.addEventListener("change", () => this.setStrength());
    const { low, high, default: value } = OPTIONS.get("strength");
    this.strength = el("input", { type: "range", min: low, max: high, step: 0.05, value, id: "again-strength" });
    this.dialog = el(
      "dialog",
      { class: "dialog again", "aria-labelledby": "again-title" },
      this.title,
      this.look,
      el("label", { for: "again-strength", "data-t": "control.strength" }),
      this.strength,
      el(
        "div",
        { class: "dialog-actions" },
        el("button", { type: "button", class: "primary", "data-t": "many.again", onclick: () => this.start() }),
        el("button", { type: "button", "data-t": "cancel", onclick: () => this.dialog.close() }),
      ),
    );
    this.strength.addEventListener("input", () => this.paint());
    this.getLook = getLook;
    this.onProblem = onProblem;
    this.onDone = onDone;
  }

  paint() {
    this.strength.style.setProperty("--at", this.strength.value);
  }

  /** Ask how to restore a picture again, beginning with what it was restored with. */
  async open(id, picture) {
    const wanted = Symbol(picture.name);
    this.wanted = wanted;
    let options;
    try {
      ({ options } = await api.jobPicture(id, picture.number));
    } catch (error) {
      this.onProblem(error);
      return;
    }
    // Another one may have been asked for meanwhile, or another tab: there a dialog would stop the page, unseen.
    if (this.wanted !== wanted || this.dialog.closest("[hidden]")) return;
    this.id = id;
    this.picture = picture;
    this.kept = options;
    this.title.textContent = t("many.again.title", { name: picture.name });
    wordSelect(this.look);
    this.look.value = "kept";
    this.setStrength();
    this.dialog.showModal();
  }

  /** The fields of what is chosen; the format of a result stays as it is. */
  get fields() {
    if (this.look.value !== "kept") return fieldsOf(this.look.value, this.getLook);
    const { format: _, ...fields } = this.kept;
    return fields;
  }

  setStrength() {
    this.strength.value = String(this.fields.strength ?? OPTIONS.get("strength").default);
    this.paint();
  }

  async start() {
    this.dialog.close();
    try {
      await api.againPicture(this.id, this.picture.number, { ...this.fields, strength: this.strength.valueAsNumber });
      this.onDone(this.id);
    } catch (error) {
      this.onProblem(error);
    }
  }
}
