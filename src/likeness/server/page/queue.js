// Many pictures: chosen, sent as a job, watched, fetched. The server keeps the queue; this page remembers the jobs' names.

import * as api from "./api.js";
import { fieldsOf, lookSelect, wordSelect } from "./choice.js";
import { el } from "./dom.js";
import { OPTIONS } from "./look.js";
import { said } from "./said.js";
import { Staging } from "./staging.js";
import { currentLanguage, onLanguage, t } from "./words.js";

const KEPT = "likeness.jobs";
const STREAMS = 3; // browsers open no more than six connections to a server

export class Queue {
  constructor({ about, getLook, onProblem }) {
    this.onProblem = onProblem;
    this.holder = document.getElementById("many");
    this.jobs = new Map();
    this.staging = new Staging({ about, getLook, onSend: (form, thumbs, progress) => this.send(form, thumbs, progress), onProblem });
    this.list = el("div", { class: "jobs" });
    this.none = el("p", { class: "none" });
    this.again = new Again({ about, getLook, onProblem, onDone: (id) => this.watch(id) });
    this.holder.append(el("div", { class: "many-inner" }, this.staging.element, this.list, this.none), this.again.dialog);
    onLanguage(() => this.reword());
    this.reword();
  }

  /** Find the jobs again that this browser has begun. */
  async resume() {
    let kept = [];
    try {
      kept = JSON.parse(localStorage.getItem(KEPT)) ?? [];
    } catch {
      kept = [];
    }
    for (const id of kept.reverse()) {
      try {
        this.put(await api.job(id));
      } catch (error) {
        if (error.status !== 404) this.put(null, id);
      }
    }
    this.keep();
  }

  keep() {
    try {
      localStorage.setItem(KEPT, JSON.stringify([...this.jobs.keys()].reverse()));
    } catch {
      // Without a store the jobs are forgotten with the page.
    }
    this.none.hidden = this.jobs.size > 0;
  }

  async send(form, thumbs, progress) {
    const job = await api.startJob(form, progress);
    this.put(job, job.id, thumbs);
    this.keep();
  }

  put(job, id = job.id, thumbs = []) {
    const card = new Job({
      id,
      thumbs,
      onAgain: (picture) => this.again.open(id, picture),
      onDelete: () => this.remove(id),
    });
    this.jobs.set(id, card);
    this.list.prepend(card.element);
    if (job) card.take(job);
    this.watch(id);
  }

  /** Follow a job's events while it works; without the server, try again until it is back. */
  watch(id) {
    const card = this.jobs.get(id);
    card.source?.close();
    clearTimeout(card.timer);
    const streams = [...this.jobs.values()].filter((other) => other.source?.readyState < 2).length;
    if (streams >= STREAMS) {
      card.timer = setTimeout(() => this.poll(id), 3000);
      return;
    }
    const source = new EventSource(`/v1/jobs/${id}/events`);
    card.source = source;
    source.addEventListener("picture", (event) => card.picture(JSON.parse(event.data)));
    source.addEventListener("progress", (event) => card.progress(JSON.parse(event.data)));
    source.addEventListener("end", (event) => {
      source.close();
      const told = JSON.parse(event.data);
      if (told.state === "deleted") this.forget(id);
      else card.progress(told);
    });
    source.addEventListener("error", () => {
      // A refused stream (the server was restarted, the job deleted) is not opened again by the browser.
      if (source.readyState === EventSource.CLOSED) card.timer = setTimeout(() => this.poll(id), 2000);
    });
  }

  async poll(id) {
    const card = this.jobs.get(id);
    if (!card) return;
    try {
      const job = await api.job(id);
      card.take(job);
      if (job.state !== "done") this.watch(id);
    } catch (error) {
      if (error.status === 404) this.forget(id);
      else card.timer = setTimeout(() => this.poll(id), 3000);
    }
  }

  async remove(id) {
    if (!window.confirm(t("many.delete.sure"))) return;
    try {
      await api.deleteJob(id);
    } catch (error) {
      if (error.status !== 404) {
        this.onProblem(error);
        return;
      }
    }
    this.forget(id);
  }

  forget(id) {
    const card = this.jobs.get(id);
    card?.source?.close();
    clearTimeout(card?.timer);
    card?.element.remove();
    this.jobs.delete(id);
    this.keep();
  }

  reword() {
    this.none.textContent = t("many.empty");
    this.none.hidden = this.jobs.size > 0;
    this.staging.show();
    for (const card of this.jobs.values()) card.show();
  }
}

