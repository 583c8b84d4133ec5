// Findings before the work, warnings about the settings, and the evidence of what was done, in plain words.

import * as api from "./api.js";
import { el, folded, section } from "./dom.js";
import { same } from "./look.js";
import { canSay, said, sentence, stopped } from "./said.js";
import { t } from "./words.js";

export class Report {
  /** @param {{store: any, ofPicture: Function, onFace: Function, onProblem: Function, onEnlarge: Function, onTurn: Function, getCurrent: Function, getSize: Function}} page */
  constructor({ store, ofPicture, onFace, onProblem, onEnlarge, onTurn, getCurrent, getSize }) {
    this.store = store;
    this.ofPicture = ofPicture;
    this.onFace = onFace;
    this.onProblem = onProblem;
    this.onEnlarge = onEnlarge;
    this.onTurn = onTurn;
    this.getCurrent = getCurrent;
    this.getSize = getSize;
    this.warningList = el("ul", { class: "sayings" });
    this.warnings = section("warnings.title", this.warningList);
    this.warnings.hidden = true;
    this.findingList = el("ul", { class: "sayings" });
    this.measureButton = el("button", { type: "button", class: "wide", onclick: () => this.measure() });
    this.figures = el("div", { class: "figures", "aria-live": "polite" });
    const findings = section("findings.title", this.findingList);
    findings.classList.add("findings");
    this.first = [findings, this.warnings];
    this.measured = section("evidence.title", this.measureButton, this.figures, el("p", { class: "help", "data-t": "evidence.note" }));
    this.measured.classList.add("measured");
    this.evidence = null;
    this.measuring = null; // which measurement is on its way
    this.told = [];
  }

  /** @param {boolean} again whether it is the same picture as before, with the same faces: what was measured holds */
  open(picture, again = false) {
    this.picture = picture;
    if (!again) this.evidence = this.measuring = null;
    this.told = [];
    this.verdicts = [];
    this.show();
  }

  warn(notices, faceNotices, look) {
    this.told = [
      ...notices.map((notice) => ({ notice })),
      ...faceNotices.flatMap((found, i) => found.map((notice) => ({ notice, face: look.faces[i] }))),
    ];
    this.showWarnings();
  }

  /** What speaks against faces that did not come out well. */
  judge(verdicts) {
    this.verdicts = verdicts.filter(({ level }) => level !== "good");
    this.showWarnings();
  }

  showWarnings() {
    const many = this.picture.faces.length > 1;
    const verdicts = this.verdicts ?? [];
    this.warnings.hidden = this.told.length + verdicts.length === 0;
    // The same of several faces is said once, with their numbers.
    const sayings = new Map();
    const add = (level, text, face) => {
      const saying = sayings.get(text) ?? { level, text, faces: [] };
      if (many && face !== undefined && face !== null) saying.faces.push(face);
      sayings.set(text, saying);
    };
    for (const found of verdictGroups(verdicts)) {
      const [{ level }] = found;
      const text = t("verdict.said", { level: t(`verdict.${level}`), reason: many ? reasonOf(found) : said(found[0].notice) });
      for (const { face } of found) add(level === "bad" ? "refuse" : "warn", text, face);
    }
    for (const { notice, face } of this.told) add("warn", said(notice), face);
    this.warningList.replaceChildren(...[...sayings.values()].slice(0, 12).map(({ level, text, faces }) => this.saying(level, text, faces)));
  }

  /** A sentence, with the numbers of the faces that it is about. */
  saying(level, text, faces = []) {
    const links = faces.map((face) => this.faceLink(face));
    const told = el("span", {}, stopped(text));
    if (links.length < 2) return el("li", { class: `saying ${level}` }, ...links, told);
    return el("li", { class: `saying many ${level}` }, told, el("span", { class: "face-links" }, ...links));
  }

  faceLink(face) {
    const label = t("faces.closer", { number: face + 1 });
    return el("button", { type: "button", class: "face-link", "aria-label": label, onclick: () => this.onFace(face) }, String(face + 1));
  }

  /** What is done about a finding by a click: a button in its sentence. */
  remedy(words, onclick) {
    return el("button", { type: "button", class: "link", onclick }, t(words));
  }

  /** What is found of several faces, in one sentence and their numbers. */
  sayingOfMany(found) {
    const [{ level, notice }] = found;
    const values = { ...notice.values, count: found.length, all: this.picture.faces.length };
    return this.saying(level, said({ code: groupCode(notice), values }), found.map(({ face }) => face));
  }

