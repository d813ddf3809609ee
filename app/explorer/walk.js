// A walk through the points in the slots: one request for all frames, each decoded once, drawn as
// one moves the slider or lets it play.

import { button, choice, el, field } from "./elements.js";
import { base64Of, bitmap, paint, paintSheet } from "./pictures.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, drawn, file, pictures } from "./service.js";
import { carry, inSlots, put, receive, SLOTS } from "./slots.js";
import { change, state, watch } from "./state.js";

export const id = "walk";
export const title = "Walk";
export const lead =
  "From one point to another through the points between, each decoded. What lies close together " +
  "looks alike.";

// One more than multiples of 6: a walk of one, two or three parts then has a frame at each corner.
const STEPS = ["13", "31", "61", "121"];
const METHODS = [
  ["slerp", "along the sphere"],
  ["linear", "straight"],
];
const FRAMES_A_SECOND = 30;
const CALM_FRAMES_A_SECOND = 3;
const STRIP = 13;
// Forms in which the service gives the frames: a button's name, the form, the file's name, and how
// it is drawn. Animations move as the player does.
const moving = (scale) => ({ fps: FRAMES_A_SECOND, pingpong: true, scale });
const FILES = [
  ["PNG", "png", "walk.png"],
  ["Frames", "zip", "walk.zip"],
  ["GIF", "gif", "walk.gif", moving],
  ["WebP", "webp-animation", "walk.webp", moving],
];

export function build(model, tell) {
  let frames = [];
  const view = el("canvas", { class: "view", role: "img" });
  const strip = el("canvas", { class: "strip", "aria-hidden": "true" });
  const slider = el("input", {
    type: "range",
    min: 0,
    "aria-label": "Frame of the walk",
    oninput: () => go(Number(slider.value)),
  });
  const where = el("span", { class: "value" });
  const play = button("Play", () => (player.playing ? rest() : start()), { class: "main" });
  const steps = choice(
    STEPS.map((n) => [n, n]),
    () => {
      const part = Number(state.frame) / (Number(state.steps) - 1);
      change({ steps: steps.value, frame: Math.round(part * (Number(steps.value) - 1)) });
    },
  );
  const method = choice(METHODS, () => change({ method: method.value }));
  const slots = SLOTS.map((name, place) => slot(name, place));
  const line = requestLine(tell);

  const player = makePlayer(view, show, () => rest());

  function start() {
    if (frames.length) player.start(Number(slider.value), frames.length);
    play.textContent = player.playing ? "Pause" : "Play";
  }

  function rest() {
    player.stop();
    play.textContent = "Play";
    change({ frame: slider.value });
  }

  function go(frame) {
    if (player.playing) rest();
    change({ frame });
  }

  function show(frame) {
    slider.value = frame;
    where.textContent = `${frame + 1} / ${frames.length}`;
    slider.setAttribute("aria-valuetext", `Frame ${frame + 1} of ${frames.length}`);
    if (frames[frame]) paint(view, frames[frame]);
  }

  const draw = attempt(tell, async () => {
    const texts = inSlots();
    if (!texts[0] || !texts[3]) return;
    const [number, way] = [Number(state.steps), state.method];
    const through = texts.filter(Boolean);
    const walk = points.walk(model, through, { steps: number, method: way });
    const images = await pictures(walk);
    const fresh = await Promise.all(images.map(bitmap));
    if (player.playing) rest();
    for (const old of frames) old.close();
    frames = fresh;
    slider.max = frames.length - 1;
    show(Math.min(Number(state.frame), frames.length - 1));
    const every = (frames.length - 1) / (STRIP - 1);
    const some = Array.from({ length: STRIP }, (_, i) => frames[Math.round(i * every)]);
    paintSheet(strip, some, STRIP);
    fillSlots(texts, through.length);
    line.show(
      curl(walk, "walk.png"),
      FILES.map(([name, format, output, look]) => [
        name,
        output,
        () => file(drawn(walk, look?.(model.scale)), format),
      ]),
    );
  });

  function fillSlots(texts, count) {
    let met = 0;
    const names = [];
    texts.forEach((text, place) => {
      const frame = text && frames[Math.round((met++ * (frames.length - 1)) / (count - 1))];
      slots[place].fill(text, frame || null);
      if (text) names.push(points.name(text));
    });
    view.setAttribute("aria-label", `A frame of the walk from ${names.join(" to ")}`);
  }

  watch(["walk", "steps", "method"], () => {
    steps.value = state.steps;
    method.value = state.method;
    draw();
  });
  watch(["selected"], () => {
    // At first: from the chosen sample to one a few seeds on.
    if (!state.walk && state.selected) {
      const seed = Number(state.selected.split("~")[0]);
      change({ walk: `${seed},,,${seed + 7}` });
    }
  });
  watch(["frame"], () => frames.length && !player.playing && show(Number(state.frame)));
  // The service tells no frame's latent; its picture stands for it.
  carry(view, () => frames.length && points.picturePoint(base64Of(view)));
  strip.addEventListener("click", (event) => {
    const part = event.offsetX / strip.clientWidth;
    go(Math.round(part * (frames.length - 1)));
  });

  return [
    el("div", { class: "slots" }, ...slots.map(({ node }) => node)),
    view,
    strip,
    el("div", { class: "player" }, play, slider, where),
    el("div", { class: "controls" }, field("Frames", steps), field("Way", method)),
    line.node,
  ];
}

/** A place of the walk: takes what is dropped on it, shows it, can be carried on. */
function slot(name, place) {
  const picture = el("canvas", { role: "img", width: 1, height: 1 });
  const words = el("span", { class: "words" });
  const empty = button("Remove", () => put(place, ""), { class: "quiet", hidden: true });
  empty.setAttribute("aria-label", `Remove ${name}`);
  const node = el("div", { class: "slot" }, picture, el("span", { class: "place" }, name), words);
  if (name.startsWith("Corner")) node.append(empty);
  receive(node, (text) => put(place, text));
  carry(picture, () => inSlots()[place]);

  function fill(text, frame) {
    paint(picture, frame);
    node.classList.toggle("empty", !text);
    empty.hidden = !text;
    words.textContent = text ? points.name(text) : "empty";
    picture.setAttribute("aria-label", `${name}: ${words.textContent}`);
  }
  fill("", null);
  return { node, fill };
}

/** Shows one frame after the other, there and back, until it is stopped. Where one wants less
 * motion: slowly, and once; `ended` is called when it ends by itself. It ends with `view`. */
function makePlayer(view, show, ended) {
  let playing = null;

  function start(from, count) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const pace = calm ? CALM_FRAMES_A_SECOND : FRAMES_A_SECOND;
    const first = calm && from === count - 1 ? 0 : from;
    const began = performance.now();
    let last = -1;
    const run = (now) => {
      if (playing !== run || !view.isConnected) return;
      const step = first + Math.max(0, Math.floor(((now - began) / 1000) * pace));
      if (calm && step >= count) return ended();
      const turn = step % (2 * (count - 1));
      const frame = turn < count ? turn : 2 * (count - 1) - turn;
      if (frame !== last) show((last = frame));
      requestAnimationFrame(run);
    };
    playing = run;
    requestAnimationFrame(run);
  }

  return {
    start,
    stop: () => (playing = null),
    get playing() {
      return playing !== null;
    },
  };
}
