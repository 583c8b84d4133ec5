// How the picture is turned, straightened and cut: buttons, a slider, and a frame with handles on the stage.

import { el, section } from "./dom.js";
import { clamp, cropOf, cropText, within } from "./geometry.js";
import { addWords, t } from "./words.js";

addWords({
  en: {
    "framing.title": "Turn and crop",
    "framing.left": "Turn left",
    "framing.right": "Turn right",
    "framing.crop": "Crop",
    "framing.crop.done": "Done",
    "framing.uncrop": "Keep all of it",
    "framing.ratio": "Proportions",
    "framing.ratio.free": "Free",
    "framing.ratio.own": "As the photograph",
    "framing.ratio.passport": "Passport, 35 × 45 mm",
    "framing.swap": "Upright or lying",
    "framing.help":
      "Drag the frame or its handles. By keys: arrows move it, plus and minus size it, Enter ends, Escape takes it back.",
    "framing.kept": "{width} × {height} px",
    "framing.cropped": "Cropped to {width} × {height} px",
    "framing.whole": "All of the picture is kept",
    "framing.turned": "Turned",
    "busy.framing": "Looking for faces …",
  },
  zh: {
    "framing.title": "旋转与裁剪",
    "framing.left": "向左转",
    "framing.right": "向右转",
    "framing.crop": "裁剪",
    "framing.crop.done": "完成",
    "framing.uncrop": "保留全部",
    "framing.ratio": "比例",
    "framing.ratio.free": "自由",
    "framing.ratio.own": "与照片相同",
    "framing.ratio.passport": "证件照 35 × 45 毫米",
    "framing.swap": "竖向或横向",
    "framing.help": "拖动裁剪框或其控制点。键盘：方向键移动，加减号缩放，回车结束，Esc 取消。",
    "framing.kept": "{width} × {height} 像素",
    "framing.cropped": "已裁剪为 {width} × {height} 像素",
    "framing.whole": "保留整张图片",
    "framing.turned": "已旋转",
    "busy.framing": "正在查找人脸……",
  },
});

/** Proportions that are printed, width to height, upright. */
const RATIOS = { free: null, own: null, "2:3": 2 / 3, "3:4": 3 / 4, "4:5": 4 / 5, "1:1": 1, passport: 35 / 45 };
const REACH = 22; // of a handle, CSS pixels to either side
const LEAST = 16; // px that a crop keeps each way

export class Framing {
  /** @param {{store: any, stage: any, announce: Function, onTurn: Function, onTool: Function, getFace: Function}} page */
  constructor({ store, stage, announce, onTurn, onTool, getFace }) {
    this.store = store;
    this.stage = stage;
    this.announce = announce;
    this.onTurn = onTurn;
    this.onTool = onTool;
    this.getFace = getFace;
    this.picture = null;
    this.tool = null; // "crop", or null
    this.box = null; // what is kept while it is being dragged
    this.held = null; // which handle, and from where
    this.before = null; // the crop when the tool was taken
    this.crop = el("button", { type: "button", id: "crop", "aria-pressed": "false", "data-t": "framing.crop", onclick: () => this.take(this.tool ? null : "crop") });
    this.uncrop = el("button", { type: "button", class: "quiet", "data-t": "framing.uncrop", onclick: () => this.store.set({ crop: null }) });
    this.ratio = el("select", { id: "crop-ratio" }, ...Object.keys(RATIOS).map((name) => el("option", { value: name })));
    this.ratio.addEventListener("change", () => this.reshape());
    this.lying = false;
    this.swap = el("button", { type: "button", class: "quiet", "data-label": "framing.swap", onclick: () => this.turnRatio() }, "⇄");
    this.kept = el("span", { class: "number", id: "crop-size" });
    this.help = el("p", { class: "help", id: "crop-help", "data-t": "framing.help" });
    this.ratioRow = el("div", { class: "row" }, el("label", { for: "crop-ratio", "data-t": "framing.ratio" }), this.ratio, this.swap);
    stage.hands.push(this);
  }

  section(...controls) {
    const turn = (by, words) =>
      el("button", { type: "button", "data-turn": by, "data-t": words, onclick: () => this.onTurn(by) });
    this.element = section(
      "framing.title",
      el("div", { class: "row turns" }, turn(-90, "framing.left"), turn(90, "framing.right")),
      ...controls,
      el("div", { class: "row" }, this.crop, this.kept, this.uncrop),
      this.ratioRow,
      this.help,
    );
    this.element.classList.add("framing");
    return this.element;
  }

  /** Another picture, or this one turned. */
  open(picture) {
    this.picture = picture;
    this.box = this.held = null;
    if (this.tool) this.take(null);
    this.show();
  }

  /** Take the frame in hand, or end with it. */
  take(tool) {
    if (this.tool === tool) return;
    this.tool = tool;
    this.box = this.held = null;
    if (tool) this.before = this.store.look.crop;
    this.onTool(tool);
    this.show();
    if (tool) this.stage.canvas.focus({ preventScroll: true });
  }

