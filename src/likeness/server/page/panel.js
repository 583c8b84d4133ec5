// The controls beside the picture.

import { el, folded, section, Slider } from "./dom.js";
import { FaceMap } from "./facemap.js";
import { lookOn, OPTIONS, ownWith, presetLook, REGIONS, same, settingsOf, TOUCHES, unrepaired } from "./look.js";
import { said as sentence } from "./said.js";
import { Whose } from "./whose.js";
import { t } from "./words.js";

export class Panel {
  /** @param {{store: object, about: object, onRegion: Function, onTouch: Function, onFaces: Function, onCurrent: Function, report: object,
   *   references: any, framing: any, repair: any, command: any}} page */
  constructor({ store, about, onRegion, onTouch, onFaces, onCurrent, report, references, framing, repair, command }) {
    this.store = store;
    // What "auto" sets is known with the picture.
    const presets = { auto: about.presets.standard, ...about.presets };
    this.presets = Object.fromEntries(Object.entries(presets).map(([name, set]) => [name, presetLook(set)]));
    this.presetRepairs = about.preset_repairs;
    this.besidePresets = about.beside_presets;
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
    this.whose = new Whose({
      onChoose: () => this.show(),
      onBack: (face) => {
        const { [face]: _, ...own } = this.store.look.own;
        this.store.set({ own }, { event: lastEvent() });
      },
    });
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
          onpointerleave: () => this.tellPreset(this.chosen),
          onfocus: () => this.tellPreset(name),
          onblur: () => this.tellPreset(this.chosen),
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
      this.whose.element,
      references.section(...this.placed("references")),
      ofFace(section("presets.title", this.back, el("div", { class: "presets" }, ...this.presetButtons), this.sets)),
      ofFace(section("controls.title", ...this.placed("controls"))),
      ofWhole(repair.section(...this.placed("repair"))),
      ofWhole(framing.section(this.slider(OPTIONS.get("straighten")))),
      ofFace(
        section(
          "regions.title",
          el("p", { class: "help", "data-t": "regions.help" }),
          el("div", { class: "regions" }, this.map.element, el("div", { class: "region-list" }, ...REGIONS.map((region) => this.regionSlider(region)))),
        ),
      ),
      ofFace(section("grain.title", ...this.placed("grain"))),
      ofWhole(section("skin.title", ...this.placed("skin"))),
      ofFace(folded("advanced.title", false, ...this.placed("advanced"))),
      report.measured,
      command.element,
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

  /** Another picture: what is found in it comes first. */
  toTop() {
    this.holder.scrollTop = 0;
    window.scrollTo(0, 0);
  }

  /** What there is to move in a section: whatever the server tells of it. */
  placed(place) {
    const options = [...OPTIONS.values()].filter((option) => option.place === place);
    return options.flatMap((option) => {
      const made = [option.kind === "number" ? this.slider(option) : this.setting(option)].flat();
      return option.per_face ? made : made.map(ofWhole);
    });
  }

  /** Change some settings: of all faces, or of the one that has its own; what is of the whole picture, for that. */
  set(changes, options) {
    const face = this.whose.face;
    const own = face !== null && Object.keys(changes).every((key) => OPTIONS.get(key).per_face);
    this.store.set(own ? { own: ownWith(this.store.look, face, changes) } : changes, options);
  }

  setWeight(region, value, options) {
    const { look } = this.store;
    const face = this.whose.face;
    const before = face === null ? look.face_mask_weights : (look.own[face]?.face_mask_weights ?? {});
    this.set({ face_mask_weights: { ...before, [region]: value } }, options);
  }

  /** What the sliders show, and what they are measured by: of one face what all share, else the preset. */
  get shown() {
    const { look } = this.store;
    return this.whose.face === null ? [look, this.preset] : [lookOn(look, this.whose.face), look];
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
      this.set({ [key]: kind === "switch" ? made.checked : values[made.selectedIndex] }, { event: lastEvent() });
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
      onMove: (value, event) => this.set({ [key]: value }, { moving: true, event }),
      onRest: () => this.rest(),
      onReset: () => this.set({ [key]: this.shown[1][key] ?? OPTIONS.get(key).default }),
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
        this.setWeight(region, value, { moving: true, event });
        this.point(region);
      },
      onRest: () => this.rest(),
      onReset: () => this.setWeight(region, this.shown[1].face_mask_weights[region]),
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
    this.onRegion(region, this.whose.face);
  }

  focusRegion(region) {
    this.sliders.get(region).input.focus();
  }

  usePreset(name) {
    if (this.whose.face !== null) {
      this.set(this.ofFace(name), { event: lastEvent() });
      return;
    }
    const set = { ...structuredClone(this.presets[name]), ...this.repairsOf(name) };
    this.store.set(set, { preset: name, event: lastEvent() });
  }

