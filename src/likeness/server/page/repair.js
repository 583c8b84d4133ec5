// What age and accidents did to the whole picture: sliders, where it is mended, and a brush that adds to that and takes away.

import * as api from "./api.js";
import { el, section } from "./dom.js";
import { OPTIONS, sameRepairs } from "./look.js";
import { t } from "./words.js";

const TINT = [255, 92, 60];
const MOST_STROKES = 400;
const MOST_POINTS = 1000;
const USUAL = () => OPTIONS.get("mend_sensitivity").default;
const REST_MS = 250; // how long the look rests before the marks are asked for

export class Repair {
  /** @param {{store: any, stage: any, announce: Function, onProblem: Function, onTool: Function}} page */
  constructor({ store, stage, announce, onProblem, onTool }) {
    this.store = store;
    this.stage = stage;
    this.announce = announce;
    this.onProblem = onProblem;
    this.onTool = onTool;
    this.picture = null;
    this.tool = null; // "paint", "rub", or null
    this.at = null; // where the brush is, in the picture
    this.stroke = null; // what is being painted
    this.mask = null; // what is mended, as the server told it last, and for which look
    this.maskLook = null;
    this.drawn = null; // what was painted last
    this.repaired = null; // what was found, as it was last drawn
    this.timer = 0;
    this.paint = this.toolButton("paint", "repair.paint");
    this.rub = this.toolButton("rub", "repair.rub");
    this.size = el("input", { type: "range", id: "brush-size", min: 4, max: 120, step: 1, value: 24 });
    this.size.addEventListener("input", () => {
      this.showSize();
      this.stage.draw();
    });
    this.sizeShown = el("output", { for: "brush-size", class: "number" });
    this.sizeRow = el(
      "div",
      { class: "slider" },
      el("label", { for: "brush-size", "data-t": "repair.size" }),
      this.sizeShown,
      el("span", { class: "track" }, this.size),
    );
    this.seen = el("input", { type: "checkbox", class: "switch", role: "switch", id: "show-marks" });
    this.seen.addEventListener("change", () => this.show());
    this.clear = el("button", { type: "button", class: "quiet", "data-t": "repair.clear", onclick: () => this.store.set({ strokes: [] }) });
    // Who names the preset for scans has said what the picture is; what is less surely damage is for them to look at.
    this.left = null; // what is not mended, as the server counted it last, and for which settings
    this.leftAt = null;
    this.asking = null; // {at}: for which settings it is being counted
    this.offered = el("span");
    this.offer = el(
      "p",
      { class: "offer", id: "repair-offer", hidden: true },
      this.offered,
      el("button", { type: "button", "data-t": "repair.mend", onclick: () => this.mend() }),
    );
    this.found = el("p", { class: "help", role: "status", id: "repair-found" });
    stage.overlay = (context) => this.drawMended(context);
    stage.hands.push(this);
  }

  /** The panel's section; `controls` are the sliders that belong into it. */
  section(...controls) {
    this.element = section(
      "repair.title",
      this.offer,
      ...controls,
      this.found,
      el("div", { class: "row switch-row" }, this.seen, el("label", { for: "show-marks", "data-t": "repair.show" })),
      el("div", { class: "row brushes", role: "group", "data-label": "repair.brush" }, el("span", { "data-t": "repair.brush", "aria-hidden": "true" }), this.paint, this.rub),
      this.sizeRow,
      el("div", { class: "row small" }, this.clear),
      el("p", { class: "help", id: "brush-help", "data-t": "repair.help" }),
    );
    this.element.classList.add("repair");
    this.showSize();
    return this.element;
  }

  toolButton(tool, words) {
    return el("button", {
      type: "button",
      "data-t": words,
      "data-tool": tool,
      "aria-pressed": "false",
      "aria-describedby": "brush-help",
      onclick: () => this.take(this.tool === tool ? null : tool),
    });
  }

  /** Mend what was left, and show where. */
  mend() {
    this.seen.checked = true;
    this.store.set({ mend_scratches: 1, mend_sensitivity: USUAL() }, { event: window.event ?? null });
    document.getElementById("slider-mend_scratches").focus();
  }

