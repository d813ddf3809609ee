// The pieces of a page: elements, fields, words for those who listen. Knows no models.

/** An element with attributes (`on…` ones are listeners, true is an empty one) and children. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children);
  return node;
}

export function button(text, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, text);
}

/** A control below its name. */
export function field(name, control) {
  return el("label", { class: "field" }, el("span", {}, name), control);
}

/** A choice of [value, name] pairs. */
export function choice(options, onchange) {
  const control = el("select", { onchange });
  control.append(...options.map(([value, name]) => el("option", { value }, name)));
  return control;
}

/** A picture above its words. */
export const figure = (picture, words) =>
  el("figure", {}, picture, el("figcaption", {}, words));

let fading;

/** Say what has just happened, where it may be out of sight; read out, too. */
export function announce(text) {
  const news = document.getElementById("news");
  news.textContent = text;
  news.classList.add("fresh");
  clearTimeout(fading);
  fading = setTimeout(() => news.classList.remove("fresh"), 3000);
}
