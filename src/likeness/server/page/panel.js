// The controls beside the picture.

import { el, folded, section, Slider } from "./dom.js";
import { FaceMap } from "./facemap.js";
import { OPTIONS, presetLook, REGIONS, same, settingsOf, TOUCHES, unrepaired } from "./look.js";
import { said as sentence } from "./said.js";
import { t } from "./words.js";

export class Panel {
  /** @param {{store: object, about: object, onRegion: Function, onTouch: Function, onFaces: Function, onCurrent: Function, report: object,
   *   references: any, framing: any, repair: any}} page */
  constructor({ store, about, onRegion, onTouch, onFaces, onCurrent, report, references, framing, repair }) {
    this.store = store;
    // What "auto" sets is known with the picture.
    const presets = { auto: about.presets.standard, ...about.presets };
    this.presets = Object.fromEntries(Object.entries(presets).map(([name, set]) => [name, presetLook(set)]));
    this.presetRepairs = about.preset_repairs;
    this.onRegion = onRegion;
    this.onTouch = onTouch;
    this.onCurrent = onCurrent;
    this.sliders = new Map();
    this.settings = new Map();
    this.holder = document.getElementById("panel-scroll");
    this.faceList = el("div", { class: "face-list" });
    this.faceCount = el("span", { class: "count" });
    this.faces = section(
      "faces.title",
      this.faceCount,
      this.faceList,
      el(
        "div",
        { class: "row small" },
        ...[["all", "faces.all"], ["none", "faces.no"], ["largest", "faces.largest"]].map(([which, words]) =>
          el("button", { type: "button", class: "quiet", "data-t": words, onclick: () => onFaces(which) }),
        ),
      ),
    );
    this.back = el("button", { type: "button", class: "quiet back", "data-t": "presets.back", onclick: () => this.backToPreset() });
    this.sets = el("p", { class: "sets" });
    this.presetButtons = Object.keys(this.presets).map((name) =>
      el(
        "button",
        {
          type: "button",
          class: "preset",
          "data-preset": name,
          "aria-pressed": "false",
          onclick: () => this.usePreset(name),
          onpointerenter: () => this.tellPreset(name),
          onpointerleave: () => this.tellPreset(this.store.preset),
          onfocus: () => this.tellPreset(name),
          onblur: () => this.tellPreset(this.store.preset),
        },
        el("b", { "data-t": `preset.${name}` }),
        el("span", { "data-t": `preset.${name}.for` }),
      ),
    );
    this.map = new FaceMap({ onPoint: (region) => this.point(region), onPick: (region) => this.focusRegion(region) });
    this.faces.classList.add("faces");
    this.holder.append(
      ...report.first,
      this.faces,
      references.section(...this.placed("references")),
      section("presets.title", this.back, el("div", { class: "presets" }, ...this.presetButtons), this.sets),
      framing.section(this.slider(OPTIONS.get("straighten"))),
      repair.section(...this.placed("repair")),
      section("controls.title", ...this.placed("controls")),
      section(
        "regions.title",
        el("p", { class: "help", "data-t": "regions.help" }),
        el("div", { class: "regions" }, this.map.element, el("div", { class: "region-list" }, ...REGIONS.map((region) => this.regionSlider(region)))),
      ),
      section("grain.title", ...this.placed("grain")),
      section("skin.title", ...this.placed("skin")),
      folded("advanced.title", false, ...this.placed("advanced")),
      report.measured,
      folded(
        "model.title",
        false,
        el(
          "dl",
          { class: "facts" },
          ...[["model.name", about.model], ["model.size", `${about.size} px`], ["model.runtime", about.runtime]].flatMap(([words, value]) => [
            el("dt", { "data-t": words }),
            el("dd", {}, String(value)),
          ]),
        ),
      ),
    );
    store.onChange(() => this.show());
  }

  /** What there is to move in a section: whatever the server tells of it. */
  placed(place) {
    const options = [...OPTIONS.values()].filter((option) => option.place === place);
    return options.flatMap((option) => (option.kind === "number" ? this.slider(option) : this.setting(option)));
  }

  /** A switch, or a choice. */
  setting({ key, kind, values }) {
    const id = key.replaceAll("_", "-");
    const about = { id, "aria-describedby": `${id}-help` };
    const label = el("label", { for: id, "data-t": `control.${key}` });
    let made;
    if (kind === "switch") {
      made = el("input", { ...about, type: "checkbox", class: "switch", role: "switch" });
      this.settings.set(key, (value) => (made.checked = value));
    } else {
      made = el("select", about, ...values.map((value) => el("option", { value }, String(value))));
      this.settings.set(key, (value) => (made.selectedIndex = values.indexOf(value)));
    }
    made.addEventListener("change", () => {
      this.store.set({ [key]: kind === "switch" ? made.checked : values[made.selectedIndex] }, { event: lastEvent() });
    });
    const parts = kind === "switch" ? [made, label] : [label, made];
    return [
      el("div", { class: "row switch-row" }, ...parts),
      el("p", { class: "help", id: `${id}-help`, "data-t": `control.${key}.help` }),
    ];
  }

