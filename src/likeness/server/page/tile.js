// One part of the picture on the screen: before, after as the server drew it, and after as previewed here.

import { arithmetic, grainOf, lookOn } from "./look.js";

export class Tile {
  constructor() {
    this.box = null;
    this.key = ""; // which part of which view it holds
    this.width = this.height = 0;
    this.beforeImage = null;
    this.exact = null;
    this.patch = null;
    this.moved = null; // the part of the block in which a preview is shown
    this.exactLook = null;
    this.shownLook = null;
    this.layers = {};
  }

  /** Hold a picture as it was before until the server has drawn it. */
  hold(image, { width, height }) {
    this.beforeImage = image;
    this.box = [0, 0, width, height];
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
    this.moved = null;
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
      this.layers[touch] = { layer: samples(pictures[touch]), span: end - look[touch] };
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
    if (!arithmetic(look, this.exactLook, { grain: Boolean(this.grain), touches: this.layers })) return false;
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

  /** Show a look: what the server drew, plus the difference between the two looks, which is nothing outside the faces. */
  preview(look, fields) {
    this.shownLook = look;
    if (!this.exact) return;
    const faces = look === this.exactLook ? [] : [...new Set([...look.faces, ...this.exactLook.faces])];
    const now = this.around(faces.map((face) => fields.areas.get(face)).filter((place) => place && !apart(place, this.box)));
    const part = joined(now, this.moved);
    this.moved = now;
    if (!part) return;
    const [left, top, right, bottom] = part;
    const width = right - left;
    if (look === this.exactLook) {
      this.context.putImageData(this.exact, 0, 0, left, top, width, bottom - top);
      return;
    }
    if (this.frame?.width !== width || this.frame?.height !== bottom - top) this.frame = new ImageData(width, bottom - top);
    const pixels = this.frame.data;
    for (let y = top; y < bottom; y++) {
      const at = (y * this.exact.width + left) * 4;
      pixels.set(this.exact.data.subarray(at, at + width * 4), (y - top) * width * 4);
    }
    const grid = {
      left: this.box[0] + (this.block[0] + left) * this.stepX,
      top: this.box[1] + (this.block[1] + top) * this.stepY,
      width,
      height: bottom - top,
      stepX: this.stepX,
      stepY: this.stepY,
    };
    for (const face of faces) {
      const field = fields.get(face, look);
      if (!field || apart(fields.areas.get(face), this.box)) continue;
      field.add(pixels, grid, fields.difference(field, look, this.exactLook));
      if (field.detail) field.add(pixels, grid, fields.difference(field, look, this.exactLook, "reference_strength"), field.detail);
    }
    if (this.grain) this.addGrain(look, faces.map((face) => ({ face, place: fields.areas.get(face) })), part);
    for (const [touch, { layer, span }] of Object.entries(this.layers)) {
      addLayer(this.frame, layer, part, (look[touch] - this.exactLook[touch]) / span);
    }
    this.context.putImageData(this.frame, left, top);
  }

  /** Add to the frame what grain there is more of, or take away what there is less of, on each face. */
  addGrain(look, faces, part) {
    const changed = faces.map(({ face, place }) => {
      const then = grainOf(lookOn(this.exactLook, face));
      return { place, more: then > 0 ? grainOf(lookOn(look, face)) / then - 1 : 0 };
    });
    if (changed.every(({ more }) => more === changed[0].more)) {
      addLayer(this.frame, this.grain, part, changed[0]?.more ?? 0);
      return;
    }
    // Where faces overlap, grain counts as that of the nearer one.
    const middles = changed.filter(({ place }) => place).map(({ place, more }) => ({ x: (place[0] + place[2]) / 2, y: (place[1] + place[3]) / 2, more }));
    const [left, top] = this.block;
    addLayer(this.frame, this.grain, part, (i, j) => {
      const x = this.box[0] + (left + i) * this.stepX;
      const y = this.box[1] + (top + j) * this.stepY;
      let nearest = Infinity;
      let more = 0;
      for (const middle of middles) {
        const away = (middle.x - x) ** 2 + (middle.y - y) ** 2;
        if (away < nearest) {
          nearest = away;
          more = middle.more;
        }
      }
      return more;
    });
  }

  /** The part of the block that holds these places of the picture: left, top, right, bottom in its pixels; null for none. */
  around(places) {
    const [left, top, width, height] = this.block;
    let part = null;
    for (const place of places) {
      const one = [
        Math.max(0, Math.floor((place[0] - this.box[0]) / this.stepX - left)),
        Math.max(0, Math.floor((place[1] - this.box[1]) / this.stepY - top)),
        Math.min(width, Math.ceil((place[2] - this.box[0]) / this.stepX - left)),
        Math.min(height, Math.ceil((place[3] - this.box[1]) / this.stepY - top)),
      ];
      if (one[2] > one[0] && one[3] > one[1]) part = joined(part, one);
    }
    return part;
  }

  /** Whether what is after hides all that was before, as it does where the result is enlarged. */
  get hides() {
    if (!this.patch || !this.block) return false;
    const [left, top, width, height] = this.block;
    return left === 0 && top === 0 && width === this.width && height === this.height;
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

/** Add so much of a part of a layer, in which 128 is nothing, to a frame of that part; how much may depend on the place. */
function addLayer(frame, layer, [left, top, right, bottom], amount) {
  if (amount === 0) return;
  const varies = typeof amount === "function";
  const { data: pixels } = frame;
  const { data: added } = layer;
  let i = 0;
  for (let y = top; y < bottom; y++) {
    let k = (y * layer.width + left) * 4;
    for (let x = left; x < right; x++, i += 4, k += 4) {
      const share = varies ? amount(x, y) : amount;
      pixels[i] += (added[k] - 128) * share;
      pixels[i + 1] += (added[k + 1] - 128) * share;
      pixels[i + 2] += (added[k + 2] - 128) * share;
    }
  }
}

/** The rectangle around two, of which either may be null. */
function joined(a, b) {
  if (!a || !b) return a ?? b;
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
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
