// The links of the repeater: a window of rows, sorted and filtered, and what can be done with the chosen one.

import { DOTS, asking, get, of, post } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { clock, count, rate, size, visible } from "./format.js";
import { exactly, within } from "./globs.js";
import { WindowList } from "./window_list.js";

const MOST = 10000; // the most links that one answer has
const EVERY = 1000; // milliseconds between two looks, if they are quick
const SHARE = 12; // a look at all links may take one part of so many of the time

/** Return the name of a client, or where it is if it has none. */
const titleOf = (link) => (link.client ? visible(link.client) : link.client_address || `link ${link.id}`);

/** Return since when a link is there, by the clock of the repeater, as the times of messages are: ours may be wrong. */
function since(made) {
  if (made === null) return "";
  const day = new Date(made * 1000).toDateString();
  return `, since ${day === new Date().toDateString() ? "" : `${day}, `}${clock(made).slice(0, -4)}`;
}

/** Return whether a client can be reached by its name: a browser takes dots out of a path, however they are written. */
const hasName = (link) => Boolean(link.client) && !DOTS.test(link.client);

const queued = (link) =>
  link.to_server.waiting_bytes + link.to_server.behind_bytes + link.to_client.waiting_bytes + link.to_client.behind_bytes;

const ORDERS = {
  id: (a, b) => a.id - b.id,
  newest: (a, b) => b.id - a.id,
  client: (a, b) => a.client.localeCompare(b.client) || a.id - b.id,
  rate: (a, b) => b.rate - a.rate || a.id - b.id,
  queue: (a, b) => queued(b) - queued(a) || a.id - b.id,
  trouble: (a, b) => (b.last_error !== null) - (a.last_error !== null) || a.id - b.id,
};

/** Show the links, and keep them up to date. */
export function links(app) {
  let shown = [];
  let before = new Map(); // what each link had received at the last look, for rates
  let total = 0;
  let timer = null;
  let asked = 0;
  const find = byId("links-find");
  const sort = byId("links-sort");

  const list = new WindowList(byId("links-list"), {
    key: (link) => link.id,
    make: makeRow,
    fill: fillRow,
    chosen: (link) => choose(link),
    entered: (link) => app.tell("only", exactly(link.client)),
  });
  const empty = make("p.empty", { hidden: true });
  list.box.append(empty);
  const chosen = chosenLink(app, () => list.choose(null));

  function choose(link) {
    app.link = link;
    chosen(link);
    app.tell("link", link);
  }

  function draw() {
    shown.sort(ORDERS[sort.value]);
    list.set(shown);
    const known = app.repeater !== null && asked > 0;
    setText(byId("links-count"), !known ? "" : shown.length < total ? `${count(shown.length)} of ${count(total)}` : count(total));
    empty.hidden = !known || shown.length > 0;
    setText(empty, find.value ? "No client has such a name." : "No client is linked. A link appears here as soon as one connects.");
    if (app.link) {
      const now = shown.find((link) => link.id === app.link.id);
      if (now) chosen((app.link = now));
    }
  }

  async function look() {
    clearTimeout(timer);
    const started = performance.now();
    const mine = (asked += 1);
    const repeater = app.repeater;
    if (repeater !== null && !document.hidden) {
      try {
        const answer = await get(asking(of(repeater, "links"), { client: find.value && within(find.value), limit: MOST }));
        if (mine !== asked || repeater !== app.repeater) return; // a later look is under way
        take(answer, performance.now() / 1000);
      } catch (error) {
        if (error.status === undefined) throw error;
        if (mine !== asked) return;
      }
    }
    const took = performance.now() - started;
    timer = setTimeout(look, Math.max(EVERY - took, took * (SHARE - 1)));
  }

  function take(answer, now) {
    const next = new Map();
    for (const link of answer.links) {
      const had = before.get(link.id);
      for (const way of ["to_server", "to_client"]) {
        const messages = link[way].messages;
        link[way].rate = had && now > had.now ? Math.max(0, messages - had[way]) / (now - had.now) : 0;
      }
      link.rate = link.to_server.rate + link.to_client.rate;
      next.set(link.id, { now, to_server: link.to_server.messages, to_client: link.to_client.messages });
    }
    before = next;
    shown = answer.links;
    total = answer.total;
    draw();
  }

  app.on("repeater", () => {
    shown = [];
    before = new Map();
    total = 0;
    choose(null);
    draw();
    look();
  });
  app.on("resync", look);
  app.on("links", look);
  app.on("link_made", (link) => {
    if (find.value || shown.some((other) => other.id === link.id)) return;
    link.to_server.rate = link.to_client.rate = link.rate = 0;
    shown.push(link);
    total += 1;
    later();
  });
  app.on("link_ended", ({ link }) => {
    const at = shown.findIndex((other) => other.id === link);
    if (at < 0) return;
    shown.splice(at, 1);
    total -= 1;
    if (app.link?.id === link) chosen(app.link, true);
    later();
  });

  // A thousand links may come at once, and sorting them for each would take long.
  let drawing = false;
  function later() {
    if (drawing) return;
    drawing = true;
    setTimeout(() => {
      drawing = false;
      draw();
    }, 100);
  }

  document.addEventListener("visibilitychange", () => document.hidden || look());
  sort.addEventListener("change", draw);
  let typing = null;
  find.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(look, 200);
  });
}

