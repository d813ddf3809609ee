// A pad to draw on, by pointer or by keys, or to put a picture on. Knows neither the state nor the
// service: it tells what is on it, in the model's size.

import { announce, el } from "./elements.js";
import { asModelInput, cropped, drawStrokes, inverted, PEN } from "./ink.js";

const WIDTH = 504;

/** A canvas of the model's proportions, to be drawn on by pointer or keys. */
export function makeSurface(model, kind, label) {
  return el("canvas", {
    class: kind,
    width: WIDTH,
    height: Math.round((WIDTH * model.height) / model.width),
    tabindex: 0,
    role: "application",
    "aria-label": label,
  });
}
const EMPTY = { picture: null, strokes: [] };

/** `changed` is called with a canvas of the model's size, or null for an empty pad, at most once a
 * frame; `colour()` is the pen's. */
export function makePad(model, colour, changed) {
  let now = EMPTY;
  let before = [];
  let coming = 0;
  const label = "Drawing pad. Arrow keys move the pen, space puts it down and lifts it.";
  const node = makeSurface(model, "pad", label);
  const pen = makePen(node, {
    begin: (point) => {
      const stroke = { colour: colour(), points: [point] };
      set({ ...now, strokes: [...now.strokes, stroke] });
    },
    extend: (point) => {
      now.strokes.at(-1).points.push(point);
      update();
    },
    draw,
    width: () => PEN,
  });

  const input = () => asModelInput(model, now.picture, now.strokes);

  function draw() {
    const context = node.getContext("2d");
    context.fillRect(0, 0, node.width, node.height);
    context.imageSmoothingEnabled = false;
    if (now.picture) context.drawImage(now.picture, 0, 0, node.width, node.height);
    drawStrokes(context, now.strokes, { scale: node.width, pen: node.width, x: 0, y: 0 });
    pen.draw(context);
  }

  /** Once a frame: pointers report faster than one can see. */
  function update() {
    cancelAnimationFrame(coming);
    coming = requestAnimationFrame(() => {
      draw();
      changed(input());
    });
  }

  function set(next) {
    before.push(now);
    now = next;
    update();
  }

  /** Take the last change back; whether there was one. */
  function undo() {
    if (!before.length) return false;
    now = before.pop();
    update();
    return true;
  }

  node.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" || (event.key === "z" && event.ctrlKey)) undo();
  });
  draw();
  return {
    node,
    undo,
    clear: () => set(EMPTY),
    invert: () => set({ picture: inverted(input()), strokes: [] }),
    put: (picture) => set({ picture: cropped(model, picture), strokes: [] }),
    /** Show a picture that is no change: it came with the address. */
    show: (picture) => {
      now = { picture: cropped(model, picture), strokes: [] };
      draw();
    },
    get empty() {
      return !now.picture && !now.strokes.length;
    },
  };
}

/** A pen led by a pointer or by keys; points and `width()` are in parts of the pad's width. */
export function makePen(pad, { begin, extend, draw, width }) {
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
    const move = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    }[event.key];
    if (move) for (const axis of [0, 1]) at[axis] = clamped(at[axis] + move[axis] / 28);
    else if (event.key === " ") announce((down = !down) ? "Pen down" : "Pen up");
    else return;
    event.preventDefault();
    if (down && !move) begin([...at]);
    else if (down) extend([...at]);
    else draw();
  });
  pad.addEventListener("focus", () => draw());
  pad.addEventListener("blur", () => draw());

  return {
    /** Where the keys have led the pen, while they have the pad. */
    draw(context) {
      if (!pad.matches(":focus-visible")) return;
      context.strokeStyle = down ? "#ffd08a" : "#5cc7c0";
      context.lineWidth = 3;
      context.beginPath();
      context.arc(at[0] * pad.width, at[1] * pad.width, (width() * pad.width) / 2, 0, 7);
      context.stroke();
    },
  };
}

const clamped = (part) => Math.min(1, Math.max(0, part));
