// Makes elements. Texts of peers only ever become text nodes here: nothing in this page parses HTML.

/**
 * Make an element.
 *
 * @param {string} tag its name, with classes behind dots: "p.quiet"
 * @param {object} settings attributes; "on…" are listeners, and a value of null or false leaves an attribute out
 * @param {...(Node|string)} children what is in it; strings become text nodes
 */
export function make(tag, settings = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(settings)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Find an element of the page by its id. */
export const byId = (id) => document.getElementById(id);

/** Set a text, only if it has changed: a text node that is replaced costs a layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make a labelled control of a form: the label's text stands before it. */
export function field(label, control, hint = "") {
  if (hint) control.title = hint;
  return make("label.field", {}, make("span", {}, label), control);
}

/** Make a choice. @param {Array<[string, string]>} options values and what people read */
export function select(settings, options) {
  return make("select", settings, ...options.map(([value, text]) => make("option", { value }, text)));
}

/** The choices of a direction, for filters and rules. */
export const DIRECTIONS = [["", "both ways"], ["to_server", "→ to server"], ["to_client", "← to client"]];
