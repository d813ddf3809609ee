// Pictures: base64, bitmaps, canvases, files.

import { Refusal } from "./service.js";

/** A PNG's base64 as an address that an `img` takes. */
export const dataUrl = (base64) => `data:image/png;base64,${base64}`;

/** A PNG's base64, decoded once, ready to be drawn. */
export const bitmap = (base64) => createImageBitmap(pngOf(base64));

/** A PNG's base64 as a file. */
export function pngOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

/** The base64 of a canvas's PNG. */
export const base64Of = (canvas) => canvas.toDataURL("image/png").split(",")[1];

/** Draw `source` (anything drawable, or null for nothing) as all of `canvas`. */
export function paint(canvas, source) {
  canvas.width = source?.width ?? 1;
  canvas.height = source?.height ?? 1;
  if (source) canvas.getContext("2d").drawImage(source, 0, 0);
}

/** A copy that is a canvas of its own. */
export function asCanvas(source) {
  const canvas = document.createElement("canvas");
  paint(canvas, source);
  return canvas;
}

/** Draw images of one size in rows of `columns`. */
export function paintSheet(canvas, images, columns) {
  const { width, height } = images[0];
  canvas.width = columns * width;
  canvas.height = Math.ceil(images.length / columns) * height;
  const context = canvas.getContext("2d");
  images.forEach((image, i) => {
    context.drawImage(image, (i % columns) * width, Math.floor(i / columns) * height);
  });
}

/** A picture file as a bitmap; Refusal if it is none. */
export async function readFile(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    const name = file.name ?? "What the address holds";
    throw new Refusal(
      `${name} is not a picture that this browser can read. PNG, JPEG and WebP files work.`,
    );
  }
}

/** Let the browser keep `content` as a file. */
export function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
