// How a picture gets from one section to another: carried by pointer, or sent by a button.

import { announce, button, el } from "./elements.js";
import * as points from "./points.js";
import { change, state } from "./state.js";

const KIND = "application/x-latentd-point";

/** The walk's places, in its order; the corners may stay empty. */
export const SLOTS = ["Start", "Corner 1", "Corner 2", "End"];

/** The walk's points, "" for an empty place. */
export const inSlots = () => SLOTS.map((_, i) => state.walk.split(",")[i] ?? "");

export function put(place, text) {
  change({ walk: inSlots().with(place, text).join(",") });
  const now = text ? `${points.name(text)} is now` : "Nothing is now";
  announce(`${now} at ${SLOTS[place]} of the walk`);
}

/** Buttons that send the point that `current()` gives to a place of the walk. */
export function senders(current) {
  const send = (place) => () => {
    const text = current();
    if (text) put(place, text);
  };
  const buttons = SLOTS.map((name, i) =>
    button(name, send(i), { "aria-label": `Send it to ${name} of the walk` }),
  );
  return el("div", { class: "senders" }, el("span", {}, "Into the walk"), ...buttons);
}

/** Let `node` be dragged as the point that `current()` gives. */
export function carry(node, current) {
  node.draggable = true;
  node.addEventListener("dragstart", (event) => {
    const text = current();
    if (!text) return event.preventDefault();
    event.dataTransfer.setData(KIND, text);
    event.dataTransfer.effectAllowed = "copy";
    document.body.classList.add("carrying");
  });
  node.addEventListener("dragend", () => document.body.classList.remove("carrying"));
}

/** Take what is dropped on `node`: a point by `take`, a file, where it is given, by `takeFile`. */
export function receive(node, take, takeFile = undefined) {
  node.addEventListener("dragover", (event) => {
    const kinds = event.dataTransfer.types;
    if (kinds.includes(KIND) || (takeFile && kinds.includes("Files"))) {
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      node.classList.add("over");
    }
  });
  node.addEventListener("dragleave", () => node.classList.remove("over"));
  node.addEventListener("drop", (event) => {
    event.preventDefault();
    node.classList.remove("over");
    const text = event.dataTransfer.getData(KIND);
    if (text) take(text);
    else if (takeFile && event.dataTransfer.files[0]) takeFile(event.dataTransfer.files[0]);
  });
}
