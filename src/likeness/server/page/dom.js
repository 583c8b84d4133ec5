// Small pieces that the page is built of.

import { t } from "./words.js";

/** An element with attributes, listeners (on...) and children; data-t and data-label get their words at once. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  if (attributes["data-t"]) element.textContent = t(attributes["data-t"]);
  if (attributes["data-label"]) element.setAttribute("aria-label", t(attributes["data-label"]));
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A hidden field for choosing picture files; `onFiles` gets those that were chosen. */
export function fileField(id, onFiles) {
  const field = el("input", { type: "file", multiple: true, hidden: true, id, accept: "image/*,.heic,.heif,.avif,.tif,.tiff" });
  field.addEventListener("change", () => {
    onFiles([...field.files]);
    field.value = "";
  });
  return field;
}

/** A button on a tile that takes it out; `label` says what that is. */
export function leaveOut(label, onclick) {
  return el("button", { type: "button", class: "leave-out", "aria-label": label, onclick }, "×");
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function section(title, ...children) {
  return el("section", { class: "section" }, el("h2", { "data-t": title }), ...children);
}

export function folded(title, open, ...children) {
  return el("details", { class: "section", open }, el("summary", {}, el("h2", { "data-t": title })), ...children);
}

/** A slider with its name, its value, and a mark where the preset has it. */
export class Slider {
  /**
   * @param {{key: string, label: string, help?: string, range: any, onMove: Function, onRest: Function, onReset: Function,
   *   compact?: boolean}} options
   */
  constructor({ key, label, help, range, onMove, onRest, onReset, compact = false }) {
    this.range = range;
    const id = `slider-${key}`;
    this.input = el("input", {
      type: "range",
      id,
      min: range.low,
      max: range.high,
      step: range.step,
      "data-key": key,
      "aria-describedby": help && !compact ? `${id}-help` : null,
    });
    this.output = el("output", { for: id, class: "number" });
    this.mark = el("span", { class: "mark", "aria-hidden": "true" });
    this.element = el(
      "div",
      { class: compact ? "slider compact" : "slider", "data-slider": key },
      el("label", { for: id, "data-t": label, title: key }),
      this.output,
      el("span", { class: "track" }, this.input, this.mark),
      help && !compact ? el("p", { class: "help", id: `${id}-help`, "data-t": help }) : null,
    );
    this.input.addEventListener("input", (event) => {
      this.paint(this.input.valueAsNumber);
      onMove(this.input.valueAsNumber, event);
    });
    this.input.addEventListener("change", () => onRest());
    this.element.addEventListener("dblclick", (event) => {
      if (event.target.tagName === "LABEL" || event.target === this.input) onReset?.();
    });
  }

  /** Show a value, and where the preset has it (null: no mark). */
  show(value, preset = null) {
    this.input.value = String(value);
    this.paint(value);
    const { low, high } = this.range;
    this.mark.hidden = preset === null;
    if (preset !== null) this.mark.style.setProperty("--at", String((preset - low) / (high - low)));
    this.element.classList.toggle("moved", preset !== null && Math.abs(preset - value) > 1e-9);
  }

  paint(value) {
    const { low, high, digits } = this.range;
    this.input.style.setProperty("--at", String((value - low) / (high - low)));
    const shown = value.toFixed(digits);
    this.output.textContent = low < 0 && value > 0 ? `+${shown}` : shown.replace(/^-(0\.?0*)$/, "$1");
  }
}
