// The chosen message: its fields, and beside them its bytes.

import { get } from "./api.js";
import { dump, fromBase64, toText } from "./bytes.js";
import { make } from "./dom.js";
import { ARROWS, WAYS, clock, count, duration, sender, size, verdict } from "./format.js";
import { exactly } from "./globs.js";

const MOST_LINES = 2048; // lines of a dump that are drawn at once: 32 KiB

/** Add the tab that shows the chosen message. */
export function messagePanel(app) {
  const box = make("div.message-panel");
  app.dock.add("message", "Message", box);
  const none = () => box.replaceChildren(make("p.empty", {}, "Choose a message to see its fields and its bytes."));
  none();
  app.on("message-chosen", (message) => {
    app.message = message;
    if (message === null) return none();
    box.replaceChildren(...whole(app, message));
    app.dock.show("message");
  });
}

function whole(app, message) {
  const actions = make(
    "div.buttons",
    {},
    make("button", { type: "button", onclick: () => app.tell("only", exactly(message.client)) }, "Only its client"),
    make("button", { type: "button", onclick: () => app.tell("rule-like", like(message)) }, "Hold such messages …"),
    make("button", { type: "button", onclick: () => app.tell("send-copy", message) }, "Send a copy …"),
  );
  const parts = [make("div.headline", {}, headline(message), actions), make("div.sides", {}, fieldsOf(message), bytesOf(app, message))];
  for (const [name, label] of [["forward", "Sent on instead"], ["back", "Sent back"]]) {
    if (message[name]) parts.push(make("h3", {}, label), ...[message[name]].flat().map((other) => shownInstead(app, other)));
  }
  return parts;
}

/** Return a filter that lets such messages through. */
const like = ({ client, direction, type }) => ({ client: exactly(client ?? ""), direction, type: exactly(type ?? ""), text: "" });

function headline(message) {
  const line = make("p.what", {}, make("span", { class: `way ${message.direction}`, "aria-label": WAYS[message.direction] }, ARROWS[message.direction]), " ");
  line.append(make("b", {}, message.type ?? "message"), " of ", make("bdi", {}, sender(message)));
  const facts = [`link ${message.link}`, clock(message.time), size(message.size)];
  if (message.number) facts.push(`no. ${count(message.number)}`);
  if (message.origin === "opening") facts.push("of the opening");
  if (message.origin === "own") facts.push("sent by the repeater");
  line.append(make("span.quiet", {}, `  ${facts.join(" · ")}`));
  const decided = make("p.what", {}, make("span", { class: message.passed ? "verdict" : "verdict changed" }, verdict(message.verdict)));
  if (message.took > 0.001) decided.append(make("span.quiet", {}, `, after ${duration(message.took)}`));
  return make("div", {}, line, decided);
}

/** Make a table of fields: the name or number, the label, and the value. */
export function fieldsOf(message) {
  if (message.redacted && !message.fields) return make("p.empty", {}, "Its secrets are hidden.");
  if (!message.fields) return make("pre.fields.plain", { tabindex: "0" }, message.summary ?? "");
  const rows = message.fields.map(([name, value, label]) =>
    make("tr", {}, make("th", { scope: "row" }, label ?? name), make("td.name", {}, label ? name : ""), make("td.value", {}, value)),
  );
  return make("div.fields", { tabindex: "0", role: "group", "aria-label": "Fields" }, make("table", { "aria-label": "Fields" }, make("tbody", {}, ...rows)));
}

/** Make a dump of the bytes of a message, with a button for the rest of them if they were cut. */
export function bytesOf(app, message) {
  const box = make("div.bytes", { tabindex: "0", role: "group", "aria-label": "Bytes" });
  if (!message.bytes) {
    box.append(make("p.empty", {}, message.redacted ? "It has secrets, so its bytes are not shown." : "Its bytes are not shown."));
    return box;
  }
  drawBytes(app, box, message, fromBase64(message.bytes.base64), message.bytes.cut);
  return box;
}

function drawBytes(app, box, message, bytes, cut) {
  const lines = dump(bytes.subarray(0, MOST_LINES * 16));
  const column = (name) => make(`pre.${name}`, {}, lines.map((line) => line[name]).join("\n"));
  // Three texts and not three nodes for each line; and so that somebody can copy the hex alone.
  const table = make("div.dump", {}, column("offset"), column("hex"), column("text"));
  const asText = make("details", {}, make("summary", {}, "As text"), make("pre.escaped", {}, toText(bytes.subarray(0, MOST_LINES * 16))));
  box.replaceChildren(table, asText);
  if (cut && message.stream) {
    const more = make("button", { type: "button" }, `More: these are ${size(bytes.length)} of ${size(message.size)}`);
    more.addEventListener("click", async () => {
      more.disabled = true;
      const full = await app.attempt(() => get(`streams/${message.stream}/messages/${message.n}`));
      if (full?.bytes) drawBytes(app, box, message, fromBase64(full.bytes.base64), false);
      else more.remove();
    });
    box.append(more);
  } else if (bytes.length > MOST_LINES * 16) {
    box.append(make("p.quiet", {}, `The first ${size(MOST_LINES * 16)} of ${size(message.size)} are drawn.`));
  }
}

function shownInstead(app, other) {
  return make("div.sides", {}, fieldsOf(other), bytesOf(app, other));
}
