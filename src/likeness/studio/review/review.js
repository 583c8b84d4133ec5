import { WORDS, filled } from "./words.js";

const $ = (id) => document.getElementById(id);
const NARROW = matchMedia("(max-width: 700px)");
const ORIGINAL = "original";

let language = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");
let words = WORDS[language];
let about = { title: "", question: "" };
let token = localStorage.getItem("token") || "";
let state = null;  // what the server knows of this rater
let place = 0;  // which screen
let active = "A";  // the chosen picture
let panels = new Map();  // letter -> { root, view, img, glass, buttons, comment }
let flipped = false;  // one picture at a time
let loupe = false;
let pointer = null;  // where the loupe is, as fractions of the picture
const zoomed = { by: 1, x: 0.5, y: 0.5 };  // common to all pictures: magnification over the whole, and the centre
const unsaved = new Map();
let saving = false;
let trouble = false;

// ---- the server ----

async function call(method, path, body) {
  const key = new URLSearchParams(location.hash.slice(1)).get("key") || "";
  const headers = { "Content-Type": "application/json", "X-Review-Key": key };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) {
    const detail = (await answer.json().catch(() => ({}))).detail;
    throw Object.assign(new Error(typeof detail === "string" ? detail : answer.statusText), { status: answer.status });
  }
  return answer.status === 204 ? null : answer.json();
}

const address = (screen, letter) => `api/raters/${token}/screens/${screen}/${letter}`;

function keep(letter) {
  const vote = votes()[state.positions.indexOf(letter)];
  unsaved.set(`${place}/${letter}`, [address(place, letter), { ...vote }]);
  save();
}

async function save() {
  if (saving) return;
  saving = true;
  while (unsaved.size) {
    const [name, [path, vote]] = unsaved.entries().next().value;
    try {
      await call("PUT", path, vote);
      // A newer vote on the same picture may have come in meanwhile.
      if (unsaved.get(name)?.[1] === vote) unsaved.delete(name);
      trouble = false;
    } catch {
      trouble = true;
      showStatus();
      await new Promise((done) => setTimeout(done, 1500));
    }
  }
  saving = false;
  showStatus();
}

addEventListener("beforeunload", (event) => { if (unsaved.size) event.preventDefault(); });

// ---- screens ----

function show(id) {
  for (const other of ["welcome", "review", "done"]) $(other).hidden = other !== id;
}

async function begin() {
  try {
    about = await call("GET", "api/session");
  } catch {
    $("refused").textContent = words.unreachable;
  }
  if (token) {
    try {
      state = await call("GET", `api/raters/${token}`);
    } catch (error) {
      if (error.status === 404) { token = ""; localStorage.removeItem("token"); } else $("refused").textContent = words.unreachable;
    }
  }
  speak();
  if (!state) { show("welcome"); $("name").focus(); return; }
  const open = state.screens.findIndex((screen) => screen.some((vote) => vote.score === null));
  if (open < 0) { finish(); return; }
  build();
  go(open);
}

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("refused").textContent = "";
  try {
    token = (await call("POST", "api/raters", { name: $("name").value })).token;
    localStorage.setItem("token", token);
    await begin();
  } catch (error) {
    $("refused").textContent = error.status ? error.message : words.unreachable;
  }
});

function build() {
  flipped = NARROW.matches;
  $("panels").replaceChildren();
  $("tabs").replaceChildren();
  panels = new Map();
  for (const letter of [...(state.original ? [ORIGINAL] : []), ...state.positions]) {
    const root = make("article", "panel");
    const view = make("div", "view");
    const img = make("img");
    const name = make("span", "letter");
    const glass = make("div", "glass");
    const tab = make("button");
    img.draggable = false;
    glass.hidden = true;
    view.append(img, name, glass);
    root.append(view);
    const panel = { root, view, img, name, glass, tab, buttons: [], comment: null };
    if (letter === ORIGINAL) root.append(panel.note = make("p", "unrated")); else rateable(panel, letter);
    img.addEventListener("load", () => { img.style.visibility = "visible"; arrange(); });
    root.addEventListener("pointerdown", () => choose(letter));
    tab.role = "tab";
    tab.addEventListener("click", () => choose(letter));
    $("tabs").append(tab);
    watch(panel);
    resized.observe(view);
    panels.set(letter, panel);
    $("panels").append(root);
  }
  show("review");
  speak();
}

