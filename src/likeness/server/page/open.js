// Ways to bring a picture: choose, drop, paste, camera, sample.

import { Problem } from "./api.js";

/** @param {string} id @returns {any} an element of index.html, of whatever kind it is there */
const element = (id) => document.getElementById(id);

export function openWays({ onFiles, onReferences, onProblem, active }) {
  const input = element("file");
  element("choose").addEventListener("click", () => input.click());
  for (const name of ["open-another", "faceless-another"]) element(name).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) onFiles([...input.files]);
    input.value = "";
  });

  let depth = 0;
  const dropping = element("dropping");
  const holds = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  window.addEventListener("dragenter", (event) => {
    if (!holds(event)) return;
    depth += 1;
    dropping.hidden = !active();
    document.body.classList.add("dragging");
  });
  window.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (depth > 0) return;
    dropping.hidden = true;
    document.body.classList.remove("dragging");
  });
  window.addEventListener("dragover", (event) => {
    if (holds(event)) event.preventDefault();
  });
  window.addEventListener("drop", (event) => {
    if (!holds(event)) return;
    event.preventDefault();
    depth = 0;
    dropping.hidden = true;
    document.body.classList.remove("dragging");
    const files = [...event.dataTransfer.files];
    if (!files.length) return;
    // Over a zone for other photographs they are for it, and no pictures to open.
    const zone = event.target instanceof Element ? event.target.closest("[data-drop]") : null;
    if (zone instanceof HTMLElement) onReferences(files, zone.dataset.drop);
    else onFiles(files);
  });

  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    onFiles(files);
  });

  element("sample").addEventListener("click", async () => {
    try {
      const answer = await fetch("/page/sample.jpg");
      onFiles([new File([await answer.blob()], "sample.jpg", { type: "image/jpeg" })]);
    } catch {
      onProblem(new Problem("offline", 0, ""));
    }
  });

  cameraWay(onFiles, onProblem);
}

function cameraWay(onFiles, onProblem) {
  const button = element("camera");
  // Browsers lend the camera to pages of this machine and of https only.
  if (!navigator.mediaDevices?.getUserMedia) return;
  button.hidden = false;
  const dialog = element("camera-dialog");
  const view = element("camera-view");
  let stream = null;
  let asked = false;
  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    view.srcObject = null;
  };
  button.addEventListener("click", async () => {
    // A camera that is lent twice is given back once.
    if (asked || stream) return;
    asked = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, height: { ideal: 1080 } } });
      view.srcObject = stream;
      await view.play();
      dialog.showModal();
    } catch (error) {
      stop();
      onProblem(new Problem("camera", 0, error.message, { why: error.message || error.name }));
    } finally {
      asked = false;
    }
  });
  dialog.addEventListener("close", stop);
  element("camera-cancel").addEventListener("click", () => dialog.close());
  element("camera-take").addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    canvas.width = view.videoWidth;
    canvas.height = view.videoHeight;
    canvas.getContext("2d").drawImage(view, 0, 0);
    dialog.close();
    canvas.toBlob((blob) => onFiles([new File([blob], "camera.png", { type: "image/png" })]), "image/png");
  });
}
