// The messages that are held: a list with what waits behind each and the time that is left, and an editor beside it.

import { get, of, post } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { editor } from "./editor.js";
import { ARROWS, WAYS, count, countdown, sender, size, summary } from "./format.js";
import { WindowList } from "./window_list.js";

const HOW = {
  released: "released",
  dropped: "dropped",
  changed: "sent changed",
  answered: "answered",
  deadline: "released, because its time was over",
  "owner gone": "released, because the page that held it is gone",
  "link ended": "gone, because its link has ended",
  "rule removed": "released, because its rule was removed",
};

const SHARE = 12;
const SAYS = 5000; // milliseconds between two sentences for a screen reader about how many there are

/** Add the tab of held messages. */
export function heldPanel(app) {
  let held = [];
  const asked = new Set(); // ids of those that we have asked to let go: the answer says whether it was us
  const listBox = make("div.window.held-list", { role: "listbox", tabindex: "0", "aria-label": "Held messages", id: "held-list" });
  const all = make("button", { type: "button" }, "Release all");
  const title = make("span.quiet");
  const right = make("div.held-editor");
  const left = make("div.held-left", {}, make("header", {}, title, all), listBox);
  app.dock.add("held", "Held", make("div.held-panel", {}, left, right));

  const list = new WindowList(listBox, {
    key: (item) => item.id,
    make: makeRow,
    fill: fillRow,
    chosen: (item) => show(item),
    entered: () => edit.focus(),
  });
  const edit = editor(app, right, act, () => {
    choose(0);
    listBox.focus();
  });

  /** Do something with a held message: its way out is told by an event, and by the answer if it was gone already. */
  async function act(item, what, body = undefined, said = HOW.released) {
    const repeater = app.repeater;
    asked.add(item.id);
    const answer = await app.attempt(() => post(of(repeater, "held", item.id, what), body), `Message ${item.id} is ${said}.`);
    asked.delete(item.id);
    if (repeater !== app.repeater) return;
    if (!answer) return look();
    const focused = right.contains(document.activeElement);
    settled(item.id);
    if (!focused) return;
    if (!edit.shows) listBox.focus();
    else if (!right.contains(document.activeElement) || document.activeElement.disabled) edit.focus();
  }

  function show(item) {
    edit.show(item);
  }

  function settled(id, how = "") {
    const at = held.findIndex((item) => item.id === id);
    held = held.filter((item) => item.id !== id);
    if (list.chosenKey === id && !edit.isGone) {
      if (how) lost(at, HOW[how] ?? how);
      else choose(at);
    }
    draw();
  }

  /** Choose the message at a place of the list, or the one nearest to it. */
  const choose = (at) => list.choose(held[Math.max(0, Math.min(at, held.length - 1))] ?? null);

  /** The chosen message is gone, and not by us. What somebody has written stays to be read; else the next one is shown. */
  function lost(at, how) {
    if (edit.dirty) return edit.gone(how);
    const focused = right.contains(document.activeElement);
    choose(at);
    // The focus goes to no field of another message: whoever types on would change that one.
    if (focused) listBox.focus();
  }

  function draw() {
    list.set(held);
    setText(title, `${count(held.length)} held`);
    all.disabled = !held.length;
    left.parentElement.classList.toggle("none", !held.length && !edit.shows);
    app.dock.count("held", held.length, "held");
    tellReader();
    if (list.chosenKey === null && held.length && !releasing) list.choose(held[0]);
  }

  let telling = null;

  /** Let a screen reader say how many are held: at once for the first one, and then not too often. */
  function tellReader() {
    const text = !held.length ? "" : held.length === 1 ? "1 message is held." : `${count(held.length)} messages are held.`;
    if (text && telling !== null) return;
    setText(byId("held-said"), text);
    if (!text) return;
    telling = setTimeout(() => {
      telling = null;
      tellReader();
    }, SAYS);
  }

  let releasing = false; // all: then none of them is shown on the way
  let notBefore = 0; // many held messages make a large answer, so it takes at most one part of SHARE of the time

  async function look() {
    const repeater = app.repeater;
    if (repeater === null) return;
    const started = performance.now();
    const answer = await get(of(repeater, "held")).catch(() => null);
    notBefore = performance.now() + (performance.now() - started) * SHARE;
    if (!answer || repeater !== app.repeater) return;
    const now = performance.now() / 1000;
    held = answer.held.map((item) => due(item, now));
    const chosen = held.find((item) => item.id === list.chosenKey);
    if (chosen) edit.refresh(chosen);
    else if (list.chosenKey !== null && !edit.isGone && !asked.has(list.chosenKey)) lost(0, "gone");
    draw();
  }

  all.addEventListener("click", async () => {
    // One after the other, in order, so that what goes out first was held first.
    const ids = held.map((item) => item.id);
    let released = 0;
    releasing = true;
    list.choose(null);
    for (const id of ids) {
      const done = await post(of(app.repeater, "held", id, "release")).then(() => true, () => false);
      released += done;
      if (done) settled(id);
    }
    releasing = false;
    app.say(released === 1 ? "1 message is released" : `${count(released)} messages are released`);
    await look();
    if (all.disabled) listBox.focus(); // the button had the focus
  });

  listBox.addEventListener("keydown", (event) => {
    const item = held.find((one) => one.id === list.chosenKey);
    if (!item || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "r") act(item, "release");
    else if (event.key === "d") act(item, "drop", undefined, HOW.dropped);
    else if (event.key === "e") edit.focus();
    else return;
    event.preventDefault();
  });

  app.on("held", (item) => {
    if (held.some((other) => other.id === item.id)) return;
    held = [...held, due(item, performance.now() / 1000)];
    draw();
  });
  app.on("settled", ({ id, how }) => {
    if (asked.has(id)) return;
    const mine = list.chosenKey === id && edit.shows;
    settled(id, how);
    if (mine && (how === "deadline" || how === "link ended" || edit.isGone)) app.say(`Message ${id} is ${HOW[how]}.`);
  });
  app.on("repeater", () => {
    held = [];
    list.choose(null);
    draw();
    look();
  });
  app.on("resync", look);
  app.on("summary", (summary) => {
    // What waits behind grows without an event; and without a stream nothing else would tell.
    if ((held.length || summary?.held !== held.length) && performance.now() > notBefore) look();
  });
  setInterval(() => {
    list.rows.forEach((row) => row.item && !row.hidden && setText(row.left, left_(row.item)));
    edit.tick();
  }, 250);
  app.heldHere = () => held.some((item) => item.stream === app.connection.id);
  draw();
}

/** Note by our own clock when a held message is released: the clocks of the two machines may differ. */
function due(item, now) {
  item.due = now + (item.left);
  return item;
}

/** Return the time that is left of a held message. */
export const left_ = (item) => countdown(item.due - performance.now() / 1000);

/** Return what waits behind a held message. */
export function behind(item) {
  if (!item.behind_bytes) return "nothing waits";
  const messages = item.behind_messages == null ? "" : item.behind_messages === 1 ? "1 message, " : `${count(item.behind_messages)} messages, `;
  return `${messages}${size(item.behind_bytes)} wait`;
}

function makeRow() {
  const row = make("div.row.held-row");
  for (const name of ["way", "client", "left", "type", "behind"]) row.append((row[name] = make(`span.${name}`)));
  return row;
}

function fillRow(row, item) {
  const message = item.message;
  setText(row.way, ARROWS[message.direction]);
  row.way.setAttribute("aria-label", WAYS[message.direction]);
  row.way.className = `way ${message.direction}`;
  setText(row.client, sender(message));
  setText(row.type, [message.type, summary(message)].filter(Boolean).join("  "));
  setText(row.left, left_(item));
  setText(row.behind, item.behind_bytes ? `${behind(item)} behind it` : "nothing waits behind it");
}
