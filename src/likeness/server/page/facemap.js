// A drawn face whose parts are the regions: under the pointer a part lights up, here, in the list, and on the picture.

import { svg } from "./dom.js";
import { t } from "./words.js";

// From back to front. Paths of one region belong together.
const PARTS = [
  ["other", ["M18 246c4-30 30-42 58-50v-20h48v20c28 8 54 20 58 50z"]],
  ["hair", ["M100 8c-46 0-70 32-70 78 0 26 4 48 12 66 4-18 4-40 8-56 16-6 26-18 32-34 16 18 54 26 66 32 6 16 6 40 10 58 8-18 12-40 12-66 0-46-24-78-70-78z"]],
  ["ear", ["M47 104c-9-6-15 0-14 11 1 13 7 27 16 27z", "M153 104c9-6 15 0 14 11-1 13-7 27-16 27z"]],
  ["edge", ["M50 92c-2 50 8 104 50 116 42-12 52-66 50-116z"]],
  ["cheek", ["M57 96c-1 46 8 91 43 103 35-12 44-57 43-103z"]],
  ["forehead", ["M56 92c4-10 22-18 28-34 14 16 46 22 58 28l3 12c-14-6-30-4-38 2h-14c-8-6-24-8-38-2z"]],
  ["brow", ["M64 100c8-7 20-7 28-2l-1 5c-8-4-18-4-26 1z", "M136 100c-8-7-20-7-28-2l1 5c8-4 18-4 26 1z"]],
  ["eye", ["M62 116c5-9 25-9 30 1-7 8-24 8-30-1z", "M138 116c-5-9-25-9-30 1 7 8 24 8 30-1z"]],
  ["nose", ["M95 112c-1 14-5 22-9 30-1 8 7 10 14 11 7-1 15-3 14-11-4-8-8-16-9-30z"]],
  ["lip", ["M80 170c7-6 15-7 20-4 5-3 13-2 20 4-5 10-13 13-20 13s-15-3-20-13z"]],
];

export class FaceMap {
  constructor({ onPoint, onPick }) {
    this.groups = new Map();
    this.element = svg("svg", { viewBox: "14 2 172 246", class: "facemap", role: "group" });
    for (const [region, paths] of PARTS) {
      const group = svg("g", { class: "part", "data-region": region, role: "button", tabindex: "-1" });
      for (const d of paths) group.append(svg("path", { d }));
      group.addEventListener("pointerenter", () => onPoint(region));
      group.addEventListener("pointerleave", () => onPoint(null));
      group.addEventListener("click", () => onPick(region));
      this.element.append(group);
      this.groups.set(region, group);
    }
  }

  show(weights) {
    for (const [region, group] of this.groups) {
      const weight = weights[region] ?? 1;
      group.style.setProperty("--weight", String(weight / 2));
      group.setAttribute("aria-label", `${t(`region.${region}`)} ${weight.toFixed(2)}`);
    }
  }

  light(region) {
    for (const [name, group] of this.groups) group.classList.toggle("lit", name === region);
  }
}