  get size() {
    return [this.picture.width, this.picture.height];
  }

  /** What is kept now, in the picture's pixels. */
  get now() {
    return this.box ?? cropOf(this.store.look.crop) ?? [0, 0, ...this.size];
  }

  show() {
    const { look } = this.store;
    this.crop.setAttribute("aria-pressed", String(this.tool !== null));
    this.crop.textContent = t(this.tool ? "framing.crop.done" : "framing.crop");
    this.crop.dataset.t = this.tool ? "framing.crop.done" : "framing.crop";
    this.ratioRow.hidden = this.help.hidden = this.tool === null;
    this.uncrop.hidden = !look.crop;
    for (const option of this.ratio.options) {
      const name = option.value;
      option.textContent = name.includes(":") ? (this.lying ? name.split(":").reverse().join(":") : name) : t(`framing.ratio.${name}`);
    }
    this.swap.disabled = !["2:3", "3:4", "4:5", "passport"].includes(this.ratio.value);
    if (this.picture) {
      const [left, top, right, bottom] = this.now.map(Math.round);
      this.kept.textContent = look.crop || this.tool ? t("framing.kept", { width: right - left, height: bottom - top }) : "";
    }
    this.stage.setCrop(this.tool || this.stage.tilt || !this.picture ? null : cropOf(look.crop));
    this.stage.canvas.classList.toggle("cropping", this.tool !== null);
    this.stage.element.classList.toggle("cropping", this.tool !== null);
    this.stage.draw();
  }

  /** Width to height of what may be kept; null where that is free. */
  get proportion() {
    const name = this.ratio.value;
    if (name === "free") return null;
    if (name === "own") return this.picture.width / this.picture.height;
    return this.lying ? 1 / RATIOS[name] : RATIOS[name];
  }

  turnRatio() {
    this.lying = !this.lying;
    this.reshape();
  }

  /** Other proportions: as large a frame as before allows, around its middle; for a passport around the face. */
  reshape() {
    const ratio = this.proportion;
    if (ratio !== null) {
      const face = this.ratio.value === "passport" && !this.lying ? this.getFace() : null;
      this.commit(face ? this.aroundHead(face.box, ratio) : this.largest(ratio));
    }
    this.show();
  }

  largest(ratio) {
    const [left, top, right, bottom] = this.now;
    const area = (right - left) * (bottom - top);
    // As much as was kept, as far as there is room.
    const width = Math.sqrt(area * ratio);
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    return within([x - width / 2, y - width / ratio / 2, x + width / 2, y + width / ratio / 2], this.size);
  }

  /** Head three quarters of the height, as passports ask; a face's box goes from brow to chin. */
  aroundHead([left, top, right, bottom], ratio) {
    const head = (bottom - top) / 0.62;
    const height = head / 0.75;
    const start = bottom - head - 0.1 * height;
    const x = (left + right) / 2;
    return within([x - (height * ratio) / 2, start, x + (height * ratio) / 2, start + height], this.size);
  }

  commit(box) {
    this.box = null;
    const crop = cropText(box, this.size);
    if (crop === this.store.look.crop) return;
    this.store.set({ crop });
    const [left, top, right, bottom] = this.now;
    this.announce(crop ? t("framing.cropped", { width: right - left, height: bottom - top }) : t("framing.whole"));
  }

  // The hand on the stage, as the brush is one.

  begin(point) {
    if (!this.tool || !this.picture) return false;
    const reach = (REACH * this.stage.ratio) / this.stage.scale;
    const [left, top, right, bottom] = this.now;
    const near = (a, b) => Math.abs(a - b) <= reach;
    const [x, y] = point;
    if (x < left - reach || x > right + reach || y < top - reach || y > bottom + reach) return true;
    // Of a small frame the nearer edge is meant.
    const across = near(x, left) && Math.abs(x - left) <= Math.abs(x - right) ? -1 : near(x, right) ? 1 : 0;
    const down = near(y, top) && Math.abs(y - top) <= Math.abs(y - bottom) ? -1 : near(y, bottom) ? 1 : 0;
    this.held = { across, down, from: point, box: [...this.now] };
    return true;
  }

  move(point) {
    if (!this.held) return;
    const { across, down, from, box } = this.held;
    const [dx, dy] = [point[0] - from[0], point[1] - from[1]];
    this.box = across || down ? this.stretched(box, across, down, dx, dy) : this.shifted(box, dx, dy);
    this.show();
  }

  end() {
    const { box } = this;
    this.held = null;
    if (box) this.commit(box);
    this.show();
  }

  cancel() {
    this.held = this.box = null;
    this.show();
  }

  /** @param {number[]} box @param {number} dx @param {number} dy */
  shifted([left, top, right, bottom], dx, dy) {
    return within([left + dx, top + dy, right + dx, bottom + dy], this.size);
  }

