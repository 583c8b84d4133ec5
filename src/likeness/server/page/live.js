// Between the look and the screen: previews at once, the server's own result as soon as it may, newest first.

import * as api from "./api.js";
import { Fields } from "./fields.js";
import { same, sameProjection, sameReferences, sameRepairs } from "./look.js";
import { Tile } from "./tile.js";

const REST_MS = 140; // how long a slider has to rest before the server is asked, where the preview serves meanwhile

export class Live {
  /**
   * @param {{onDraw: Function, onBusy: Function, onProblem: Function, onWarnings: Function, onGrown: Function, onVerdicts: Function,
   *   onAnswer: Function, onReady: Function, onRest: Function, onReferences: Function, onRepaired: Function, getAreas: Function}} page
   *   getAreas gives [{tile, left, top, right, bottom, width}] of what is on the screen; onGrown is told how many times as
   *   large as the photograph the result is that was drawn; onAnswer that the server has drawn; onRest whether what is shown is the server's own.
   */
  constructor(page) {
    this.page = page;
    this.fields = new Fields();
    this.picture = null;
    this.look = null;
    this.running = null;
    this.judging = null; // what ends the question that is being asked
    this.fetching = null; // the picture whose fields are on their way
    this.timer = 0;
    this.movedAt = new WeakMap();
    this.touch = null;
    this.size = 1; // how many times as large as the photograph the result is to be, or "auto"
    this.grown = 1; // and is
    this.begin();
  }

  /** Nothing has been drawn or asked of a picture. */
  begin() {
    this.moving = this.again = false;
    this.retries = 0;
    this.last = null; // the look that was drawn last
    this.judged = null; // {picture, look, size} of the result whose faces were asked about
  }

  open(picture, look) {
    this.stop();
    this.begin();
    this.picture = picture;
    this.fields.clear(picture.faces);
    this.look = look;
    this.ask(0);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.running?.abort();
    this.judging?.abort();
    this.running = null;
    this.picture = null;
    this.page.onBusy(null);
    this.page.onRest(true);
  }

  /** The look has changed. */
  change(look, { event = null, moving = false } = {}) {
    // What would be told of a look that has passed only keeps the server from drawing this one.
    if (look !== this.look) this.judging?.abort();
    this.look = look;
    this.moving = moving;
    if (event) this.movedAt.set(look, event.timeStamp);
    if (!this.picture) return;
    const tiles = this.page.getAreas().map((area) => area.tile);
    const served = tiles.every((tile) => tile.serves(look, this.fields));
    if (served) {
      this.drawPreview(tiles);
      this.ask(moving ? REST_MS * 2 : REST_MS);
    } else {
      this.ask(0);
    }
  }

  /** A finishing slider is under the pointer, or none is: have ready what its preview needs. */
  prepare(touch) {
    if (this.touch === touch) return;
    this.touch = touch;
    if (touch && this.picture) this.ask(60);
  }

  /** How much larger the result is to be: a number, or "auto". */
  setSize(size) {
    if (this.size === size) return;
    this.size = size;
    this.judging?.abort();
    if (this.picture) this.ask(0);
  }

  /** What is on the screen has changed place or size. */
  moved() {
    if (this.picture) this.ask(90);
  }

