// A mask on the chosen picture, and what the model finds likely below it.

import { button, el, field, figure } from "./elements.js";
import { makeMask } from "./mask.js";
import { base64Of, bitmap, paint, pngOf, readFile } from "./pictures.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, file, pictures, Refusal, request } from "./service.js";
import { carry, senders } from "./slots.js";
import { change, state, watch } from "./state.js";

export const id = "restore";
export const title = "Restore";
export const lead =
  "Paint over a part of the chosen picture. The model fills it in with what it finds likely beside " +
  "the rest.";

export function build(model, tell) {
  const brush = el("input", { type: "range", min: 0.04, max: 0.4, step: 0.02 });
  brush.value = 0.16;
  const mask = makeMask(model, () => Number(brush.value), painted);
  const restored = el("canvas", { role: "img", class: "empty", width: 1, height: 1 });
  const start = button("Restore", () => change({ restored: "yes" }), { class: "main" });
  const clear = button("Unmask", () => change({ mask: "", restored: "" }));
  const line = requestLine(tell);
  let masked = ""; // the point that the mask is for

  function painted() {
    change({ mask: points.picturePoint(base64Of(mask.canvas)), restored: "" });
  }

  const lay = attempt(tell, async () => {
    if (!state.point) return;
    mask.under(await bitmap(await points.image(model, state.point)));
    if (state.mask === points.picturePoint(base64Of(mask.canvas))) return;
    mask.show(state.mask && (await readFile(pngOf(given(model)))));
  });

  const draw = attempt(tell, async () => {
    if (!state.restored || !state.point) return show(null);
    const point = points.read(model, state.point);
    const asked = request(model, "restore", {}, { point, mask: given(model) });
    const [image] = await pictures(asked);
    if (!state.restored) return show(null); // it has been painted on meanwhile
    show(await bitmap(image));
    const large = { ...asked, query: { scale: model.scale } };
    line.show(curl(large, "restored.png"), [["PNG", "restored.png", () => file(large, "png")]]);
  });

  function show(picture) {
    paint(restored, picture);
    restored.classList.toggle("empty", !picture);
    restored.setAttribute("aria-label", picture ? "The restored picture" : "Nothing is restored");
    line.node.hidden = !picture;
  }

  /** What is restored, or "" and a word about it. */
  function picture() {
    tell(state.restored ? "" : "Nothing is restored yet: paint over a part, and press Restore.");
    return state.restored && points.picturePoint(base64Of(restored));
  }

  carry(restored, picture);
  watch(["point"], () => {
    const another = masked && masked !== state.point;
    masked = state.point;
    if (another) change({ mask: "", restored: "" });
  });
  watch(["point", "mask"], () => {
    start.disabled = clear.disabled = !state.mask;
    lay();
  });
  watch(["restored", "point"], draw);

  return [
    el(
      "div",
      { class: "pair" },
      figure(mask.node, "paint what is to be restored"),
      figure(restored, "restored"),
    ),
    el(
      "div",
      { class: "controls" },
      field("Brush", el("span", { class: "ranged" }, brush)),
      start,
      clear,
      senders(picture),
    ),
    line.node,
  ];
}

/** The mask that the address holds: the base64 of its PNG. */
function given(model) {
  const { image } = points.read(model, state.mask);
  if (!image) throw new Refusal("The address holds a point where a mask should be.");
  return image;
}