class Job {
  constructor({ id, thumbs, onAgain, onDelete }) {
    this.id = id;
    this.thumbs = thumbs;
    this.onAgain = onAgain;
    this.pictures = new Map();
    this.bar = el("progress", { max: 1, value: 0, "data-label": "many.bar" });
    this.told = el("p", { class: "job-told", role: "status" });
    this.zip = el("a", { class: "button primary", href: `/v1/jobs/${id}/zip`, download: "", "data-t": "many.zip" });
    this.drop = el("button", { type: "button", class: "quiet", "data-t": "many.delete", onclick: onDelete });
    this.grid = el("ul", { class: "grid" });
    this.element = el("article", { class: "job", "data-job": id }, el("header", {}, this.told, this.zip, this.drop), this.bar, this.grid);
  }

  take(job) {
    for (const picture of job.pictures) this.picture(picture);
    this.progress(job);
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
    this.zip.hidden = !summary || summary.counts.final + summary.counts.review === 0;
    if (!summary) return;
    this.bar.max = summary.total;
    this.bar.value = summary.done;
    this.bar.hidden = summary.state === "done";
    this.element.dataset.state = summary.state;
    const { counts } = summary;
    const parts = summary.state === "done" ? [] : [t("many.progress", { done: summary.done, total: summary.total })];
    for (const state of ["final", "review", "skipped", "failed"]) if (counts[state]) parts.push(t(`many.${state}`, { count: counts[state] }));
    if (summary.state !== "done" && summary.seconds_left) parts.push(t("many.left", { time: duration(summary.seconds_left) }));
    if (summary.deleted_at) parts.push(t("many.deleted", { time: moment(summary.deleted_at) }));
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
    for (const name of ["pointerdown", "keydown"]) this.flip.addEventListener(name, () => this.turn(true));
    for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) this.flip.addEventListener(name, () => this.turn(false));
    this.name = el("span", { class: "tile-name" });
    this.state = el("span", { class: "state" });
    this.reason = el("span", { class: "tile-reason" });
    this.file = el("a", { class: "link", download: "", href: `/v1/jobs/${job.id}/pictures/${number}/result` });
    this.redo = el("button", { type: "button", class: "link", onclick: () => job.onAgain(this.told) });
    this.element = el("li", { class: "tile" }, this.flip, this.name, this.state, this.reason, el("span", { class: "tile-actions" }, this.file, this.redo));
  }

  take(told) {
    const done = ["final", "review"].includes(told.state);
    const fresh = done && (this.told?.state !== told.state || !this.told);
    this.told = told;
    if (fresh) this.version = (this.version ?? 0) + 1;
    if (fresh) this.turn(false);
    this.show();
  }

  turn(before) {
    if (!this.told || !["final", "review"].includes(this.told.state)) return;
    const side = before ? "before" : "after";
    const wanted = `/v1/jobs/${this.job.id}/pictures/${this.number}/thumbnails/${side}?${this.version}`;
    if (this.image.getAttribute("src") !== wanted) this.image.src = wanted;
  }

  show() {
    if (!this.told) return;
    const { state, name, notice, verdict } = this.told;
    const done = ["final", "review"].includes(state);
    this.name.textContent = name;
    this.name.title = name;
    const looked = state === "final" && verdict === "look" ? "look" : state;
    this.state.textContent = t(`state.${looked}`);
    this.state.className = `state ${looked}`;
    this.reason.textContent = notice ? said(notice) : "";
    this.flip.setAttribute("aria-label", t("many.flip", { name }));
    this.flip.disabled = !done;
    this.file.textContent = t("many.download");
    this.file.setAttribute("aria-label", t("many.file", { name }));
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
    this.title = el("h2", { id: "again-title" });
    this.look = lookSelect(about, false);
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

  open(id, picture) {
    this.id = id;
    this.picture = picture;
    this.title.textContent = t("many.again.title", { name: picture.name });
    wordSelect(this.look);
    this.paint();
    this.dialog.showModal();
  }

  async start() {
    this.dialog.close();
    try {
      await api.againPicture(this.id, this.picture.number, { ...fieldsOf(this.look.value, this.getLook), strength: this.strength.valueAsNumber });
      this.onDone(this.id);
    } catch (error) {
      this.onProblem(error);
    }
  }
}

function duration(seconds) {
  /** @type {Intl.NumberFormatOptions} */
  const style = { style: "unit", unitDisplay: "short", maximumFractionDigits: 0 };
  const locale = currentLanguage() === "zh" ? "zh" : "en";
  const [value, unit] = seconds < 90 ? [Math.max(1, Math.round(seconds)), "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return new Intl.NumberFormat(locale, { ...style, unit }).format(value);
}

function moment(text) {
  const hours = Math.max(1, Math.round((new Date(text).getTime() - Date.now()) / 3600000));
  return new Intl.RelativeTimeFormat(currentLanguage() === "zh" ? "zh" : "en").format(hours, "hour");
}
