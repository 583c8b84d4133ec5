// Whose settings the panel shows: those that all faces share, or those of the face that is looked at.

import { el } from "./dom.js";
import { t } from "./words.js";

export class Whose {
  /** @param {{onChoose: Function, onBack: Function}} panel onChoose is told that another one is chosen, onBack of a face that is to have
   *   nothing of its own any more */
  constructor({ onChoose, onBack }) {
    this.one = false;
    this.current = 0;
    this.several = false;
    const choose = (one) => () => {
      this.one = one;
      onChoose();
    };
    this.all = el("button", { type: "button", id: "whose-all", "data-t": "whose.all", onclick: choose(false) });
    this.only = el("button", { type: "button", id: "whose-one", onclick: choose(true) });
    this.back = el("button", { type: "button", class: "quiet own-back", id: "whose-back", "data-t": "whose.back", onclick: () => onBack(this.current) });
    this.note = el("p", { class: "help", role: "status" });
    this.element = el(
      "section",
      { class: "section whose", hidden: true },
      el("h2", { "data-t": "whose.title" }),
      this.back,
      el("div", { class: "segments", role: "group", "data-label": "whose.title" }, this.all, this.only),
      this.note,
    );
  }

  /** The face whose own settings are shown and changed; null where they are those of all. */
  get face() {
    return this.one && this.several ? this.current : null;
  }

  show(picture, current, look) {
    const usable = (picture?.faces ?? []).filter((face) => face.area);
    // Of a single face all settings are its own.
    this.several = usable.length > 1;
    this.current = current ?? 0;
    this.element.hidden = !this.several;
    const number = this.current + 1;
    const { face } = this;
    this.all.setAttribute("aria-pressed", String(face === null));
    this.only.setAttribute("aria-pressed", String(face !== null));
    this.only.textContent = t("whose.one", { number });
    this.only.disabled = !usable.some(({ index }) => index === this.current);
    this.back.hidden = face === null || !(face in look.own);
    this.note.textContent = this.told(face, number, look);
    this.note.hidden = !this.note.textContent;
  }

  told(face, number, look) {
    if (face !== null) return t(look.faces.includes(face) ? "whose.note" : "whose.unticked", { number });
    const own = Object.keys(look.own).map((index) => Number(index) + 1);
    if (!own.length) return "";
    return t(own.length > 1 ? "whose.several" : "whose.single", { faces: own.join(t("list.comma")) });
  }
}
