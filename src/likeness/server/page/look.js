// How the picture is to look: which faces, all controls; what a preset sets; undo and redo.

/** What the server tells of everything that can be moved here, by key: its kind, range, default, words and place. */
export const OPTIONS = new Map();

export let REGIONS = [];
export let TOUCHES = [];
export let REPAIRS = [];
export let FRAMES = [];

export function learnOptions(options) {
  for (const option of options) OPTIONS.set(option.key, option);
  REGIONS = Object.keys(OPTIONS.get("face_mask_weights").regions);
  TOUCHES = options.filter((option) => option.part === "finishing").map((option) => option.key);
  FRAMES = options.filter((option) => option.part === "framing").map((option) => option.key);
  REPAIRS = options.filter((option) => option.part === "repairs").map((option) => option.key);
}

/** Nothing repaired, nothing painted. */
export function unrepaired() {
  return { strokes: [], ...Object.fromEntries(REPAIRS.map((key) => [key, OPTIONS.get(key).default])) };
}

/** Not turned, not straightened, not cut. */
export function unframed() {
  return Object.fromEntries(FRAMES.map((key) => [key, OPTIONS.get(key).default]));
}

/** Whether two looks turn and straighten the picture in the same way: places in one are places in the other. */
export function sameFraming(one, other) {
  return one.turn === other.turn && one.straighten === other.straighten;
}

export function presetLook(controls) {
  return { ...structuredClone(controls), ...Object.fromEntries(TOUCHES.map((key) => [key, OPTIONS.get(key).default])) };
}

export function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Without the faces and what single ones have of their own, the other photographs, repairs and framing: what presets set. */
export function settingsOf(look) {
  const { faces: _, own: _____, references: __, trusted: ___, strokes: ____, ...settings } = look;
  for (const key of [...REPAIRS, ...FRAMES]) delete settings[key];
  return settings;
}

/** What a look comes to on a face: what it has of its own lies over what all share (`FaceControls.over`). */
export function lookOn(look, face) {
  const own = look.own[face];
  if (!own) return look;
  return { ...look, ...own, face_mask_weights: { ...look.face_mask_weights, ...own.face_mask_weights } };
}

/** What a face has of its own with some of it changed: what comes to what all share is no longer its own. */
export function ownWith(look, face, changes) {
  const own = { ...look.own[face], ...changes };
  const { face_mask_weights: weights, ...others } = own;
  const apart = (values, shared) => Object.fromEntries(Object.entries(values).filter(([key, value]) => value !== shared[key]));
  const kept = apart(others, look);
  const regions = apart(weights ?? {}, look.face_mask_weights);
  if (Object.keys(regions).length) kept.face_mask_weights = regions;
  const { [face]: _, ...rest } = look.own;
  return Object.keys(kept).length ? { ...rest, [face]: kept } : rest;
}

/** Whether two looks repair the picture in the same way. */
export function sameRepairs(one, other) {
  return REPAIRS.every((key) => one[key] === other[key]) && same(one.strokes, other.strokes);
}

/** Whether other photographs give the same to a face: one lends to one face of a picture, so all its faces count. */
export function sameReferences(one, other) {
  if (!one.references.length && !other.references.length) return true;
  return ["references", "trusted", "faces"].every((part) => same(one[part], other[part]));
}

/** Whether the network's kept answer for a face serves one look as it served another (`FaceProjection.serves`). */
export function sameProjection(whole, before, face) {
  if (!sameRepairs(whole, before) || !sameFraming(whole, before)) return false;
  const [one, other] = [lookOn(whole, face), lookOn(before, face)];
  for (const { key, projects } of OPTIONS.values()) if (projects && one[key] !== other[key]) return false;
  if (one.refine === 1) return true;
  return (
    one.latent_step_decay === other.latent_step_decay && same(one.face_mask_weights, other.face_mask_weights)
  );
}

/** What previews know how to compute; of anything else the server draws the view. */
const PREVIEWED = ["strength", "latent_step_decay", "face_mask_weights", "keep_grain", "grain_amount", "reference_strength", "crop"];

/**
 * Whether the difference between two looks is arithmetic on every face: what `Field` does, and layers of grain and touches.
 * @param {object} one
 * @param {object} other the look that the server has drawn
 * @param {{grain: boolean, touches: object}} layers which of them the server has sent
 */
export function arithmetic(one, other, { grain, touches }) {
  if (!sameRepairs(one, other) || !sameFraming(one, other) || !sameReferences(one, other)) return false;
  for (const { key, per_face } of OPTIONS.values()) {
    if (!per_face && !PREVIEWED.includes(key) && !TOUCHES.includes(key) && !same(one[key], other[key])) return false;
  }
  if (TOUCHES.some((touch) => one[touch] !== other[touch] && !touches[touch])) return false;
  return [...new Set([...one.faces, ...other.faces])].every((face) => {
    if (!sameProjection(one, other, face)) return false;
    const [now, then] = [lookOn(one, face), lookOn(other, face)];
    if (now.refine !== 1) return false;
    for (const { key, per_face } of OPTIONS.values()) {
      if (per_face && !PREVIEWED.includes(key) && now[key] !== then[key]) return false;
    }
    return grainOf(now) === grainOf(then) || (grain && grainOf(then) > 0);
  });
}

/** How much grain is kept. */
export function grainOf(look) {
  return look.keep_grain ? look.grain_amount : 0;
}

export class Store {
  constructor() {
    this.listeners = new Set();
    this.reset({ faces: [], own: {}, references: [], trusted: [], strokes: [] }, "standard");
  }

  reset(look, preset) {
    this.look = look;
    this.preset = preset;
    this.past = [];
    this.future = [];
    this.settled = structuredClone({ look, preset });
  }

  onChange(listener) {
    this.listeners.add(listener);
  }

  /** Change the look; while a slider moves, `moving` keeps the history as it is. */
  set(changes, { moving = false, preset = this.preset, event = null } = {}) {
    this.look = { ...this.look, ...changes };
    this.preset = preset;
    if (!moving) this.settle();
    this.tell({ moving, event });
  }

  /** What has come of the last step belongs to it: no step of its own. What is being moved stays a step to come. */
  amend(changes) {
    this.look = { ...this.look, ...changes };
    this.settled = structuredClone({ ...this.settled, look: { ...this.settled.look, ...changes } });
  }

  /**
   * Amend what has become of every step since one, and what is seen.
   * @param {object | undefined} step one of the `past`
   * @param {(look: any) => object} change the changes of a look
   */
  amendSince(step, change) {
    const from = this.past.indexOf(step) + 1;
    for (const made of [...this.past.slice(from), this.settled]) Object.assign(made.look, structuredClone(change(made.look)));
    this.look = { ...this.look, ...change(this.look) };
  }

  /** A move is over: it becomes one step of the history. */
  settle() {
    const now = structuredClone({ look: this.look, preset: this.preset });
    if (same(now, this.settled)) return;
    this.past.push(this.settled);
    if (this.past.length > 200) this.past.shift();
    this.future = [];
    this.settled = now;
  }

  undo() {
    this.settle();
    if (this.past.length) this.go(this.past, this.future);
  }

  redo() {
    this.settle();
    if (this.future.length) this.go(this.future, this.past);
  }

  go(from, to) {
    to.push(this.settled);
    this.settled = from.pop();
    ({ look: this.look, preset: this.preset } = structuredClone(this.settled));
    this.tell({ moving: false, event: null, travelled: true });
  }

  tell(change) {
    for (const listener of this.listeners) listener(change);
  }
}