  /** The frame with one edge or corner moved; the others stay.
   * @param {number[]} box @param {number} across @param {number} down @param {number} dx @param {number} dy */
  stretched([left, top, right, bottom], across, down, dx, dy) {
    const [width, height] = this.size;
    const box = [left, top, right, bottom];
    if (across < 0) box[0] = clamp(left + dx, 0, right - LEAST);
    if (across > 0) box[2] = clamp(right + dx, left + LEAST, width);
    if (down < 0) box[1] = clamp(top + dy, 0, bottom - LEAST);
    if (down > 0) box[3] = clamp(bottom + dy, top + LEAST, height);
    const ratio = this.proportion;
    if (ratio === null) return box;
    // What was pulled decides, and the opposite corner, or the middle of the opposite edge, stays where it is.
    let w = across ? box[2] - box[0] : (box[3] - box[1]) * ratio;
    if (across && down) w = Math.max(w, (box[3] - box[1]) * ratio);
    const roomX = across < 0 ? right : across > 0 ? width - left : 2 * Math.min((left + right) / 2, width - (left + right) / 2);
    const roomY = down < 0 ? bottom : down > 0 ? height - top : 2 * Math.min((top + bottom) / 2, height - (top + bottom) / 2);
    w = Math.max(Math.min(w, roomX, roomY * ratio), Math.min(LEAST, roomX));
    const h = w / ratio;
    const x = across < 0 ? right - w : across > 0 ? left : (left + right) / 2 - w / 2;
    const y = down < 0 ? bottom - h : down > 0 ? top : (top + bottom) / 2 - h / 2;
    return [x, y, x + w, y + h];
  }

  key(event) {
    if (!this.tool || !this.picture) return false;
    if (event.key === "Enter") this.take(null);
    else if (event.key === "Escape") {
      if (this.store.look.crop !== this.before) this.store.set({ crop: this.before });
      this.take(null);
    } else {
      const step = Math.max(1, (event.shiftKey ? 0.05 : 0.01) * Math.max(...this.size));
      const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      const grow = { "+": step, "=": step, "-": -step }[event.key];
      if (way) this.commit(this.shifted(this.now, way[0], way[1]));
      else if (grow) this.commit(this.grown(grow));
      else return false;
    }
    return true;
  }

  grown(step) {
    const [left, top, right, bottom] = this.now;
    const scale = Math.max(LEAST / Math.min(right - left, bottom - top), 1 + (2 * step) / (right - left));
    const [w, h] = [((right - left) * scale) / 2, ((bottom - top) * scale) / 2];
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const [width, height] = this.size;
    if (this.proportion !== null) return within([x - w, y - h, x + w, y + h], this.size);
    return [Math.max(0, x - w), Math.max(0, y - h), Math.min(width, x + w), Math.min(height, y + h)];
  }

  /** Draw the frame, in the picture's coordinates. */
  drawOver(context) {
    if (!this.tool || !this.picture) return;
    const [width, height] = this.size;
    const [left, top, right, bottom] = this.now;
    const one = this.stage.ratio / this.stage.scale;
    context.fillStyle = "rgb(0 0 0 / 0.62)";
    context.beginPath();
    context.rect(0, 0, width, height);
    context.rect(left, top, right - left, bottom - top);
    context.fill("evenodd");
    thirds(context, [left, top, right, bottom], 3, one);
    context.strokeStyle = "#fff";
    context.lineWidth = 1.5 * one;
    context.strokeRect(left, top, right - left, bottom - top);
    context.lineWidth = 4 * one;
    context.lineCap = "square";
    const arm = Math.min(16 * one, (right - left) / 4, (bottom - top) / 4);
    for (const [x, dx] of [[left, arm], [right, -arm]]) {
      for (const [y, dy] of [[top, arm], [bottom, -arm]]) stroke(context, [[x + dx, y], [x, y], [x, y + dy]]);
    }
    const [midX, midY] = [(left + right) / 2, (top + bottom) / 2];
    for (const y of [top, bottom]) stroke(context, [[midX - arm / 2, y], [midX + arm / 2, y]]);
    for (const x of [left, right]) stroke(context, [[x, midY - arm / 2], [x, midY + arm / 2]]);
  }
}

/** Fine lines that part a box into so many columns and rows.
 * @param {any} context @param {number[]} box @param {number} parts @param {number} one */
export function thirds(context, [left, top, right, bottom], parts, one) {
  for (const [colour, thick] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / 0.35)", 2], ["rgb(255 255 255 / 0.6)", 1]])) {
    context.strokeStyle = colour;
    context.lineWidth = thick * one;
    for (let i = 1; i < parts; i++) {
      const [x, y] = [left + ((right - left) * i) / parts, top + ((bottom - top) * i) / parts];
      stroke(context, [[x, top], [x, bottom]]);
      stroke(context, [[left, y], [right, y]]);
    }
  }
}

function stroke(context, points) {
  context.beginPath();
  context.moveTo(...points[0]);
  for (const point of points.slice(1)) context.lineTo(...point);
  context.stroke();
}