  show() {
    if (!this.picture) return;
    const many = this.picture.faces.length > 1;
    const found = groups(this.picture.findings).map((group) => {
      const [{ level, notice, face }] = group;
      const saying = group.length > 1 ? this.sayingOfMany(group) : this.saying(level, said(notice), many && face !== null ? [face] : []);
      if (notice.code.startsWith("finding.sideways"))
        saying.querySelector("span").append(" ", this.remedy("findings.turn", () => this.onTurn(notice.values.turn)));
      return saying;
    });
    // Detail that the network draws is seen where the result has pixels for it.
    const times = this.picture.suggested_upscale;
    if (times !== null && this.getSize() === 1) {
      const saying = this.saying("note", t("findings.small", { times }));
      saying.querySelector("span").append(" ", this.remedy("findings.enlarge", () => this.onEnlarge()));
      found.push(saying);
    }
    this.findingList.replaceChildren(...(found.length ? found : [el("li", { class: "saying good" }, t("findings.none"))]));
    this.showWarnings();
    this.showEvidence();
  }

  async measure() {
    const { look } = this.store;
    const face = this.getCurrent();
    const measuring = Symbol("measuring");
    this.measuring = measuring;
    this.showEvidence();
    try {
      const found = await this.ofPicture((id) => api.evidence(id, look, face));
      if (this.measuring === measuring) this.evidence = { found, look, face };
    } catch (error) {
      if (this.measuring === measuring) this.onProblem(error);
    } finally {
      if (this.measuring === measuring) this.measuring = null;
    }
    this.showEvidence();
    if (document.activeElement === document.body) this.measureButton.focus({ preventScroll: true });
  }

  showEvidence() {
    const face = this.getCurrent();
    const { look } = this.store;
    this.measureButton.disabled = this.measuring !== null || !look.faces.includes(face);
    this.measureButton.textContent = this.measuring ? t("evidence.busy") : t("evidence.measure", { number: (face ?? 0) + 1 });
    this.figures.replaceChildren();
    if (!this.evidence || this.evidence.face !== face) return;
    if (!same(this.evidence.look, look)) this.figures.append(el("p", { class: "stale" }, t("evidence.again")));
    for (const [group, figures] of grouped(this.evidence.found.figures)) {
      const worst = ["bad", "look", "good", "none"].find((verdict) => figures.some((figure) => figure.verdict === verdict));
      this.figures.append(
        el(
          "details",
          { class: "figure-group", open: worst === "bad" || worst === "look" },
          el("summary", {}, el("span", { class: `badge ${worst}` }, t(`verdict.${worst}`)), el("b", {}, said({ code: `group.${group}` }))),
          el("ul", {}, ...figures.map((figure) => this.figure(figure))),
        ),
      );
    }
  }

  figure(figure) {
    const values = [figure.before, figure.after].filter((value) => value !== null).map((value) => number(value, figure.unit));
    const unit = figure.unit === "levels" ? t("unit.levels") : figure.unit;
    const shown = values.length ? `${values.join(" → ")}${unit ? ` ${unit}` : ""}` : "";
    return el(
      "li",
      { class: figure.verdict },
      el("span", { class: "figure-title" }, said({ code: `figure.${figure.name}` })),
      el("span", { class: "number" }, shown),
      el("span", { class: "figure-said" }, said(figure.notice)),
    );
  }
}

/** The code that says a finding of several faces at once. */
function groupCode(notice) {
  return `grouped.${notice.code.split(".")[1]}`;
}

/** Findings, those that say the same of several faces together, in the order of their first. */
function groups(findings) {
  const found = new Map();
  for (const finding of findings) {
    const code = groupCode(finding.notice);
    const key = finding.face !== null && canSay(code) ? `${finding.level} ${code}` : finding;
    found.set(key, [...(found.get(key) ?? []), finding]);
  }
  return [...found.values()];
}

/** Verdicts, those with the same reason together, the bad ones first. */
function verdictGroups(verdicts) {
  const found = new Map();
  for (const level of ["bad", "look"])
    for (const verdict of verdicts.filter((one) => one.level === level)) {
      const key = `${level} ${verdict.notice.code}`;
      found.set(key, [...(found.get(key) ?? []), verdict]);
    }
  return [...found.values()];
}

/** What speaks against several faces: from which figure to which, where it has one. */
function reasonOf(found) {
  const [{ notice }] = found;
  const figures = found.flatMap((one) => Object.values(one.notice.values ?? {})).map(Math.round);
  const [from, to] = [Math.min(...figures), Math.max(...figures)];
  if (!figures.length || from === to) return said(notice);
  return t(`verdicts.${notice.code.split(".")[1]}`, { from, to });
}

function number(value, unit) {
  const digits = unit === "" ? 3 : unit === "px" || unit === "levels" ? 2 : 1;
  return (Math.round(value * 10 ** digits) / 10 ** digits + 0).toFixed(digits);
}

function grouped(figures) {
  const groups = new Map();
  for (const figure of figures) groups.set(figure.group, [...(groups.get(figure.group) ?? []), figure]);
  return groups;
}
