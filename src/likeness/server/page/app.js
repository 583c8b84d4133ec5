// The page: brings the picture, its look, the server and the screen together.

import * as api from "./api.js";
import { Command } from "./command.js";
import { Edited } from "./edited.js";
import { Framing } from "./framing.js";
import { cropOf, cropText, framedBack, framedMap, framedSize, shareOf, within } from "./geometry.js";
import { Live } from "./live.js";
import { localImage } from "./local.js";
import { learnOptions, presetLook, same, sameFraming, settingsOf, Store, unframed, unrepaired } from "./look.js";
import { Loupes } from "./loupes.js";
import { Marks } from "./marks.js";
import { openWays } from "./open.js";
import { Panel } from "./panel.js";
import { Queue } from "./queue.js";
import { References } from "./references.js";
import { Repair } from "./repair.js";
import { Report } from "./report.js";
import { said, stopped } from "./said.js";
import { Stage } from "./stage.js";
import { Take } from "./take.js";
import { Films } from "./video.js";
import "./words_many.js";
import { applyWords, currentLanguage, firstLanguage, learnWords, onLanguage, setLanguage, t } from "./words.js";

/** @param {string} id @returns {any} an element of index.html, of whatever kind it is there */
const element = (id) => document.getElementById(id);

/** @param {string} selector @returns {NodeListOf<HTMLElement>} */
const elements = (selector) => document.querySelectorAll(selector);
const KEPT = "likeness.open";
const TABS = ["one", "many", "video"];
const PASSING = ["offline", "busy", "too-long"];
const TOO_MUCH = ["picture-too-large", "out-of-memory", "too-long"];
const NOBODY = { faces: [], own: {}, references: [], trusted: [] };

