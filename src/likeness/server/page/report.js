// Findings before the work, warnings about the settings, and the evidence of what was done, in plain words.

import * as api from "./api.js";
import { el, folded, section } from "./dom.js";
import { same } from "./look.js";
import { said } from "./said.js";
import { t } from "./words.js";

export class Report {
  constructor({ store, onFace, onProblem, getCurrent }) {
    this.store = store;
    this.onFace = onFace;
    this.onProblem = onProblem;
    this.getCurrent = getCurrent;
    this.warningList = el("ul", { class: "sayings" });
    this.warnings = section("warnings.title", this.warningList);
    this.warnings.hidden = true;
    this.findingList = el("ul", { class: "sayings" });
    this.measureButton = el("button", { type: "button", class: "wide", onclick: () => this.measure() });
    this.figures = el("div", { class: "figures", "aria-live": "polite" });
    this.sections = [
      this.warnings,
      section("findings.title", this.findingList),
      section("evidence.title", this.measureButton, this.figures, el("p", { class: "help", "data-t": "evidence.note" })),
    ];
    this.evidence = null;
    this.told = [];
  }

  open(picture) {
    this.picture = picture;
    this.evidence = null;
    this.told = [];
    this.verdicts = [];
    this.show();
  }

  warn(notices, faceNotices, look) {
    this.verdicts = [];
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
    this.warningList.replaceChildren(
      ...verdicts.slice(0, 8).map(({ level, notice, face }) =>
        this.saying(level === "bad" ? "refuse" : "warn", `${t(`verdict.${level}`)}: ${said(notice)}`, many ? face : undefined),
      ),
      ...this.told.slice(0, 8).map(({ notice, face }) => this.saying("warn", said(notice), many ? face : undefined)),
    );
  }

  saying(level, text, face) {
    return el(
      "li",
      { class: `saying ${level}` },
      face === undefined || face === null
        ? null
        : el("button", { type: "button", class: "face-link", "aria-label": t("faces.closer", { number: face + 1 }), onclick: () => this.onFace(face) }, String(face + 1)),
      el("span", {}, text),
    );
  }

  show() {
    if (!this.picture) return;
    const many = this.picture.faces.length > 1;
    const found = this.picture.findings.map(({ level, notice, face }) => this.saying(level, said(notice), many ? face : null));
    this.findingList.replaceChildren(...(found.length ? found : [el("li", { class: "saying good" }, t("findings.none"))]));
    this.showWarnings();
    this.showEvidence();
  }

  async measure() {
    const picture = this.picture;
    const look = this.store.look;
    const face = this.getCurrent();
    this.measureButton.disabled = true;
    this.measureButton.textContent = t("evidence.busy");
    try {
      const found = await api.evidence(picture.id, look, face);
      if (this.picture === picture) this.evidence = { found, look, face };
    } catch (error) {
      this.onProblem(error);
    }
    this.showEvidence();
  }

  showEvidence() {
    const face = this.getCurrent();
    const { look } = this.store;
    this.measureButton.disabled = !look.faces.includes(face);
    this.measureButton.textContent = t("evidence.measure", { number: (face ?? 0) + 1 });
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

function number(value, unit) {
  const digits = unit === "" ? 3 : unit === "px" || unit === "levels" ? 2 : 1;
  return (Math.round(value * 10 ** digits) / 10 ** digits + 0).toFixed(digits);
}

function grouped(figures) {
  const groups = new Map();
  for (const figure of figures) groups.set(figure.group, [...(groups.get(figure.group) ?? []), figure]);
  return groups;
}
