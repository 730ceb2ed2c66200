// Edits one held message: by its fields, as text or as hex; and answers it.

import { get, of } from "./api.js";
import { fromBase64, toHex, toText } from "./bytes.js";
import { make, setText } from "./dom.js";
import { ARROWS, WAYS, sender, size } from "./format.js";
import { behind, left_ } from "./held.js";

const MODES = [
  ["fields", "Fields"],
  ["text", "Text"],
  ["hex", "Hex"],
  ["answer", "Answer"],
];
const HINTS = {
  text: "\\r, \\n, \\t and \\x00 … \\xff stand for bytes, \\\\ for a backslash.",
  hex: "Two digits for each byte; spaces and line ends do not count.",
  answer: "Its sender gets this instead, and the message is dropped. Written as text: \\r, \\n, \\xNN.",
};

const NO_RULE = "Nothing is held. A rule says which messages to hold; each waits here until you let it go, or its time is over.";
const ARMED = "Nothing is held now. The next message that matches a rule waits here until you let it go, or its time is over.";

/**
 * Make the editor in a box.
 *
 * @param {function} act (held, "release" | "drop" | "change" | "answer", body, said): does it
 * @param {function} left called when somebody has read enough of a message that is gone
 */
export function editor(app, box, act, left) {
  let item = null;
  let mode = "fields";
  let isGone = false;
  let original = ""; // the text of the area as it was made

  const headline = make("p.what");
  const waits = make("p.quiet");
  const modes = make("div.modes", { role: "radiogroup", "aria-label": "How to change it" });
  const fields = make("div.fields.edit");
  const area = make("textarea", { spellcheck: "false", autocomplete: "off", "aria-label": "The message" });
  const hint = make("p.quiet.hint");
  const button = (text, settings, call) => make("button", { type: "button", onclick: call, ...settings }, text);
  const release = button("Release", { title: "As it is. Key r in the list" }, () => act(item, "release"));
  const change = button("Send changed", { class: "main", title: "Ctrl+Enter" }, () => send());
  const drop = button("Drop", { class: "danger", title: "Key d in the list" }, () => act(item, "drop", undefined, "dropped"));
  const leave = button("Leave it", { hidden: true }, () => left());
  const buttons = make("div.buttons", {}, release, change, drop, leave);
  for (const [name, label] of MODES) {
    const input = make("input", { type: "radio", name: "editor-mode", value: name });
    input.addEventListener("change", () => choose(name));
    modes.append(make("label", {}, input, label));
  }
  const why = make("p", {}, NO_RULE);
  const nothing = make(
    "div.empty",
    {},
    why,
    make("button", { type: "button", onclick: () => app.dock.show("rules", true) }, "Make a rule …"),
  );
  app.on("rules", (rules) => setText(why, rules.length ? ARMED : NO_RULE));
  const form = make("div.editor", {}, make("header", {}, headline, waits), make("div.bar", {}, modes, buttons), fields, area, hint);
  box.append(nothing, form);

  function show(next) {
    item = next;
    isGone = false;
    waits.classList.remove("bad");
    form.hidden = item === null;
    nothing.hidden = item !== null;
    if (item === null) return;
    const message = item.message;
    headline.replaceChildren(
      make("span", { class: `way ${message.direction}`, "aria-label": WAYS[message.direction] }, ARROWS[message.direction]),
      " ",
      make("b", {}, message.type ?? "message"),
      " of ",
      make("bdi", {}, sender(message)),
      make("span.quiet", {}, `  link ${message.link}`),
    );
    const hasFields = message.fields?.length > 0;
    const settable = hasFields && item.settable?.length > 0;
    for (const input of modes.querySelectorAll("input")) {
      input.disabled = false;
      if (input.value === "fields") input.disabled = !hasFields;
      else if (input.value !== "answer") input.disabled = payload() === null;
    }
    drawFields();
    const asBytes = payload() === null ? "answer" : mode === "hex" ? "hex" : "text";
    choose(settable ? (mode === "answer" ? "fields" : mode) : hasFields ? "fields" : asBytes);
    tick();
  }

  const payload = () => item.message.bytes?.base64 ?? null;

  function drawFields() {
    const settable = new Set(item.settable ?? []);
    const names = (item.message.fields ?? []).map(([name]) => name);
    const rows = (item.message.fields ?? []).map(([name, value, label], index) => {
      const id = `edit-${index}`;
      // A name that comes twice does not say which one is meant.
      const may = settable.has(name) && names.indexOf(name) === names.lastIndexOf(name);
      const input = may ? make("input", { id, value, spellcheck: "false", autocomplete: "off" }) : value;
      if (may) {
        input.name = name;
        input.original = value;
        input.addEventListener("input", changed);
      }
      const head = may ? make("label", { for: id }, label ?? name) : (label ?? name);
      return make("tr", {}, make("th", { scope: "row" }, head), make("td.name", {}, label ? name : ""), make("td.value", {}, input));
    });
    fields.replaceChildren(make("table", { "aria-label": "Fields" }, make("tbody", {}, ...rows)));
  }

  async function choose(name) {
    mode = name;
    for (const input of modes.querySelectorAll("input")) input.checked = input.value === name;
    fields.hidden = name !== "fields";
    area.hidden = name === "fields";
    setText(hint, HINTS[name] ?? "");
    setText(change, name === "answer" ? "Answer and drop" : "Send changed");
    area.disabled = false;
    if (name === "answer") area.value = original = "";
    else if (name !== "fields") await fillArea(name);
    changed();
  }

  async function fillArea(name) {
    const mine = item;
    let text = payload();
    if (item.message.bytes.cut) {
      area.value = original = "";
      const full = await app.attempt(() => get(of(app.repeater, "held", item.id)));
      if (item?.id !== mine.id || mode !== name || !full) return; // somebody has gone on meanwhile
      if (full.message.bytes.cut) {
        area.disabled = true; // to send a part of it would cut it off
        return setText(hint, `A message of ${size(item.message.size)} is too large to be changed here.`);
      }
      text = full.message.bytes.base64;
    }
    const bytes = fromBase64(text);
    area.value = name === "hex" ? toHex(bytes) : toText(bytes);
    original = area.value; // as the browser has it
  }

  const differing = () => [...fields.querySelectorAll("input")].filter((input) => input.value !== input.original);
  const dirty = () => item !== null && (mode === "fields" ? differing().length > 0 : area.value !== original);

  function changed() {
    for (const input of fields.querySelectorAll("input")) input.classList.toggle("changed", input.value !== input.original);
    const fixed = isGone || item === null;
    change.disabled = fixed || !dirty();
    release.disabled = drop.disabled = fixed;
    leave.hidden = !isGone;
  }

  function send() {
    if (change.disabled) return;
    if (mode === "answer") act(item, "answer", { message: { text: area.value } }, "answered");
    else if (mode === "hex") act(item, "change", { message: { hex: area.value.replace(/\s+/g, "") } }, "sent changed");
    else if (mode === "text") act(item, "change", { message: { text: area.value } }, "sent changed");
    else {
      const set = Object.fromEntries(differing().map((input) => [input.name, input.value]));
      act(item, "change", { message: { set } }, "sent changed");
    }
  }

  function tick() {
    if (item === null || isGone) return;
    setText(waits, `Released in ${left_(item)}, ${behind(item)} behind it`);
  }

  area.addEventListener("input", changed);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape") {
      document.getElementById("held-list").focus();
      event.preventDefault();
    }
  });
  show(null);

  return {
    show,
    tick,
    get dirty() {
      return dirty();
    },
    get shows() {
      return item !== null;
    },
    get isGone() {
      return isGone;
    },
    /** Take the newer numbers of the message that is edited. */
    refresh(newer) {
      item = newer;
      tick();
    },
    /** Say that the message that is being edited is gone; what was written stays to be copied. */
    gone(how) {
      isGone = true;
      setText(waits, `It is ${how}. What you wrote is still here.`);
      waits.classList.add("bad");
      changed();
    },
    /** Put the cursor where something can be changed. */
    focus() {
      const target = mode === "fields" ? fields.querySelector("input") : area;
      (target ?? release).focus();
      target?.select();
    },
  };
}
