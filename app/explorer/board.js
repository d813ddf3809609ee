// Pictures of one size drawn as one, line by line, and a mark on one of them.

import { el } from "./elements.js";
import { paintSheet } from "./pictures.js";

export function makeBoard(canvas) {
  let [columns, rows] = [1, 1];
  const mark = el("span", { class: "mark" });
  const node = el("div", { class: "board" }, canvas, mark);
  const set = (element, values) => {
    for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
  };
  const line = (part, lines) => Math.min(lines - 1, Math.max(0, Math.floor(part * lines)));

  return {
    node,
    /** So many in each line. */
    show(images, across) {
      [columns, rows] = [across, Math.ceil(images.length / across)];
      paintSheet(canvas, images, columns);
      set(node, { "--columns": columns, "--rows": rows });
    },
    /** Mark the picture of a number. */
    mark: (i) => set(mark, { "--column": i % columns, "--row": Math.floor(i / columns) }),
    /** The number of the picture under a pointer. */
    under({ offsetX, offsetY }) {
      const row = line(offsetY / canvas.clientHeight, rows);
      return row * columns + line(offsetX / canvas.clientWidth, columns);
    },
  };
}