function rateable(panel, letter) {
  const scale = make("div", "scale");
  scale.role = "group";
  for (let score = 1; score <= 5; score += 1) {
    const button = make("button");
    button.append(make("b"), make("span"));
    button.firstChild.textContent = score;
    button.addEventListener("click", () => rate(letter, score, false));
    panel.buttons.push(button);
    scale.append(button);
  }
  panel.comment = make("textarea");
  panel.comment.maxLength = 2000;
  let waiting = 0;
  panel.comment.addEventListener("input", () => {
    votes()[state.positions.indexOf(letter)].comment = panel.comment.value;
    clearTimeout(waiting);
    waiting = setTimeout(keep, 300, letter);
  });
  panel.comment.addEventListener("focus", () => choose(letter));
  panel.comment.addEventListener("blur", () => { if (waiting) { clearTimeout(waiting); waiting = 0; keep(letter); } });
  panel.root.append(scale, panel.comment);
}

function make(tag, kind = "") {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  return element;
}

const votes = () => state.screens[place];
const rated = (screen) => screen.every((vote) => vote.score !== null);

function go(to) {
  document.activeElement?.blur();
  place = to;
  Object.assign(zoomed, { by: 1, x: 0.5, y: 0.5 });
  pointer = null;
  for (const [letter, panel] of panels) {
    panel.img.style.visibility = "hidden";  // the last picture must not be rated for this one while this one loads
    panel.img.src = `${address(place, letter)}.webp`;
    panel.glass.style.backgroundImage = `url("${panel.img.src}")`;
    if (panel.comment) panel.comment.value = votes()[state.positions.indexOf(letter)].comment;
  }
  const open = votes().findIndex((vote) => vote.score === null);
  choose(state.positions[Math.max(open, 0)]);
  draw();
  for (const letter of panels.keys()) if (place + 1 < state.screens.length) new Image().src = `${address(place + 1, letter)}.webp`;
}

function next() {
  if (place + 1 < state.screens.length) go(place + 1); else finish();
}

function finish() {
  const open = state.screens.filter((screen) => !rated(screen)).length;
  show("done");
  $("doneTitle").textContent = filled(words.doneTitle, state.name);
  $("doneText").textContent = open ? filled(words.doneSome, open, state.screens.length) : filled(words.doneAll, state.screens.length);
  $("again").textContent = open ? words.goOn : words.look;
  $("again").focus();
}

$("again").addEventListener("click", () => {
  const open = state.screens.findIndex((screen) => !rated(screen));
  if (!panels.size) build();
  show("review");
  go(Math.max(open, 0));
});

$("leave").addEventListener("click", () => {
  localStorage.removeItem("token");
  token = "";
  state = null;
  panels = new Map();
  $("name").value = "";
  show("welcome");
  $("name").focus();
});

// ---- rating ----

function choose(letter) {
  if (!panels.has(letter)) return;
  active = letter;
  draw();
  arrange();
}

function rate(letter, score, onward = true) {
  const position = state.positions.indexOf(letter);
  if (position < 0) return;
  const vote = votes()[position];
  vote.score = vote.score === score && !onward ? null : score;
  keep(letter);
  const open = votes().findIndex((other) => other.score === null);
  if (onward && open >= 0) choose(state.positions[open]); else choose(letter);
}

