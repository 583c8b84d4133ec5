// The people at one moment of a film: the browser draws the frame, the server finds the faces in it.

import * as api from "./api.js";

const ROOM = 2; // widths of a face that a picture of it shows
const CHIP = 112; // pixels of the side of the picture by which a person is chosen

/** @typedef {{picture: Blob, url: string}} Seen A person: the part of a frame that tells who it is, and a small picture. */

/**
 * @param {HTMLVideoElement} film that stands at a frame
 * @returns {Promise<Seen[]>} the largest first
 */
export async function peopleIn(film) {
  const frame = new OffscreenCanvas(film.videoWidth, film.videoHeight);
  frame.getContext("2d").drawImage(film, 0, 0);
  const { faces } = await api.check(await frame.convertToBlob({ type: "image/jpeg", quality: 0.95 }));
  const boxes = faces.map(({ box }) => box).sort((one, other) => other.right - other.left - (one.right - one.left));
  return Promise.all(boxes.map((box) => seen(frame, box)));
}

async function seen(frame, { left, top, right, bottom }) {
  const side = ROOM * Math.max(right - left, bottom - top);
  const from = [(left + right - side) / 2, (top + bottom - side) / 2];
  const part = async (size, type) => {
    const canvas = new OffscreenCanvas(size, size);
    canvas.getContext("2d").drawImage(frame, from[0], from[1], side, side, 0, 0, size, size);
    return canvas.convertToBlob({ type, quality: 0.9 });
  };
  return { picture: await part(Math.round(side), "image/png"), url: URL.createObjectURL(await part(CHIP, "image/jpeg")) };
}
