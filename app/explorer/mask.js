// A mask painted upon a picture, pixel by pixel of the model's. Knows neither the state nor the
// service.

import { makePen, makeSurface } from "./pad.js";
import { asCanvas } from "./pictures.js";

const HALF = 128;
const COVER = [224, 122, 60]; // neither black nor white, whatever the picture is

/** `brush()` is its width in parts of the picture's; `changed` is called whenever it has painted. */
export function makeMask(model, brush, changed) {
  const mask = document.createElement("canvas"); // white where it is hidden
  const cover = document.createElement("canvas"); // the same, as it is shown
  let picture = null;
  let last = null;
  clear();
  const label = "The mask. Arrow keys move the brush, space puts it down and lifts it.";
  const node = makeSurface(model, "mask", label);
  const pen = makePen(node, {
    begin: (point) => stroke(point, point),
    extend: (point) => stroke(last, point),
    draw,
    width: brush,
  });

  function stroke(from, to) {
    const context = mask.getContext("2d");
    last = to;
    context.strokeStyle = "#fff";
    context.lineCap = "round";
    context.lineWidth = Math.max(1, brush() * model.width);
    context.beginPath();
    context.moveTo(from[0] * model.width, from[1] * model.width);
    context.lineTo(to[0] * model.width, to[1] * model.width);
    context.stroke();
    settle();
    draw();
    changed();
  }

  /** Each pixel is hidden or it is not; those at a stroke's edge by half. */
  function settle() {
    const context = mask.getContext("2d");
    const pixels = context.getImageData(0, 0, mask.width, mask.height);
    const shown = new ImageData(mask.width, mask.height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      const hidden = pixels.data[i] >= HALF;
      pixels.data.fill(hidden ? 255 : 0, i, i + 3);
      shown.data.set(hidden ? [...COVER, 255] : [0, 0, 0, 0], i);
    }
    context.putImageData(pixels, 0, 0);
    cover.width = mask.width;
    cover.height = mask.height;
    cover.getContext("2d").putImageData(shown, 0, 0);
  }

  function clear() {
    mask.width = model.width;
    mask.height = model.height;
    mask.getContext("2d", { willReadFrequently: true }).fillRect(0, 0, mask.width, mask.height);
    settle();
  }

  function draw() {
    const context = node.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.fillRect(0, 0, node.width, node.height);
    for (const layer of [picture, cover]) {
      if (layer) context.drawImage(layer, 0, 0, node.width, node.height);
    }
    pen.draw(context);
  }

  return {
    node,
    canvas: mask,
    /** What is painted upon. */
    under: (source) => {
      picture = asCanvas(source);
      draw();
    },
    /** A mask as it came with the address, or null for none. */
    show: (source) => {
      clear();
      if (source) mask.getContext("2d").drawImage(source, 0, 0, mask.width, mask.height);
      settle();
      draw();
    },
  };
}
