// The numbers of one point, each with a slider: what changes in the picture when one number does.

import { button, el } from "./elements.js";
import { bitmap, paint } from "./pictures.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, drawn, file, pictures, request } from "./service.js";
import { carry, senders } from "./slots.js";
import { change, state, watch } from "./state.js";
import { strongest } from "./strongest.js";

export const id = "latents";
export const title = "Latents";
export const lead =
  "The numbers that stand for the chosen picture, those first that tell most about one. Move one " +
  "and see what it means to the decoder.";

const SHOWN = 8;
const REACH = 4; // a latent's slider goes this far from 0, or as far as the latent itself

export function build(model, tell) {
  let base = null; // the point's numbers
  let order = []; // of the sliders
  const view = el("canvas", { class: "view", role: "img" });
  const note = el("p", { class: "note" });
  const sliders = el("div", { class: "sliders" });
  const range = el("span", { class: "value" });
  const inOrder = el("p", { class: "note" });
  const reset = button("Reset", () => change({ varied: "" }));
  const fewer = button("‹", () => page(-1), { "aria-label": "Latents before these" });
  const more = button("›", () => page(1), { "aria-label": "Latents after these" });
  const line = requestLine(tell);

  const page = (by) => change({ first: Number(state.first) + by * SHOWN });

  /** The base with what is varied. */
  function numbers() {
    const now = [...base];
    for (const [number, value] of varied()) if (number in now) now[number] = value;
    return now;
  }

  const find = attempt(tell, async () => {
    if (!state.point) return;
    const known = await strongest(model);
    base = await points.latent(model, state.point);
    order = known.order;
    inOrder.textContent = known.words;
    note.textContent = `Begins at ${points.name(state.point)}.`;
    list();
    await draw();
  });

  const draw = attempt(tell, async () => {
    const latents = [points.shaped(numbers(), model.latent_shape)];
    const asked = request(model, "decode", {}, { latents });
    const [image] = await pictures(asked);
    paint(view, await bitmap(image));
    view.setAttribute("aria-label", `The picture of ${points.name(state.point)}, as varied here`);
    const large = drawn(asked, { scale: model.scale });
    line.show(curl(large, "latent.png"), [["PNG", "latent.png", () => file(large, "png")]]);
  });

  function list() {
    const first = Math.min(Math.max(0, Number(state.first) || 0), base.length - 1);
    const last = Math.min(first + SHOWN, base.length);
    const now = numbers();
    const rows = order.slice(first, last).map((number) => row(number, now[number]));
    sliders.replaceChildren(...rows);
    range.textContent = `${first + 1} – ${last} of ${base.length}`;
    fewer.disabled = first === 0;
    more.disabled = last === base.length;
    for (const part of [fewer, range, more]) part.hidden = base.length <= SHOWN;
    reset.disabled = !state.varied;
  }

  function row(number, value) {
    const reach = Math.max(REACH, Math.ceil(Math.abs(base[number])));
    const shown = el("span", { class: "value" }, written(value));
    const slider = el("input", {
      type: "range",
      min: -reach,
      max: reach,
      step: 0.01,
      "aria-label": `z${number}`,
      oninput: () => {
        shown.textContent = written(Number(slider.value));
        const all = new Map(varied()).set(number, Number(slider.value));
        change({ varied: [...all].map((pair) => pair.join(":")).join(",") });
      },
    });
    slider.value = value;
    return el("label", { class: "latent" }, el("span", {}, `z${number}`), slider, shown);
  }

  carry(view, () => base && points.latentPoint(numbers()));
  watch(["point"], find);
  watch(["varied"], () => {
    if (!base) return;
    reset.disabled = !state.varied;
    // A slider that is being moved stays; what has been reset goes back.
    if (!state.varied) list();
    draw();
  });
  watch(["first"], () => base && list());

  return [
    el(
      "div",
      { class: "latents" },
      el("div", { class: "beside" }, view, note),
      el(
        "div",
        { class: "beside" },
        sliders,
        el("div", { class: "controls tight" }, fewer, range, more, reset),
        inOrder,
      ),
    ),
    senders(() => base && points.latentPoint(numbers())),
    line.node,
  ];
}

const written = (value) => value.toFixed(2).replace("-", "−");

/** The varied latents as [number, value] pairs. */
function varied() {
  const pairs = state.varied.split(",").map((part) => part.split(":").map(Number));
  return pairs.filter((pair) => pair.length === 2 && pair.every(Number.isFinite));
}
