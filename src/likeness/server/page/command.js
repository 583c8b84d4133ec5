// What is seen, as a command line: to be said again for another picture, or by a script.

import * as api from "./api.js";
import { el, folded } from "./dom.js";
import { addWords, t } from "./words.js";

addWords({
  en: {
    "command.title": "As a command",
    "command.copy": "Copy",
    "command.copied": "Copied",
    "command.more": "Brush strokes, other photographs and finishing touches are not in it.",
  },
  zh: {
    "command.title": "命令行",
    "command.copy": "复制",
    "command.copied": "已复制",
    "command.more": "其中不含画笔涂抹、其他照片与最后的润饰。",
  },
});

export class Command {
  /** @param {{ofPicture: Function, getSeen: Function, onProblem: Function, announce: Function}} page getSeen gives what is seen: id, look, preset and size */
  constructor({ ofPicture, getSeen, onProblem, announce }) {
    this.ofPicture = ofPicture;
    this.getSeen = getSeen;
    this.onProblem = onProblem;
    this.text = el("textarea", { readonly: true, rows: "3", id: "command", spellcheck: "false", "data-label": "command.title" });
    this.copy = el("button", {
      type: "button",
      id: "command-copy",
      "data-t": "command.copy",
      onclick: async () => {
        this.text.select();
        try {
          await navigator.clipboard.writeText(this.text.value);
          announce(t("command.copied"));
          this.copy.textContent = t("command.copied");
        } catch {
          // Browsers lend the clipboard to pages of this machine and of https only; the text is marked, for Ctrl+C.
        }
      },
    });
    this.more = el("p", { class: "help", "data-t": "command.more", hidden: true });
    this.element = folded("command.title", false, this.text, this.more, this.copy);
    this.element.addEventListener("toggle", () => this.show());
  }

  /** Say what is seen now, if anybody looks. */
  async show() {
    if (!this.element.open) return;
    const { id, look, preset, size } = this.getSeen();
    if (!id) return;
    const asked = Symbol("command");
    this.asked = asked;
    try {
      const { command, more } = await this.ofPicture((open) => api.command(open, look, { preset, upscale: size }));
      // The answer to a later question may have come sooner.
      if (this.asked !== asked) return;
      this.text.value = command;
      this.more.hidden = !more;
      this.copy.textContent = t("command.copy");
    } catch (error) {
      if (this.asked === asked) this.onProblem(error);
    }
  }
}
