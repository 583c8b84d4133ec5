// A drawn face whose parts are the regions: under the pointer a part lights up, here, in the list, and on the picture.

import { svg } from "./dom.js";
import { t } from "./words.js";

// From back to front. Paths of one region belong together.
const PARTS = [
  ["other", ["M14 248c3-26 26-37 60-44v-26h52v26c34 7 57 18 60 44z"]],
  ["hair", ["M100 6C52 6 28 38 28 84c0 24 4 42 10 56h14V92c0-22 14-40 48-40s48 18 48 40v48h14c6-14 10-32 10-56 0-46-24-78-72-78z"]],
  ["neck", ["M74 190v32c8 8 16 11 26 11s18-3 26-11v-32c-8 12-18 18-26 18s-18-6-26-18z"]],
  ["ear", ["M45 108c-11-5-17 2-15 14 2 14 9 27 19 26z", "M155 108c11-5 17 2 15 14-2 14-9 27-19 26z"]],
  ["edge", ["M44 100c0 26 2 50 10 70 8 20 26 40 46 40s38-20 46-40c8-20 10-44 10-70z"]],
  ["cheek", ["M53 100c0 26 2 46 9 64 7 17 22 35 38 35s31-18 38-35c7-18 9-38 9-64z"]],
  ["forehead", ["M50 100c0-26 16-46 50-46s50 20 50 46c-10-7-28-9-42-3h-16c-14-6-32-4-42 3z"]],
  ["beard", ["M62 160c4 20 20 39 38 39s34-19 38-39c-6 8-12 10-16 6-6-6-14-8-22-8s-16 2-22 8c-4 4-10 2-16-6z"]],
  ["brow", ["M60 105c8-8 21-9 32-4l-1 5c-10-3-20-3-30 3z", "M140 105c-8-8-21-9-32-4l1 5c10-3 20-3 30 3z"]],
  ["eye", ["M60 121c7-10 25-10 32 0-7 8-25 8-32 0z", "M140 121c-7-10-25-10-32 0 7 8 25 8 32 0z"]],
  ["glasses", [
    "M54 112h40v16c0 6-6 12-20 12s-20-6-20-12zM57 115v12c0 5 5 10 17 10s17-5 17-10v-12z",
    "M146 112h-40v16c0 6 6 12 20 12s20-6 20-12zM143 115v12c0 5-5 10-17 10s-17-5-17-10v-12z",
    "M94 115h12v3h-12z",
  ]],
  ["nose", ["M94 118c0 12-3 20-7 28-3 7 5 11 13 12 8-1 16-5 13-12-4-8-7-16-7-28z"]],
  ["lip", ["M78 172c8-4 16-6 22-3 6-3 14-1 22 3-6 12-14 15-22 15s-16-3-22-15z"]],
  ["occluder", ["M150 246c-4-14-14-24-16-38-1-7 7-8 10-2l6 12v-32c0-7 8-7 9 0l1 22 2-26c1-7 9-6 9 1l-1 26 5-20c2-6 9-4 8 2-3 20-6 36-11 55z"]],
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
