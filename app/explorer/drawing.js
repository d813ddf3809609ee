// What is drawn on the pad, or a picture of one's own, goes through the encoder and back.

import { announce, button, el, figure } from "./elements.js";
import { makePad } from "./pad.js";
import { base64Of, bitmap, paint, pngOf, readFile } from "./pictures.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, file, json, PIPED, pictures, request } from "./service.js";
import { carry, receive, senders } from "./slots.js";
import { change, state, watch } from "./state.js";

export const id = "drawing";
export const title = "Drawing";
export const lead =
  "Draw, or drop, paste or choose a picture. The encoder finds its place in the latent space, " +
  "and the decoder draws what it finds there.";

const LONG = 8000; // characters of an address, beyond which mail and chats begin to cut it off
const EMPTY = "The pad is empty: draw something on it, or give it a picture, first.";

export function build(model, tell) {
  const colour = el("input", { type: "color", "aria-label": "Colour of the pen" });
  colour.value = "#ffffff";
  const pad = makePad(model, () => colour.value, (input) =>
    change({ drawing: input ? points.picturePoint(base64Of(input)) : "" }),
  );
  const small = { role: "img", class: "empty", width: 1, height: 1 };
  const given = el("canvas", { ...small, "aria-label": "What the encoder is given" });
  const again = el("canvas", { ...small, "aria-label": "The reconstruction" });
  const toSelected = button("", walkToSelected, { class: "main" });
  const note = el("p", { class: "note" });
  const line = requestLine(tell);

  /** A file, or a point: its picture, as what is on the pad. */
  const take = attempt(tell, async (source) => {
    const picture =
      typeof source === "string"
        ? await bitmap(await points.image(model, source))
        : await readFile(source);
    if (!pad.node.isConnected) return;
    pad.put(picture);
    announce("The picture is on the pad");
  });

  const rebuild = attempt(tell, async () => {
    if (!state.drawing) return show(null, null);
    const { image } = points.read(model, state.drawing);
    const picture = await readFile(pngOf(image));
    if (pad.empty) pad.show(picture);
    const encode = request(model, "encode", {}, { images: [image] });
    const { mean } = await json(encode);
    const decode = request(model, "decode", { scale: model.scale }, { latents: mean });
    const [answer] = await pictures({ ...decode, query: {} });
    show(picture, await bitmap(answer));
    const name = "reconstruction.png";
    line.show(`${curl(encode, "-")} | ${curl({ ...decode, body: PIPED }, name)}`, [
      ["PNG", name, () => file(decode, "png")],
    ]);
  });

  function show(input, output) {
    for (const [canvas, source] of [[given, input], [again, output]]) {
      canvas.classList.toggle("empty", !source);
      paint(canvas, source);
    }
    line.node.hidden = !output;
    note.textContent =
      state.drawing.length > LONG
        ? `This picture makes the view's address ${Math.round(state.drawing.length / 1000)},000 ` +
          "characters long; not everything that one sends it with may keep all of them."
        : "";
  }

  /** What is on the pad, or "" and a word about it. */
  function drawn() {
    tell(state.drawing ? "" : EMPTY);
    return state.drawing;
  }

  function walkToSelected() {
    if (!drawn()) return;
    change({ walk: `${state.drawing},,,${state.selected}`, frame: 0 });
    announce(`The walk now goes from your picture to ${points.name(state.selected)}`);
    document.getElementById("walk").scrollIntoView({ block: "nearest" });
  }

  receive(pad.node, take, take);
  for (const shown of [given, again]) carry(shown, () => state.drawing);
  document.onpaste = ({ clipboardData }) => {
    const pasted = [...clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (pasted) take(pasted);
  };
  watch(["drawing"], rebuild);
  watch(["selected"], () => {
    toSelected.textContent = state.selected ? `Walk to ${points.name(state.selected)}` : "Walk";
  });

  return [
    el(
      "div",
      { class: "drawing" },
      pad.node,
      figure(given, "what the encoder gets"),
      figure(again, "what the decoder makes of it"),
    ),
    el(
      "div",
      { class: "controls tight" },
      button("Undo", () => pad.undo() || tell("There is nothing to undo.")),
      button("Clear", pad.clear),
      button("Invert", () => drawn() && pad.invert()),
      chooseFile(take),
      ...(model.channels > 1 ? [colour] : []),
    ),
    el(
      "div",
      { class: "controls tight" },
      toSelected,
      button("Vary its latents", () => drawn() && change({ point: state.drawing, varied: "" })),
    ),
    senders(drawn),
    line.node,
    note,
  ];
}

function chooseFile(take) {
  const input = el("input", {
    type: "file",
    accept: "image/*",
    class: "unseen",
    onchange: () => {
      if (input.files[0]) take(input.files[0]);
      input.value = ""; // so that the same file can be chosen again
    },
  });
  return el("label", { class: "button" }, "Picture…", input);
}
