// Strokes and pictures to what a model takes: its own size, smooth at the edges.

import { asCanvas } from "./pictures.js";

// Each of the model's pixels is the mean of a block of drawn ones; so many on a side.
const fineness = (model) => Math.max(1, Math.min(8, Math.floor(1024 / model.width)));
// A pen's width, as a part of the picture's: MNIST's digits have strokes of 2 to 3 pixels of 28.
export const PEN = 2.4 / 28;
// MNIST's digits fill a box of 20 of its 28 pixels (LeCun et al. 1998, section III.A).
const BOX = 20 / 28;

/** Strokes [{colour, points: [[x, y], …]}] in parts of the pad's width, drawn through `place`. */
export function drawStrokes(context, strokes, place) {
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = PEN * place.pen;
  for (const { colour, points } of strokes) {
    const at = points.map(([x, y]) => [x * place.scale + place.x, y * place.scale + place.y]);
    context.strokeStyle = colour;
    context.beginPath();
    context.moveTo(...at[0]);
    // A point alone is a dot.
    for (const point of at.length > 1 ? at.slice(1) : at) context.lineTo(...point);
    context.stroke();
  }
}

/** A canvas of the model's size: a picture, if there is one, and the strokes upon it; null where
 * there is neither. Strokes alone are centred for a model of grey images, as MNIST's digits are: in
 * their box, by their mass. */
export function asModelInput(model, picture, strokes) {
  if (!strokes.length) return picture;
  const context = fineContext(model);
  const { canvas } = context;
  const whole = { scale: canvas.width, pen: canvas.width, x: 0, y: 0 };
  const draw = (place) => {
    context.fillRect(0, 0, canvas.width, canvas.height);
    // Not smoothed: where no stroke goes, the picture's own pixels come out again.
    if (picture) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    drawStrokes(context, strokes, place);
  };
  if (model.channels > 1 || picture) draw(whole);
  else {
    const boxed = inBox(strokes, canvas);
    draw(boxed);
    const [x, y] = centreOfMass(context);
    draw({ ...boxed, x: boxed.x + canvas.width / 2 - x, y: boxed.y + canvas.height / 2 - y });
  }
  return shrunk(context, model);
}

/** Where strokes go so that their box, pen included, is BOX of the canvas and in its middle. */
function inBox(strokes, { width, height }) {
  const all = strokes.flatMap(({ points }) => points);
  const [left, top] = [0, 1].map((axis) => Math.min(...all.map((point) => point[axis])));
  const [right, bottom] = [0, 1].map((axis) => Math.max(...all.map((point) => point[axis])));
  const side = Math.max(right - left, bottom - top);
  const room = Math.min(width, height) * BOX - PEN * width;
  // A dot stays a dot.
  const scale = Math.min(room / side, 4 * width);
  return {
    scale,
    pen: width,
    x: width / 2 - (scale * (left + right)) / 2,
    y: height / 2 - (scale * (top + bottom)) / 2,
  };
}

function centreOfMass(context) {
  const { width, height } = context.canvas;
  const { data } = context.getImageData(0, 0, width, height);
  let [mass, x, y] = [0, 0, 0];
  for (let i = 0; i < width * height; i++) {
    const ink = data[4 * i];
    mass += ink;
    x += ink * (i % width);
    y += ink * Math.floor(i / width);
  }
  return [x / mass + 0.5, y / mass + 0.5];
}

/** The middle of a picture, in the model's proportions and of its size, as a canvas. */
export function cropped(model, picture) {
  if (picture.width === model.width && picture.height === model.height) return asCanvas(picture);
  const context = fineContext(model);
  const { width, height } = context.canvas;
  const scale = Math.max(width / picture.width, height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  context.fillRect(0, 0, width, height);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
  return shrunk(context, model);
}

/** A black canvas of the model's proportions, finer than the model. */
function fineContext(model) {
  const canvas = document.createElement("canvas");
  canvas.width = model.width * fineness(model);
  canvas.height = model.height * fineness(model);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  return context;
}

/** The mean of each block; grey for a model of grey images. */
function shrunk(context, model) {
  const { width, height } = context.canvas;
  const from = context.getImageData(0, 0, width, height).data;
  const small = new ImageData(model.width, model.height);
  const fine = fineness(model);
  for (let i = 0; i < model.width * model.height; i++) {
    const corner = Math.floor(i / model.width) * fine * width + (i % model.width) * fine;
    let [r, g, b] = [0, 0, 0];
    for (let j = 0; j < fine * fine; j++) {
      const at = 4 * (corner + Math.floor(j / fine) * width + (j % fine));
      r += from[at] / fine ** 2;
      g += from[at + 1] / fine ** 2;
      b += from[at + 2] / fine ** 2;
    }
    // Luma as Rec. 601 has it, which is what the service makes of colour too.
    const grey = 0.299 * r + 0.587 * g + 0.114 * b;
    small.data.set(model.channels > 1 ? [r, g, b, 255] : [grey, grey, grey, 255], 4 * i);
  }
  const canvas = document.createElement("canvas");
  canvas.width = model.width;
  canvas.height = model.height;
  canvas.getContext("2d").putImageData(small, 0, 0);
  return canvas;
}

/** The picture with light and dark exchanged. */
export function inverted(picture) {
  const canvas = asCanvas(picture);
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "difference";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  return canvas;
}
