// The chosen point and so much of a direction that has a name: what an 8 has and a 3 has not.

import { choice, el, field, figure } from "./elements.js";
import { base64Of, bitmap, paint } from "./pictures.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, drawn, file, pictures, request } from "./service.js";
import { carry, senders } from "./slots.js";
import { change, state, watch } from "./state.js";

export const id = "arithmetic";
export const title = "Arithmetic";
export const lead =
  "The chosen picture's latents and so much of a direction: the mean of a class, or the way from " +
  "one class to another.";

const REACH = 2; // of the slider, either way

export function build(model, tell) {
  if (!model.directions.length) {
    const none = `No directions were published with ${model.id}; there is nothing to add.`;
    return [el("p", { class: "note" }, none)];
  }
  const direction = choice(
    model.directions.map((name) => [name, name]),
    () => change({ direction: direction.value }),
  );
  const weight = el("input", {
    type: "range",
    min: -REACH,
    max: REACH,
    step: 0.05,
    oninput: () => change({ weight: weight.value }),
  });
  const shown = el("span", { class: "value" });
  const original = el("canvas", { role: "img" });
  const sum = el("canvas", { role: "img" });
  const of = el("span");
  const plus = el("span");
  const line = requestLine(tell);

  const draw = attempt(tell, async () => {
    if (!state.point) return;
    const { point: text, direction: named, weight: much } = state;
    const name = named || model.directions[0];
    const terms = [points.read(model, text), { direction: name, weight: Number(much) }];
    const asked = request(model, "arithmetic", {}, { terms });
    const before = await bitmap(await points.image(model, text));
    const [image] = await pictures(asked);
    paint(original, before);
    paint(sum, await bitmap(image));
    of.textContent = points.name(text);
    plus.textContent = `${Number(much) < 0 ? "less" : "and"} ${Math.abs(much)} × (${name})`;
    original.setAttribute("aria-label", `The picture of ${points.name(text)}`);
    sum.setAttribute("aria-label", `${points.name(text)} ${plus.textContent}`);
    const large = drawn(asked, { scale: model.scale });
    line.show(curl(large, "sum.png"), [["PNG", "sum.png", () => file(large, "png")]]);
  });

  // The service tells no sum's latent; its picture stands for it.
  const picture = () => sum.hasAttribute("aria-label") && points.picturePoint(base64Of(sum));

  carry(original, () => state.point);
  carry(sum, picture);
  watch(["point", "direction", "weight"], () => {
    direction.value = state.direction || model.directions[0];
    weight.value = state.weight;
    shown.textContent = Number(state.weight).toFixed(2).replace("-", "−");
    draw();
  });

  return [
    el("div", { class: "pair" }, figure(original, of), figure(sum, plus)),
    el(
      "div",
      { class: "controls" },
      field("Direction", direction),
      field("Weight", el("span", { class: "ranged" }, weight, shown)),
    ),
    senders(picture),
    line.node,
  ];
}