class Page {
  constructor(about) {
    this.about = about;
    this.store = new Store();
    this.store.reset({ ...NOBODY, ...unrepaired(), ...unframed(), ...presetLook(about.presets.standard) }, "standard");
    this.current = 0;
    this.doing = new Map(); // what takes a while, in words, by what it is
    this.live = new Live({
      onDraw: () => this.draw(),
      onReady: () => {
        this.stage.canvas.dataset.ready = String(this.store.look.degradation_scale);
        this.stage.draw();
      },
      onRest: (rests) => this.stage.canvas.setAttribute("aria-busy", String(!rests)),
      onBusy: (words, values) => this.busy("drawing", words, values),
      // What was the matter with the server is over.
      onAnswer: () => this.told?.passes && this.clearProblem(),
      onProblem: (error, size) => this.drawingProblem(error, size),
      onWarnings: (...told) => this.report.warn(...told),
      onVerdicts: (verdicts) => {
        this.report.judge(verdicts);
        this.marks.judge(verdicts);
      },
      onReferences: (told, look) => this.references.tell(told, look),
      onRepaired: (repaired) => this.repair.tell(repaired),
      onGrown: (size, grown) => this.grown(size, grown),
      getAreas: () => [...this.stage.areas(), ...this.loupes.areas()],
    });
    this.stage = new Stage({ onMove: () => this.live.moved(), fields: this.live.fields, getLook: () => this.store.look });
    this.marks = new Marks({ stage: this.stage, onToggle: (face) => this.toggle(face), onCurrent: (face) => this.choose(face) });
    this.loupes = new Loupes({ stage: this.stage, onGo: (spot) => this.stage.look(spot, this.loupes.scale) });
    this.loupes.onResize = () => this.live.moved();
    this.report = new Report({
      store: this.store,
      ofPicture: (work) => this.ofPicture(work),
      onFace: (face) => this.choose(face, true),
      onProblem: (error) => this.problem(error),
      onEnlarge: () => {
        this.take.choose("auto");
        this.resize("auto");
        element("take-size").focus({ preventScroll: true });
      },
      onTurn: (by) => this.turn(by),
      getCurrent: () => this.current,
      getSize: () => this.take.chosen,
    });
    this.references = new References({
      store: this.store,
      about,
      ofPicture: (work) => this.ofPicture(work),
      onBusy: (words) => this.busy("reference", words),
      onProblem: (error) => this.problem(error),
      announce: (text) => this.announce(text),
      onLent: (lent) => this.marks.lend(lent),
    });
    this.framing = new Framing({
      store: this.store,
      stage: this.stage,
      announce: (text) => this.announce(text),
      onTurn: (by) => this.turn(by),
      // One tool is in hand at a time.
      onTool: (tool) => tool && this.repair.take(null),
      getFace: () => this.picture.faces[this.current],
    });
    this.repair = new Repair({
      onTool: (tool) => tool && this.framing.take(null),
      store: this.store,
      stage: this.stage,
      announce: (text) => this.announce(text),
      onProblem: (error) => this.problem(error),
    });
    this.command = new Command({
      ofPicture: (work) => this.ofPicture(work),
      getSeen: () => ({ id: this.picture?.id, look: this.store.look, preset: this.store.preset, size: this.take.chosen }),
      onProblem: (error) => this.problem(error),
      announce: (text) => this.announce(text),
    });
    this.panel = new Panel({
      store: this.store,
      command: this.command,
      references: this.references,
      framing: this.framing,
      repair: this.repair,
      about,
      onRegion: (region, face) => this.stage.showRegion(region, face),
      onTouch: (touch) => this.live.prepare(touch),
      onFaces: (which) => this.chooseFaces(which),
      onCurrent: (face, closer) => this.choose(face, closer),
      report: this.report,
    });
    this.take = new Take({
      store: this.store,
      mostPixels: about.max_pixels,
      side: about.web_side,
      paper: about.print_scale,
      onSize: (size) => this.resize(size),
      ofPicture: (work) => this.ofPicture(work),
      onBusy: (words) => this.busy("file", words),
      onProblem: (error) => this.problem(error),
      announce: (text) => this.announce(text),
    });
    this.queue = new Queue({
      about,
      getLook: () => this.store.look,
      onProblem: (error) => this.problem(error),
      onOpen: (file, settings) => {
        this.tab("one");
        return this.open(file, settings);
      },
    });
    this.films = about.video && new Films({ about, getLook: () => this.store.look, onProblem: (error) => this.problem(error) });
    element("tab-video").hidden = !this.films;
    this.edited = about.editing && new Edited({
      editing: about.editing,
      getSeen: () => ({ id: this.picture.id, look: this.store.look, size: this.take.chosen }),
      onBusy: (words) => this.busy("file", words),
      onProblem: (error) => this.problem(error),
      announce: (text) => this.announce(text),
    });
    this.store.onChange(({ moving, event, travelled }) => {
      const turned = this.framed && !sameFraming(this.framed, this.store.look);
      if (turned && moving && this.store.look.turn === this.framed.turn) this.tilt();
      else if (turned) {
        // A step back or forth has brought its own strokes, crop and ticks.
        if (travelled) this.carried = null;
        else this.carry();
        this.reframe();
      } else if (this.unfound && !this.turning) this.reframe();
      else {
        this.stage.setTilt(null);
        this.live.change(this.store.look, { moving, event });
      }
      this.framing.show();
      this.showKept();
      this.showFaces();
      this.history();
      this.repair.show();
      if (!moving) this.references.show();
      if (!moving) this.report.showEvidence();
      if (!moving) this.command.show();
      if (!moving) this.keep();
    });
    this.listen();
    onLanguage(() => this.reword());
    this.reword();
    this.history();
    this.panel.show();
  }

  /** @param {string} where the part of the page that they were dropped on */
  bringReferences(files, where) {
    if (where === "one") this.references.bring(files);
    else (where === "video" ? this.films : this.queue).staging.others.add(files);
  }

