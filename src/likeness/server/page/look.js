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

/** Without the faces, the other photographs, repairs and framing: what presets set. */
export function settingsOf(look) {
  const { faces: _, references: __, trusted: ___, strokes: ____, ...settings } = look;
  for (const key of [...REPAIRS, ...FRAMES]) delete settings[key];
  return settings;
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

/** Whether the network's kept answer serves one look as it served another (`FaceProjection.serves`). */
export function sameProjection(one, other) {
  if (!sameRepairs(one, other) || !sameFraming(one, other)) return false;
  for (const { key, projects } of OPTIONS.values()) if (projects && one[key] !== other[key]) return false;
  if (one.refine === 1) return true;
  return (
    one.latent_step_decay === other.latent_step_decay && same(one.face_mask_weights, other.face_mask_weights)
  );
}

/** What previews know how to compute; of anything else the server draws the view. */
const PREVIEWED = ["strength", "latent_step_decay", "face_mask_weights", "keep_grain", "grain_amount", "reference_strength", "crop"];

/** Whether the difference between two looks is arithmetic: what `Field` does, and layers of grain and touches if known. */
export function arithmetic(one, other, { grain, touches }) {
  if (one.refine !== 1 || !sameProjection(one, other) || !sameReferences(one, other)) return false;
  for (const key of OPTIONS.keys()) {
    if (!PREVIEWED.includes(key) && !TOUCHES.includes(key) && !same(one[key], other[key])) return false;
  }
  if (TOUCHES.some((touch) => one[touch] !== other[touch] && !touches[touch])) return false;
  if (one.keep_grain === other.keep_grain && (!one.keep_grain || one.grain_amount === other.grain_amount)) return true;
  return grain;
}

export class Store {
  constructor() {
    this.listeners = new Set();
    this.reset({ faces: [], references: [], trusted: [], strokes: [] }, "standard");
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

  setWeights(weights, options) {
    this.set({ face_mask_weights: { ...this.look.face_mask_weights, ...weights } }, options);
  }

  /** What has come of the last step belongs to it: no step of its own. */
  amend(changes) {
    this.look = { ...this.look, ...changes };
    this.settled = structuredClone({ look: this.look, preset: this.preset });
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
