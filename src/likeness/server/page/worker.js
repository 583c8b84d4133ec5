// Keeps the page itself, and nothing that is worked on, so that it opens and says what is the matter while the server is away.

const KEPT = "likeness-page";

self.addEventListener("install", (/** @type {any} */ event) => event.waitUntil(keepAll()));

self.addEventListener("fetch", (/** @type {any} */ event) => {
  const { pathname, origin } = new URL(event.request.url);
  const page = pathname === "/" || pathname.startsWith("/page/");
  if (event.request.method === "GET" && origin === self.location.origin && page) event.respondWith(newest(event.request));
});

async function keepAll() {
  const names = await (await fetch("/page/files.json")).json();
  const kept = await caches.open(KEPT);
  await kept.addAll(["/", ...names.map((name) => `/page/${name}`)]);
}

/** The server's own file; what was kept of it only where the server does not answer. */
async function newest(request) {
  const kept = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    // What there is no room to keep is shown all the same.
    if (answer.ok) await kept.put(request, answer.clone()).catch(() => {});
    return answer;
  } catch (error) {
    const found = await kept.match(request, { ignoreSearch: true });
    if (found) return found;
    throw error;
  }
}
