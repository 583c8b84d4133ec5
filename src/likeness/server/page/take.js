// Downloads: what the server made, the same as every other way to it.

import * as api from "./api.js";
import { el } from "./dom.js";
import { currentLanguage, onLanguage, t } from "./words.js";

const KINDS = ["web", "print", "png", "proof"];
const SIZES = [1, 2, 4, "auto"];
const SIDES = [512, 1080, 2048, 4096];
const PAPERS = [1, 1.5, 2, [100, 150], [130, 180], [200, 300]];

const DPI = 300; // of prints

export class Take {
  constructor({ store, mostPixels, side, paper, ofPicture, onSize, onBusy, onProblem, announce }) {
    this.store = store;
    this.mostPixels = mostPixels;
    this.grown = null;
    this.holder = document.getElementById("take");
    this.buttons = KINDS.map((kind) =>
      el(
        "button",
        {
          type: "button",
          class: kind === "png" ? "primary" : "",
          "data-take": kind,
          onclick: async (event) => {
            const button = event.currentTarget;
            this.lock(true);
            onBusy("busy.file");
            try {
              const [look, options] = [this.store.look, this.options()];
              const { blob, name } = await ofPicture((id) => api.download(id, look, kind, options));
              save(blob, name);
              announce(t("download.done", { name }));
            } catch (error) {
              onProblem(error);
            }
            onBusy(null);
            this.lock(false);
            // A button that was off has lost the focus.
            if (document.activeElement === document.body) button.focus({ preventScroll: true });
          },
        },
        el("b", { "data-t": `take.${kind}` }),
        el("span", { "data-t": `take.${kind}.for` }),
      ),
    );
    this.size = choice("take.size", SIZES, 1);
    this.size.addEventListener("change", () => {
      this.choose(this.chosen);
      onSize(this.chosen);
    });
    this.side = choice("take.side", SIDES, side);
    this.paper = choice("take.paper", PAPERS, paper);
    onLanguage(() => this.reword());
    this.reword();
    this.holder.append(el("h2", { class: "sr", "data-t": "take.title" }), ...this.buttons, el("div", { class: "take-sizes" }, this.size, this.side, this.paper));
  }

  reword() {
    SIZES.forEach((size, i) => {
      const times = size === "auto" ? this.grown : size;
      const [width, height] = this.kept ?? [];
      const words = [
        size === "auto" ? t("take.size.auto") : size === 1 ? t("take.size.same") : `${size} ×`,
        times > 1 && width ? `${width * times} × ${height * times}` : "",
      ];
      this.size.options[i].textContent = `${t("take.size")}${t("list.colon")}${words.filter(Boolean).join(t("list.comma"))}`;
      this.size.options[i].disabled = typeof size === "number" && size > 1 && size * size * this.picture?.width * this.picture?.height > this.mostPixels;
    });
    SIDES.forEach((side, i) => (this.side.options[i].textContent = `${t("take.web")}${t("list.colon")}${side} px`));
    PAPERS.forEach((paper, i) => {
      const size = Array.isArray(paper) ? centimetres(paper.map((mm) => mm / 10)) : [`${paper} ×`, ...this.onPaper(paper)].join(t("list.comma"));
      this.paper.options[i].textContent = `${t("take.print")}${t("list.colon")}${size}`;
    });
  }

  /** What so many times the photograph measures on paper, where one is open. */
  onPaper(scale) {
    return this.kept ? [centimetres(this.kept.map((side) => Math.round(((side * scale) / DPI) * 25.4) / 10))] : [];
  }

  /** How many times as large as the photograph results are to be, or "auto". */
  get chosen() {
    return SIZES[this.size.selectedIndex];
  }

  choose(size) {
    this.size.selectedIndex = Math.max(0, SIZES.indexOf(size));
    this.grown = null;
    this.reword();
  }

  /** What came of the size that was chosen. */
  tell(grown) {
    if (this.grown === grown) return;
    this.grown = grown;
    this.reword();
  }

  /** How files are made, besides the look. */
  options() {
    const paper = PAPERS[this.paper.selectedIndex];
    return {
      preset: this.store.preset,
      language: currentLanguage(),
      upscale: this.chosen,
      side: SIDES[this.side.selectedIndex],
      ...(Array.isArray(paper) ? { millimetres: paper } : { scale: paper }),
    };
  }

  open(picture) {
    this.picture = picture;
    this.kept = picture && [picture.width, picture.height];
    this.holder.hidden = !picture;
    this.choose(this.chosen);
    if (this.size.selectedOptions[0].disabled) this.choose(1);
  }

  /** So much of the picture is kept, width and height in px. */
  keep(kept) {
    this.kept = kept;
    this.reword();
  }

  lock(on) {
    for (const button of this.buttons) button.disabled = on;
  }
}

function centimetres(sides) {
  return `${sides.join(" × ")} cm`;
}

export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function choice(label, values, chosen) {
  return el(
    "select",
    { "data-label": label, id: label.replace(".", "-") },
    ...values.map((value) => el("option", { selected: value === chosen })),
  );
}
