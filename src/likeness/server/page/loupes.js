// Eye, hair and skin of one face at 200%: where a restoration shows what it is worth.

import { el } from "./dom.js";
import { Tile } from "./tile.js";
import { applyWords, t } from "./words.js";

const SPOTS = ["eye", "hair", "skin"];
const SCALE = 2;

export class Loupes {
  constructor({ stage, onGo }) {
    this.stage = stage;
    this.holder = document.getElementById("loupes");
    this.loupes = SPOTS.map((spot) => {
      const canvas = el("canvas", {});
      const button = el(
        "button",
        { type: "button", class: "loupe", onclick: () => this.face && onGo(this.face.spots[spot]) },
        canvas,
        el("span", { class: "loupe-name" }, el("span", { "data-t": `loupe.${spot}` }), el("span", { class: "number" }, "200%")),
      );
      this.holder.append(button);
      return { spot, canvas, button, tile: new Tile() };
    });
    stage.watchers.add(() => this.draw());
    new ResizeObserver(() => this.onResize?.()).observe(this.holder);
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
    for (const { spot, button } of this.loupes) {
      button.setAttribute("aria-label", `${t("loupe.title", { spot: t(`loupe.${spot}`) })}. ${t("loupe.go")}`);
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
      const across = Math.min(this.picture.width, Math.ceil(width / SCALE));
      const down = Math.min(this.picture.height, Math.ceil(height / SCALE));
      const [x, y] = this.face.spots[spot];
      const left = Math.round(Math.min(Math.max(0, x - across / 2), this.picture.width - across));
      const top = Math.round(Math.min(Math.max(0, y - down / 2), this.picture.height - down));
      loupe.place = [left, top];
      return { tile, left, top, right: left + across, bottom: top + down, width: across, key: `${left} ${top} ${across} ${down}` };
    });
  }

  draw() {
    if (!this.face) return;
    for (const { canvas, tile, place } of this.loupes) {
      if (!place || !tile.beforeImage) continue;
      const context = canvas.getContext("2d", { alpha: false });
      context.setTransform(SCALE, 0, 0, SCALE, -place[0] * SCALE, -place[1] * SCALE);
      context.imageSmoothingQuality = "high";
      tile.drawBefore(context);
      if (this.stage.beforeOnly) continue;
      const x = Math.round(canvas.width * this.stage.split);
      context.save();
      context.beginPath();
      context.rect(place[0] + x / SCALE, place[1], canvas.width, canvas.height);
      context.clip();
      tile.drawAfter(context);
      context.restore();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = "rgb(255 255 255 / 0.75)";
      if (x > 0 && x < canvas.width) context.fillRect(x, 0, 1, canvas.height);
    }
  }
}