function makeRow() {
  const row = make("div.row.link");
  for (const name of ["client", "state", "rates", "queue"]) row.append((row[name] = make(`span.${name}`)));
  return row;
}

function fillRow(row, link) {
  setText(row.client, titleOf(link));
  row.client.title = `link ${link.id}, ${link.client_address}`;
  setText(row.state, link.held ? "on hold" : link.state === "active" ? "" : link.state);
  row.classList.toggle("on-hold", link.held);
  row.classList.toggle("trouble", link.last_error !== null);
  setText(row.rates, `→ ${rate(link.to_server.rate)}/s  ← ${rate(link.to_client.rate)}/s`);
  const waits = queued(link);
  setText(row.queue, link.last_error !== null ? "error" : waits ? `${size(waits)} wait` : "");
}

/** Make the part below the list. Returns what shows a link there; with `ended` it says that the link is gone. */
function chosenLink(app, forget) {
  const box = byId("link-chosen");
  const title = make("h3");
  const facts = make("dl.facts");
  const button = (text, call, settings = {}) => make("button", { type: "button", onclick: call, ...settings }, text);
  const id = () => app.link.id;
  const name = () => app.link.client;
  const changed = () => app.tell("links");

  const hold = button("Hold client", async () => {
    const what = app.link.held ? "resume" : "hold";
    const whose = hasName(app.link) ? ["clients", name()] : ["links", id()];
    const said = what === "hold" ? "Nothing is read from it until you resume it." : "It is read again.";
    await app.attempt(() => post(of(app.repeater, ...whose, what)), said);
    changed();
  });
  const closeLink = button("Close link", async () => {
    await app.attempt(() => post(of(app.repeater, "links", id(), "close")), `Link ${id()} is closed.`);
    changed();
  });
  const closeClient = button("Close client", async () => {
    await app.attempt(() => post(of(app.repeater, "clients", name(), "close")), ({ links }) => (links === 1 ? "1 link is closed." : `${count(links)} links are closed.`));
    changed();
  });
  const only = button("Only its messages", () => app.tell("only", exactly(name())));
  const send = button("Send to it …", () => app.dock.show("send", true));
  const buttons = make("div.buttons", {}, only, send, hold, closeLink, closeClient);
  const hint = make("p.quiet", {}, "Choose a link to see its queues, to hold it, or to close it.");
  box.append(title, buttons, facts, hint);

  const show = (link, ended = false) => {
    for (const element of [title, facts, buttons]) element.hidden = link === null;
    hint.hidden = link !== null;
    if (link === null) return;
    setText(title, titleOf(link));
    setText(hold, link.held ? "Resume client" : "Hold client");
    for (const element of [hold, closeLink, closeClient, send]) element.disabled = ended;
    only.disabled = !link.client;
    if (!hasName(link)) closeClient.disabled = true;
    const rows = [["link", `${link.id}, ${ended ? "ended" : link.state}${since(link.made)}`]];
    rows.push(["from", link.client_address], ["server", [link.server, link.server_address].filter(Boolean).join(", ")]);
    for (const [way, label] of [["to_server", "→ server"], ["to_client", "← client"]]) rows.push([label, flow(link[way])]);
    rows.push(["error", link.last_error ?? "none"]);
    if (facts.childElementCount !== rows.length * 2) {
      facts.replaceChildren(...rows.flatMap(([label]) => [make("dt", {}, label), make("dd")]));
    }
    rows.forEach(([, value], index) => {
      const cell = facts.children[index * 2 + 1];
      setText(cell, value);
      cell.title = value;
    });
    facts.lastElementChild.classList.toggle("bad", link.last_error !== null);
  };
  show(null);
  return show;
}

function flow(way) {
  const parts = [`${count(way.messages)} messages, ${size(way.bytes)}`];
  if (way.awaits) parts.push(way.awaits === "hold" ? "a message is held" : "waits for a filter");
  if (way.behind_bytes) parts.push(`${size(way.behind_bytes)} behind it`);
  if (way.waiting_bytes) parts.push(`${size(way.waiting_bytes)} not taken yet`);
  if (way.stopped) parts.push("stopped");
  return parts.join(", ");
}
