// Pictures that are chosen but not sent: how they shall look, all of them and each by itself.

import { addFields, Problem } from "./api.js";
import { fieldsOf, lookSelect, wordSelect } from "./choice.js";
import { el } from "./dom.js";
import { t } from "./words.js";

const THUMB = 256;

export class Staging {
  constructor({ about, getLook, onSend, onProblem }) {
    this.about = about;
    this.getLook = getLook;
    this.onSend = onSend;
    this.onProblem = onProblem;
    this.pictures = [];
    this.input = el("input", { type: "file", multiple: true, hidden: true, id: "many-files", accept: "image/*,.heic,.heif,.avif,.tif,.tiff" });
    this.input.addEventListener("change", () => {
      this.add([...this.input.files]);
      this.input.value = "";
    });
    this.title = el("h2", {});
    this.how = el("p", { class: "help" });
    this.kept = el("p", { class: "help" });
    this.choose = el("button", { type: "button", "data-t": "many.choose", onclick: () => this.input.click() });
    this.look = lookSelect(about, false);
    this.start = el("button", { type: "button", class: "primary", id: "many-start", onclick: () => this.send() });
    this.clear = el("button", { type: "button", class: "quiet", "data-t": "many.clear", onclick: () => this.empty() });
    this.bar = el("progress", { max: 1, value: 0, hidden: true });
    this.told = el("p", { role: "status", class: "job-told" });
    this.grid = el("ul", { class: "grid" });
    this.lookLabel = el("label", { class: "look-label" }, el("span", { "data-t": "many.look" }), this.look);
    this.element = el(
      "section",
      { class: "staging" },
      this.title,
      this.how,
      el("div", { class: "row" }, this.choose, this.lookLabel, this.start, this.clear),
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
  }

  picture(file) {
    const image = el("img", { alt: "" });
    const look = lookSelect(this.about, true);
    const picture = { file, look, thumb: null };
    const leave = el("button", {
      type: "button",
      class: "leave-out",
      "aria-label": t("many.remove", { name: file.name }),
      onclick: () => {
        this.pictures = this.pictures.filter((other) => other !== picture);
        this.show();
      },
    }, "×");
    picture.element = el("li", { class: "tile" }, el("span", { class: "flip" }, image), leave, el("span", { class: "tile-name", title: file.name }, file.name), look);
    thumbnail(file).then((url) => {
      if (!url) return;
      picture.thumb = url;
      image.src = url;
    });
    return picture;
  }

  empty() {
    this.pictures = [];
    this.show();
  }

  async send() {
    const form = new FormData();
    for (const { file } of this.pictures) form.append("files", file, file.name);
    addFields(form, fieldsOf(this.look.value, this.getLook));
    const overrides = {};
    this.pictures.forEach(({ look }, number) => {
      const own = fieldsOf(look.value, this.getLook);
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
    this.told.textContent = "";
    wordSelect(this.look);
    for (const { look } of this.pictures) wordSelect(look);
    this.grid.replaceChildren(...this.pictures.map(({ element }) => element));
    this.element.classList.toggle("some", some);
  }
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