  slider({ key, ...range }) {
    const made = new Slider({
      key,
      label: `control.${key}`,
      help: `control.${key}.help`,
      range,
      onMove: (value, event) => this.store.set({ [key]: value }, { moving: true, event }),
      onRest: () => this.rest(),
      onReset: () => this.store.set({ [key]: this.preset[key] ?? OPTIONS.get(key).default }),
    });
    this.sliders.set(key, made);
    if (TOUCHES.includes(key)) {
      made.element.addEventListener("pointerenter", () => this.onTouch(key));
      made.element.addEventListener("pointerleave", () => this.onTouch(null));
      made.input.addEventListener("focus", () => this.onTouch(key));
      made.input.addEventListener("blur", () => this.onTouch(null));
    }
    return made.element;
  }

  regionSlider(region) {
    const made = new Slider({
      key: region,
      label: `region.${region}`,
      range: OPTIONS.get("face_mask_weights"),
      compact: true,
      onMove: (value, event) => {
        this.store.setWeights({ [region]: value }, { moving: true, event });
        this.point(region);
      },
      onRest: () => this.rest(),
      onReset: () => this.store.setWeights({ [region]: this.preset.face_mask_weights[region] }),
    });
    this.sliders.set(region, made);
    made.element.addEventListener("pointerenter", () => this.point(region));
    made.element.addEventListener("pointerleave", () => this.point(null));
    made.input.addEventListener("focus", () => this.point(region));
    made.input.addEventListener("blur", () => this.point(null));
    return made.element;
  }

  rest() {
    this.store.settle();
    this.store.tell({ moving: false, event: null });
  }

  get preset() {
    return this.presets[this.store.preset];
  }

  /** A region is under the pointer: light it in the drawing, in the list, and on the picture. */
  point(region) {
    this.map.light(region);
    for (const name of REGIONS) this.sliders.get(name).element.classList.toggle("lit", name === region);
    this.onRegion(region);
  }

  focusRegion(region) {
    this.sliders.get(region).input.focus();
  }

  usePreset(name) {
    const set = { ...structuredClone(this.presets[name]), ...this.repairsOf(name) };
    this.store.set(set, { preset: name, event: lastEvent() });
  }

  /** What a preset repairs, if anything; repairs of another preset go with it, and those set by hand stay. */
  repairsOf(name) {
    if (this.presetRepairs[name]) return this.presetRepairs[name];
    const before = this.presetRepairs[this.store.preset];
    const { strokes: _, ...nothing } = unrepaired();
    return before && Object.entries(before).every(([key, value]) => this.store.look[key] === value) ? nothing : {};
  }

  backToPreset() {
    this.usePreset(this.store.preset);
  }

  open(picture) {
    this.picture = picture;
    this.presets.auto = presetLook(picture.chosen.controls);
    this.faceList.replaceChildren(
      ...picture.faces.map((face) =>
        el(
          "button",
          {
            type: "button",
            class: "face-chip",
            "data-face": face.index,
            "aria-pressed": "false",
            disabled: !face.area,
            onclick: () => this.onCurrent(face.index, true),
          },
          String(face.index + 1),
        ),
      ),
    );
    this.show();
  }

  show(current = this.current) {
    this.current = current;
    const { look } = this.store;
    const preset = this.preset;
    for (const { key, kind } of OPTIONS.values()) {
      if (kind === "number") this.sliders.get(key)?.show(look[key], preset[key]);
      else this.settings.get(key)?.(look[key]);
    }
    for (const region of REGIONS) this.sliders.get(region).show(look.face_mask_weights[region], preset.face_mask_weights[region]);
    this.map.show(look.face_mask_weights);
    this.sliders.get("grain_amount").element.classList.toggle("off", !look.keep_grain);
    this.sliders.get("grain_amount").input.disabled = !look.keep_grain;
    const changed = !same(settingsOf(look), preset);
    this.back.hidden = !changed;
    for (const button of this.presetButtons) {
      const own = button.dataset.preset === this.store.preset;
      button.setAttribute("aria-pressed", String(own));
      button.classList.toggle("changed", own && changed);
    }
    this.tellPreset(this.store.preset);
    const all = this.picture?.faces.length ?? 0;
    this.faces.hidden = all === 1;
    this.faceCount.textContent = all ? t("faces.count", { chosen: look.faces.length, all }) : t("faces.none");
    for (const chip of this.faceList.children) {
      const index = Number(chip.dataset.face);
      chip.classList.toggle("on", look.faces.includes(index));
      chip.setAttribute("aria-pressed", String(index === current));
      chip.setAttribute("aria-label", t("faces.closer", { number: index + 1 }));
    }
  }

  /** What a preset sets, in figures. */
  tellPreset(name) {
    const set = this.presets[name];
    const said = [
      `${t("control.degradation_scale")} ${set.degradation_scale}`,
      `${t("control.latent_step_decay")} ${set.latent_step_decay}`,
      ...REGIONS.filter((region) => set.face_mask_weights[region] !== 1).map(
        (region) => `${t(`region.${region}`)} ${set.face_mask_weights[region]}`,
      ),
    ];
    if (set.keep_grain) said.push(t("control.keep_grain"));
    for (const [key, value] of Object.entries(this.presetRepairs[name] ?? {})) {
      if (value !== OPTIONS.get(key).default) said.push(`${t(`control.${key}`)} ${value}`);
    }
    const why = name === "auto" && this.picture ? `${sentence(this.picture.chosen.notice)}${t("list.stop")}` : "";
    this.sets.textContent = why + t("presets.sets", { what: said.join(t("list.comma")) });
  }
}

/** The event that is being handled: clicks on presets and switches are timed like slider moves. */
function lastEvent() {
  return window.event ?? null;
}
