// A pad to draw on. What is drawn, or a picture of one's own, goes through the encoder and back.

import { announce, button, el } from "./elements.js";
import { asModelInput, cropped, drawStrokes, inverted, PEN } from "./ink.js";
import { base64Of, bitmap, paint, pngOf, readFile } from "./pictures.js";
import * as points from "./points.js";
import { requestLine } from "./request_line.js";
import { attempt, curl, file, json, PIPED, pictures, request } from "./service.js";
import { carry, receive, senders } from "./slots.js";
import { change, state, watch } from "./state.js";

export const id = "drawing";
export const title = "Drawing";
export const lead =
  "Draw, or drop, paste or choose a picture. The encoder finds its place in the latent space, and " +
  "the decoder draws what it finds there.";

const EMPTY = "The pad is empty: draw something on it, or give it a picture, first.";
const PAD_WIDTH = 504;

export function build(model, tell) {
  let now = { picture: null, strokes: [] };
  let before = [];
  const pad = el("canvas", {
    class: "pad",
    width: PAD_WIDTH,
    height: Math.round((PAD_WIDTH * model.height) / model.width),
    tabindex: 0,
    role: "application",
    "aria-label": "Drawing pad. Arrow keys move the pen, space puts it down and lifts it.",
  });
  const small = { role: "img", class: "empty", width: 1, height: 1 };
  const given = el("canvas", { ...small, "aria-label": "What the encoder is given" });
  const again = el("canvas", { ...small, "aria-label": "The reconstruction" });
  const colour = el("input", { type: "color", value: "#ffffff", "aria-label": "Colour of the pen" });
  const choose = el("input", {
    type: "file",
    accept: "image/*",
    class: "unseen",
    onchange: () => choose.files[0] && take(choose.files[0]),
  });
  const toSelected = button("", walkToSelected, { class: "main" });
  const line = requestLine(tell);
  const pen = makePen(pad, {
    begin: (point) => set({ ...now, strokes: [...now.strokes, stroke(point)] }),
    extend: (point) => {
      now.strokes.at(-1).points.push(point);
      update();
    },
  });

  const stroke = (point) => ({ colour: model.channels > 1 ? colour.value : "#fff", points: [point] });

  function set(next) {
    before.push(now);
    now = next;
    update();
  }

  function undo() {
    if (!before.length) return tell("There is nothing to undo.");
    now = before.pop();
    update();
  }

  let coming = 0;
  /** Once a frame: pointers report faster than one can see. */
  function update() {
    cancelAnimationFrame(coming);
    coming = requestAnimationFrame(() => {
      drawPad();
      const input = asModelInput(model, now.picture, now.strokes);
      change({ drawing: input ? points.picturePoint(base64Of(input)) : "" });
    });
  }

  function drawPad() {
    const context = pad.getContext("2d");
    context.fillRect(0, 0, pad.width, pad.height);
    context.imageSmoothingEnabled = false;
    if (now.picture) context.drawImage(now.picture, 0, 0, pad.width, pad.height);
    drawStrokes(context, now.strokes, { scale: pad.width, pen: pad.width, x: 0, y: 0 });
    pen.draw(context);
  }

  const take = attempt(tell, async (source) => {
    const picture =
      typeof source === "string" ? await bitmap(await imageOf(source)) : await readFile(source);
    if (!pad.isConnected) return;
    set({ picture: asCanvas(cropped(model, picture)), strokes: [] });
    announce("The picture is on the pad");
  });

  async function imageOf(text) {
    const point = points.read(text);
    if (point.image) return point.image;
    if (!point.numbers) return points.sampleImage(model, point);
    const latents = [points.shaped(point.numbers, model.latent_shape)];
    return (await pictures(request(model, "decode", {}, { latents })))[0];
  }

  const rebuild = attempt(tell, async () => {
    if (!state.drawing) return show(null, null);
    const { image } = points.read(state.drawing);
    const picture = await readFile(pngOf(image));
    if (!now.picture && !now.strokes.length) {
      // It came with the address.
      now = { picture: asCanvas(picture), strokes: [] };
      drawPad();
    }
    const encode = request(model, "encode", {}, { images: [image] });
    const { mean } = await json(encode);
    const decode = request(model, "decode", {}, { latents: mean });
    const [answer] = await pictures(decode);
    show(picture, await bitmap(answer));
    const piped = request(model, "decode", { scale: model.scale }, PIPED);
    const name = "reconstruction.png";
    line.show(`${curl(encode, "-")} | ${curl(piped, name)}`, [
      ["PNG", name, () => file({ ...decode, query: { scale: model.scale } }, "png")],
    ]);
  });

  function show(input, output) {
    for (const [canvas, source] of [[given, input], [again, output]]) {
      canvas.classList.toggle("empty", !source);
      paint(canvas, source);
    }
    line.node.hidden = !output;
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

  receive(pad, take, take);
  carry(given, () => state.drawing);
  document.onpaste = ({ clipboardData }) => {
    const [pasted] = [...clipboardData.files].filter(({ type }) => type.startsWith("image/"));
    if (pasted) take(pasted);
  };
  pad.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" || (event.key === "z" && event.ctrlKey)) undo();
  });
  pad.addEventListener("focus", drawPad);
  pad.addEventListener("blur", drawPad);
  drawPad();
  watch(["drawing"], rebuild);
  watch(["selected"], () => {
    toSelected.textContent = state.selected ? `Walk to ${points.name(state.selected)}` : "Walk";
  });

  const clear = () => set({ picture: null, strokes: [] });
  const invert = () => {
    const input = asModelInput(model, now.picture, now.strokes);
    if (drawn() && input) set({ picture: inverted(input), strokes: [] });
  };
  return [
    el(
      "div",
      { class: "drawing" },
      pad,
      figure(given, "what the encoder gets"),
      figure(again, "what the decoder makes of it"),
    ),
    el(
      "div",
      { class: "controls tight" },
      button("Undo", undo),
      button("Clear", clear),
      button("Invert", invert),
      el("label", { class: "button" }, "Picture…", choose),
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
  ];
}

const figure = (canvas, caption) =>
  el("figure", {}, canvas, el("figcaption", {}, caption));

function asCanvas(picture) {
  const canvas = document.createElement("canvas");
  paint(canvas, picture);
  return canvas;
}

/** A pen led by a pointer or by keys; points are parts of the pad's width. */
function makePen(pad, { begin, extend }) {
  const at = [0.5, (0.5 * pad.height) / pad.width];
  let down = false;

  const place = (event) => {
    const box = pad.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.width];
  };
  pad.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pad.setPointerCapture(event.pointerId);
    begin(place(event));
  });
  pad.addEventListener("pointermove", (event) => {
    if (!pad.hasPointerCapture(event.pointerId)) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) extend(place(each));
  });

  pad.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    if (move) [0, 1].forEach((axis) => (at[axis] = Math.min(1, Math.max(0, at[axis] + move[axis] / 28))));
    else {
      down = !down;
      announce(down ? "Pen down" : "Pen up");
      if (down) return begin([...at]);
    }
    if (down) extend([...at]);
    else pad.dispatchEvent(new Event("focus"));
  });

  /** Where the keys have led the pen, while they have the pad. */
  function draw(context) {
    if (!pad.matches(":focus-visible")) return;
    context.strokeStyle = down ? "#ffd08a" : "#5cc7c0";
    context.lineWidth = 3;
    context.beginPath();
    context.arc(at[0] * pad.width, at[1] * pad.width, (PEN * pad.width) / 2, 0, 7);
    context.stroke();
  }
  return { draw };
}
