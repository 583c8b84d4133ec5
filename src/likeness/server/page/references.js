// Other photographs of the persons in the picture: brought, shown with what each gives, trusted, taken away.

import * as api from "./api.js";
import { el, fileField, section } from "./dom.js";
import { phrase } from "./said.js";
import { t } from "./words.js";

export class References {
  /** @param {{store: any, about: any, ofPicture: Function, onBusy: Function, onProblem: Function, announce: Function, onLent: Function}} page */
  constructor({ store, about, ofPicture, onBusy, onProblem, announce, onLent }) {
    this.store = store;
    this.ofPicture = ofPicture;
    this.most = about.max_references;
    this.onBusy = onBusy;
    this.onProblem = onProblem;
    this.announce = announce;
    this.onLent = onLent;
    this.picture = null;
    this.kept = new Map(); // what the server has of this picture, by id
    this.files = new Map(); // and the files themselves, should it forget
    this.told = new Map(); // what became of each, as it was last drawn
    this.input = fileField("reference-files", (files) => this.bring(files));
    this.choose = el("button", { type: "button", class: "reference-zone", id: "reference-choose", onclick: () => this.input.click() });
    this.list = el("ul", { class: "references" });
  }

  /** The panel's section; `controls` are the sliders that belong into it. */
  section(...controls) {
    this.controls = controls;
    this.element = section("references.title", this.choose, this.list, ...controls, this.input);
    this.element.dataset.drop = "one";
    return this.element;
  }

  /** Another picture was opened, of which there are none. */
  forget() {
    this.files = new Map();
  }

  open(picture) {
    this.picture = picture;
    this.kept = new Map(picture.references.map((one) => [one.id, one]));
    this.told = new Map();
    this.show();
  }

  /** Bring to a picture that was opened again what the one before it had. */
  async bringAgain(picture) {
    for (const file of this.files.values()) picture.references.push(await api.addReference(picture.id, file));
  }

  async bring(files) {
    const { files: own } = this;
    if (!this.picture) return;
    for (const file of files) {
      if (this.full()) return;
      this.onBusy("busy.reference");
      try {
        const one = await this.ofPicture((id) => api.addReference(id, file));
        // Another picture has others; the same one may have been turned meanwhile.
        if (this.files !== own) return;
        own.set(one.id, file);
        this.kept.set(one.id, one);
        if (this.full()) return;
        const { references } = this.store.look;
        if (!references.includes(one.id)) this.store.set({ references: [...references, one.id] });
        this.announce(t("references.brought", { name: one.name }));
      } catch (error) {
        if (this.files !== own) return;
        // The server does not say a client's own names.
        if (error.notice?.values?.name) error.notice.values.name = file.name;
        this.onProblem(error);
      } finally {
        this.onBusy(null);
      }
    }
  }

  /** Whether there are as many as can be used, which is told. */
  full() {
    const full = this.store.look.references.length >= this.most;
    if (full) this.onProblem(new api.Problem("too-many-references", 0, "", { most: this.most }));
    return full;
  }

  remove(id) {
    const { references, trusted } = this.store.look;
    this.store.set({ references: references.filter((one) => one !== id), trusted: trusted.filter((one) => one !== id) });
    this.choose.focus();
  }

  trust(id) {
    this.store.set({ trusted: [...this.store.look.trusted, id] });
  }

  /** What became of the photographs of a look that was drawn. */
  tell(told, look) {
    this.told = new Map(told.map((one) => [one.id, one]));
    this.look = look;
    this.show();
  }

  show() {
    if (!this.element) return;
    const { look } = this.store;
    const some = look.references.length > 0;
    this.choose.replaceChildren(
      el("b", {}, t(some ? "references.more" : "references.choose")),
      ...(some ? [] : [el("span", {}, t("references.help"))]),
    );
    this.choose.disabled = look.references.length >= this.most;
    for (const control of this.controls) control.hidden = !some;
    this.list.hidden = !some;
    this.list.replaceChildren(...look.references.filter((id) => this.kept.has(id)).map((id) => this.card(id)));
    this.onLent(this.lent());
  }

  card(id) {
    const { name, faces } = this.kept.get(id);
    const told = this.told.get(id);
    const own = told?.serves[0]?.own ?? 0;
    const refused = told && told.verdict !== "same" && told.likeness !== null && !told.serves.length && !this.store.look.trusted.includes(id);
    return el(
      "li",
      { class: `reference ${told?.serves.length ? "serves" : refused ? "refused" : ""}`, "data-reference": id },
      el("img", { src: faces[own], alt: "" }),
      el(
        "div",
        {},
        el("b", { title: name }, name),
        el("p", {}, ...this.sentences(id, told).map((text) => el("span", {}, text))),
        refused ? el("button", { type: "button", class: "link", onclick: () => this.trust(id) }, t("references.trust")) : null,
      ),
      el("button", { type: "button", class: "quiet", "aria-label": t("references.remove", { name }), onclick: () => this.remove(id) }, "×"),
    );
  }

  sentences(id, told) {
    if (!this.store.look.faces.length) return [t("references.no-face")];
    if (!told) return [t("references.looking")];
    const values = { likeness: told.likeness?.toFixed(2), limit: told.limit.toFixed(2) };
    if (!told.serves.length) {
      if (told.likeness === null) return [t("references.itself")];
      return [t(`references.${told.verdict}`, values)];
    }
    const many = this.picture.faces.length > 1;
    const lines = told.serves.map(({ face, regions }) => {
      if (!regions) return t("references.nothing");
      return t(many ? "references.gives.face" : "references.gives", { number: face + 1, regions: phrase(regions) });
    });
    if (told.verdict !== "same") lines.push(t("references.trusted", values));
    return lines;
  }

  /** Which face is served by whom: face's index, and the small pictures. */
  lent() {
    const found = new Map();
    const { references } = this.store.look;
    for (const id of references) {
      for (const { face, own, regions } of this.told.get(id)?.serves ?? []) {
        const { faces, name } = this.kept.get(id) ?? { faces: [], name: "" };
        if (regions && faces[own]) found.set(face, [...(found.get(face) ?? []), { src: faces[own], name }]);
      }
    }
    return found;
  }
}
