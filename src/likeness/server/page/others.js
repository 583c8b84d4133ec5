// Other photographs of the same persons that go with what is sent as a job: brought, shown small, taken out.

import { addFields } from "./api.js";
import { el, fileField, leaveOut } from "./dom.js";
import { t } from "./words.js";

const THUMB = 256;

export class OtherPhotographs {
  /** @param {{part: string, most: number}} options `part` of the page that they are dropped on; `most` that are taken */
  constructor({ part, most }) {
    this.most = most;
    this.photographs = [];
    this.input = fileField(`${part}-reference-files`, (files) => this.add(files));
    this.choose = el("button", { type: "button", class: "reference-zone", id: `${part}-references`, onclick: () => this.input.click() });
    this.list = el("ul", { class: "reference-row" });
    this.trust = el("input", { type: "checkbox", class: "switch", role: "switch", id: `${part}-trust` });
    this.trustRow = el("div", { class: "row" }, this.trust, el("label", { for: `${part}-trust`, "data-t": "many.trust" }));
    this.element = el("div", { class: "many-references", "data-drop": part }, this.choose, this.list, this.trustRow, this.input);
    this.show();
  }

  add(files) {
    for (const file of files.slice(0, this.most - this.photographs.length)) {
      const image = el("img", { alt: file.name, title: file.name });
      const photograph = { file, element: null };
      const leave = leaveOut(t("references.remove", { name: file.name }), () => {
        this.photographs = this.photographs.filter((other) => other !== photograph);
        this.show();
      });
      photograph.element = el("li", { class: "tile" }, image, leave);
      image.addEventListener("load", () => URL.revokeObjectURL(image.src));
      thumbnail(file).then((url) => url && (image.src = url));
      this.photographs.push(photograph);
    }
    this.show();
  }

  /** Put them into a form of the API; which they are. */
  fill(form) {
    const { photographs } = this;
    for (const { file } of photographs) form.append("references", file, file.name);
    if (photographs.length && this.trust.checked) addFields(form, { trust_references: true });
    return photographs.slice();
  }

  /** Take some of them out. */
  leaveOut(some) {
    this.photographs = this.photographs.filter((photograph) => !some.includes(photograph));
    this.show();
  }

  empty() {
    this.photographs = [];
    this.show();
  }

  show() {
    const count = this.photographs.length;
    this.choose.replaceChildren(el("b", {}, t("many.references")), ...(count ? [] : [el("span", {}, t("references.help"))]));
    this.choose.disabled = count >= this.most;
    this.list.replaceChildren(...this.photographs.map(({ element }) => element));
    this.list.hidden = this.trustRow.hidden = count === 0;
  }
}

/** The address, to be revoked, of a small copy that this page draws itself; null for what the browser cannot read (the server may). */
export async function thumbnail(file) {
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