function draw() {
  $("review").classList.toggle("flipped", flipped);
  $("flip").ariaPressed = flipped;
  $("loupe").ariaPressed = loupe;
  for (const [letter, panel] of panels) {
    const score = votes()[state.positions.indexOf(letter)]?.score ?? null;
    panel.root.classList.toggle("active", letter === active);
    panel.buttons.forEach((button, at) => { button.ariaPressed = score === at + 1; });
    panel.tab.ariaSelected = letter === active;
    panel.tab.ariaPressed = letter === active;
    panel.tab.textContent = letter === ORIGINAL ? words.original : `${letter}${score ? ` · ${score}` : ""}`;
  }
  $("count").textContent = filled(words.count, place + 1, state.screens.length);
  $("progress").max = state.screens.length;
  $("progress").value = state.screens.filter(rated).length;
  $("back").disabled = place === 0;
  $("next").textContent = place + 1 < state.screens.length ? words.next : words.finish;
  showStatus();
}

function showStatus() {
  $("status").classList.toggle("trouble", trouble);
  if (trouble) $("status").textContent = words.notSaved;
  else if (unsaved.size) $("status").textContent = words.saving;
  else if (state) $("status").textContent = hint();
}

function hint() {
  const open = state.positions.filter((_, at) => votes()[at].score === null);
  if (!open.length) return NARROW.matches ? "" : words.hintNext;
  return NARROW.matches || active === ORIGINAL ? filled(words.hintOpen, open.join(", ")) : filled(words.hintRate, active);
}

// ---- looking ----

// Puts every picture where the common magnification and centre want it.
function arrange() {
  for (const panel of panels.values()) {
    const { view, img, glass } = panel;
    if (!img.naturalWidth || !view.clientWidth) continue;
    const whole = Math.min(view.clientWidth / img.naturalWidth, view.clientHeight / img.naturalHeight);
    const scale = whole * zoomed.by;
    const left = edge(view.clientWidth, img.naturalWidth * scale, zoomed.x);
    const top = edge(view.clientHeight, img.naturalHeight * scale, zoomed.y);
    img.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    panel.shown = { left, top, width: img.naturalWidth * scale, height: img.naturalHeight * scale };
    glass.hidden = !loupe || !pointer;
    if (!glass.hidden) {
      const side = glass.clientWidth;
      const more = Math.max(2, 1 / scale);
      glass.style.left = `${left + pointer.x * panel.shown.width}px`;
      glass.style.top = `${top + pointer.y * panel.shown.height}px`;
      glass.style.backgroundSize = `${panel.shown.width * more}px ${panel.shown.height * more}px`;
      glass.style.backgroundPosition =
        `${side / 2 - pointer.x * panel.shown.width * more}px ${side / 2 - pointer.y * panel.shown.height * more}px`;
    }
    $("zoom").textContent = `${Math.round(scale * devicePixelRatio * 100)}%`;
  }
}

// Where a picture begins: in the middle while it is smaller than its frame, never with a gap when it is larger.
function edge(frame, size, centre) {
  return size <= frame ? (frame - size) / 2 : Math.min(0, Math.max(frame - size, frame / 2 - centre * size));
}

function zoom(factor, panel = null, event = null) {
  const before = zoomed.by;
  zoomed.by = Math.min(32, Math.max(1, zoomed.by * factor));
  if (event) {  // what is under the pointer stays there
    const at = within(panel, event);
    const keep = before / zoomed.by;
    zoomed.x = at.x + (zoomed.x - at.x) * keep;
    zoomed.y = at.y + (zoomed.y - at.y) * keep;
  }
  bound();
  arrange();
}

function bound() {
  zoomed.x = Math.min(1, Math.max(0, zoomed.x));
  zoomed.y = Math.min(1, Math.max(0, zoomed.y));
}

function within({ view, shown }, event) {
  const box = view.getBoundingClientRect();
  const { left, top, width, height } = shown;
  return { x: (event.clientX - box.left - left) / width, y: (event.clientY - box.top - top) / height };
}

