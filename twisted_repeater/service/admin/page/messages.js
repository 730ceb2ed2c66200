// The messages as they pass. The server sends at most a hundred a second and counts the rest; the page keeps the last
// two thousand and has nodes only for those in sight.

import { DIRECTIONS, byId, make, select, setText } from "./dom.js";
import { ARROWS, WAYS, clock, count, sender, summary, verdict } from "./format.js";
import { matches } from "./globs.js";
import { WindowList } from "./window_list.js";

const MOST = 2000; // messages that are kept
const CHUNK = 250; // how many go at once, so that keeping the limit costs little

/** Show the messages of the stream, the filter, and what was left out. */
export function messages(app) {
  const kept = [];
  let last = { seen: 0, shown: 0, left_out: 0 };
  let base = last; // what was counted before the filter was chosen
  const list = new WindowList(byId("messages-list"), {
    follows: true,
    key: (message) => message.key,
    make: makeRow,
    fill: fillRow,
    drawn: () => (byId("newest").hidden = list.following || list.atEnd),
    chosen: (message) => app.tell("message-chosen", message),
    entered: () => app.dock.show("message", true),
  });
  list.items = kept;
  const empty = make("p.empty");
  list.box.append(empty);

  function draw() {
    setText(empty, nothing(app));
    empty.hidden = kept.length > 0;
    list.draw();
  }

  app.on("message", (message) => {
    message.stream = app.connection.stream.id;
    message.key = `${message.stream} ${message.n}`;
    kept.push(message);
    if (kept.length >= MOST + CHUNK) {
      kept.splice(0, CHUNK);
      list.removedAtStart(CHUNK);
    }
    draw();
  });

  let counted = null; // the stream whose counts were shown last
  let behind = false; // whether its counts begin before what is in the list
  app.on("hello", ({ stream }) => {
    behind = stream !== counted && app.connection.resumed;
    counted = stream;
  });
  app.on("counts", (counts) => {
    if (behind) base = counts;
    behind = false;
    if (counts.seen < base.seen) base = { seen: 0, shown: 0, left_out: 0 }; // of a new stream
    const text = `shown ${count(counts.shown - base.shown)} of ${count(counts.seen - base.seen)}`;
    const samples = counts.left_out > last.left_out && !app.paused;
    setText(byId("counts"), app.paused ? `paused, ${text}` : text);
    byId("counts").classList.toggle("samples", samples);
    byId("counts").title = samples ? "More messages pass than are shown: the others are only counted." : "";
    last = counts;
  });

  app.on("repeater", () => {
    kept.length = 0;
    base = last = { seen: 0, shown: 0, left_out: 0 };
    setText(byId("counts"), "");
    list.choose(null);
    list.follow();
    draw();
  });

  byId("clear").addEventListener("click", () => {
    kept.length = 0;
    list.follow();
    draw();
  });
  byId("hold-these").addEventListener("click", () => app.tell("rule-like", app.filter));
  byId("newest").addEventListener("click", () => {
    list.follow();
    list.box.focus();
  });

  const pause = byId("pause");
  pause.addEventListener("click", () => {
    app.paused = !app.paused;
    pause.setAttribute("aria-pressed", app.paused);
    setText(pause, app.paused ? "Go on" : "Pause");
    document.body.classList.toggle("paused", app.paused);
    app.connection.choose();
    draw();
  });

  filterForm(app, () => {
    const fits = kept.filter((message) => passes(app.filter, message));
    kept.splice(0, kept.length, ...fits);
    base = last;
    draw();
    app.connection.choose();
  });
  app.on("connection", draw);
  app.on("summary", () => !kept.length && draw());
  draw();
}

/** Say why there is nothing to see. */
function nothing(app) {
  if (app.connection.state === "polling") return "This tab has no stream, so no messages are shown here.";
  if (app.connection.state !== "live") return "";
  if (app.paused) return "Paused. Messages pass, but none is shown.";
  if (Object.values(app.filter).some(Boolean)) return "No message that fits the filter has passed yet.";
  if (app.summary && !app.summary.links) return "No client is linked, so no messages pass. They appear here as they come.";
  if (app.summary?.held) return "No message has passed yet. What is held is in the tab Held, and comes here when it goes on.";
  return "No message has passed yet since this page was opened.";
}

/** Return whether a message that is on the screen fits a filter that was made later. */
function passes(filter, message) {
  if (!matches(filter.client, message.client)) return false;
  if (filter.direction && filter.direction !== message.direction) return false;
  const type = message.type ?? "";
  if (filter.type && ![type, ...type.split(/[\s()]+/)].some((word) => matches(filter.type, word, "iu"))) return false;
  const text = [message.summary, ...(message.fields ?? []).flat()].join("\n");
  return text.includes(filter.text);
}

function filterForm(app, changed) {
  const form = byId("messages-filter");
  const input = (name, label, hint) =>
    make("input", { type: "search", name, "aria-label": label, placeholder: label, title: hint, autocomplete: "off", spellcheck: "false", maxlength: 200 });
  form.append(
    input("client", "client", "A client's name, or a pattern such as desk-*"),
    select({ name: "direction", "aria-label": "direction" }, DIRECTIONS),
    input("type", "type", "A type of messages, or a pattern such as New*"),
    input("text", "text", "A text that the message contains, in upper and lower case as written"),
  );
  const read = () => {
    const next = Object.fromEntries(new FormData(form));
    if (Object.keys(app.filter).every((key) => app.filter[key] === next[key])) return;
    app.filter = next;
    changed();
  };
  let timer = null;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(read, 250);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    read();
  });
  app.on("only", (pattern) => {
    form.elements.client.value = pattern;
    read();
    app.views.show("messages");
  });
}

function makeRow() {
  const row = make("div.row.message");
  for (const name of ["time", "client", "way", "type", "summary", "verdict"]) row.append((row[name] = make(`span.${name}`)));
  return row;
}

function fillRow(row, message) {
  setText(row.time, clock(message.time));
  setText(row.client, sender(message));
  setText(row.way, ARROWS[message.direction]);
  row.way.setAttribute("aria-label", WAYS[message.direction]);
  row.way.className = `way ${message.direction}`;
  setText(row.type, message.type ?? "");
  setText(row.summary, message.redacted ? `${summary(message)} (secrets are hidden)` : summary(message));
  setText(row.verdict, verdict(message.verdict));
  row.classList.toggle("changed", !message.passed);
}
