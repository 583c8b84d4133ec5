// All crops zoom and move together: x and y are the crop's point in the view's top left corner, as shares of its side.
const MOST = 16;
const views = [...document.querySelectorAll(".view")];
const shown = document.querySelector(".tools output");
const state = { zoom: 1, x: 0, y: 0 };

function draw() {
  state.zoom = Math.min(MOST, Math.max(1, state.zoom));
  const most = 1 - 1 / state.zoom;
  state.x = Math.min(most, Math.max(0, state.x));
  state.y = Math.min(most, Math.max(0, state.y));
  for (const view of views) {
    const side = view.clientWidth;
    const move = `translate(${-state.x * state.zoom * side}px, ${-state.y * state.zoom * side}px)`;
    view.firstElementChild.style.transform = `${move} scale(${state.zoom})`;
    view.style.touchAction = state.zoom > 1 ? "none" : "pan-y";
  }
  const side = views[0]?.clientWidth ?? 512;
  shown.textContent = `${Math.round((state.zoom * side * 100) / 512)}%`;
}

/** Zoom about a point of the view, given as shares of its side. */
function zoomTo(zoom, u = 0.5, v = 0.5) {
  const next = Math.min(MOST, Math.max(1, zoom));
  state.x += u / state.zoom - u / next;
  state.y += v / state.zoom - v / next;
  state.zoom = next;
  draw();
}

const actions = {
  in: () => zoomTo(state.zoom * 1.5),
  out: () => zoomTo(state.zoom / 1.5),
  fit: () => zoomTo(1),
  actual: () => zoomTo(512 / (views[0]?.clientWidth ?? 512)),
};
for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => actions[button.dataset.zoom]());
}

const fingers = new Map();
let last = null;

function gesture() {
  const points = [...fingers.values()];
  const x = points.reduce((sum, point) => sum + point.x, 0) / points.length;
  const y = points.reduce((sum, point) => sum + point.y, 0) / points.length;
  const wide = points.length < 2 ? 0 : Math.hypot(points[0].x - points[1].x, points[0].y - points[1].y);
  return { x, y, wide };
}

for (const view of views) {
  const at = (x, y) => {
    const box = view.getBoundingClientRect();
    return [(x - box.left) / box.width, (y - box.top) / box.height];
  };
  view.addEventListener(
    "wheel",
    (event) => {
      if (state.zoom === 1 && event.deltaY > 0) return; // crops that are whole let the page be scrolled
      event.preventDefault();
      zoomTo(state.zoom * 1.0015 ** -event.deltaY, ...at(event.clientX, event.clientY));
    },
    { passive: false },
  );
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    last = gesture();
    view.classList.add("moving");
  });
  view.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const now = gesture();
    const side = view.clientWidth * state.zoom;
    state.x -= (now.x - last.x) / side;
    state.y -= (now.y - last.y) / side;
    if (now.wide && last.wide) zoomTo((state.zoom * now.wide) / last.wide, ...at(now.x, now.y));
    else draw();
    last = now;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    view.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      if (fingers.size) last = gesture();
      else view.classList.remove("moving");
    });
  }
  view.addEventListener("keydown", (event) => {
    const step = 0.1 / state.zoom;
    const keys = {
      "+": actions.in,
      "-": actions.out,
      0: actions.fit,
      ArrowLeft: () => (state.x -= step),
      ArrowRight: () => (state.x += step),
      ArrowUp: () => (state.y -= step),
      ArrowDown: () => (state.y += step),
    };
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
    draw();
  });
}
addEventListener("resize", draw);
draw();