  /** What a preset sets on one face: not what no preset sets, and nothing of the whole picture. */
  ofFace(name) {
    const set = Object.entries(this.presets[name]).filter(([key]) => OPTIONS.get(key).per_face && !this.besidePresets.includes(key));
    return structuredClone(Object.fromEntries(set));
  }

  /** The preset that a face's settings are; null if they are none's. */
  presetOn(face) {
    const now = lookOn(this.store.look, face);
    const found = Object.keys(this.presets).filter((name) => name !== "auto").find((name) =>
      Object.entries(this.ofFace(name)).every(([key, value]) => same(value, now[key])),
    );
    return found ?? null;
  }

  /** What a preset repairs, if anything; repairs of another preset go with it, and those set by hand stay. */
  repairsOf(name) {
    if (this.presetRepairs[name]) return this.presetRepairs[name];
    const before = this.presetRepairs[this.store.preset];
    const nothing = unrepaired();
    const its = Object.entries(before ?? {}).filter(([key, value]) => this.store.look[key] === value);
    return Object.fromEntries(its.map(([key]) => [key, nothing[key]]));
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
    this.whose.show(this.picture, current, look);
    const one = this.whose.face;
    this.holder.classList.toggle("for-one", one !== null);
    this.holder.style.setProperty("--for", JSON.stringify(one === null ? "" : t("whose.number", { number: one + 1 })));
    const [shown, base] = this.shown;
    for (const { key, kind } of OPTIONS.values()) {
      if (kind === "number") this.sliders.get(key)?.show(shown[key], base[key]);
      else this.settings.get(key)?.(shown[key]);
    }
    for (const region of REGIONS) this.sliders.get(region).show(shown.face_mask_weights[region], base.face_mask_weights[region]);
    this.map.show(shown.face_mask_weights);
    this.sliders.get("grain_amount").element.classList.toggle("off", !shown.keep_grain);
    this.sliders.get("grain_amount").input.disabled = !shown.keep_grain;
    const changed = one === null && !same(settingsOf(look), this.preset);
    this.back.hidden = !changed;
    this.chosen = one === null ? this.store.preset : this.presetOn(one);
    for (const button of this.presetButtons) {
      const own = button.dataset.preset === this.chosen;
      button.setAttribute("aria-pressed", String(own));
      button.classList.toggle("changed", own && changed);
    }
    this.tellPreset(this.chosen);
    const all = this.picture?.faces.length ?? 0;
    this.faces.hidden = all === 1;
    this.faceCount.textContent = all ? t("faces.count", { chosen: look.faces.length, all }) : t("faces.none");
    for (const chip of this.faceList.children) {
      const index = Number(chip.dataset.face);
      chip.classList.toggle("on", look.faces.includes(index));
      chip.setAttribute("aria-pressed", String(index === current));
      const own = index in look.own;
      chip.classList.toggle("own", own);
      chip.setAttribute("aria-label", t("faces.closer", { number: index + 1 }) + (own ? `${t("list.comma")}${t("faces.own")}` : ""));
    }
  }

  /** What a preset sets, in figures. */
  tellPreset(name) {
    const set = this.presets[name];
    if (!set) {
      this.sets.textContent = "";
      return;
    }
    const said = [
      `${t("control.degradation_scale")} ${set.degradation_scale}`,
      `${t("control.latent_step_decay")} ${set.latent_step_decay}`,
      ...REGIONS.filter((region) => set.face_mask_weights[region] !== this.presets.standard.face_mask_weights[region]).map(
        (region) => `${t(`region.${region}`)} ${set.face_mask_weights[region]}`,
      ),
    ];
    if (set.keep_grain) said.push(t("control.keep_grain"));
    for (const [key, value] of Object.entries((this.whose.face === null && this.presetRepairs[name]) || {})) {
      if (value !== OPTIONS.get(key).default) said.push(`${t(`control.${key}`)} ${value}`);
    }
    const why = name === "auto" && this.picture ? `${sentence(this.picture.chosen.notice)}${t("list.stop")}` : "";
    this.sets.textContent = why + t("presets.sets", { what: said.join(t("list.comma")) });
  }
}

/** A section of what a face may have of its own: its title says so while it is one face's. */
function ofFace(element) {
  element.classList.add("of-face");
  return element;
}

/** Something that is there for the whole picture only: not seen while one face has its own. */
function ofWhole(element) {
  element.classList.add("of-whole");
  return element;
}

/** The event that is being handled: clicks on presets and switches are timed like slider moves. */
function lastEvent() {
  return window.event ?? null;
}
