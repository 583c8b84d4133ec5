// The chosen file as this browser itself can draw it: before anything is sent, and while it is.

const MOST = 2560; // pixels of its long side: a stage holds no more before the server has drawn its own

/** The file's picture, upright, with its width and height; null for what the browser cannot read (the server may). */
export async function localImage(file) {
  const url = URL.createObjectURL(file);
  try {
    const read = new Image();
    read.src = url;
    await read.decode();
    const { naturalWidth: width, naturalHeight: height } = read;
    if (!width || !height) return null;
    const scale = Math.min(1, MOST / Math.max(width, height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(read, 0, 0, canvas.width, canvas.height);
    return { image: canvas.transferToImageBitmap(), width, height };
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(url);
  }
}
