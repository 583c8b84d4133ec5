// How the picture is to look: which faces, all controls; what a preset sets; undo and redo.

export const REGIONS = ["eye", "brow", "nose", "lip", "cheek", "forehead", "ear", "hair", "edge", "other"];

/** Everything with a slider but the regions: its range, and the step of an arrow key. */
export const RANGES = {
  strength: { low: 0, high: 1, step: 0.01, digits: 2 },
  latent_step_decay: { low: 0.02, high: 0.1, step: 0.001, digits: 3 },
  degradation_scale: { low: 0.3, high: 1.2, step: 0.05, digits: 2 },
  refine: { low: 1, high: 8, step: 1, digits: 0 },
  grain_amount: { low: 0, high: 2, step: 0.05, digits: 2 },
  warmth: { low: -0.5, high: 0.5, step: 0.01, digits: 2 },
  exposure: { low: -1, high: 1, step: 0.05, digits: 2 },
  clarity: { low: 0, high: 1, step: 0.05, digits: 2 },
};

export const WEIGHT = { low: 0, high: 2, step: 0.05, digits: 2 };

const FINISH = { warmth: 0, exposure: 0, clarity: 0 };

export function presetLook(controls) {
  return { ...structuredClone(controls), ...FINISH };
}

export function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Without the faces: what presets set. */
export function settingsOf(look) {
  const { faces: _, ...settings } = look;
  return settings;
}

/** Whether the network's kept answer serves one look as it served another (`FaceProjection.serves`). */
export function sameProjection(one, other) {
  if (one.degradation_scale !== other.degradation_scale || one.refine !== other.refine) return false;
  if (one.refine === 1) return true;
  return (
    one.latent_step_decay === other.latent_step_decay && same(one.face_mask_weights, other.face_mask_weights)
  );
}

export const TOUCHES = ["warmth", "exposure", "clarity"];

/** Whether the difference between two looks is arithmetic: what `Field` does, and layers of grain and touches if known. */
export function arithmetic(one, other, { grain, touches }) {
  if (one.refine !== 1 || !sameProjection(one, other)) return false;
  if (TOUCHES.some((touch) => one[touch] !== other[touch] && !touches[touch])) return false;
  if (one.keep_grain === other.keep_grain && (!one.keep_grain || one.grain_amount === other.grain_amount)) return true;
  return grain;
}

export class Store {
  constructor() {
    this.listeners = new Set();
    this.reset({ faces: [] }, "standard");
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
    this.tell({ moving: false, event: null });
  }

  tell(change) {
    for (const listener of this.listeners) listener(change);
  }
}