function watch(panel) {
  const { view } = panel;
  const fingers = new Map();
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), panel, event);
  }, { passive: false });
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
  });
  view.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!panel.shown) return;
    if (loupe) { pointer = within(panel, event); arrange(); }
    if (!last) return;
    if (fingers.size === 2) {
      const other = [...fingers.values()].find((each) => each.pointerId !== event.pointerId);
      const span = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY);
      zoom(span(event) / Math.max(1, span(last)), panel, event);
    } else if (!loupe) {
      zoomed.x -= (event.clientX - last.clientX) / panel.shown.width;
      zoomed.y -= (event.clientY - last.clientY) / panel.shown.height;
      bound();
      arrange();
    }
    fingers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, (event) => fingers.delete(event.pointerId));
  view.addEventListener("pointerleave", () => { pointer = null; arrange(); });
  view.addEventListener("dblclick", (event) => (zoomed.by > 1 ? fit() : zoom(4, panel, event)));
}

const resized = new ResizeObserver(() => arrange());

function fit() {
  Object.assign(zoomed, { by: 1, x: 0.5, y: 0.5 });
  arrange();
}

function setLoupe() { loupe = !loupe; draw(); arrange(); }
function setFlip() { flipped = !flipped; draw(); arrange(); }

NARROW.addEventListener("change", () => { flipped = NARROW.matches; if (panels.size && !$("review").hidden) draw(); });

// ---- keys, buttons, words ----

$("smaller").addEventListener("click", () => zoom(1 / 1.5));
$("larger").addEventListener("click", () => zoom(1.5));
$("fit").addEventListener("click", fit);
$("loupe").addEventListener("click", setLoupe);
$("flip").addEventListener("click", setFlip);
$("help").addEventListener("click", () => $("keys").showModal());
$("back").addEventListener("click", () => go(place - 1));
$("next").addEventListener("click", next);

function step(by) {
  const letters = [...panels.keys()].filter((letter) => flipped || letter !== ORIGINAL);
  const at = letters.indexOf(active);
  choose(letters[(at + by + letters.length) % letters.length]);
}

const KEYS = {
  Enter: next, Backspace: () => place && go(place - 1), ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit, l: setLoupe, f: setFlip,
  o: () => flipped && choose(ORIGINAL), m: () => panels.get(active).comment?.focus(), "?": () => $("keys").showModal(),
};

addEventListener("keydown", (event) => {
  if ($("review").hidden || $("keys").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLTextAreaElement) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const letter = key.toUpperCase();
  if (key === "Enter" && event.target instanceof HTMLButtonElement && event.target.id !== "next") return;
  if (/^[1-5]$/.test(key)) rate(active, Number(key));
  else if (state.positions.includes(letter)) choose(letter);
  else if (KEYS[key]) KEYS[key]();
  else return;
  event.preventDefault();
});

// After a click the keys belong to the pictures again: Enter must go on, not press the same button once more.
addEventListener("click", (event) => { if (event.detail) event.target.closest("button")?.blur(); });

function speak() {
  words = WORDS[language];
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  const title = about.title || words.title;
  document.title = title;
  for (const element of document.querySelectorAll(".title")) element.textContent = title;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  for (const element of document.querySelectorAll("[data-title]")) {
    element.title = words[element.dataset.title];
    element.ariaLabel = words[element.dataset.title];
  }
  for (const element of document.querySelectorAll(".language")) element.textContent = words.other;
  $("question").textContent = about.question || words.question;
  $("keys").querySelector("dl").replaceChildren(...words.keyList.flatMap(([key, what]) => {
    const [term, text] = [make("dt"), make("dd")];
    [term.textContent, text.textContent] = [key, what];
    return [term, text];
  }));
  for (const [letter, panel] of panels) {
    const name = letter === ORIGINAL ? words.original : letter;
    panel.name.textContent = name;
    panel.img.alt = letter === ORIGINAL ? words.original : filled(words.picture, letter);
    panel.buttons.forEach((button, at) => { button.lastChild.textContent = words.grades[at]; });
    if (panel.note) panel.note.textContent = words.unrated;
    if (panel.comment) panel.comment.placeholder = filled(words.comment, letter);
    if (panel.comment) panel.comment.ariaLabel = filled(words.comment, letter);
  }
  if (state && panels.size && !$("review").hidden) draw();
  if (state && !$("done").hidden) finish();
}

for (const button of document.querySelectorAll(".language")) {
  button.addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    localStorage.setItem("language", language);
    speak();
  });
}

begin();
