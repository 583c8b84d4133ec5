// The numbered faces, on the picture and in the panel: tick them, look at them.

import { el } from "./dom.js";
import { said } from "./said.js";
import { t } from "./words.js";

const DOTS_UNDER = 30; // CSS pixels of a face's width

export class Marks {
  constructor({ stage, onToggle, onCurrent }) {
    this.stage = stage;
    this.onToggle = onToggle;
    this.onCurrent = onCurrent;
    this.holder = document.getElementById("marks");
    this.marks = [];
    this.verdicts = [];
    stage.watchers.add(() => this.place());
  }

  open(picture) {
    this.picture = picture;
    this.verdicts = [];
    this.holder.replaceChildren();
    this.marks = (picture?.faces ?? []).map((face) => {
      const mark = el(
        "button",
        {
          type: "button",
          class: "mark-face",
          role: "checkbox",
          "data-face": face.index,
          disabled: !face.area,
          onclick: () => this.onToggle(face.index),
          onfocus: () => this.onCurrent(face.index),
        },
        el("span", { class: "mark-number", "aria-hidden": "true" }, String(face.index + 1), el("span", { class: "mark-own" })),
      );
      this.holder.append(mark);
      return { face, mark };
    });
    this.holder.classList.toggle("single", this.marks.length === 1);
    this.holder.classList.toggle("many-faces", this.marks.length > 12);
    if (picture) this.place();
  }

  place() {
    this.holder.classList.toggle("dots", this.crowded);
    for (const { face, mark } of this.marks) {
      const [x0, y0] = this.stage.toScreen(face.box[0], face.box[1]);
      const [x1, y1] = this.stage.toScreen(face.box[2], face.box[3]);
      const [left, top, right, bottom] = this.stage.frame;
      const [x, y] = [(face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2];
      mark.classList.toggle("cut", x < left || x > right || y < top || y > bottom);
      mark.style.transform = `translate(${x0}px, ${y0}px)`;
      mark.style.width = `${Math.max(24, x1 - x0)}px`;
      mark.style.height = `${Math.max(24, y1 - y0)}px`;
    }
  }

  /** Whether numbers would hide the faces that they are the numbers of. */
  get crowded() {
    const wide = this.marks.map(({ face: { box } }) => this.stage.toScreen(box[2], 0)[0] - this.stage.toScreen(box[0], 0)[0]).sort((a, b) => a - b);
    return wide.length > 1 && wide[wide.length >> 1] < DOTS_UNDER;
  }

  /** Colour the numbers of faces that did not come out well. */
  judge(verdicts) {
    this.verdicts = verdicts;
    this.showVerdicts();
  }

  showVerdicts() {
    const told = new Map(this.verdicts.map((verdict) => [verdict.face, verdict]));
    for (const { face, mark } of this.marks) {
      const verdict = told.get(face.index);
      mark.dataset.verdict = verdict?.level ?? "";
      mark.setAttribute("aria-description", verdict?.notice ? said(verdict.notice) : "");
    }
  }

  /** Show on each face which other photographs serve it: small pictures, by the face's index. */
  lend(lent) {
    for (const { face, mark } of this.marks) {
      mark.querySelector(".mark-lent")?.remove();
      const small = lent.get(face.index) ?? [];
      mark.classList.toggle("lent", small.length > 0);
      if (small.length) mark.append(el("span", { class: "mark-lent" }, ...small.map(({ src, name }) => el("img", { src, alt: "", title: name }))));
    }
  }

  show({ faces: chosen, own }, current) {
    this.showVerdicts();
    for (const { face, mark } of this.marks) {
      const on = chosen.includes(face.index);
      mark.setAttribute("aria-checked", String(on));
      mark.classList.toggle("current", face.index === current && this.marks.length > 1);
      mark.classList.toggle("own", face.index in own);
      const words = [t("faces.face.px", { number: face.index + 1, width: Math.round(face.box[2] - face.box[0]) })];
      if (face.index in own) words.push(t("faces.own"));
      const label = words.join(t("list.comma"));
      mark.setAttribute("aria-label", face.area ? label : `${label}: ${t("faces.unusable")}`);
      // People count from 1, programs from 0: whoever goes from here to the API is told.
      mark.title = `${label} (${t("faces.index", { index: face.index })})`;
    }
  }
}
