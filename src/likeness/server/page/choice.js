// How pictures of a job shall look: a choice of presets and more, and the form's fields that it comes to.

import { el } from "./dom.js";
import { OPTIONS } from "./look.js";
import { t } from "./words.js";

/** A choice of how pictures look: a preset, what the other page shows, or (for one of many) what the rest gets. */
export function lookSelect(about, rest) {
  const names = [...(rest ? ["rest"] : []), "auto", ...Object.keys(about.presets), "own"];
  const select = el("select", { "data-label": "many.look" }, ...names.map((name) => el("option", { value: name })));
  wordSelect(select);
  return select;
}

export function wordSelect(select) {
  select.setAttribute("aria-label", t("many.look"));
  for (const option of select.options) {
    option.textContent = ["rest", "own"].includes(option.value) ? t(`many.look.${option.value}`) : t(`preset.${option.value}`);
  }
}

/** The fields of a form for a choice. */
export function fieldsOf(choice, getLook) {
  if (choice === "rest") return null;
  if (choice !== "own") return { preset: choice };
  const look = getLook();
  const controls = [...OPTIONS.values()].filter((option) => option.part === "controls");
  return Object.fromEntries(controls.map(({ key }) => [key, look[key]]));
}
