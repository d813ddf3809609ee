// Two latents, or samples, as a map: one picture of many, the place under the pointer shown large.

import { makeBoard } from "./board.js";
import { announce, button, choice, el, field } from "./elements.js";
import { base64Of, bitmap, paint } from "./pictures.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, file, pictures, request } from "./service.js";
import { carry, senders } from "./slots.js";
import { change, state, watch } from "./state.js";
import { strongest } from "./strongest.js";

export const id = "map";
export const title = "Map";
export const lead =
  "Two latents, each over what its prior makes likely, all others in their middle or as the chosen " +
  "sample has them; or many samples, those side by side that the encoder finds alike. Point at a " +
  "place to see it large; choose it to go on from there.";

const MANY_PIXELS = 64 * 64; // of images beyond it, a map has fewer
const [LEAST, MOST] = [0.05, 0.95]; // the quantiles that a map reaches from and to

export function build(model, tell) {
  if (model.latent_shape.every((side) => side === 1)) {
    return [el("p", { class: "note" }, `${model.id} has one latent only; a map takes two.`)];
  }
  const steps = model.width * model.height > MANY_PIXELS ? 7 : 13;
  let tiles = []; // line by line
  let names = [];
  let drawn; // what the map that is shown, or will be, depends on
  const across = choice([], () => change({ across: across.value }));
  const down = choice([], () => change({ down: down.value }));
  const through = choice(
    [["", "two latents"], ["sample", ""], ["samples", "many samples"]],
    () => change({ through: through.value }),
  );
  const latents = [field("To the right", across), field("Down", down)];
  const projected = () => state.through === "samples";
  const sheet = el("canvas", {
    width: model.width,
    height: model.height,
    tabindex: 0,
    role: "application",
    "aria-label": "The map. Arrow keys move over it, Enter chooses the place.",
  });
  const board = makeBoard(sheet);
  const view = el("canvas", { class: "view", role: "img" });
  const note = el("p", { class: "note" });
  const line = requestLine(tell);

  const draw = attempt(tell, async () => {
    const asked = projected()
      ? request(model, "map", { projection: true, steps })
      : await ofTwoLatents();
    const fresh = await Promise.all((await pictures(asked)).map(bitmap));
    for (const old of tiles) old.close();
    tiles = fresh;
    board.show(tiles, steps);
    show(chosen());
    line.show(curl(asked, "map.png"), [["PNG", "map.png", () => file(asked, "png")]]);
  });

  async function ofTwoLatents() {
    const { order } = await strongest(model);
    const [x, y] = axes(order);
    offer(order, x, y);
    names = [`z${x}`, `z${y}`];
    return points.map(model, state.through && state.selected, { x, y, steps });
  }

  function offer(order, x, y) {
    for (const [control, number] of [[across, x], [down, y]]) {
      if (!control.length) {
        control.append(...order.map((value) => el("option", { value }, `z${value}`)));
      }
      control.value = number;
    }
  }

  /** The chosen place's column and line; the middle at first. */
  function chosen() {
    const place = /^(\d+),(\d+)$/.exec(state.place)?.slice(1).map(Number);
    return (place ?? [(steps - 1) / 2, (steps - 1) / 2]).map(within);
  }

  const within = (line) => Math.min(steps - 1, Math.max(0, line));

  function show(place) {
    if (!tiles.length) return;
    const number = place[1] * steps + place[0];
    board.mark(number);
    paint(view, tiles[number]);
    const where = projected()
      ? [`Column ${place[0] + 1}`, `line ${place[1] + 1}`]
      : place.map((at, axis) => {
          const quantile = LEAST + ((MOST - LEAST) * at) / (steps - 1);
          return `${names[axis]} at its ${quantile.toFixed(2)} quantile`;
        });
    note.textContent = `${where.join(", ")}.`;
    view.setAttribute("aria-label", `The map's picture at ${where.join(" and ")}`);
  }

  /** The place shown becomes the chosen picture. */
  function take() {
    if (!tiles.length) return;
    change({ point: picture(), varied: "" });
    announce("The map's picture is now the chosen one");
  }

  // The service tells no place's latent; its picture stands for it.
  const picture = () => tiles.length && points.picturePoint(base64Of(view));

  function under(event) {
    const number = board.under(event);
    return [number % steps, Math.floor(number / steps)];
  }

  sheet.addEventListener("pointermove", (event) => show(under(event)));
  sheet.addEventListener("pointerleave", () => show(chosen()));
  sheet.addEventListener("click", (event) => {
    change({ place: under(event) });
    take();
  });
  sheet.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (!move && event.key !== "Enter") return;
    event.preventDefault();
    if (!move) return take();
    change({ place: chosen().map((at, axis) => within(at + move[axis])) });
    announce(note.textContent);
  });
  carry(view, picture);
  watch(["across", "down", "selected", "through"], () => {
    const sample = state.selected ? points.name(state.selected) : "the sample";
    through.options[1].text = `two latents of ${sample}`;
    through.value = state.through;
    for (const one of latents) one.hidden = projected();
    const around = state.through === "sample" ? state.selected : state.through;
    const wanted = [state.across, state.down, around].join();
    if (wanted !== drawn) draw();
    drawn = wanted;
  });
  watch(["place"], () => show(chosen()));

  return [
    el(
      "div",
      { class: "mapped" },
      board.node,
      el(
        "div",
        { class: "beside" },
        view,
        note,
        el(
          "div",
          { class: "controls" },
          ...latents,
          field("Map of", through),
        ),
      ),
    ),
    el("div", { class: "chosen" }, button("Choose it", take), senders(picture)),
    line.node,
  ];
}

/** The two latents that the address names; for those that it does not, the strongest others. */
function axes(order) {
  const named = [state.across, state.down].filter(Boolean);
  const others = order.filter((number) => !named.includes(String(number)));
  return [state.across || others.shift(), state.down || others.shift()];
}
