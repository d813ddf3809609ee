// Points of latent space as they stand in the address, and as the service takes them.
//
//   12         the sample of seed 12
//   12~0.7     the same at temperature 0.7
//   i…         a picture: the base64 of its PNG
//   z…         a latent: the base64 of its float32 numbers

import { json, pictures, Refusal, request } from "./service.js";

const toUrl = (base64) => base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const fromUrl = (text) =>
  text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat(-text.length & 3);

export const samplePoint = (seed, temperature) =>
  Number(temperature) === 1 ? String(seed) : `${seed}~${Number(temperature)}`;

export const picturePoint = (base64) => `i${toUrl(base64)}`;

export function latentPoint(numbers) {
  const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
  return `z${toUrl(btoa(String.fromCharCode(...bytes)))}`;
}

/** The point that a text says, as the service takes it; Refusal if it says none. */
export function read(model, text) {
  const [, seed, temperature] = /^(\d+)(?:~([\d.]+))?$/.exec(text) ?? [];
  if (temperature) return { seed: Number(seed), temperature: Number(temperature) };
  if (seed) return { seed: Number(seed) };
  try {
    if (text[0] === "i" && atob(fromUrl(text.slice(1)))) return { image: fromUrl(text.slice(1)) };
    if (text[0] === "z") {
      const bytes = Uint8Array.from(atob(fromUrl(text.slice(1))), (char) => char.charCodeAt(0));
      return { latent: shaped([...new Float32Array(bytes.buffer)], model.latent_shape) };
    }
  } catch {
    // Said below.
  }
  throw new Refusal(`The address holds “${text.slice(0, 20)}” where a point should be.`);
}

/** A point in words. */
export function name(text) {
  if (/^\d+$/.test(text)) return `seed ${text}`;
  if (/^\d/.test(text)) return `seed ${text.replace("~", " at temperature ")}`;
  return text[0] === "i" ? "your picture" : "your latent";
}

let latest = {};

/** The point's picture: the base64 of its PNG. Of a point that several sections show at once it is
 * asked for once. */
export function image(model, text) {
  const key = `${model.id} ${text}`;
  if (latest.key !== key) {
    latest = { key, image: fetched(model, text) };
    latest.image.catch(() => (latest = {})); // it may be there when it is asked for again
  }
  return latest.image;
}

async function fetched(model, text) {
  const point = read(model, text);
  if (point.image) return point.image;
  const asked = point.latent
    ? request(model, "decode", {}, { latents: [point.latent] })
    : request(model, "sample", point);
  return (await pictures(asked))[0];
}

/** The request for several points' pictures: a walk of as many frames meets each of them. */
export const meeting = (model, texts) => walk(model, texts, { steps: texts.length });

/** The request for a walk; GET where seeds say it all, so that its line is short and its answer can
 * be cached. */
export function walk(model, texts, way) {
  const points = texts.map((text) => read(model, text));
  if (points.every(isSeed)) {
    return request(model, "interpolate", { seed: points.map(({ seed }) => seed), ...way });
  }
  return request(model, "interpolate", {}, { points, ...way });
}

/** The request for a map, through a point unless it is "". */
export function map(model, text, axes) {
  const point = text ? read(model, text) : {};
  if (!text || isSeed(point)) return request(model, "map", { ...axes, ...point });
  return request(model, "map", {}, { point, ...axes });
}

const isSeed = (point) => Object.keys(point).join() === "seed";

/** The point's numbers; a picture's are the mean of its posterior. */
export async function latent(model, text) {
  const asked = { points: [read(model, text)] };
  return (await json(request(model, "locate", {}, asked))).latents.flat(Infinity);
}

/** Numbers as nested lists of `shape`, each as short as its float32 allows. */
export function shaped(numbers, shape) {
  if (shape.length === 1) return numbers.map(short);
  const size = numbers.length / shape[0];
  return Array.from({ length: shape[0] }, (_, part) =>
    shaped(numbers.slice(part * size, (part + 1) * size), shape.slice(1)),
  );
}

function short(number) {
  const wanted = Math.fround(number);
  for (let digits = 3; digits < 9; digits++) {
    const text = Number(wanted.toPrecision(digits));
    if (Math.fround(text) === wanted) return text;
  }
  return Number(wanted.toPrecision(9));
}
