// What the library says, in the page's language: the server sends codes with values, and the sentences of its catalogues.

import { MESSAGES } from "./messages.js";
import { currentLanguage, t } from "./words.js";

/** A notice, or a code with values, as a sentence. */
export function said(notice) {
  const text = filled(notice);
  return text[0].toUpperCase() + text.slice(1);
}

/** A notice as a sentence with its full stop, as page and catalogue do not all have one. */
export function sentence(notice) {
  return stopped(said(notice));
}

export function stopped(text) {
  return /[.!?…。！？]$/.test(text) ? text : text + t("list.stop").trim();
}

/** A notice as a part of a sentence. */
export function phrase(notice) {
  return filled(notice);
}

export function canSay(code) {
  return code in MESSAGES.en;
}

function filled({ code, values = {} }) {
  const known = MESSAGES[currentLanguage()];
  const sentence = known[`${code}@page`] ?? known[code];
  // A brace that is written twice stands for itself, as in Python.
  return sentence.replace(/\{\{|\}\}|\{(\w+)(?::([^}]*))?\}/g, (found, name, form) =>
    name === undefined ? found[0] : written(values[name], form ?? ""),
  );
}

/** A value as its place asks, in the forms of Python's `format`: ".1f", ".0%", "g" and ",". */
function written(value, form) {
  if (Array.isArray(value)) return value.map(filled).join(form);
  if (typeof value === "object") return filled(value);
  if (form === "") return String(value);
  if (form === ",") return value.toLocaleString("en");
  if (form === "g") return String(Number(value.toPrecision(6)));
  const [, digits, kind] = /^\.(\d)([f%])$/.exec(form);
  return kind === "%" ? `${fixed(value * 100, Number(digits))}%` : fixed(value, Number(digits));
}

/** Exactly half way between two numbers Python goes to the even one, and JavaScript up. */
function fixed(value, digits) {
  const scaled = value * 10 ** digits;
  const half = Math.abs(scaled % 1) === 0.5 && Number.isInteger(value * 2 ** (digits + 1));
  return (half ? (2 * Math.round(scaled / 2)) / 10 ** digits : value).toFixed(digits);
}
