// Downloads: what the server made, the same as every other way to it.

import * as api from "./api.js";
import { el } from "./dom.js";
import { t } from "./words.js";

const KINDS = ["web", "print", "png", "proof"];

export class Take {
  constructor({ store, onBusy, onProblem, announce }) {
    this.store = store;
    this.holder = document.getElementById("take");
    this.buttons = KINDS.map((kind) =>
      el(
        "button",
        {
          type: "button",
          class: kind === "png" ? "primary" : "",
          "data-take": kind,
          onclick: async () => {
            this.lock(true);
            onBusy("busy.file");
            try {
              const { blob, name } = await api.download(this.picture.id, this.store.look, kind);
              save(blob, name);
              announce(t("download.done", { name }));
            } catch (error) {
              onProblem(error);
            }
            onBusy(null);
            this.lock(false);
          },
        },
        el("b", { "data-t": `take.${kind}` }),
        el("span", { "data-t": `take.${kind}.for` }),
      ),
    );
    this.holder.append(el("h2", { class: "sr", "data-t": "take.title" }), ...this.buttons);
  }

  open(picture) {
    this.picture = picture;
    this.holder.hidden = !picture;
  }

  lock(on) {
    for (const button of this.buttons) button.disabled = on;
  }
}

export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
