// All that makes a view, as texts by name, kept in the address: who opens it sees the same.

/** What a view is where its address does not say; "" where that depends on the model. */
const DEFAULTS = {
  model: "", // name@version
  seed: "1", // of the sheet's first sample
  n: "",
  temperature: "1",
  selected: "", // the sheet's chosen sample, a point (points.js)
  walk: "", // the four slots' points, with commas between
  steps: "",
  method: "slerp",
  easing: "linear",
  spacing: "even",
  route: "", // "loop" back to the start, or "sheet" between four corners
  frame: "",
  drawing: "", // a point
  point: "", // the point whose latents are varied
  varied: "", // number:value of each latent that is varied, with commas between
  first: "0", // how many stronger latents come before those shown
  across: "", // the map's latent to the right, a number
  down: "", // and the one downwards
  through: "", // "sample" where the map goes through the sheet's chosen one
  place: "", // the map's chosen place: column, row
  direction: "", // what the arithmetic adds
  weight: "1", // and how much of it
  mask: "", // of the chosen picture, itself a picture as a point is
  restored: "", // "yes" once what is below it has been asked for
  restorations: "1", // how many; of one, the mean
  restoration: "0", // which one of them is chosen
};

export const state = { ...DEFAULTS };

let watchers = [];
let writing;
let known = location.hash;

/** Call `run` now and whenever one of these names changes. */
export function watch(names, run) {
  watchers.push({ names, run });
  run();
}

export function forgetWatchers() {
  watchers = [];
}

/** Change the view: the address is written, and who watches is called, once each. */
export function change(values) {
  const changed = Object.keys(values).filter((name) => state[name] !== String(values[name]));
  for (const name of changed) state[name] = String(values[name]);
  clearTimeout(writing);
  // Browsers refuse addresses that change a hundred times a second.
  writing = setTimeout(write, 150);
  for (const { names, run } of [...watchers]) {
    if (names.some((name) => changed.includes(name))) run();
  }
}

/** What the address says. */
export function read() {
  known = location.hash;
  const said = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(
    Object.entries(DEFAULTS).map(([name, value]) => [name, said.get(name) ?? value]),
  );
}

function write() {
  // Another view has been asked for, and is about to be read.
  if (location.hash !== known) return;
  const parts = Object.entries(state)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const hash = parts.join("&").replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%40", "@");
  history.replaceState(null, "", `#${hash}`);
  known = location.hash;
}

// A view that is left at once is still whole in its address.
addEventListener("pagehide", write);
