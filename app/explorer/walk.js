// A walk through the points in the slots: one request for all frames, each decoded once, drawn as
// one moves the slider or lets it play.

import { makeBoard } from "./board.js";
import { button, el } from "./elements.js";
import { base64Of, bitmap, paint } from "./pictures.js";
import { FRAMES_A_SECOND, makePlayer } from "./player.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, drawn, file, pictures } from "./service.js";
import { carry, inSlots, put, receive, SLOTS } from "./slots.js";
import { change, state, watch } from "./state.js";
import * as way from "./way.js";

export const id = "walk";
export const title = "Walk";
export const lead =
  "From one point to another through the points between, each decoded. What lies close together " +
  "looks alike.";

const STRIP = 13;
// Forms in which the service gives the frames: a button's name, the form, the file's name, and
// whether it moves.
const FILES = [
  ["PNG", "png", "walk.png", false],
  ["Frames", "zip", "walk.zip", false],
  ["GIF", "gif", "walk.gif", true],
  ["WebP", "webp-animation", "walk.webp", true],
  ["APNG", "apng", "walk.apng", true],
  ["Sprite", "sprite", "walk_sprite.zip", false],
];

export function build(model, tell) {
  let frames = [];
  let overview = []; // the numbers of the frames that the strip, or the sheet, shows
  const view = el("canvas", { class: "view", role: "img" });
  const size = { width: STRIP * model.width, height: model.height };
  const strip = el("canvas", { class: "strip", "aria-hidden": "true", ...size });
  const board = makeBoard(strip);
  const both = el("div", { class: "walked" }, view, board.node);
  const slider = el("input", {
    type: "range",
    min: 0,
    "aria-label": "Frame of the walk",
    oninput: () => go(Number(slider.value)),
  });
  const where = el("span", { class: "value" });
  const play = button("Play", () => (player.playing ? rest() : start()), { class: "main" });
  const slots = SLOTS.map((name, place) => slot(name, place));
  const line = requestLine(tell);

  const player = makePlayer(view, show, () => rest());

  function start() {
    if (frames.length) player.start(Number(slider.value), frames.length, way.route() === "loop");
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
    board.mark(overview.findLastIndex((number) => number <= frame));
    if (frames[frame]) paint(view, frames[frame]);
  }

  const draw = attempt(tell, async () => {
    const texts = inSlots();
    if (!texts[0] || !texts[3]) return;
    const through = texts.filter(Boolean);
    const [asked, route] = [way.asked(), way.route()];
    const walk = points.walk(model, through, asked);
    // Not every way has a frame at each of its points.
    const meeting = points.meeting(model, through);
    const [fresh, met] = await Promise.all([walk, meeting].map(decoded));
    if (!view.isConnected) return; // another view is open by now
    if (player.playing) rest();
    const part = Number(state.frame) / (frames.length - 1);
    if (frames.length) change({ frame: Math.round(part * (fresh.length - 1)) });
    for (const old of frames) old.close();
    frames = fresh;
    slider.max = frames.length - 1;
    layOut(route === "sheet" ? asked.steps : 0);
    show(Math.min(Number(state.frame), frames.length - 1));
    fillSlots(texts, met);
    line.show(curl(walk, "walk.png"), filesOf(walk, route, model.scale));
  });

  /** Show all frames as a sheet of so many columns, or some of them as a strip where it is none. */
  function layOut(columns) {
    const every = columns ? 1 : (frames.length - 1) / (STRIP - 1);
    const shown = columns ? frames.length : STRIP;
    overview = Array.from({ length: shown }, (_, i) => Math.round(i * every));
    board.show(overview.map((number) => frames[number]), columns || STRIP);
    both.classList.toggle("mapped", columns > 0);
    play.hidden = columns > 0;
  }

  function fillSlots(texts, met) {
    let place = 0;
    texts.forEach((text, i) => slots[i].fill(text, text ? met[place++] : null));
    const names = texts.filter(Boolean).map(points.name);
    view.setAttribute("aria-label", `A frame of the walk from ${names.join(" to ")}`);
  }

  watch(["walk", ...way.NAMES], draw);
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
  strip.addEventListener("click", (event) => go(overview[board.under(event)]));

  return [
    el("div", { class: "slots" }, ...slots.map(({ node }) => node)),
    both,
    el("div", { class: "player" }, play, slider, where),
    way.choices(),
    line.node,
  ];
}

/** What can be kept: what moves does so as the player does, and a sheet does not move. */
function filesOf(walk, route, scale) {
  const film = drawn(walk, { fps: FRAMES_A_SECOND, pingpong: route !== "loop", scale });
  return FILES.filter(([, , , moves]) => !moves || route !== "sheet").map(
    ([name, form, output, moves]) => [name, output, () => file(moves ? film : walk, form)],
  );
}

const decoded = async (asked) => Promise.all((await pictures(asked)).map(bitmap));

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

  function fill(text, image) {
    paint(picture, image);
    node.classList.toggle("empty", !text);
    empty.hidden = !text;
    words.textContent = text ? points.name(text) : "empty";
    picture.setAttribute("aria-label", `${name}: ${words.textContent}`);
  }
  fill("", null);
  return { node, fill };
}
