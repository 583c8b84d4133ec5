// One part of the picture on the screen: before, after as the server drew it, and after as previewed here.

import { arithmetic } from "./look.js";

export class Tile {
  constructor() {
    this.box = null;
    this.key = ""; // which part of which view it holds
    this.width = this.height = 0;
    this.beforeImage = null;
    this.exact = null;
    this.patch = null;
    this.exactLook = null;
    this.shownLook = null;
    this.layers = {};
  }

  /** Take over what the server drew for a look. */
  async load(head, parts, look, far = {}) {
    const pictures = {};
    await Promise.all(
      head.parts.map(async (name, i) => {
        pictures[name] = await createImageBitmap(new Blob([parts[i]], { type: "image/jpeg" }));
      }),
    );
    this.box = head.box;
    [this.width, this.height] = head.size;
    this.stepX = (head.box[2] - head.box[0]) / this.width;
    this.stepY = (head.box[3] - head.box[1]) / this.height;
    if (pictures.before) {
      this.beforeImage?.close();
      this.beforeImage = pictures.before;
    }
    this.block = head.block;
    this.exactLook = look;
    if (!head.block) {
      this.exact = this.grain = this.patch = null;
      this.layers = {};
      this.shownLook = look;
      return;
    }
    this.exact = samples(pictures.after);
    this.grain = pictures.grain ? samples(pictures.grain) : null;
    this.layers = {};
    for (const [touch, end] of Object.entries(far)) {
      if (!pictures[touch]) continue;
      this.layers[touch] = { data: samples(pictures[touch]).data, span: end - look[touch] };
      pictures[touch].close();
    }
    pictures.after.close();
    pictures.grain?.close();
    const [, , width, height] = head.block;
    if (this.patch?.width !== width || this.patch?.height !== height) this.patch = new OffscreenCanvas(width, height);
    this.context = this.patch.getContext("2d");
    this.context.putImageData(this.exact, 0, 0);
    this.shownLook = look;
  }

  /** Whether a look can be shown by arithmetic alone. */
  serves(look, fields) {
    if (!this.exactLook) return false;
    if (look === this.exactLook) return true;
    if (!arithmetic(look, this.exactLook, { grain: this.grainKnown, touches: this.layers })) return false;
    if (!this.exact) return look.faces.length === 0 && this.exactLook.faces.length === 0;
    const block = this.block;
    const area = [
      this.box[0] + block[0] * this.stepX,
      this.box[1] + block[1] * this.stepY,
      this.box[0] + (block[0] + block[2]) * this.stepX,
      this.box[1] + (block[1] + block[3]) * this.stepY,
    ];
    const touched = new Set([...look.faces, ...this.exactLook.faces]);
    return [...touched].every((face) => {
      const place = fields.areas.get(face);
      if (!place || apart(place, this.box)) return true;
      return fields.get(face, look) && covers(area, place, this.box);
    });
  }

  get grainKnown() {
    return Boolean(this.grain) && this.exactLook.keep_grain && this.exactLook.grain_amount > 0;
  }

  /** Show a look: what the server drew, plus the difference between the two looks. */
  preview(look, fields) {
    this.shownLook = look;
    if (!this.exact) return;
    if (look === this.exactLook) {
      this.context.putImageData(this.exact, 0, 0);
      return;
    }
    const [left, top, width, height] = this.block;
    if (this.frame?.width !== width || this.frame?.height !== height) this.frame = new ImageData(width, height);
    const pixels = this.frame.data;
    pixels.set(this.exact.data);
    const grid = {
      left: this.box[0] + left * this.stepX,
      top: this.box[1] + top * this.stepY,
      width,
      height,
      stepX: this.stepX,
      stepY: this.stepY,
    };
    for (const face of new Set([...look.faces, ...this.exactLook.faces])) {
      const field = fields.get(face, look);
      if (!field || apart(fields.areas.get(face), this.box)) continue;
      field.add(pixels, grid, fields.difference(field, look, this.exactLook));
      if (field.detail) field.add(pixels, grid, fields.difference(field, look, this.exactLook, "reference_strength"), field.detail);
    }
    if (this.grain) {
      const amount = look.keep_grain ? look.grain_amount : 0;
      addLayer(pixels, this.grain.data, amount / this.exactLook.grain_amount - 1);
    }
    for (const [touch, { data, span }] of Object.entries(this.layers)) {
      addLayer(pixels, data, (look[touch] - this.exactLook[touch]) / span);
    }
    this.context.putImageData(this.frame, 0, 0);
  }

  /** Draw before or after onto a canvas whose transform maps picture coordinates to it. */
  drawBefore(context) {
    if (!this.beforeImage) return;
    const [left, top, right, bottom] = this.box;
    context.drawImage(this.beforeImage, left, top, right - left, bottom - top);
  }

  drawAfter(context) {
    if (!this.patch || !this.block) return;
    const [left, top, width, height] = this.block;
    context.drawImage(
      this.patch,
      this.box[0] + left * this.stepX,
      this.box[1] + top * this.stepY,
      width * this.stepX,
      height * this.stepY,
    );
  }
}

/** Add so much of a layer, in which 128 is nothing. */
function addLayer(pixels, layer, amount) {
  if (amount === 0) return;
  for (let i = 0; i < pixels.length; i += 4) {
    pixels[i] += (layer[i] - 128) * amount;
    pixels[i + 1] += (layer[i + 1] - 128) * amount;
    pixels[i + 2] += (layer[i + 2] - 128) * amount;
  }
}

function samples(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function apart(a, b) {
  return a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
}

/** Whether `area` holds the part of `place` that lies in `box`, give or take a pixel of rounding. */
function covers(area, place, box) {
  const slack = 2;
  return (
    area[0] <= Math.max(place[0], box[0]) + slack &&
    area[1] <= Math.max(place[1], box[1]) + slack &&
    area[2] >= Math.min(place[2], box[2]) - slack &&
    area[3] >= Math.min(place[3], box[3]) - slack
  );
}
