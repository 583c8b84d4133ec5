// The picture: before and after with a divider, zoom and pan by pointer, wheel, fingers and keys.

import { t } from "./words.js";
import { thirds } from "./framing.js";
import { Tile } from "./tile.js";

const MOST = 8;
const TINT = [255, 196, 94];

export class Stage {
  constructor({ onMove, fields, getLook }) {
    this.element = document.getElementById("stage");
    this.canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("canvas"));
    this.divider = document.getElementById("divider");
    this.tags = [document.getElementById("tag-before"), document.getElementById("tag-after")];
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.onMove = onMove;
    this.fields = fields;
    this.getLook = getLook;
    this.whole = new Tile();
    this.detail = new Tile();
    this.split = 0.5;
    this.beforeOnly = false;
    this.region = null;
    this.regionFace = null;
    /** @type {number | "auto"} */
    this.size = 1;
    this.grow = 1;
    this.watchers = new Set();
    /** @type {((context: CanvasRenderingContext2D) => void) | null} what is drawn over the picture, in its coordinates */
    this.overlay = null;
    /** @type {{begin: Function, move: Function, end: Function, cancel: Function, key: Function, drawOver: Function, tool: any}[]} tools for the
     * picture, of which one at most is in hand */
    this.hands = [];
    /** @type {number[] | null} left, top, right, bottom of what is shown; null for all of the picture */
    this.crop = null;
    /** @type {{degrees: number, scale: number} | null} how the picture is turned and enlarged while it is being straightened */
    this.tilt = null;
    this.fitted = true;
    new ResizeObserver(() => this.resize()).observe(this.element);
    this.listen();
  }

  /** Show a picture: at once where the browser has drawn it already, with a divider where there is an after to compare. */
  open(picture, { image = null, compared = true } = {}) {
    this.picture = picture;
    this.crop = null;
    this.setTilt(null);
    this.whole = new Tile();
    if (image) this.whole.hold(image, picture);
    this.detail = new Tile();
    this.split = 0.5;
    this.compare(compared);
    this.resize();
    this.fit();
  }

  close() {
    this.picture = null;
    this.compare(false);
    this.draw();
  }

  compare(on) {
    for (const part of [this.divider, ...this.tags]) part.hidden = !on;
  }

  /** The tool that is in hand. */
  get brush() {
    return this.hands.find((hand) => hand.tool) ?? null;
  }

  /** What is shown of the picture: left, top, right, bottom. */
  get frame() {
    return this.crop ?? [0, 0, this.picture.width, this.picture.height];
  }

  get middle() {
    const [left, top, right, bottom] = this.frame;
    return [(left + right) / 2, (top + bottom) / 2];
  }

  setCrop(crop) {
    if (String(crop) === String(this.crop)) return;
    this.crop = crop;
    if (this.picture) this.fit();
  }

  setTilt(tilt) {
    this.tilt = tilt;
    this.element.classList.toggle("tilting", tilt !== null);
    if (this.picture) this.draw();
  }

  get ratio() {
    return window.devicePixelRatio || 1;
  }

  resize() {
    const { clientWidth, clientHeight } = this.element;
    // While another tab is shown there is no place, and nothing to draw for it.
    if (!clientWidth || !clientHeight) return;
    const width = Math.max(1, Math.round(clientWidth * this.ratio));
    const height = Math.max(1, Math.round(clientHeight * this.ratio));
    if (width === this.canvas.width && height === this.canvas.height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    if (!this.picture) this.draw();
    else if (this.fitted) this.fit();
    else this.moved();
  }

  /**
   * The result is to be so many times as large as the photograph: places stay in the photograph's pixels, views get finer.
   * @param {number | "auto"} size what was asked for
   * @param {number} grow what comes of it
   */
  resizeResult(size, grow) {
    if (size === this.size && grow === this.grow) return;
    // What is seen stays as large as it is, unless it was all of the picture.
    this.size = size;
    this.grow = grow;
    if (!this.picture) return;
    if (this.fitted) this.fit();
    else this.moved();
  }

  /** Scale at which the whole picture is seen, in screen pixels per pixel of the photograph. */
  get fitScale() {
    const pad = 20 * this.ratio;
    const [left, top, right, bottom] = this.frame;
    return Math.min(
      (this.canvas.width - pad * 2) / (right - left),
      (this.canvas.height - pad * 2) / (bottom - top),
      Math.max(2, 1.6 * this.ratio) * this.grow,
    );
  }

  fit() {
    if (!this.picture) return;
    this.fitted = true;
    this.scale = this.fitScale;
    this.centre = this.middle;
    this.moved();
  }

  /** Screen pixels per pixel of the result. */
  get zoomed() {
    return this.scale / this.grow;
  }

  /** Zoom to a scale in screen pixels per pixel of the photograph, keeping a place of the picture where it is. */
  zoom(scale, at = this.centre) {
    const low = Math.min(this.fitScale, 1);
    const next = Math.min(MOST * this.grow, Math.max(low, scale));
    const factor = this.scale / next;
    this.centre = [at[0] + (this.centre[0] - at[0]) * factor, at[1] + (this.centre[1] - at[1]) * factor];
    this.scale = next;
    this.fitted = Math.abs(next - this.fitScale) < 1e-6;
    if (this.fitted) this.centre = this.middle;
    this.moved();
  }

  look(point, scale) {
    this.centre = [...point];
    this.zoom(Math.max(this.scale, scale));
  }

  pan(dx, dy) {
    this.centre = [this.centre[0] - dx / this.scale, this.centre[1] - dy / this.scale];
    this.fitted = false;
    this.moved();
  }

  moved() {
    const halfX = this.canvas.width / 2 / this.scale;
    const halfY = this.canvas.height / 2 / this.scale;
    const [left, top, right, bottom] = this.frame;
    const held = (at, low, high, half) => (high - low < 2 * half ? (low + high) / 2 : Math.min(high - half * 0.5, Math.max(low + half * 0.5, at)));
    // A picture smaller than the stage stays in its middle; a larger one cannot be lost off its edge.
    this.centre = [held(this.centre[0], left, right, halfX), held(this.centre[1], top, bottom, halfY)];
    this.draw();
    this.onMove();
    for (const watcher of this.watchers) watcher();
  }

  /** From picture to screen, in CSS pixels. */
  toScreen(x, y) {
    return [
      ((x - this.centre[0]) * this.scale + this.canvas.width / 2) / this.ratio,
      ((y - this.centre[1]) * this.scale + this.canvas.height / 2) / this.ratio,
    ];
  }

  toPicture(x, y) {
    return [
      (x * this.ratio - this.canvas.width / 2) / this.scale + this.centre[0],
      (y * this.ratio - this.canvas.height / 2) / this.scale + this.centre[1],
    ];
  }

  /** What the server has to draw: the whole picture, and what is seen of it where that shows more. */
  areas() {
    if (!this.picture) return [];
    const { width, height } = this.picture;
    const wide = Math.max(1, Math.min(width * this.grow, Math.round(width * this.fitScale)));
    const key = `whole ${wide} of ${this.size}`;
    const found = [{ tile: this.whole, left: 0, top: 0, right: width, bottom: height, width: wide, key, seen: true }];
    if (this.scale > this.fitScale * 1.02 && wide < width * this.grow) {
      const [left, top] = this.toPicture(0, 0).map((v) => Math.max(0, Math.floor(v)));
      const end = this.toPicture(this.canvas.width / this.ratio, this.canvas.height / this.ratio);
      const right = Math.min(width, Math.ceil(end[0]));
      const bottom = Math.min(height, Math.ceil(end[1]));
      if (right > left && bottom > top) {
        found[0].seen = false;
        const across = Math.max(1, Math.round((right - left) * Math.min(this.grow, this.scale)));
        const place = `${left} ${top} ${right} ${bottom} ${across} of ${this.size}`;
        found.push({ tile: this.detail, left, top, right, bottom, width: across, key: place, seen: true });
      }
    } else if (this.detail.key) {
      this.detail = new Tile();
    }
    return found;
  }

  draw() {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = getComputedStyle(this.element).getPropertyValue("--surround") || "#2b2b2b";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!this.picture || !this.whole.beforeImage) return;
    const x = canvas.width / 2 - this.centre[0] * this.scale;
    const y = canvas.height / 2 - this.centre[1] * this.scale;
    context.imageSmoothingEnabled = this.zoomed < 6;
    context.imageSmoothingQuality = "high";
    context.setTransform(this.scale, 0, 0, this.scale, x, y);
    context.save();
    const [left, top, right, bottom] = this.frame;
    if (this.crop || this.tilt) {
      context.beginPath();
      context.rect(left, top, right - left, bottom - top);
      context.clip();
    }
    if (this.tilt) {
      this.drawTilted(context);
      context.restore();
      thirds(context, this.frame, 8, this.ratio / this.scale);
      return;
    }
    const from = this.toPicture(this.dividerX(), 0)[0];
    const tiles = [this.whole, this.detail];
    for (const tile of tiles) {
      // What will be hidden is not drawn: without a graphics card it takes as long as what is seen.
      const hidden = !this.beforeOnly && tile.hides;
      if (hidden) beside(context, -1e6, from + 2 / this.scale, () => tile.drawBefore(context));
      else tile.drawBefore(context);
    }
    if (!this.beforeOnly) {
      beside(context, from, 1e6, () => tiles.forEach((tile) => tile.drawAfter(context)));
    }
    if (this.region) this.drawRegion(context);
    if (!this.beforeOnly) this.overlay?.(context);
    context.restore();
    this.brush?.drawOver(context);
    this.placeDivider();
  }

  /** The picture turned about its middle, as it will be straightened. */
  drawTilted(context) {
    const [x, y] = this.middle;
    context.translate(x, y);
    context.rotate((this.tilt.degrees * Math.PI) / 180);
    context.scale(this.tilt.scale, this.tilt.scale);
    context.translate(-x, -y);
    for (const tile of [this.whole, this.detail]) {
      tile.drawBefore(context);
      tile.drawAfter(context);
    }
  }

  /** What is shown of the picture before, as an image of it turned or straightened. */
  mapped(map, [width, height]) {
    if (!this.whole.beforeImage) return null;
    const scale = Math.min(1, 2048 / Math.max(width, height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    const context = canvas.getContext("2d");
    const [[x, y], [ax, ay], [bx, by]] = [map([0, 0]), map([1, 0]), map([0, 1])];
    context.setTransform((ax - x) * scale, (ay - y) * scale, (bx - x) * scale, (by - y) * scale, x * scale, y * scale);
    context.imageSmoothingQuality = "high";
    this.whole.drawBefore(context);
    return canvas.transferToImageBitmap();
  }

  drawRegion(context) {
    for (const face of this.regionFace === null ? this.getLook().faces : [this.regionFace]) {
      const field = this.fields.any(face);
      if (!field) continue;
      context.save();
      context.transform(...field.maskToPicture());
      context.drawImage(field.tint(this.region, TINT), 0, 0);
      context.restore();
    }
  }

  /** Light a region, on one face or on all that are restored; null for none. */
  showRegion(region, face) {
    if (this.region === region && this.regionFace === face) return;
    this.region = region;
    this.regionFace = face;
    this.draw();
  }

  setBefore(on) {
    this.beforeOnly = on;
    this.draw();
  }

  /** The divider goes by the part of the picture that is seen, so that it is never beside it. */
  extent() {
    const [from, , to] = this.frame;
    const left = Math.max(0, this.toScreen(from, 0)[0]);
    const right = Math.min(this.canvas.width / this.ratio, this.toScreen(to, 0)[0]);
    return [left, right];
  }

  dividerX() {
    const [left, right] = this.extent();
    return left + (right - left) * this.split;
  }

  setSplit(split) {
    this.split = Math.min(1, Math.max(0, split));
    this.draw();
    for (const watcher of this.watchers) watcher();
  }

  placeDivider() {
    const x = this.dividerX();
    const [, first, , last] = this.frame;
    const above = Math.max(0, this.toScreen(0, first)[1]);
    const below = Math.min(this.canvas.height / this.ratio, this.toScreen(0, last)[1]);
    this.divider.style.transform = `translate(${x}px, ${above}px)`;
    this.divider.style.height = `${Math.max(40, below - above)}px`;
    this.divider.classList.toggle("off", this.beforeOnly);
    this.divider.setAttribute("aria-valuenow", String(Math.round(this.split * 100)));
    this.divider.setAttribute("aria-label", t("compare.divider"));
    const [left, right] = this.extent();
    const top = Math.max(10, this.toScreen(0, first)[1] + 10);
    const [before, after] = this.tags;
    before.style.transform = `translate(${Math.max(10, left + 10)}px, ${top}px)`;
    after.style.transform = `translate(calc(${right - 10}px - 100%), ${top}px)`;
    before.textContent = t(this.grow > 1 ? "before.enlarged" : "before");
    before.classList.toggle("off", x - left < before.offsetWidth + 20 && !this.beforeOnly);
    after.classList.toggle("off", right - x < 74 || this.beforeOnly);
  }

  listen() {
    const pointers = new Map();
    let pinch = 0;
    this.divider.addEventListener("pointerdown", (event) => {
      this.divider.setPointerCapture(event.pointerId);
      this.divider.classList.add("held");
    });
    this.divider.addEventListener("pointermove", (event) => {
      if (!this.divider.hasPointerCapture(event.pointerId)) return;
      const [left, right] = this.extent();
      const x = event.clientX - this.element.getBoundingClientRect().left;
      this.setSplit((x - left) / Math.max(1, right - left));
    });
    const release = () => this.divider.classList.remove("held");
    this.divider.addEventListener("pointerup", release);
    this.divider.addEventListener("pointercancel", release);
    this.divider.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.02;
      const next = { ArrowLeft: this.split - step, ArrowRight: this.split + step, Home: 0, End: 1, PageDown: this.split - 0.1, PageUp: this.split + 0.1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      this.setSplit(next);
    });
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!this.picture) return;
      this.canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      pinch = 0;
      // A second finger zooms, and takes back what the first has begun.
      if (pointers.size > 1) this.brush?.cancel();
      else if (event.button === 0) this.brush?.begin(this.toPicture(event.offsetX, event.offsetY));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (this.picture && this.brush?.tool && pointers.size < 2) this.brush.move(this.toPicture(event.offsetX, event.offsetY));
      if (!last) return;
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (pointers.size === 2) {
        const [a, b] = [...pointers.values()];
        const reach = Math.hypot(a[0] - b[0], a[1] - b[1]);
        const corner = this.element.getBoundingClientRect();
        const middle = this.toPicture((a[0] + b[0]) / 2 - corner.left, (a[1] + b[1]) / 2 - corner.top);
        if (pinch) this.zoom((this.scale * reach) / pinch, middle);
        pinch = reach;
      } else if (!this.fitted && !this.brush?.tool) {
        this.pan((event.clientX - last[0]) * this.ratio, (event.clientY - last[1]) * this.ratio);
      }
    });
    for (const name of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(name, (/** @type {PointerEvent} */ event) => {
        pointers.delete(event.pointerId);
        pinch = 0;
        if (name === "pointerup") this.brush?.end();
        else this.brush?.cancel();
      });
    }
    this.canvas.addEventListener("dblclick", (event) => {
      if (!this.picture || this.brush?.tool) return;
      const at = this.toPicture(event.offsetX, event.offsetY);
      if (this.zoomed < 1) this.zoom(this.grow, at);
      else this.fit();
    });
    this.element.addEventListener(
      "wheel",
      (event) => {
        if (!this.picture) return;
        event.preventDefault();
        const corner = this.element.getBoundingClientRect();
        const at = this.toPicture(event.clientX - corner.left, event.clientY - corner.top);
        const amount = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
        this.zoom(this.scale * Math.exp(-amount * (event.ctrlKey ? 0.01 : 0.0018)), at);
      },
      { passive: false },
    );
    this.canvas.addEventListener("keydown", (event) => {
      if (!this.picture || event.ctrlKey || event.metaKey || event.altKey) return;
      if (this.brush?.key(event)) {
        event.preventDefault();
        return;
      }
      const step = 60 * this.ratio;
      const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
      if (moves[event.key]) this.pan(...moves[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoom(this.scale * 1.25);
      else if (event.key === "-") this.zoom(this.scale / 1.25);
      else return;
      event.preventDefault();
    });
  }
}

/** Draw only what lies between two places across the picture. */
function beside(context, left, right, draw) {
  context.save();
  context.beginPath();
  context.rect(left, -1e5, right - left, 1e6);
  context.clip();
  draw();
  context.restore();
}
