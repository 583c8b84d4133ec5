// Pictures that are chosen but not sent: how they shall look, all of them and each by itself.

import { addFields, Problem } from "./api.js";
import { fieldsOf, lookSelect, wordSelect } from "./choice.js";
import { el, fileField } from "./dom.js";
import { t } from "./words.js";

const THUMB = 256;

export class Staging {
  constructor({ about, getLook, onSend, onProblem }) {
    this.about = about;
    this.getLook = getLook;
    this.onSend = onSend;
    this.onProblem = onProblem;
    this.pictures = [];
    this.references = [];
    this.input = fileField("many-files", (files) => this.add(files));
    this.title = el("h2", {});
    this.how = el("p", { class: "help" });
    this.kept = el("p", { class: "help" });
    this.choose = el("button", { type: "button", "data-t": "many.choose", onclick: () => this.input.click() });
    this.look = lookSelect(about);
    this.start = el("button", { type: "button", class: "primary", id: "many-start", onclick: () => this.send() });
    this.clear = el("button", { type: "button", class: "quiet", "data-t": "many.clear", onclick: () => this.empty() });
    this.referenceInput = fileField("many-reference-files", (files) => this.addReferences(files));
    this.chooseReferences = el("button", { type: "button", class: "reference-zone", id: "many-references", onclick: () => this.referenceInput.click() });
    this.referenceList = el("ul", { class: "reference-row" });
    this.trust = el("input", { type: "checkbox", class: "switch", role: "switch", id: "many-trust" });
    this.trustRow = el("div", { class: "row" }, this.trust, el("label", { for: "many-trust", "data-t": "many.trust" }));
    this.others = el(
      "div",
      { class: "many-references", "data-drop": "many" },
      this.chooseReferences,
      this.referenceList,
      this.trustRow,
      this.referenceInput,
    );
    this.bar = el("progress", { max: 1, value: 0, hidden: true, "data-label": "many.bar" });
    this.told = el("p", { role: "status", class: "job-told" });
    this.grid = el("ul", { class: "grid" });
    this.lookLabel = el("label", { class: "look-label" }, el("span", { "data-t": "many.settings" }), this.look);
    this.element = el(
      "section",
      { class: "staging" },
      this.title,
      this.how,
      el("div", { class: "row" }, this.choose, this.lookLabel, this.start, this.clear),
      this.others,
      this.told,
      this.bar,
      this.grid,
      this.kept,
      this.input,
    );
    this.show();
  }

  add(files) {
    const room = this.about.max_files - this.pictures.length;
    for (const file of files.slice(0, room)) this.pictures.push(this.picture(file));
    this.show();
    if (files.length > room) this.told.textContent = t("many.too-many", { left: files.length - room, count: this.about.max_files });
  }

  /** Other photographs of the persons in the pictures: they serve all of them. */
  addReferences(files) {
    for (const file of files.slice(0, this.about.max_references - this.references.length)) {
      const image = el("img", { alt: file.name, title: file.name });
      const reference = { file, element: null };
      const leave = el("button", {
        type: "button",
        class: "leave-out",
        "aria-label": t("references.remove", { name: file.name }),
        onclick: () => {
          this.references = this.references.filter((other) => other !== reference);
          this.show();
        },
      }, "×");
      reference.element = el("li", { class: "tile" }, image, leave);
      thumbnail(file).then((url) => url && (image.src = url));
      this.references.push(reference);
    }
    this.show();
  }

  picture(file) {
    const image = el("img", { alt: "" });
    const look = lookSelect(this.about, "rest");
    const picture = { file, look, own: null, thumb: null };
    // Kept as it is now: the other page goes on to other settings.
    look.addEventListener("change", () => (picture.own = fieldsOf(look.value, this.getLook)));
    const leave = el("button", {
      type: "button",
      class: "leave-out",
      "aria-label": t("many.remove", { name: file.name }),
      onclick: () => {
        this.pictures = this.pictures.filter((other) => other !== picture);
        this.show();
      },
    }, "×");
    picture.element = el("li", { class: "tile" }, el("span", { class: "flip", "data-kind": kindOf(file.name) }, image), leave, el("span", { class: "tile-name", title: file.name }, file.name), look);
    thumbnail(file).then((url) => {
      if (!url) return;
      picture.thumb = url;
      image.src = url;
    });
    return picture;
  }

  empty() {
    this.pictures = [];
    this.references = [];
    this.show();
  }

  async send() {
    const form = new FormData();
    for (const { file } of this.pictures) form.append("files", file, file.name);
    for (const { file } of this.references) form.append("references", file, file.name);
    if (this.references.length && this.trust.checked) addFields(form, { trust_references: true });
    addFields(form, fieldsOf(this.look.value, this.getLook));
    const overrides = {};
    this.pictures.forEach(({ own }, number) => {
      if (own) overrides[number] = own;
    });
    if (Object.keys(overrides).length) addFields(form, { overrides });
    this.start.disabled = true;
    this.bar.hidden = false;
    try {
      await this.onSend(form, this.pictures.map(({ thumb }) => thumb), (share) => {
        this.bar.value = share;
        this.told.textContent = t("many.sending", { percent: Math.round(share * 100) });
      });
      this.pictures = [];
      this.references = [];
    } catch (error) {
      this.onProblem(error instanceof Problem ? error : new Problem("sending", 0, String(error)));
    }
    this.bar.hidden = true;
    this.start.disabled = false;
    this.show();
  }

  show() {
    const count = this.pictures.length;
    const some = count > 0;
    const number = (key) => t(count === 1 ? `${key}.one` : key, { count });
    this.title.textContent = some ? number("many.staged") : t("many.drop");
    this.how.textContent = t("many.how", { count: this.about.max_files });
    this.kept.textContent = t("many.kept", { hours: Math.round(this.about.keep_hours) });
    this.how.hidden = some;
    this.start.textContent = some ? number("many.start") : "";
    for (const part of [this.start, this.clear, this.lookLabel]) part.hidden = !some;
    this.choose.className = some ? "" : "primary";
    this.choose.dataset.t = some ? "many.add" : "many.choose";
    this.choose.textContent = t(this.choose.dataset.t);
    const others = this.references.length;
    this.others.hidden = !some;
    this.chooseReferences.replaceChildren(
      el("b", {}, t("many.references")),
      ...(others ? [] : [el("span", {}, t("references.help"))]),
    );
    this.chooseReferences.disabled = others >= this.about.max_references;
    this.referenceList.replaceChildren(...this.references.map(({ element }) => element));
    this.referenceList.hidden = this.trustRow.hidden = others === 0;
    this.told.textContent = "";
    wordSelect(this.look);
    for (const { look } of this.pictures) wordSelect(look);
    this.grid.replaceChildren(...this.pictures.map(({ element }) => element));
    this.element.classList.toggle("some", some);
  }
}

/** What stands for a picture that the browser cannot draw: the end of its name. */
export function kindOf(name) {
  return /\.(\w{1,5})$/.exec(name)?.[1].toUpperCase() ?? "?";
}

/** A small copy that this page draws itself; null for what the browser cannot read (the server may). */
async function thumbnail(file) {
  try {
    const whole = await createImageBitmap(file, { resizeWidth: THUMB * 2, resizeQuality: "medium" });
    const scale = Math.min(1, THUMB / Math.max(whole.width, whole.height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(whole.width * scale)), Math.max(1, Math.round(whole.height * scale)));
    canvas.getContext("2d").drawImage(whole, 0, 0, canvas.width, canvas.height);
    whole.close();
    return URL.createObjectURL(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 }));
  } catch {
    return null;
  }
}
