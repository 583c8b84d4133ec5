// The page of `likeness edit`: one file, which is saved as it is seen or left as it was.

import * as api from "./api.js";
import { addWords, t } from "./words.js";

addWords({
  en: {
    "edited.save": "Save",
    "edited.save.for": "Write {name}, and end",
    "edited.leave": "Leave as it is",
    "edited.saved": "Saved as {name}. This page can be closed.",
    "edited.left": "The picture is left as it is. This page can be closed.",
  },
  zh: {
    "edited.save": "保存",
    "edited.save.for": "写入 {name} 并结束",
    "edited.leave": "不作更改",
    "edited.saved": "已保存为 {name}。可以关闭本页。",
    "edited.left": "图片未作更改。可以关闭本页。",
  },
});

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);

export class Edited {
  constructor({ editing, getSeen, onBusy, onProblem, announce }) {
    this.editing = editing;
    this.getSeen = getSeen;
    this.onBusy = onBusy;
    this.onProblem = onProblem;
    this.announce = announce;
    element("edited").hidden = false;
    document.body.classList.add("edits");
    element("edited-save").addEventListener("click", () => this.end("edited.saved", () => this.save()));
    element("edited-leave").addEventListener("click", () => this.end("edited.left", () => api.leaveEdited()));
    this.reword();
  }

  reword() {
    element("edited-save").title = t("edited.save.for", { name: this.editing.saves });
    if (this.ended) element("edited-said").textContent = t(this.ended, { name: this.editing.saves });
  }

  save() {
    const { id, look, size } = this.getSeen();
    return api.saveEdited(id, look, size);
  }

  async end(words, work) {
    this.lock(true);
    this.onBusy("busy.file");
    try {
      await work();
      this.ended = words;
      for (const part of ["panel", "tools", "loupes"]) element(part).inert = true;
      element("edited-note").hidden = false;
      this.reword();
      this.announce(t(words, { name: this.editing.saves }));
    } catch (error) {
      this.lock(false);
      this.onProblem(error);
    }
    this.onBusy(null);
  }

  lock(on) {
    element("edited-save").disabled = element("edited-leave").disabled = on;
  }
}
