// The jobs that this browser has begun: kept by name over a reload, followed while they work, forgotten when they are gone.

import * as api from "./api.js";
import { currentLanguage, t } from "./words.js";

const STREAMS = 3; // browsers open no more than six connections to a server

/** All jobs that are followed, of whatever page, so that together they leave connections to the rest. */
const followed = new Set();

/** @typedef {{element: HTMLElement, take: Function, picture: Function, progress: Function, leave?: Function, source?: EventSource, timer?: any}} Card */

export class JobList {
  /** @param {{kept: string, makeCard: (id: string, extra: any) => Card, onProblem: Function, onChange: Function}} options */
  constructor({ kept, makeCard, onProblem, onChange }) {
    this.kept = kept;
    this.makeCard = makeCard;
    this.onProblem = onProblem;
    this.onChange = onChange;
    /** @type {Map<string, any>} */
    this.cards = new Map();
    this.element = document.createElement("div");
    this.element.className = "jobs";
  }

  /** Find the jobs again that this browser has begun. */
  async resume() {
    for (const id of this.names().reverse()) {
      try {
        this.put(await api.job(id));
      } catch (error) {
        if (error.status === 404) this.keep(id, false);
        else this.put(null, id);
      }
    }
    this.onChange();
  }

  /** The names of the jobs that this browser has begun, in whatever window; the newest first. */
  names() {
    try {
      return JSON.parse(localStorage.getItem(this.kept)) ?? [];
    } catch {
      return [];
    }
  }

  /** Remember a job, or forget it: that one alone, as other windows have begun others. */
  keep(id, on = true) {
    const others = this.names().filter((name) => name !== id);
    try {
      localStorage.setItem(this.kept, JSON.stringify(on ? [id, ...others] : others));
    } catch {
      // Without a store the jobs are forgotten with the page.
    }
    this.onChange();
  }

  /** Show a job; `extra` is what the card of a new one is told besides. */
  put(job, id = job.id, extra = null) {
    const card = this.makeCard(id, extra);
    this.cards.set(id, card);
    this.element.prepend(card.element);
    if (job) card.take(job);
    this.watch(id);
  }

  /** Follow a job's events while it works; without the server, try again until it is back. */
  watch(id) {
    const card = this.cards.get(id);
    if (!card) return;
    card.source?.close();
    clearTimeout(card.timer);
    for (const source of followed) if (source.readyState === EventSource.CLOSED) followed.delete(source);
    if (followed.size >= STREAMS) {
      card.timer = setTimeout(() => this.poll(id), 3000);
      return;
    }
    const source = new EventSource(`/v1/jobs/${id}/events`);
    followed.add(source);
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
    const card = this.cards.get(id);
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

  /** End and delete a job, after a question. */
  async remove(id, question) {
    if (!window.confirm(question)) return;
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
    const card = this.cards.get(id);
    card?.source?.close();
    clearTimeout(card?.timer);
    card?.leave?.();
    card?.element.remove();
    this.cards.delete(id);
    this.keep(id, false);
  }
}

/** How long a job still takes, and until when it is kept, in words. */
export function timesOf(summary) {
  const parts = [];
  if (summary.state !== "done" && summary.seconds_left) parts.push(t("many.left", { time: duration(summary.seconds_left) }));
  if (summary.deleted_at) parts.push(t("many.deleted", { time: moment(summary.deleted_at) }));
  return parts;
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
