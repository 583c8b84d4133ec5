// Pictures that are chosen but not sent: how they shall look, all of them and each by itself.

import { addFields, Problem } from "./api.js";
import { fieldsOf, lookSelect, wordSelect } from "./choice.js";
import { el, fileField, leaveOut } from "./dom.js";
import { OtherPhotographs, thumbnail } from "./others.js";
import { t } from "./words.js";

export class Staging {
  constructor({ about, getLook, onSend, onProblem }) {
    this.about = about;
    this.getLook = getLook;
    this.onSend = onSend;
    this.onProblem = onProblem;
    this.pictures = [];
    this.input = fileField("many-files", (files) => this.add(files));
    this.title = el("h2", {});
    this.how = el("p", { class: "help" });
    this.kept = el("p", { class: "help" });
    this.choose = el("button", { type: "button", "data-t": "many.choose", onclick: () => this.input.click() });
    this.look = lookSelect(about);
    this.start = el("button", { type: "button", class: "primary", id: "many-start", onclick: () => this.send() });
    this.clear = el("button", { type: "button", class: "quiet", "data-t": "many.clear", onclick: () => this.empty() });
    this.others = new OtherPhotographs({ part: "many", most: about.max_references });
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
      this.others.element,
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

  picture(file) {
    const image = el("img", { alt: "" });
    const look = lookSelect(this.about, "rest");
    const picture = { file, look, own: null, thumb: null };
    // Kept as it is now: the other page goes on to other settings.
    look.addEventListener("change", () => (picture.own = fieldsOf(look.value, this.getLook)));
    const leave = leaveOut(t("many.remove", { name: file.name }), () => this.takeOut([picture]));
    picture.element = el("li", { class: "tile" }, el("span", { class: "flip", "data-kind": kindOf(file.name) }, image), leave, el("span", { class: "tile-name", title: file.name }, file.name), look);
    thumbnail(file).then((url) => {
      if (!url) return;
      picture.thumb = url;
      image.src = url;
      if (!this.pictures.includes(picture)) URL.revokeObjectURL(url);
    });
    return picture;
  }

  empty() {
    this.others.empty();
    this.takeOut(this.pictures);
  }

  takeOut(some) {
    this.pictures = this.pictures.filter((picture) => !some.includes(picture));
    for (const { thumb } of some) if (thumb) URL.revokeObjectURL(thumb);
    this.show();
  }

  async send() {
    const form = new FormData();
    const pictures = [...this.pictures];
    for (const { file } of pictures) form.append("files", file, file.name);
    const others = this.others.fill(form);
    addFields(form, fieldsOf(this.look.value, this.getLook));
    const overrides = {};
    pictures.forEach(({ own }, number) => {
      if (own) overrides[number] = own;
    });
    if (Object.keys(overrides).length) addFields(form, { overrides });
    this.start.disabled = true;
    this.bar.hidden = false;
    try {
      await this.onSend(form, () => pictures.map((picture) => this.pictures.includes(picture) && picture.thumb), (share) => {
        this.bar.value = share;
        this.told.textContent = t("many.sending", { percent: Math.round(share * 100) });
      });
      // What was brought meanwhile is still to be sent.
      this.pictures = this.pictures.filter((picture) => !pictures.includes(picture));
      this.others.leaveOut(others);
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
    this.others.element.hidden = !some;
    this.others.show();
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