  /** Take a brush in hand, or lay it down. */
  take(tool) {
    this.tool = tool;
    this.stroke = null;
    this.onTool(tool);
    if (tool) this.seen.checked = true;
    if (tool && !this.at && this.picture) this.at = [...this.stage.centre];
    this.show();
  }

  open(picture) {
    this.picture = picture;
    this.mask = this.maskLook = this.left = this.leftAt = this.asking = this.at = this.stroke = this.drawn = null;
    this.take(null);
    this.tell(null);
  }

  /** The language is another one. */
  reword() {
    this.showOffer();
    this.tell(this.repaired);
  }

  /** The look has changed, or what is shown of it. */
  show() {
    const { look } = this.store;
    for (const button of [this.paint, this.rub]) button.setAttribute("aria-pressed", String(button.dataset.tool === this.tool));
    this.showOffer();
    this.clear.hidden = look.strokes.length === 0;
    this.sizeRow.hidden = this.tool === null;
    document.getElementById("brush-help")?.toggleAttribute("hidden", this.tool === null);
    for (const key of ["mend_sensitivity"]) {
      const input = /** @type {HTMLInputElement | null} */ (document.getElementById(`slider-${key}`));
      if (!input) continue;
      const off = look.mend_scratches === 0 && !this.seen.checked;
      input.disabled = off;
      input.closest(".slider").classList.toggle("off", off);
    }
    this.stage.canvas.classList.toggle("brush", this.tool !== null);
    if (this.seen.checked) this.fetchSoon();
    this.stage.draw();
  }

  /** Offer to mend more of a scan, if there is more. */
  showOffer() {
    const { look } = this.store;
    const asked = this.store.preset === "film-scan" && !(look.mend_scratches > 0 && look.mend_sensitivity >= USUAL());
    if (asked) this.countSoon();
    const what = this.left && counted(this.left);
    this.offer.hidden = !asked || !what;
    if (!this.offer.hidden) this.offered.textContent = t("repair.offer", { what });
  }

  async countSoon() {
    const { picture } = this;
    const { look } = this.store;
    const at = look.mend_scratches > 0 ? look.mend_sensitivity : null;
    if (!picture || (this.left && this.leftAt === at) || this.asking?.at === at) return;
    const asking = { at };
    this.asking = asking;
    const wanted = () => this.asking === asking;
    try {
      const left = await api.patiently(() => api.left(picture.id, look), wanted);
      if (!wanted()) return;
      this.left = left;
      this.leftAt = at;
      this.showOffer();
    } catch (error) {
      if (wanted() && !api.maybeLater(error)) this.onProblem(error);
    } finally {
      if (wanted()) this.asking = null;
    }
  }

  showSize() {
    this.sizeShown.textContent = `${this.size.value} px`;
    this.size.style.setProperty("--at", String((this.size.valueAsNumber - 4) / 116));
  }

  /** What was found in the picture, as it was last drawn. */
  tell(repaired) {
    this.repaired = repaired;
    const marks = repaired?.scratches;
    const some = marks && counted(marks);
    // Nothing is found where nothing was looked for: what is painted is mended without that.
    const looked = this.store.look.mend_scratches > 0;
    this.found.textContent = !marks || !(looked || some) ? "" : some ? t("repair.found", { what: some }) : t("repair.nothing");
  }

  fetchSoon() {
    clearTimeout(this.timer);
    if (!this.picture || (this.maskLook && sameRepairs(this.maskLook, this.store.look))) return;
    this.timer = setTimeout(() => this.fetch(), REST_MS);
  }

  async fetch() {
    const { picture } = this;
    const { look } = this.store;
    const wanted = () => this.picture === picture && sameRepairs(look, this.store.look);
    try {
      const mask = await tinted(await api.patiently(() => api.marks(picture.id, look), wanted));
      if (this.picture !== picture) return;
      this.mask = mask;
      this.maskLook = look;
      this.stage.draw();
      if (!wanted()) this.fetchSoon();
    } catch (error) {
      if (wanted() && !api.maybeLater(error)) this.onProblem(error);
    }
  }

