// A sheet of pictures of which one is chosen, by pointer or by keys, and each can be carried away.

import { el } from "./elements.js";
import { dataUrl } from "./pictures.js";
import { carry } from "./slots.js";

/** `choose` is called with the number of the picture that is to be the chosen one. */
export function makeSheet(name, choose) {
  let columns = 1;
  const node = el("div", { class: "sheet", role: "listbox", "aria-label": name });

  /** Pictures as {image: the base64 of a PNG, words, point}. */
  function show(pictures, across) {
    columns = across;
    node.style.setProperty("--columns", columns);
    node.classList.toggle("empty", !pictures.length);
    node.replaceChildren(...pictures.map(tile));
  }

  function tile({ image, words, point }, i) {
    const src = dataUrl(image);
    const picture = el("img", { src, alt: words, title: words, role: "option" });
    picture.addEventListener("click", () => choose(i));
    carry(picture, () => point);
    return picture;
  }

  function mark(chosen) {
    [...node.children].forEach((picture, i) => {
      picture.setAttribute("aria-selected", i === chosen);
      picture.tabIndex = i === chosen ? 0 : -1;
    });
  }

  node.addEventListener("keydown", (event) => {
    const tiles = [...node.children];
    const place = tiles.indexOf(event.target);
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const to = { Home: 0, End: tiles.length - 1 }[event.key] ?? place + moves[event.key];
    if (!tiles[to]) return;
    event.preventDefault();
    choose(to);
    tiles[to].focus();
  });

  return { node, show, mark };
}