  drawPreview(tiles) {
    this.pending = tiles;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      for (const tile of this.pending) if (tile.serves(this.look, this.fields)) tile.preview(this.look, this.fields);
      this.page.onDraw();
      this.measure("likeness:preview", this.look);
    });
  }

  /** Time from the move of a slider to what it drew, as the browser's own tools show it. */
  measure(name, look) {
    const start = this.movedAt.get(look);
    if (start === undefined) return;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      performance.measure(name, { start, end: performance.now() });
      channel.port1.close(); // what is open is never let go
    };
    channel.port2.postMessage(null);
  }

  ask(delay) {
    clearTimeout(this.timer);
    this.page.onRest(false);
    this.timer = setTimeout(() => this.run(), delay);
  }

  /** Whether what is shown is the server's own, and nothing is on its way to change that. */
  get rests() {
    return this.picture !== null && !this.timer && !this.running && !this.moving;
  }

  async run() {
    this.timer = 0;
    if (this.running || !this.picture) {
      this.again = Boolean(this.running);
      return;
    }
    const { picture, look, size } = this;
    let wanted = this.page.getAreas().filter((area) => needs(area, look, this.touch));
    // While a slider moves that only the server can follow, the picture comes first and the loupes when it rests.
    if (this.moving && wanted.some((area) => area.seen)) wanted = wanted.filter((area) => area.seen);
    const layers = this.touch && look.faces.length ? [this.touch] : [];
    if (!wanted.length) {
      await this.rest();
      return;
    }
    const abort = new AbortController();
    this.running = abort;
    const { last } = this;
    const network = look.faces.some((face) => !last || !last.faces.includes(face) || !sameProjection(last, look, face));
    const enlarging = size !== 1 && this.enlarged !== `${picture.id} ${size}`;
    const laying = look.references.length > 0 && !(this.last && sameReferences(this.last, look));
    const mending = this.last ? !sameRepairs(this.last, look) : false;
    const restoring = look.faces.length === 1 ? "busy.network.one" : "busy.network";
    const words = mending ? "busy.mending" : enlarging ? "busy.enlarging" : network ? restoring : laying ? "busy.references" : "busy.view";
    const busy = setTimeout(() => this.page.onBusy(words, { count: look.faces.length }), network || enlarging || laying || mending ? 120 : 700);
    try {
      const asked = wanted.map(({ left, top, right, bottom, width, tile, key }) => ({
        left, top, right, bottom, width, before: tile.key !== key || !tile.beforeImage,
      }));
      const { head, parts } = await api.views(picture.id, look, size, asked, layers, abort.signal);
      let start = 0;
      for (const [i, area] of head.areas.entries()) {
        const own = parts.slice(start, start + area.parts.length);
        start += area.parts.length;
        const { tile, key } = wanted[i];
        await tile.load(area, own, look, head.far);
        if (abort.signal.aborted) return;
        tile.key = key;
        // The slider has moved on while the server drew: show where it is now.
        if (this.look !== look && tile.serves(this.look, this.fields)) tile.preview(this.look, this.fields);
      }
      this.page.onAnswer();
      this.last = look;
      this.enlarged = `${picture.id} ${size}`;
      this.grown = head.upscale;
      if (this.size === size) this.page.onGrown(size, head.upscale);
      this.page.onWarnings(head.notices, head.face_notices, look);
      // Another part of the same result, or a closer look at it, leaves what was said of its faces as it is.
      if (!this.isJudged(picture, look, size)) this.page.onVerdicts([]);
      this.page.onReferences(head.references, look);
      this.page.onRepaired(head.repaired);
      this.page.onDraw();
      this.measure("likeness:exact", look);
      this.page.onBusy(null);
      this.retries = 0;
    } catch (error) {
      // Of a picture that is no longer shown there is nothing to tell.
      if (abort.signal.aborted) return;
      this.page.onBusy(null);
      // Of many faces the server keeps those that it has restored when the time for an answer is over, and goes on with the rest.
      if (api.maybeLater(error) && (this.retries += 1) <= api.RETRIES) {
        this.ask(api.BUSY_MS);
        return;
      }
      this.retries = 0;
      this.running = null;
      // What was asked for meanwhile may succeed where this did not.
      if (this.again || this.size !== size || this.look !== look) this.ask(0);
      else this.page.onRest(true);
      this.again = false;
      this.page.onProblem(error, size);
      return;
    } finally {
      clearTimeout(busy);
      if (this.running === abort) this.running = null;
    }
    if (this.again || this.size !== size || !same(this.look, look)) {
      this.again = false;
      this.ask(0);
    } else {
      await this.rest();
    }
  }

  /** The server's own is shown: have ready what previews need, and ask what came of the faces. */
  async rest() {
    this.page.onRest(true);
    await this.fetchFields();
    await this.judge();
  }

  /** Ask how each face came out, once for a look that rests. */
  async judge() {
    // What has moved meanwhile comes to rest once more.
    if (!this.rests) return;
    const { picture, look, size } = this;
    if (!look.faces.length || this.isJudged(picture, look, size)) return;
    this.judged = { picture, look, size };
    const abort = new AbortController();
    this.judging = abort;
    try {
      const { verdicts } = await api.verdicts(picture.id, look, size, abort.signal);
      if (!abort.signal.aborted) this.page.onVerdicts(verdicts);
    } catch (error) {
      if (this.isJudged(picture, look, size)) this.judged = null;
      if (abort.signal.aborted) return;
      if (error.code === "busy") this.ask(api.BUSY_MS);
      else this.page.onProblem(error);
    }
  }

  /** Whether it was asked how the faces of this result came out. */
  isJudged(picture, look, size) {
    const { judged } = this;
    return judged !== null && judged.picture === picture && judged.look === look && judged.size === size;
  }

  async fetchFields() {
    const { picture, look } = this;
    if (!picture) return;
    const size = this.grown;
    const missing = this.fields.missing(look, size);
    if (!missing.length || this.fetching === picture) return;
    this.fetching = picture;
    try {
      const { head, parts } = await api.fields(picture.id, look, size, missing);
      if (this.picture !== picture) return;
      this.fields.put(head, parts, look, size);
      this.page.onReady();
    } catch (error) {
      if (this.picture !== picture) return;
      if (error.code === "busy") this.ask(api.BUSY_MS);
      else this.page.onProblem(error);
    } finally {
      if (this.fetching === picture) this.fetching = null;
    }
    // What came to rest meanwhile was not asked for.
    if (this.rests && (this.look !== look || this.grown !== size)) await this.fetchFields();
  }
}

/** Whether an area has to be drawn by the server: new, moved, or of another look. */
function needs({ tile, key }, look, touch) {
  // Where the picture is cut changes nothing in it.
  if (tile.key !== key || !tile.exactLook || !same({ ...tile.exactLook, crop: null }, { ...look, crop: null })) return true;
  return Boolean(touch && tile.block && !tile.layers[touch]);
}