  listen() {
    openWays({
      onFiles: (files) => this.openFiles(files),
      onReferences: (files, where) => this.bringReferences(files, where),
      onProblem: (error) => this.problem(error),
      active: () => !element("one").hidden,
    });
    for (const button of elements("[data-language]")) {
      button.addEventListener("click", () => setLanguage(button.dataset.language));
    }
    for (const button of elements("[data-lying]")) {
      button.addEventListener("click", () => this.turn(Number(button.dataset.lying)));
    }
    for (const button of elements("[data-zoom]")) {
      button.addEventListener("click", () => this.zoom(button.dataset.zoom));
    }
    const names = this.films ? TABS : TABS.slice(0, 2);
    names.forEach((name, number) => {
      element(`tab-${name}`).addEventListener("click", () => this.tab(name));
      element(`tab-${name}`).addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!step) return;
        const other = names[(number + step + names.length) % names.length];
        this.tab(other);
        element(`tab-${other}`).focus();
      });
    });
    element("undo").addEventListener("click", () => this.store.undo());
    element("redo").addEventListener("click", () => this.store.redo());
    element("problem-close").addEventListener("click", () => this.clearProblem());
    const hold = element("hold");
    const before = (on) => {
      this.stage.setBefore(on);
      this.loupes.draw();
      hold.setAttribute("aria-pressed", String(on));
    };
    hold.addEventListener("pointerdown", () => before(true));
    for (const name of ["pointerup", "pointercancel", "pointerleave", "blur"]) hold.addEventListener(name, () => before(false));
    hold.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") before(true);
    });
    hold.addEventListener("keyup", () => before(false));
    window.addEventListener("keydown", (event) => this.key(event, before));
    // A key that is let go elsewhere is not seen.
    window.addEventListener("blur", () => before(false));
    window.addEventListener("keyup", (event) => {
      if (event.key === "b" || event.key === "B") before(false);
    });
    this.stage.watchers.add(() => {
      element("zoom-now").textContent = `${Math.round(this.stage.zoomed * 100)}%`;
    });
    window.addEventListener("pagehide", () => {
      if (this.picture) api.leave(this.picture.id);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.stage.draw());
  }

  /** Show one of the ways of working. */
  tab(name) {
    for (const other of TABS) {
      const on = other === name;
      element(other).hidden = !on;
      const button = element(`tab-${other}`);
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
    }
    element("open-another").hidden = name !== "one" || !this.picture;
    if (name !== "video") this.films?.pause();
    if (name === "one") this.stage.resize();
    history.replaceState(null, "", name === "one" ? "#" : `#${name}`);
  }

  key(event, before) {
    const command = event.ctrlKey || event.metaKey;
    const typing = event.target.matches?.("input:not([type=range], [type=checkbox]), textarea, select");
    if (typing || !this.picture || this.opening || element("one").hidden) return;
    if (command && event.key.toLowerCase() === "z") {
      event.preventDefault();
      if (event.shiftKey) this.store.redo();
      else this.store.undo();
    } else if (command && event.key.toLowerCase() === "y") {
      event.preventDefault();
      this.store.redo();
    } else if (command || event.altKey) {
      return;
    } else if (event.key === "b" || event.key === "B") {
      if (!event.repeat) before(true);
    } else if (["0", "1", "2"].includes(event.key)) {
      this.zoom(event.key === "0" ? "fit" : event.key);
    }
  }

  zoom(which) {
    if (!this.picture) return;
    if (which === "fit") return this.stage.fit();
    const face = this.picture.faces[this.current];
    // From the whole picture, closer means the face.
    const at = this.stage.fitted && face ? middle(face.box) : this.stage.centre;
    this.stage.centre = [...at];
    return this.stage.zoom(Number(which) * this.stage.grow);
  }

  async openFiles(files) {
    if (this.edited) {
      // It is for one file, and what is saved takes that file's place.
      return;
    }
    const films = this.films ? files.filter((file) => this.films.takes(file)) : [];
    if (films.length) {
      this.tab("video");
      this.films.add(films[0], files.length === 1);
    } else if (!element("many").hidden) {
      this.queue.staging.add(files);
    } else if (files.length > 1) {
      // Several at once are work for the queue.
      this.tab("many");
      this.queue.staging.add(files);
    } else {
      this.tab("one");
      await this.open(files[0]);
    }
  }

  /**
   * Open a file: it is drawn here before anything is sent. The last of several that are opened is the one that is shown.
   * @param {File} file
   * @param {((picture: object) => object) | null} settings the look, preset and size that an opened picture is to have
   */
  async open(file, settings = null) {
    const turn = Symbol(file.name);
    this.clearProblem();
    this.busy("opening", "busy.reading");
    this.wait(turn);
    element("faceless").hidden = true;
    const local = await localImage(file);
    if (this.opening !== turn) return;
    if (local) this.showLocal(local);
    this.sending(0);
    try {
      const picture = await api.openPicture(file, file.name || "picture", (share) => {
        if (this.opening === turn) this.sending(share);
      });
      if (this.opening !== turn) {
        api.close(picture.id);
        return;
      }
      if (this.picture) api.close(this.picture.id);
      this.file = file;
      this.references.forget();
      this.wait(null);
      this.busy("opening", null);
      this.show(picture, settings?.(picture), local?.image);
      this.panel.toTop();
    } catch (error) {
      if (this.opening !== turn) return;
      this.wait(null);
      this.busy("opening", null);
      if (local) this.showAgain();
      this.problem(error, file.name);
    }
  }

  /** Open the one file that the page is for. */
  async openEdited() {
    this.busy("opening", "busy.open");
    this.wait(Symbol("edited"));
    const picture = await api.openEdited();
    this.wait(null);
    this.busy("opening", null);
    this.show(picture);
  }

  /** While a picture is being opened, what is moved would be moved in vain. */
  wait(turn) {
    this.opening = turn;
    for (const part of ["panel", "tools", "loupes"]) element(part).inert = turn !== null;
    if (turn) for (const tool of [this.repair, this.framing]) tool.take(null);
    document.body.classList.toggle("opening", turn !== null);
  }

  /** How far the file is on its way, in words. */
  sending(share) {
    if (share < 1) this.busy("opening", "busy.sending", { percent: Math.floor(share * 100) });
    else this.busy("opening", "busy.open");
  }

  /** Show what the browser itself could draw of a file, alone. */
  showLocal({ image, ...size }) {
    this.live.stop();
    this.turnNoMore();
    this.stage.canvas.setAttribute("aria-busy", "true");
    element("empty").hidden = element("faceless").hidden = true;
    this.stage.open(size, { image, compared: false });
    this.marks.open(null);
    this.loupes.open(null, null);
  }

  /** Show again what was open, as the newer file was no picture. */
  showAgain() {
    if (this.picture && this.unfound) {
      const [width, height] = framedSize(this.size, this.framed);
      this.stage.open({ width, height }, { compared: false });
      this.reframe();
      return;
    }
    if (this.picture) {
      this.onStage();
      this.showFaces();
      this.framing.show();
      return;
    }
    this.stage.close();
    element("empty").hidden = false;
    this.stage.canvas.setAttribute("aria-busy", "false");
  }

  /** Put the open picture and its faces on the stage, and have it drawn. */
  onStage(image = null) {
    const { picture } = this;
    const compared = picture.faces.length > 0;
    element("one").classList.toggle("faceless", !compared);
    element("faceless").hidden = compared;
    this.stage.open(picture, { image, compared });
    this.marks.open(picture);
    this.loupes.open(picture, picture.faces[this.current]);
    // While the picture is being turned further, it is drawn as it lies here.
    const { look } = this.store;
    this.live.open(picture, sameFraming(look, this.framed) ? look : { ...look, ...this.framed });
  }

  /**
   * Show an opened picture: with what was kept over a reload, if anything was; at once if the browser has drawn it. One that was
   * brought `again` is as it was, with its history.
   */
  show(picture, kept = null, image = null, again = false) {
    const view = again && !this.stage.fitted ? { centre: this.stage.centre, scale: this.stage.scale } : null;
    this.turnNoMore();
    this.picture = picture;
    this.size = [picture.width, picture.height];
    this.framed = unframed();
    this.unfound = false;
    if (!again) this.carried = null;
    delete this.stage.canvas.dataset.ready;
    const usable = picture.faces.filter((face) => face.area);
    const largest = [...usable].sort((a, b) => area(b.box) - area(a.box));
    if (!again) {
      // Other photographs are of the persons in one picture, and what single faces have of their own is of its faces.
      const settings = kept?.look ?? { ...this.store.look, ...this.chosenFor(picture), own: {}, references: [], trusted: [], strokes: [], ...unframed() };
      // As on the command line: all of them, or as many as the server restores together.
      const first = largest.slice(0, this.about.max_faces).map((face) => face.index);
      const faces = kept?.look.faces ?? first.sort((a, b) => a - b);
      this.current = largest[0]?.index ?? 0;
      this.panel.whose.one = false;
      this.store.reset({ ...NOBODY, ...unrepaired(), ...unframed(), ...settings, faces }, kept?.preset ?? this.store.preset);
    }
    element("empty").hidden = true;
    element("tools").hidden = false;
    element("open-another").hidden = false;
    element("one").classList.add("opened");
    this.take.open(picture.faces.length ? picture : null);
    if (kept) this.take.choose(kept.size ?? 1);
    this.sizeTo(this.take.chosen);
    this.onStage(image);
    this.openParts(again);
    this.history();
    if (!sameFraming(this.framed, this.store.look)) this.reframe();
    else if (view) {
      this.stage.centre = view.centre;
      this.stage.zoom(view.scale);
    }
    this.announce(t("opened.faces", { name: picture.name, count: picture.faces.length }));
    this.keep();
  }

  /** Of settings that were chosen for the picture before, and left so: those that are chosen for this one. */
  chosenFor(picture) {
    const { look, preset } = this.store;
    return preset === "auto" && same(settingsOf(look), this.panel.presets.auto) ? presetLook(picture.chosen.controls) : {};
  }

  /** All that shows something of the open picture. */
  openParts(again = false) {
    const { picture } = this;
    this.report.open(picture, again);
    this.references.open(picture);
    this.repair.open(picture);
    this.framing.open(picture);
    this.panel.open(picture);
    this.command.show();
    this.showFaces();
    this.showKept();
    this.reword();
  }

  /** How much of the picture the files will show. */
  showKept() {
    if (!this.picture) return;
    const [left, top, right, bottom] = cropOf(this.store.look.crop) ?? [0, 0, this.picture.width, this.picture.height];
    this.take.keep([right - left, bottom - top]);
    this.marks.place();
  }

  /** Turn the picture so many degrees further. */
  turn(by) {
    if (!this.picture) return;
    this.store.set({ turn: (this.store.look.turn + by + 360) % 360 });
    this.announce(t("framing.turned"));
  }

  /** The picture is being straightened: shown so without the server. */
  tilt() {
    const { look } = this.store;
    const from = this.framed;
    const turned = framedSize(this.size, { turn: look.turn, straighten: 0 });
    const scale = shareOf(turned, from.straighten) / shareOf(turned, look.straighten);
    this.stage.setTilt({ degrees: look.straighten - from.straighten, scale });
  }

  /** The map from places of the picture as it is framed on one side to those on the other. */
  mapBetween(from, to) {
    const [back, there] = [framedBack(this.size, from), framedMap(this.size, to)];
    return (place) => there(back(place));
  }

  /** Take strokes and the crop along to the picture as it is to be framed; ticks follow when its faces are found. */
  carry() {
    const { look } = this.store;
    const from = this.framed;
    if (!this.unfound) this.carried = { from, faces: this.picture.faces, before: this.store.past.at(-1) };
    const map = this.mapBetween(from, look);
    const size = framedSize(this.size, look);
    const strokes = look.strokes.map((stroke) => ({ ...stroke, points: stroke.points.map((point) => map(point).map((v) => Math.round(v * 10) / 10)) }));
    const crop = look.crop && cropText(within(this.mappedCrop(cropOf(look.crop), map, from, look), size), size);
    this.store.amend({ strokes, crop });
  }

  /** The picture is turned or straightened: shown so at once, and its faces are found anew. */
  async reframe() {
    const turn = Symbol("framing");
    this.turning = turn;
    const { look } = this.store;
    const to = { turn: look.turn, straighten: look.straighten };
    const [width, height] = framedSize(this.size, to);
    const image = this.stage.mapped(this.mapBetween(this.framed, to), [width, height]);
    this.live.stop();
    this.stage.canvas.setAttribute("aria-busy", "true");
    this.stage.open({ width, height }, { image, compared: false });
    this.marks.open(null);
    this.loupes.open(null, null);
    this.framing.open(null);
    this.repair.open(null);
    this.framed = to;
    this.unfound = true; // until the server has told of it
    this.busy("framing", "busy.framing");
    const wanted = () => this.turning === turn;
    try {
      const picture = await this.ofPicture((id) => api.patiently(() => api.framed(id, look), wanted));
      if (!wanted()) return;
      this.unfound = false;
      if (this.carried) this.carryFaces(picture);
      this.picture = picture;
      const faces = this.store.look.faces.filter((face) => picture.faces[face]?.area);
      if (faces.length < this.store.look.faces.length) this.store.amend({ faces });
      this.current = faces.includes(this.current) ? this.current : (faces[0] ?? 0);
      this.take.open(picture.faces.length ? picture : null);
      this.onStage(image);
      this.openParts();
      this.keep();
      this.carried = null;
    } catch (error) {
      if (!wanted()) return;
      // The next move tries again.
      this.stage.canvas.setAttribute("aria-busy", "false");
      this.problem(error);
    } finally {
      if (wanted()) this.turnNoMore();
    }
  }

  /** What the server may still tell of the picture as it was turned is for nobody. */
  turnNoMore() {
    this.turning = null;
    this.busy("framing", null);
  }

  /** Take the ticks of faces, and what single ones have of their own, along to those that were found. */
  carryFaces(picture) {
    const { from, faces, before } = this.carried;
    const map = this.mapBetween(from, this.framed);
    const usable = picture.faces.filter((face) => face.area);
    const whereIs = (index) => map(middle(faces[index].box));
    /** @type {(face: {box: number[]}, place: number[]) => boolean} */
    const holds = ({ box }, [x, y]) => x > box[0] && x < box[2] && y > box[1] && y < box[3];
    this.store.amendSince(before, (look) => {
      if (look !== this.store.look && !sameFraming(look, this.framed)) return {};
      const all = faces.filter((face) => face.area).length <= look.faces.length;
      const ticked = look.faces.map(whereIs);
      const chosen = all ? usable.slice(0, this.about.max_faces) : usable.filter((face) => ticked.some((place) => holds(face, place)));
      const own = {};
      for (const [index, changes] of Object.entries(look.own)) {
        const face = usable.find((one) => holds(one, whereIs(Number(index))));
        if (face) own[face.index] = changes;
      }
      return { own, faces: chosen.map((face) => face.index) };
    });
  }

  /** A quarter turn turns the crop; straightening leaves its size as it is. */
  mappedCrop([left, top, right, bottom], map, from, to) {
    const [x, y] = map([(left + right) / 2, (top + bottom) / 2]);
    const lies = (from.turn - to.turn) % 180 !== 0;
    const [w, h] = lies ? [bottom - top, right - left] : [right - left, bottom - top];
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
  }

  /** Results are to be so many times as large as the photograph, or "auto". */
  resize(size) {
    this.sizeTo(size);
    this.report.show();
    this.command.show();
    this.keep();
  }

  sizeTo(size) {
    this.live.setSize(size);
    // What "auto" comes to, only the server says; it is asked as soon as parts of another size are wanted.
    if (size === "auto") this.stage.resizeResult(size, this.stage.grow);
    else this.grown(size, size);
  }

  /** What came of a size. */
  grown(size, grown) {
    this.take.tell(grown);
    this.stage.resizeResult(size, grown);
    this.loupes.name();
  }

  toggle(face) {
    const { faces } = this.store.look;
    const next = faces.includes(face) ? faces.filter((one) => one !== face) : [...faces, face].sort((a, b) => a - b);
    this.store.set({ faces: next });
    this.choose(face);
  }

  chooseFaces(which) {
    const usable = this.picture.faces.filter((face) => face.area);
    const largest = [...usable].sort((a, b) => area(b.box) - area(a.box)).slice(0, 1);
    const chosen = { all: usable, none: [], largest }[which];
    this.store.set({ faces: chosen.map((face) => face.index) });
  }

  choose(face, closer = false) {
    const changed = this.current !== face;
    this.current = face;
    const found = this.picture.faces[face];
    if (changed) {
      this.loupes.open(this.picture, found);
      this.live.moved();
    }
    this.showFaces();
    this.report.showEvidence();
    if (closer) {
      const wide = (found.box[2] - found.box[0]) * 2.4;
      this.stage.centre = middle(found.box);
      this.stage.zoom(Math.max(this.stage.fitScale, Math.min(4, this.stage.canvas.width / wide)));
    }
  }

  showFaces() {
    this.marks.show(this.store.look, this.current);
    this.panel.show(this.current);
  }

  draw() {
    this.stage.draw();
    this.loupes.draw();
    this.stage.canvas.dataset.drawn = String(Number(this.stage.canvas.dataset.drawn ?? 0) + 1);
  }

  history() {
    element("undo").disabled = this.store.past.length === 0;
    element("redo").disabled = this.store.future.length === 0;
  }

  /** Say that something takes a while, in these words; null when it is over. What else is being done is said again then. */
  busy(what, words, values = {}) {
    this.doing.delete(what);
    if (words) this.doing.set(what, { words, values });
    this.showBusy();
  }

  showBusy() {
    const last = [...this.doing.values()].at(-1);
    const shown = element("busy");
    shown.hidden = !last;
    shown.textContent = last ? t(last.words, last.values) : "";
  }

  /** Say what went wrong, and with which file where it is not the one that is seen. */
  problem(error, name = "") {
    if (error.code === "picture-closed" && this.file) this.openAgain().catch((failure) => this.tell(failure));
    else this.tell(error, name);
  }

  tell(error, name = "") {
    this.told = { error, name, passes: false };
    this.showProblem();
    element("problem").hidden = false;
    if (!error.sentence) throw error;
  }

  showProblem() {
    if (!this.told) return;
    const { error, name } = this.told;
    const told = stopped(error.sentence ?? said({ code: "problem.unexpected" }));
    element("problem-text").textContent = name ? `${name}${t("list.colon")}${told}` : told;
  }

  /** A result that cannot be as large leaves the page at the photograph's size. */
  drawingProblem(error, size) {
    if (size !== undefined && size !== 1 && size === this.take.chosen && TOO_MUCH.includes(error.code)) {
      this.take.choose(1);
      this.resize(1);
    }
    this.problem(error);
    if (this.told?.error === error) this.told.passes = PASSING.includes(error.code);
  }

  clearProblem() {
    this.told = null;
    element("problem").hidden = true;
  }

  /**
   * Have the server do something with the open picture; one that it has forgotten meanwhile is brought again first.
   * @param {(id: string) => Promise<any>} work
   */
  async ofPicture(work) {
    const { picture, file } = this;
    try {
      return await work(picture.id);
    } catch (error) {
      if (error.code !== "picture-closed" || !file || this.file !== file) throw error;
      await this.openAgain();
      if (this.file !== file) throw error;
      return work(this.picture.id);
    }
  }

  /** The server has forgotten the picture, but this page still has its file: bring it again, with its look. */
  openAgain() {
    this.reopening ??= this.bringAgain().finally(() => (this.reopening = null));
    return this.reopening;
  }

  async bringAgain() {
    const { file } = this;
    this.busy("again", "busy.open");
    try {
      const picture = await api.openPicture(file, file.name || "picture");
      try {
        await this.references.bringAgain(picture);
      } catch (error) {
        api.close(picture.id);
        throw error;
      }
      // Another picture may have been opened meanwhile, or a slider moved.
      if (this.file === file && !this.opening) this.show(picture, { look: this.store.look, preset: this.store.preset, size: this.take.chosen }, null, true);
      else api.close(picture.id);
    } finally {
      this.busy("again", null);
    }
  }

  /** Keep, for a reload of this tab only, which picture is open and how it looks. */
  keep() {
    if (!this.picture) return;
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ id: this.picture.id, look: this.store.look, preset: this.store.preset, size: this.take.chosen }));
    } catch {
      // Without a store a reload begins anew.
    }
  }

  async resume() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(KEPT));
    } catch {
      kept = null;
    }
    if (!kept) return;
    try {
      const picture = await api.reopenPicture(kept.id);
      // Another one may have been brought meanwhile.
      if (this.picture || this.opening) api.close(picture.id);
      else this.show(picture, kept);
    } catch (error) {
      sessionStorage.removeItem(KEPT);
      if (error.code !== "picture-closed") this.problem(error);
    }
  }

  announce(text) {
    element("announce").textContent = text;
  }

  reword() {
    for (const button of elements("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === currentLanguage()));
    }
    element("privacy").textContent = t("empty.privacy", { minutes: Math.round(this.about.idle_seconds / 60) });
    this.stage.canvas.setAttribute("aria-label", this.picture ? t("stage.picture", { name: this.picture.name }) : t("stage.empty"));
    document.title = this.picture ? `${this.picture.name} · Likeness` : "Likeness";
    element("faceless-said").textContent = said({ code: "finding.no-face" });
    this.loupes.name();
    this.showBusy();
    this.showProblem();
    this.framing.show();
    this.repair.reword();
    this.edited?.reword();
    this.showFaces();
    this.report.show();
    this.references.show();
    if (this.picture) this.stage.placeDivider();
  }
}

