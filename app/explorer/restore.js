// A mask on the chosen picture, and what the model finds likely below it.

import { button, choice, el, field, figure } from "./elements.js";
import { makeMask } from "./mask.js";
import { base64Of, bitmap, pngOf, readFile } from "./pictures.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, drawn, file, pictures, Refusal, request } from "./service.js";
import { makeSheet } from "./sheet.js";
import { senders } from "./slots.js";
import { change, state, watch } from "./state.js";

export const id = "restore";
export const title = "Restore";
export const lead =
  "Paint over a part of the chosen picture. The model fills it in with what it finds likely beside " +
  "the rest.";

// The service searches several times: the weighted mean of what it finds, or so much of it.
const COUNTS = [
  ["1", "the mean"],
  ["4", "the 4 likeliest"],
  ["9", "the 9 likeliest"],
];

export function build(model, tell) {
  const brush = el("input", { type: "range", min: 0.04, max: 0.4, step: 0.02 });
  brush.value = 0.16;
  const mask = makeMask(model, () => Number(brush.value), painted);
  const sheet = makeSheet("What is restored", (i) => change({ restoration: i }));
  const count = choice(COUNTS, () => change({ restorations: count.value, restoration: 0 }));
  const start = button("Restore", () => change({ restored: "yes" }), { class: "main" });
  const clear = button("Unmask", () => change({ mask: "", restored: "" }));
  const line = requestLine(tell);
  let masked = ""; // the point that the mask is for
  let found = []; // points

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
    if (!state.restored || !state.point) return show([]);
    const [point, samples] = [points.read(model, state.point), Number(state.restorations)];
    const question = { point, mask: given(model), ...(samples !== 1 && { samples }) };
    const asked = request(model, "restore", {}, question);
    const images = await pictures(asked);
    if (!state.restored) return show([]); // it has been painted on meanwhile
    show(images);
    const large = drawn(asked, { scale: model.scale });
    line.show(curl(large, "restored.png"), [["PNG", "restored.png", () => file(large, "png")]]);
  });

  function show(images) {
    found = images.map(points.picturePoint);
    const words = (i) => `Restoration ${i + 1} of ${found.length}`;
    const tiles = images.map((image, i) => ({ image, words: words(i), point: found[i] }));
    sheet.show(tiles, Math.ceil(Math.sqrt(found.length)));
    mark();
    line.node.hidden = !found.length;
  }

  const chosen = () => Math.min(Number(state.restoration), found.length - 1);
  const mark = () => sheet.mark(chosen());

  /** The chosen one of what is restored, or "" and a word about it. */
  function picture() {
    const none = "Nothing is restored yet: paint over a part, and press Restore.";
    tell(found.length ? "" : none);
    return found[chosen()] ?? "";
  }

  watch(["point"], () => {
    const another = masked && masked !== state.point;
    masked = state.point;
    if (another) change({ mask: "", restored: "" });
  });
  watch(["point", "mask"], () => {
    start.disabled = clear.disabled = !state.mask;
    lay();
  });
  watch(["restored", "point", "restorations"], draw);
  watch(["restorations"], () => (count.value = state.restorations));
  watch(["restoration"], mark);

  return [
    el(
      "div",
      { class: "pair" },
      figure(mask.node, "paint what is to be restored"),
      figure(sheet.node, "restored"),
    ),
    el(
      "div",
      { class: "controls" },
      field("Brush", el("span", { class: "ranged" }, brush)),
      field("Show", count),
      start,
      clear,
    ),
    senders(picture),
    line.node,
  ];
}

/** The mask that the address holds: the base64 of its PNG. */
function given(model) {
  const { image } = points.read(model, state.mask);
  if (!image) throw new Refusal("The address holds a point where a mask should be.");
  return image;
}
