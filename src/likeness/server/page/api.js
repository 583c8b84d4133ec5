// Talking to the server. Every failure becomes a Problem with a code that the page has words for.

import { canSay, said } from "./said.js";

export class Problem extends Error {
  constructor(code, status, detail, values = {}, notice = null) {
    super(detail);
    this.code = code;
    this.status = status;
    this.values = values;
    this.notice = notice;
  }

  /** The sentence for a person, in the page's language. */
  get sentence() {
    if (this.notice && canSay(this.notice.code)) return said(this.notice);
    const code = canSay(`problem.${this.code}`) ? `problem.${this.code}` : "problem.unexpected";
    return said({ code, values: { ...limits, detail: this.message, ...this.values } });
  }
}

const limits = { megapixels: 50, megabytes: 64, files: 500 };

async function answered(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("offline", 0, "");
  }
  if (answer.ok) return answer;
  let told = {};
  try {
    told = await answer.json();
  } catch {
    told = {};
  }
  throw problemOf(told, answer.status);
}

function problemOf({ code = "unexpected", detail = "", notice = null }, status) {
  return new Problem(code, status, detail, {}, notice);
}

function json(body, signal) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal };
}

/** Add fields to a form: objects as JSON. */
export function addFields(form, fields) {
  for (const [name, value] of Object.entries(fields)) form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
}

/** Take an answer of several parts apart: a JSON head with the parts' lengths, and the parts. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const parts = [];
  let start = 4 + length;
  for (const size of head.lengths) {
    parts.push(buffer.slice(start, start + size));
    start += size;
  }
  return { head, parts };
}

export async function about() {
  const told = await (await answered("/live/about")).json();
  limits.megapixels = Math.round(told.max_pixels / 1e6);
  limits.files = told.max_files;
  limits.megabytes = Math.round(told.max_upload / (1 << 20));
  return told;
}

export const BUSY_MS = 1500; // how long a server that has no time is left alone
export const RETRIES = 5;

/** Whether the server may have time for it later. */
export function maybeLater(error) {
  return ["busy", "too-long"].includes(error.code);
}

/** Ask, and ask again of a server that has no time, as long as it is `wanted`. */
export async function patiently(ask, wanted) {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!maybeLater(error) || tries >= RETRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
      if (!wanted()) throw error;
    }
  }
}

/** Open a picture; `progress` is told which share of it has been sent. */
export function openPicture(file, name, progress = (/** @type {number} */ _) => {}) {
  const form = new FormData();
  form.append("file", file, name);
  return sent("/live/pictures", form, progress);
}

/** Open the one file that this page is for. */
export async function openEdited() {
  return (await answered("/live/editing", { method: "POST" })).json();
}

/** Save it as it is seen; the server ends with that. */
export async function saveEdited(id, look, upscale) {
  return (await answered(`/live/editing/${id}`, json({ ...look, upscale }))).json();
}

/** Leave it as it was; the server ends with that. */
export async function leaveEdited() {
  await answered("/live/editing", { method: "DELETE" });
}

export async function reopenPicture(id) {
  return (await answered(`/live/pictures/${id}`)).json();
}

export async function views(id, look, upscale, areas, layers, signal) {
  const answer = await answered(`/live/pictures/${id}/views`, json({ ...look, upscale, areas, layers }, signal));
  return unpack(await answer.arrayBuffer());
}

/** A picture as a look turns and straightens it: its size, faces and findings. */
export async function framed(id, look) {
  return (await answered(`/live/pictures/${id}/framed`, json(look))).json();
}

/** Where a picture is mended at a look, or would be: a PNG, white where it is. */
export async function marks(id, look) {
  return (await answered(`/live/pictures/${id}/marks`, json(look))).blob();
}

/** How many scratches, specks and missing pieces are not mended, and would be at the usual sensitivity. */
export async function left(id, look) {
  return (await answered(`/live/pictures/${id}/left`, json(look))).json();
}

export async function addReference(id, file) {
  const form = new FormData();
  form.append("file", file, file.name || "photograph");
  return (await answered(`/live/pictures/${id}/references`, { method: "POST", body: form })).json();
}

export async function fields(id, look, upscale, only) {
  const answer = await answered(`/live/pictures/${id}/fields`, json({ ...look, upscale, only }));
  return unpack(await answer.arrayBuffer());
}

export async function evidence(id, look, face) {
  return (await answered(`/live/pictures/${id}/evidence`, json({ ...look, face }))).json();
}

/** What is seen as a command line. */
export async function command(id, look, options) {
  return (await answered(`/live/pictures/${id}/command`, json({ ...look, ...options }))).json();
}

export async function verdicts(id, look, upscale, signal) {
  return (await answered(`/live/pictures/${id}/verdicts`, json({ ...look, upscale }, signal))).json();
}

export async function job(id) {
  return (await answered(`/v1/jobs/${id}`)).json();
}

export async function deleteJob(id) {
  await answered(`/v1/jobs/${id}`, { method: "DELETE" });
}

export async function jobPicture(id, number) {
  return (await answered(`/v1/jobs/${id}/pictures/${number}`)).json();
}

/** The file of a job's picture as it came. */
export async function jobOriginal(id, number, name) {
  const blob = await (await answered(`/v1/jobs/${id}/pictures/${number}/original`)).blob();
  return new File([blob], name);
}

export async function againPicture(id, number, fields) {
  const form = new FormData();
  addFields(form, fields);
  return (await answered(`/v1/jobs/${id}/pictures/${number}`, { method: "POST", body: form })).json();
}

export function startJob(form, progress) {
  return sent("/v1/jobs", form, progress);
}

export function startVideo(form, progress) {
  return sent("/v1/videos", form, progress);
}

/** What is the matter with a picture, and where its faces are. */
export async function check(picture) {
  const form = new FormData();
  form.append("file", picture, "frame.jpg");
  return (await answered("/v1/check", { method: "POST", body: form })).json();
}

/** Send a form with files; `fetch` does not tell how far an upload is, so this is the older way. */
function sent(path, form, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("error", () => reject(new Problem("sending", 0, "")));
    request.addEventListener("load", () => {
      const told = request.response ?? {};
      if (request.status >= 200 && request.status < 300) resolve(told);
      else reject(problemOf(told, request.status));
    });
    request.send(form);
  });
}

export async function download(id, look, kind, options) {
  const answer = await answered(`/live/pictures/${id}/files/${kind}`, json({ ...look, ...options }));
  const name = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
  return { blob: await answer.blob(), name: name ? decodeURIComponent(name[1]) : `likeness.${kind}` };
}

export function leave(id) {
  navigator.sendBeacon(`/live/pictures/${id}/leave`);
}

export function close(id) {
  fetch(`/live/pictures/${id}`, { method: "DELETE", keepalive: true }).catch(() => {});
}