function middle(box) {
  return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
}

function area(box) {
  return (box[2] - box[0]) * (box[3] - box[1]);
}

setLanguage(firstLanguage());
applyWords(document);
try {
  const about = await api.about();
  learnOptions(about.options);
  learnWords(about.options);
  const page = new Page(about);
  const [, wanted] = /^#(many|video)$/.exec(location.hash) ?? [];
  if (wanted === "many" || (wanted && page.films)) page.tab(wanted);
  await Promise.all([page.resume(), page.queue.jobs.resume(), page.films?.jobs.resume()]);
  if (page.edited && !page.picture) await page.openEdited();
  document.body.classList.add("ready");
  // Browsers lend workers to pages of this machine and of https only; elsewhere the page is no app. Nor is one that ends soon.
  if (!page.edited) navigator.serviceWorker?.register("/page/worker.js", { scope: "/" }).catch((error) => console.warn(error));
} catch (error) {
  element("problem-text").textContent = error.sentence ?? String(error);
  element("problem").hidden = false;
  if (!error.sentence) throw error;
  if (error.code === "offline") untilBack();
}

/** The page was opened without its server: begin anew as soon as it answers. */
function untilBack() {
  document.body.classList.add("offline");
  setInterval(async () => {
    const answer = await fetch("/healthz").catch(() => null);
    if (answer?.ok) location.reload();
  }, 2000);
}
