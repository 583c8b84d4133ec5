// Where a place of the picture lies once it is turned, straightened and cut: the server's own arithmetic
// (likeness.imaging.framing), so that a preview fits what it draws. Places are continuous, corners at whole numbers.

/** Width and height of a photograph turned and straightened.
 * @param {number[]} size @param {{turn: number, straighten: number}} framing */
export function framedSize([width, height], { turn, straighten }) {
  const [w, h] = turn % 180 ? [height, width] : [width, height];
  const share = shareOf([w, h], straighten);
  return [Math.max(1, Math.floor(w * share)), Math.max(1, Math.floor(h * share))];
}

/** How much of each side is left once the corners that straightening leaves empty are cut off.
 * @param {number[]} size @param {number} degrees */
export function shareOf([width, height], degrees) {
  const [cos, sin] = sides(Math.abs(degrees));
  return Math.min(width / (width * cos + height * sin), height / (width * sin + height * cos));
}

/** The map from a photograph's places to those of it turned and straightened.
 * @param {number[]} size @param {{turn: number, straighten: number}} framing @returns {(place: number[]) => number[]} */
export function framedMap(size, framing) {
  const [width, height] = size;
  const [cos, sin] = sides(framing.straighten);
  const [wide, high] = framedSize(size, framing);
  const turned = {
    0: ([x, y]) => [x, y],
    90: ([x, y]) => [height - y, x],
    180: ([x, y]) => [width - x, height - y],
    270: ([x, y]) => [y, width - x],
  }[framing.turn];
  const middle = framing.turn % 180 ? [height / 2, width / 2] : [width / 2, height / 2];
  return (place) => {
    const [x, y] = turned(place);
    const [dx, dy] = [x - middle[0], y - middle[1]];
    return [cos * dx - sin * dy + wide / 2, sin * dx + cos * dy + high / 2];
  };
}

/** The way back: from places of it turned and straightened to the photograph's.
 * @param {number[]} size @param {{turn: number, straighten: number}} framing @returns {(place: number[]) => number[]} */
export function framedBack(size, framing) {
  const [width, height] = size;
  const [cos, sin] = sides(framing.straighten);
  const [wide, high] = framedSize(size, framing);
  const middle = framing.turn % 180 ? [height / 2, width / 2] : [width / 2, height / 2];
  const back = {
    0: ([x, y]) => [x, y],
    90: ([x, y]) => [y, height - x],
    180: ([x, y]) => [width - x, height - y],
    270: ([x, y]) => [width - y, x],
  }[framing.turn];
  return ([x, y]) => {
    const [dx, dy] = [x - wide / 2, y - high / 2];
    return back([cos * dx + sin * dy + middle[0], -sin * dx + cos * dy + middle[1]]);
  };
}

/** A crop, "left,top,right,bottom", as numbers; null for all of the picture. */
export function cropOf(text) {
  return text ? text.split(",").map(Number) : null;
}

/** The text of a box, rounded into a picture; null where it is all of it.
 * @param {number[]} box @param {number[]} size */
export function cropText([left, top, right, bottom], [width, height]) {
  const l = clamp(Math.round(left), 0, width - 1);
  const u = clamp(Math.round(top), 0, height - 1);
  const r = clamp(Math.round(right), l + 1, width);
  const b = clamp(Math.round(bottom), u + 1, height);
  return l === 0 && u === 0 && r === width && b === height ? null : [l, u, r, b].join(",");
}

/** A box of one size moved into a picture, and made smaller where it is larger than that.
 * @param {number[]} box @param {number[]} size @returns {number[]} */
export function within([left, top, right, bottom], [width, height]) {
  const scale = Math.min(1, width / (right - left), height / (bottom - top));
  const [w, h] = [(right - left) * scale, (bottom - top) * scale];
  const x = clamp((left + right) / 2 - w / 2, 0, width - w);
  const y = clamp((top + bottom) / 2 - h / 2, 0, height - h);
  return [x, y, x + w, y + h];
}

export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

function sides(degrees) {
  const turn = (degrees * Math.PI) / 180;
  return [Math.cos(turn), Math.sin(turn)];
}