  /** Pixels of the picture that the brush reaches to either side. */
  get radius() {
    return (this.size.valueAsNumber * this.stage.ratio) / 2 / this.stage.scale;
  }

  /** Whether the pointer paints; it began at a place of the picture. */
  begin(point) {
    if (!this.tool || !this.picture) return false;
    this.at = point;
    this.stroke = { rub: this.tool === "rub", radius: this.radius, points: [point] };
    this.stage.draw();
    return true;
  }

  move(point) {
    this.at = point;
    if (this.stroke && this.stroke.points.length < MOST_POINTS) {
      const last = this.stroke.points.at(-1);
      // Closer than a fifth of its width nothing changes.
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) > this.stroke.radius * 0.2) this.stroke.points.push(point);
    }
    this.stage.draw();
  }

  end() {
    const { stroke } = this;
    this.stroke = null;
    if (!stroke) return;
    const rounded = { ...stroke, radius: round(stroke.radius), points: stroke.points.map((point) => point.map(round)) };
    const strokes = [...this.store.look.strokes, rounded].slice(-MOST_STROKES);
    this.drawn = rounded;
    this.store.set({ strokes }, { event: window.event ?? null });
    this.announce(t(stroke.rub ? "repair.rubbed" : "repair.painted"));
  }

  cancel() {
    this.stroke = null;
    this.stage.draw();
  }

  /** The brush by keys: arrows move it, Enter and space paint where it is. */
  key(event) {
    if (!this.tool || !this.picture) return false;
    if (event.key === "Escape") {
      this.take(null);
      return true;
    }
    if (event.key === "Enter" || event.key === " ") {
      this.begin([...(this.at ?? this.stage.centre)]);
      this.end();
      return true;
    }
    const step = (event.shiftKey ? 2 : 0.5) * this.radius;
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!way) return false;
    const at = this.at ?? this.stage.centre;
    this.at = [clamp(at[0] + way[0], this.picture.width), clamp(at[1] + way[1], this.picture.height)];
    this.stage.draw();
    return true;
  }

  /** Draw what is mended, in the picture's coordinates. */
  drawMended(context) {
    if (!this.picture) return;
    if (this.seen.checked && this.mask) {
      context.globalAlpha = 0.75;
      context.drawImage(this.mask, 0, 0, this.picture.width, this.picture.height);
      context.globalAlpha = 1;
    }
    // Until the server has drawn it, a stroke is seen as it was painted.
    const fresh = this.drawn && !(this.maskLook && sameRepairs(this.maskLook, this.store.look)) ? this.drawn : null;
    for (const stroke of [this.seen.checked ? fresh : null, this.stroke]) if (stroke) drawStroke(context, stroke);
  }

  /** Draw the brush. */
  drawOver(context) {
    if (this.picture && this.at) {
      for (const [colour, width] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / 0.7)", 3], ["#fff", 1.4]])) {
        context.beginPath();
        context.arc(this.at[0], this.at[1], this.radius, 0, 2 * Math.PI);
        context.strokeStyle = colour;
        context.lineWidth = (width * this.stage.ratio) / this.stage.scale;
        context.stroke();
      }
    }
  }
}

/** Marks in words: how many there are of each kind that there is. */
function counted(marks) {
  const kinds = ["scratches", "specks", "pieces"].filter((kind) => marks[kind]);
  return kinds.map((kind) => t(`repair.${kind}`, { count: marks[kind] })).join(t("list.comma"));
}

function drawStroke(context, { rub, radius, points }) {
  context.beginPath();
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = 2 * radius;
  context.strokeStyle = rub ? "rgb(120 200 255 / 0.55)" : `rgb(${TINT.join(" ")} / 0.6)`;
  context.moveTo(...points[0]);
  for (const point of points.length > 1 ? points.slice(1) : points) context.lineTo(...point);
  context.stroke();
}

/** A mask, white where it is, as a picture in one colour that is clear elsewhere. */
async function tinted(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < image.data.length; i += 4) {
    image.data[i + 3] = image.data[i];
    [image.data[i], image.data[i + 1], image.data[i + 2]] = TINT;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function clamp(value, most) {
  return Math.min(most, Math.max(0, value));
}
