// The line below a picture: the same in a shell, to copy, and the picture as a file, to keep.

import { announce, button, el } from "./elements.js";
import { save } from "./pictures.js";
import { attempt } from "./service.js";

/** A line that `show` fills. `tell` is told why a file cannot be had. */
export function requestLine(tell) {
  const code = el("code", { tabindex: 0 });
  const copy = button("Copy", () => copied(code), { "aria-label": "Copy the curl line" });
  const files = el("span", { class: "files" });
  const node = el("div", { class: "request", hidden: true }, code, copy, files);
  const download = attempt(tell, async (make, name) => save(await make(), name));

  /** `saves`: for each button its name, the file's name, and what makes the file. */
  function show(line, saves) {
    node.hidden = false;
    code.textContent = line;
    files.replaceChildren(
      ...saves.map(([label, file, make]) =>
        button(label, () => download(make, file), { "aria-label": `${label}: download ${file}` }),
      ),
    );
  }
  return { node, show };
}

async function copied(code) {
  getSelection().selectAllChildren(code);
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Only pages from https or this very machine have a clipboard; the old way is everybody's.
    document.execCommand("copy");
  }
  announce("The line is copied");
}
