// How the walk goes: what one chooses, and what the service is asked for it.

import { choice, el, field } from "./elements.js";
import { inSlots } from "./slots.js";
import { change, state, watch } from "./state.js";

// One more than multiples of 12: a walk of one to four parts then has a frame at each point.
const STEPS = ["13", "37", "61", "121"].map((n) => [n, n]);
const METHODS = [
  ["slerp", "spherical"],
  ["linear", "straight"],
  ["cog", "scaled"],
];
const EASINGS = [
  ["linear", "steady"],
  ["in", "slow start"],
  ["out", "slow end"],
  ["in_out", "slow ends"],
];
const SPACINGS = [
  ["even", "in latents"],
  ["pixel", "to the eye"],
];
const ROUTES = [
  ["", "one way"],
  ["loop", "round"],
  ["sheet", "sheet"],
];
// By their names in the state, with a word for each.
const CHOICES = {
  steps: ["Frames", STEPS],
  method: ["Way", METHODS],
  easing: ["Pace", EASINGS],
  spacing: ["Evenly", SPACINGS],
  route: ["Route", ROUTES],
};
export const NAMES = Object.keys(CHOICES);

const four = () => inSlots().every(Boolean);
const side = (frames) => Math.floor(Math.sqrt(frames)); // of a sheet

/** "" for one way, "loop" back to the start, or "sheet": between four corners, so only of four. */
export const route = () => (state.route === "sheet" && !four() ? "" : state.route);

/** What the service is asked for. */
export function asked() {
  const { method, easing, spacing } = state;
  const steps = Number(state.steps);
  const pace = { method, ...(easing !== "linear" && { easing }) };
  if (route() === "sheet") return { steps: side(steps), rows: side(steps), ...pace };
  const evenly = spacing !== "even" && { spacing };
  // The last frame would be the first one again.
  if (route() === "loop") return { steps: steps - 1, loop: true, ...pace, ...evenly };
  return { steps, ...pace, ...evenly };
}

/** The controls. */
export function choices() {
  const controls = {};
  for (const [name, [, options]] of Object.entries(CHOICES)) {
    controls[name] = choice(options, () => change({ [name]: controls[name].value }));
  }
  watch(["walk", ...NAMES], () => {
    for (const name of NAMES) controls[name].value = state[name];
    const kind = (controls.route.value = route());
    const sheet = controls.route.options[2];
    sheet.disabled = !four();
    sheet.text = four() ? "sheet" : "sheet, once all four places are filled";
    controls.spacing.disabled = kind === "sheet"; // which the service knows even in latents only
    for (const option of controls.steps.options) {
      const n = Number(option.value);
      option.text = { loop: n - 1, sheet: `${side(n)} × ${side(n)}` }[kind] ?? n;
    }
  });
  const fields = NAMES.map((name) => field(CHOICES[name][0], controls[name]));
  return el("div", { class: "controls way" }, ...fields);
}
