// A sheet of samples. Each picture is sample 0 of a seed of its own, because `{"seed": 7}` is such
// a sample: what is carried to another place is then the very same point, not a guess at it.

import { button, choice, el, field } from "./elements.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, drawn, file, pictures, Refusal, request } from "./service.js";
import { makeSheet } from "./sheet.js";
import { senders } from "./slots.js";
import { change, state, watch } from "./state.js";

export const id = "samples";
export const title = "Samples";
export const lead =
  "Random points of the latent space, and the pictures that the decoder draws from them. Drag " +
  "one into the walk, or choose it and send it.";

const COUNTS = ["16", "32", "48", "64"];
const columns = () => (Number(state.n) > 16 ? 8 : 4);
const MANY = 2 ** 20; // seeds short enough to be read out in class

export function build(model, tell) {
  const seed = el("input", {
    type: "text",
    inputmode: "numeric",
    size: 8,
    autocomplete: "off",
    onchange: () => change({ seed: seed.value.trim() }),
  });
  const another = button("New sheet", () => change({ seed: Math.floor(Math.random() * MANY) }));
  const temperature = el("input", {
    type: "range",
    min: 0,
    max: 2,
    step: 0.05,
    oninput: () => change({ temperature: temperature.value }),
  });
  const shown = el("span", { class: "value" });
  const count = choice(
    COUNTS.map((n) => [n, n]),
    () => change({ n: count.value }),
  );
  let texts = []; // of the sheet's points
  const sheet = makeSheet("Samples", (i) =>
    change({ selected: texts[i], point: texts[i], varied: "" }),
  );
  const note = el("p", { class: "note" });
  const whole = requestLine(tell);
  const one = requestLine(tell);

  const draw = attempt(tell, async () => {
    const { seed: first, n, temperature: warmth } = state;
    if (!COUNTS.includes(n)) {
      throw new Refusal(`The address asks for ${n} samples; a sheet has ${COUNTS.join(", ")}.`);
    }
    // The service says best what is wrong with a seed.
    if (!/^\d+$/.test(first)) await pictures(request(model, "sample", { seed: first }));
    const wanted = Array.from({ length: Number(n) }, (_, i) =>
      points.samplePoint(Number(first) + i, warmth),
    );
    const asked = points.meeting(model, wanted);
    const images = await pictures(asked);
    if (!sheet.node.isConnected) return; // another view is open by now
    texts = wanted;
    const tiles = texts.map((text, i) => ({ image: images[i], words: points.name(text), point: text }));
    sheet.show(tiles, columns());
    // The same seed stays chosen while the temperature changes; else the first one is.
    const seeds = texts.map((text) => text.split("~")[0]);
    const kept = Math.max(0, seeds.indexOf(state.selected.split("~")[0]));
    const initial = state.point === "" || state.point === state.selected;
    change({ selected: texts[kept], ...(initial && { point: texts[kept] }) });
    mark();
    const grid = drawn(asked, { layout: "grid", columns: columns() });
    whole.show(lineOfAll(model, texts), [["PNG", `samples_${first}.png`, () => file(grid, "png")]]);
  });

  function mark() {
    sheet.mark(texts.indexOf(state.selected));
    note.textContent = `Chosen: ${points.name(state.selected)}.`;
    const point = points.read(model, state.selected);
    const asked = request(model, "sample", { ...point, scale: model.scale });
    const name = `seed_${point.seed}.png`;
    one.show(curl(asked, name), [["PNG", name, () => file(asked, "png")]]);
  }

  watch(["seed", "n", "temperature"], () => {
    seed.value = state.seed;
    temperature.value = state.temperature;
    shown.textContent = Number(state.temperature).toFixed(2);
    count.value = state.n;
    draw();
  });
  watch(["selected"], () => state.selected && texts.length && mark());

  return [
    el(
      "div",
      { class: "controls" },
      field("First seed", seed),
      another,
      field("Temperature", el("span", { class: "ranged" }, temperature, shown)),
      field("How many", count),
    ),
    sheet.node,
    whole.node,
    el("div", { class: "chosen" }, note, senders(() => state.selected)),
    one.node,
  ];
}

/** curl counts from the first seed to the last itself: a file for each picture. */
function lineOfAll(model, texts) {
  const [first, last] = [texts[0], texts.at(-1)].map((text) => points.read(model, text));
  const asked = request(model, "sample", { ...first, seed: "SEEDS", scale: model.scale });
  return curl(asked, "'seed_#1.png'").replace("SEEDS", `[${first.seed}-${last.seed}]`);
}
