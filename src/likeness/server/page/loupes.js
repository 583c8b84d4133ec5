// Eye, hair and skin of one face, closely: where a restoration shows what it is worth.

import { el } from "./dom.js";
import { Tile } from "./tile.js";
import { applyWords, t } from "./words.js";

const SPOTS = ["eye", "hair", "skin"];
const CLOSE = 2; // screen pixels per pixel of the photograph, where the result has no more
const EYE = 0.35; // of a face's width fits into a loupe's width at least: an eye of a large face is seen whole
const SEEN = 0.5; // of a face's width fits into a loupe's height at most: an eye of a small face is seen as well
const MOST = 8; // more would show nothing but how pixels are interpolated

export class Loupes {
  constructor({ stage, onGo }) {
    this.stage = stage;
    /** @type {(() => void) | null} */
    this.onResize = null;
    this.holder = document.getElementById("loupes");
    this.loupes = SPOTS.map((spot) => {
      const canvas = el("canvas", {});
      const button = el(
        "button",
        { type: "button", class: "loupe", onclick: () => this.face && onGo(this.face.spots[spot]) },
        canvas,
        el("span", { class: "loupe-name" }, el("span", { "data-t": `loupe.${spot}` }), el("span", { class: "number" })),
      );
      this.holder.append(button);
      return { spot, canvas, button, tile: new Tile(), place: [0, 0] };
    });
    stage.watchers.add(() => this.draw());
    new ResizeObserver(() => this.onResize?.()).observe(this.holder);
  }

  /** Screen pixels per pixel of the photograph. */
  get scale() {
    const close = Math.max(CLOSE, this.stage.grow);
    if (!this.face) return close;
    const [left, , right] = this.face.box;
    const { clientWidth, clientHeight } = this.loupes[0].canvas;
    const [width, height] = [clientWidth * this.stage.ratio, clientHeight * this.stage.ratio];
    const small = height / (SEEN * (right - left));
    if (small > close) return Math.min(MOST * this.stage.grow, small);
    // A pixel of the result is a pixel of the screen at least.
    return Math.max(this.stage.grow, Math.min(close, width / (EYE * (right - left))));
  }

  open(picture, face) {
    this.picture = picture;
    this.face = face;
    this.holder.hidden = !face;
    for (const loupe of this.loupes) loupe.tile = new Tile();
    this.name();
  }

  name() {
    applyWords(this.holder);
    const percent = `${Math.round((this.scale / this.stage.grow) * 100)}%`;
    for (const { spot, button } of this.loupes) {
      button.querySelector(".number").textContent = percent;
      button.setAttribute("aria-label", `${t("loupe.title", { spot: t(`loupe.${spot}`), percent })}. ${t("loupe.go")}`);
    }
  }

  /** What the server has to draw; nothing while the loupes are not seen. */
  areas() {
    if (!this.face || this.holder.hidden || !this.holder.offsetParent) return [];
    return this.loupes.map((loupe) => {
      const { canvas, tile, spot } = loupe;
      const width = Math.round(canvas.clientWidth * this.stage.ratio);
      const height = Math.round(canvas.clientHeight * this.stage.ratio);
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      const across = Math.min(this.picture.width, Math.ceil(width / this.scale));
      const down = Math.min(this.picture.height, Math.ceil(height / this.scale));
      const [x, y] = this.face.spots[spot];
      const left = Math.round(Math.min(Math.max(0, x - across / 2), this.picture.width - across));
      const top = Math.round(Math.min(Math.max(0, y - down / 2), this.picture.height - down));
      loupe.place = [left, top];
      const wide = across * this.stage.grow;
      const key = `${left} ${top} ${across} ${down} ${wide} of ${this.stage.size}`;
      return { tile, left, top, right: left + across, bottom: top + down, width: wide, key };
    });
  }

  draw() {
    if (!this.face) return;
    const { scale } = this;
    for (const { canvas, tile, place } of this.loupes) {
      if (!place || !tile.beforeImage) continue;
      const context = canvas.getContext("2d", { alpha: false });
      context.setTransform(scale, 0, 0, scale, -place[0] * scale, -place[1] * scale);
      context.imageSmoothingQuality = "high";
      tile.drawBefore(context);
      if (this.stage.beforeOnly) continue;
      const x = Math.round(canvas.width * this.stage.split);
      context.save();
      context.beginPath();
      context.rect(place[0] + x / scale, place[1], canvas.width, canvas.height);
      context.clip();
      tile.drawAfter(context);
      context.restore();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = "rgb(255 255 255 / 0.75)";
      if (x > 0 && x < canvas.width) context.fillRect(x, 0, 1, canvas.height);
    }
  }
}
