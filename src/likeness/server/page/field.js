// Previews computed here, from what the network returned once:
//   change = strength (1 - (1 - eta m)^T) / whole (field + reference_strength detail),  detail what other photographs give.
// The same arithmetic as likeness.restore.relaxation; the server's own result replaces it when a slider rests.

const ROUNDS = 2048;

export class Field {
  constructor(head, buffer) {
    this.face = head.face;
    this.side = head.side;
    this.maskSide = head.mask_side;
    this.scale = head.scale;
    this.iterations = head.iterations;
    this.whole = head.whole;
    this.matrix = head.matrix;
    this.regions = head.regions;
    const count = head.side * head.side * 3;
    const area = head.mask_side * head.mask_side;
    this.levels = [{ side: head.side, data: new Int16Array(buffer, 0, count) }];
    const after = count * 2 + head.regions.length * area;
    this.detail = head.detail ? [{ side: head.side, data: new Int16Array(buffer, after, count) }] : null;
    this.masks = Object.fromEntries(
      head.regions.map((region, i) => [region, new Uint8Array(buffer, count * 2 + i * area, area)]),
    );
    this.tints = new Map();
  }

  /** strength times gain at each place of the masks' grid; what the field is multiplied by. */
  shares(look) {
    const area = this.maskSide * this.maskSide;
    const weights = new Float32Array(area);
    for (const region of this.regions) {
      const weight = (look.face_mask_weights[region] ?? 1) / 255;
      const mask = this.masks[region];
      if (weight > 0) for (let i = 0; i < area; i++) weights[i] += mask[i] * weight;
    }
    const table = new Float32Array(ROUNDS + 2);
    for (let i = 0; i < table.length; i++) {
      const product = Math.min(1, (look.latent_step_decay * 2 * i) / ROUNDS);
      table[i] = look.strength * Math.min(1, (1 - (1 - product) ** this.iterations) / this.whole);
    }
    const step = ROUNDS / 2;
    for (let i = 0; i < area; i++) weights[i] = table[Math.min(ROUNDS, (weights[i] * step + 0.5) | 0)];
    return weights;
  }

