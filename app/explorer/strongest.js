// Which latents tell most about a picture, as the service has found it.

import { header, Refusal, request } from "./service.js";

const MOST = 64; // the service decodes two pictures for each that it names
const known = new Map();

/** The model's latents as {order, words}: their numbers, the strongest first, and that in words. */
export function strongest(model) {
  if (!known.has(model.id)) {
    const told = named(model).then((first) => ordered(model, first));
    told.catch(() => known.delete(model.id)); // it may be there when it is asked for again
    known.set(model.id, told);
  }
  return known.get(model.id);
}

async function named(model) {
  // Nothing is asked that is known to be refused: browsers note each refusal as an error.
  if (model.figures.some(({ name, value }) => name === "active_units" && !value)) return [];
  const asked = { point: { seed: 0 }, strongest: MOST, steps: 2 };
  try {
    const said = await header(request(model, "traverse", {}, asked), "X-Latentd-Dimensions");
    return said.split(",").map(Number);
  } catch (error) {
    // So it is with a model without figures, too: none is strongest, but all have sliders.
    if (error instanceof Refusal && error.status === 422) return [];
    throw error;
  }
}

function ordered({ latent_shape: shape }, first) {
  const size = shape.reduce((product, side) => product * side, 1);
  const rest = Array.from({ length: size }, (_, number) => number).filter(
    (number) => !first.includes(number),
  );
  return { order: [...first, ...rest], words: inWords(first.length, rest.length) };
}

function inWords(first, rest) {
  if (!first) return "In the order of their numbers: none is stronger than the others.";
  if (!rest) return "The strongest first; all are in use.";
  if (first === MOST) return `The ${MOST} strongest first, the others by their numbers.`;
  return `The strongest first; the last ${rest} are not in use.`;
}
