// How pictures of a job shall look: a choice of presets and more, and the form's fields that it comes to.

import { el } from "./dom.js";
import { OPTIONS, presetLook } from "./look.js";
import { t } from "./words.js";

/** What a choice can hold besides presets: what the rest gets, what it has now, what the other page shows. */
const OTHERS = ["rest", "kept", "own"];

/**
 * A choice of how pictures look: a preset, or what the other page shows. It begins with what one picture begins with.
 * @param {object} about
 * @param {"rest" | "kept" | null} first a further choice before these: as the rest of the pictures, or as it is
 */
export function lookSelect(about, first = null) {
  const names = [...(first ? [first] : []), "auto", ...Object.keys(about.presets), "own"];
  const select = el("select", { "data-label": "many.settings" }, ...names.map((name) => el("option", { value: name })));
  select.value = first ?? "standard";
  wordSelect(select);
  return select;
}

export function wordSelect(select) {
  select.setAttribute("aria-label", t("many.settings"));
  for (const option of select.options) {
    option.textContent = OTHERS.includes(option.value) ? t(`many.settings.${option.value}`) : t(`preset.${option.value}`);
  }
}

/** The fields of a form for a choice. */
export function fieldsOf(choice, getLook) {
  if (choice === "rest") return null;
  if (choice !== "own") return { preset: choice };
  const look = getLook();
  // What was painted, and what single faces have of their own, belongs to one picture.
  const kept = [...OPTIONS.values()].filter((option) => ["controls", "repairs"].includes(option.part));
  return Object.fromEntries(kept.map(({ key }) => [key, look[key]]));
}

/** The other way round: the preset, the look and the size that a picture's fields come to, once it is opened. */
export function lookOf(fields, about) {
  const preset = fields.preset ?? "standard";
  const moved = Object.entries(fields).filter(([key]) => OPTIONS.get(key)?.part === "controls");
  return (picture) => {
    const set = presetLook(preset === "auto" ? picture.chosen.controls : about.presets[preset]);
    for (const [key, value] of moved) set[key] = key === "face_mask_weights" ? { ...set[key], ...value } : value;
    return { preset, look: { ...set, own: ownOf(fields, about), references: [], trusted: [] }, size: fields.upscale ?? 1 };
  };
}

/** What single faces have of their own, by their index: a request has them by number, and may name presets. */
function ownOf({ face_controls: given = {} }, about) {
  return Object.fromEntries(
    Object.entries(given).map(([number, { preset, ...changes }]) => {
      const set = preset ? facePreset(about, preset) : {};
      const weights = { ...set.face_mask_weights, ...changes.face_mask_weights };
      return [Number(number) - 1, { ...set, ...changes, ...(Object.keys(weights).length ? { face_mask_weights: weights } : {}) }];
    }),
  );
}

/** What a preset sets on one face: not what no preset sets. */
export function facePreset(about, name) {
  return Object.fromEntries(Object.entries(about.presets[name]).filter(([key]) => !about.beside_presets.includes(key)));
}