  /** Half-size copies, so that a view that is coarser than the field does not alias. */
  level(levels, pixelsPerSample) {
    let wanted = Math.max(0, Math.floor(Math.log2(Math.max(1, pixelsPerSample)) + 0.25));
    while (levels.length <= wanted) {
      const last = levels[levels.length - 1];
      if (last.side <= 8) break;
      const side = last.side >> 1;
      const data = new Int16Array(side * side * 3);
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
          for (let c = 0; c < 3; c++) {
            const at = (2 * y * last.side + 2 * x) * 3 + c;
            const below = at + last.side * 3;
            data[(y * side + x) * 3 + c] =
              (last.data[at] + last.data[at + 3] + last.data[below] + last.data[below + 3]) >> 2;
          }
        }
      }
      levels.push({ side, data });
    }
    wanted = Math.min(wanted, levels.length - 1);
    return levels[wanted];
  }

  /**
   * Add shares times field to pixels of a view.
   * @param {Uint8ClampedArray} pixels RGBA, changed in place
   * @param {{left: number, top: number, width: number, height: number, stepX: number, stepY: number}} grid
   *   where the view's pixels lie: left and top in the picture, steps in picture pixels
   * @param {Float32Array} shares on the masks' grid; may be negative
   * @param {any[]} levels of the field, or of its detail
   */
  add(pixels, grid, shares, levels = this.levels) {
    const [[a, b, c], [d, e, f]] = this.matrix;
    const density = Math.hypot(a, d) * Math.max(grid.stepX, grid.stepY);
    const { side, data } = this.level(levels, density);
    const shrink = side / this.side;
    const shift = (shrink - 1) / 2;
    // From the view's pixel (i, j) to the field's (u, v).
    const x0 = grid.left + grid.stepX / 2 - 0.5;
    const y0 = grid.top + grid.stepY / 2 - 0.5;
    const u0 = (a * x0 + b * y0 + c) * shrink + shift;
    const v0 = (d * x0 + e * y0 + f) * shrink + shift;
    const ux = a * grid.stepX * shrink;
    const vx = d * grid.stepX * shrink;
    const uy = b * grid.stepY * shrink;
    const vy = e * grid.stepY * shrink;
    const mask = this.maskSide;
    const toMask = mask / side;
    const maskShift = (toMask - 1) / 2;
    const unit = 255 / this.scale;
    const last = side - 1;
    const row = side * 3;
    for (let j = 0; j < grid.height; j++) {
      const range = inside(u0 + j * uy, ux, v0 + j * vy, vx, last, grid.width);
      let at = (j * grid.width + range[0]) * 4;
      for (let i = range[0]; i < range[1]; i++, at += 4) {
        const u = u0 + i * ux + j * uy;
        const v = v0 + i * vx + j * vy;
        let p = u * toMask + maskShift;
        let q = v * toMask + maskShift;
        p = p < 0 ? 0 : p > mask - 1.001 ? mask - 1.001 : p;
        q = q < 0 ? 0 : q > mask - 1.001 ? mask - 1.001 : q;
        const pi = p | 0;
        const qi = q | 0;
        const pf = p - pi;
        const m = qi * mask + pi;
        const high = shares[m] + (shares[m + 1] - shares[m]) * pf;
        const low = shares[m + mask] + (shares[m + mask + 1] - shares[m + mask]) * pf;
        const share = (high + (low - high) * (q - qi)) * unit;
        if (share === 0) continue;
        const ui = u | 0;
        const vi = v | 0;
        const uf = u - ui;
        const vf = v - vi;
        const w11 = uf * vf * share;
        const w01 = uf * share - w11;
        const w10 = vf * share - w11;
        const w00 = share - w11 - w01 - w10;
        const k = vi * row + ui * 3;
        pixels[at] += data[k] * w00 + data[k + 3] * w01 + data[k + row] * w10 + data[k + row + 3] * w11;
        pixels[at + 1] += data[k + 1] * w00 + data[k + 4] * w01 + data[k + row + 1] * w10 + data[k + row + 4] * w11;
        pixels[at + 2] += data[k + 2] * w00 + data[k + 5] * w01 + data[k + row + 2] * w10 + data[k + row + 5] * w11;
      }
    }
  }

  /** A region's mask as a tinted canvas, to be laid over the face. */
  tint(region, colour) {
    const name = `${region} ${colour.join()}`;
    let canvas = this.tints.get(name);
    if (!canvas) {
      const side = this.maskSide;
      canvas = new OffscreenCanvas(side, side);
      const context = canvas.getContext("2d");
      const image = context.createImageData(side, side);
      this.masks[region].forEach((value, i) => image.data.set([...colour, value * 0.45], i * 4));
      context.putImageData(image, 0, 0);
      this.tints.set(name, canvas);
    }
    return canvas;
  }

  /** Picture coordinates of the masks' grid: the six numbers of a canvas transform, from mask pixels' corners. */
  maskToPicture() {
    const [[a, b, c], [d, e, f]] = this.matrix;
    const grow = this.side / this.maskSide;
    const determinant = a * e - b * d;
    // Pixel centres are whole numbers in the matrix, and halves on a canvas.
    const cx = c + 0.5 - (a + b) / 2;
    const cy = f + 0.5 - (d + e) / 2;
    return [
      (e / determinant) * grow,
      (-d / determinant) * grow,
      (-b / determinant) * grow,
      (a / determinant) * grow,
      (b * cy - e * cx) / determinant,
      (d * cx - a * cy) / determinant,
    ];
  }
}

/** The pixels i of a row for which 0 <= u0 + i ux < last, and the same for v. */
function inside(u0, ux, v0, vx, last, width) {
  let low = 0;
  let high = width;
  for (const [start, step] of [
    [u0, ux],
    [v0, vx],
  ]) {
    if (Math.abs(step) < 1e-12) {
      if (start < 0 || start >= last) return [0, 0];
      continue;
    }
    const first = (0 - start) / step;
    const end = (last - start) / step;
    low = Math.max(low, Math.ceil(Math.min(first, end) + 1e-6));
    high = Math.min(high, Math.floor(Math.max(first, end) - 1e-6) + 1);
  }
  return low < high ? [low, high] : [0, 0];
}
