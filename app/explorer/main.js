// The page: which model it shows, and its sections. A new section is a module and a word in
// SECTIONS; it exports id, title, lead and build(model, tell), which gives its nodes. Sections do
// not know each other: what one does and another shows stands in the state.

import * as arithmetic from "./arithmetic.js";
import { el } from "./elements.js";
import * as drawing from "./drawing.js";
import * as latents from "./latents.js";
import * as map from "./map.js";
import * as restore from "./restore.js";
import * as samples from "./samples.js";
import { attempt, models, Refusal } from "./service.js";
import { change, forgetWatchers, read, state } from "./state.js";
import * as walk from "./walk.js";

const SECTIONS = [samples, walk, drawing, latents, map, arithmetic, restore];
const VIEW_PIXELS = 256; // about as wide a picture is when it is kept as a file
const DRAWABLE = [1, 3, 4];
const MANY_PIXELS = 64 * 64; // of images beyond it, one begins with fewer

const chooser = document.getElementById("model");
const about = document.getElementById("about");
const sections = document.getElementById("sections");
const tell = (text) => (document.getElementById("fault").textContent = text);

let cards = [];

const open = attempt(tell, async (view) => {
  const published = await models();
  cards = published.models;
  chooser.replaceChildren(
    ...cards.map(({ id, loaded }) =>
      el("option", { value: id, disabled: !loaded }, loaded ? id : `${id} (not loaded)`),
    ),
  );
  forgetWatchers();
  change({ ...view, model: view.model || published.default });
  show();
});

/** The sections for the model that the state names. */
function show() {
  forgetWatchers();
  sections.replaceChildren();
  about.replaceChildren();
  const card = cards.find(({ id, loaded }) => loaded && id === state.model);
  chooser.value = card ? card.id : "";
  if (!card) {
    throw new Refusal(`${state.model} is not loaded here. Choose one of the models that are.`);
  }
  const [channels, height, width] = card.data.shape;
  if (card.data.kind !== "image" || !DRAWABLE.includes(channels)) {
    about.append(
      `${card.id} is a model of ${kindOf(card)}. This page shows images only; what the model ` +
        "answers can be tried on ",
      el("a", { href: "docs" }, "the API's own page"),
      ".",
    );
    return;
  }
  about.append(...described(card));
  const few = width * height > MANY_PIXELS;
  const n = state.n || (few ? 16 : 48);
  const steps = state.steps || (few ? 13 : 61);
  change({ n, steps, frame: state.frame || Math.floor(Number(steps) / 2) });
  const scale = Math.min(64, Math.max(1, Math.floor(VIEW_PIXELS / Math.max(width, height))));
  const model = { ...card, channels, height, width, scale };
  document.body.classList.toggle("coarse", width <= 128);
  sections.style.setProperty("--proportions", `${width} / ${height}`);
  sections.append(...SECTIONS.map((section) => built(section, model)));
}

function built(section, model) {
  const fault = el("p", { class: "fault", role: "alert" });
  const node = el(
    "section",
    { id: section.id, "aria-labelledby": `${section.id}-title` },
    el("h2", { id: `${section.id}-title` }, section.title),
    el("p", { class: "lead" }, section.lead),
    fault,
  );
  node.append(...section.build(model, (text) => (fault.textContent = text)));
  return node;
}

function kindOf({ data }) {
  const [channels, height, width] = data.shape;
  if (data.kind !== "image") return `rows of ${channels} numbers`;
  const colour = { 1: "grey", 3: "colour", 4: "transparent" }[channels] ?? `${channels}-channel`;
  return `${colour} images of ${width}\u00a0×\u00a0${height}`;
}

function described(card) {
  const numbers = card.latent_shape.reduce((product, size) => product * size, 1);
  const nll = card.figures.find(({ name }) => name === "nll");
  const facts = [
    `${card.family} VAE of ${kindOf(card)}`,
    `${numbers} latents`,
    `trained on ${card.training.dataset}`,
    ...(nll ? [`NLL ${nll.value.toFixed(1)} ${nll.unit}`] : []),
  ];
  return [el("b", {}, card.id), ` · ${facts.join(" · ")}`];
}

chooser.addEventListener("change", () => {
  // Pictures and latents are the old model's; seeds are everybody's.
  const seeds = (text) => (/^\d/.test(text) ? text : "");
  const walkOfSeeds = state.walk.split(",").map(seeds);
  const whole = walkOfSeeds[0] && walkOfSeeds[3];
  forgetWatchers();
  change({
    model: chooser.value,
    walk: whole ? walkOfSeeds.join(",") : "",
    drawing: "",
    point: seeds(state.point),
    varied: "",
    first: 0,
    across: "",
    down: "",
    place: "",
    direction: "",
    mask: "",
    restored: "",
    n: "",
    steps: "",
    frame: "",
  });
  tell("");
  show();
});
addEventListener("hashchange", () => open(read()));
open(read());
