// The rules that say which messages to hold. A rule belongs to the stream of the tab that made it.

import { get, of, post, remove } from "./api.js";
import { DIRECTIONS, field, make, select, setText } from "./dom.js";
import { ARROWS, count, duration, visible } from "./format.js";

/** Add the tab of the rules. */
export function rulesPanel(app) {
  let rules = [];
  const body = make("tbody");
  const empty = make("p.empty", {}, "No rule. Say which messages to hold, and press “Hold”.");
  const form = ruleForm();
  const table = make(
    "table.list",
    { "aria-label": "Rules" },
    make("thead", {}, make("tr", {}, ...["Holds", "at most", "matched", "held now", ""].map((text) => make("th", { scope: "col" }, text)))),
    body,
  );
  app.dock.add("rules", "Rules", make("div.rules-panel", {}, form, table, empty));

  function draw() {
    table.hidden = !rules.length;
    empty.hidden = rules.length > 0;
    app.dock.count("rules", rules.length);
    app.tell("rules", rules);
    const ids = rules.map((rule) => rule.id).join();
    // Rows stay as long as the rules are the same, so that the focus stays on their buttons.
    if (body.ids !== ids) {
      body.ids = ids;
      body.replaceChildren(...rules.map(makeRow));
    }
    rules.forEach((rule, index) => {
      const [what, , matched, now] = body.children[index].children;
      setText(what.lastChild, rule.stream === app.connection.stream?.id ? "" : "  (not of this tab)");
      setText(matched, count(rule.matched));
      setText(now.firstChild, count(rule.held));
      setText(now.lastChild, rule.full ? "  full: more messages pass" : "");
    });
  }

  function makeRow(rule) {
    const text = sentence(rule);
    const button = make("button", { type: "button", onclick: () => drop(rule), "aria-label": `Remove the rule: ${text}` }, "Remove");
    return make(
      "tr",
      {},
      make("td", {}, text, make("span.quiet")),
      make("td", {}, duration(rule.timeout)),
      make("td.number"),
      make("td.number", {}, make("span"), make("span.bad")),
      make("td", {}, button),
    );
  }

  async function look() {
    const repeater = app.repeater;
    if (repeater === null) return;
    const answer = await get(of(repeater, "rules")).catch(() => null);
    if (!answer || repeater !== app.repeater) return;
    rules = answer.rules;
    draw();
  }

  async function drop(rule) {
    await app.attempt(() => remove(of(app.repeater, "rules", rule.id)), "The rule is removed, and what it held is released.");
    await look();
    if (!body.contains(document.activeElement)) form.elements.client.focus(); // the button had the focus, and is gone
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (app.connection.id === null) {
      app.say("A rule belongs to the stream of a tab, and this tab has none at the moment.", true);
      return;
    }
    const given = Object.fromEntries(new FormData(form));
    const rule = { stream: app.connection.id, every: Number(given.every), timeout: Number(given.timeout) };
    for (const name of ["client", "direction", "type", "text"]) if (given[name]) rule[name] = given[name];
    const made = await app.attempt(() => post(of(app.repeater, "rules"), rule), "Messages that match are held from now on.");
    if (made) app.dock.show("held");
    look();
  });

  app.on("rule-like", (filter) => {
    for (const [name, value] of Object.entries(filter)) form.elements[name].value = value;
    app.dock.show("rules", true);
    app.say("Press “Hold” to hold such messages from now on");
  });
  app.on("repeater", () => {
    rules = [];
    draw();
    look();
  });
  app.on("resync", look);
  // Many may come at once, and each look is a call.
  let soon = null;
  app.on("held", () => {
    soon ??= setTimeout(() => {
      soon = null;
      look();
    }, 200);
  });
  app.on("summary", () => rules.length && look());
  app.holds = () => app.heldHere() || rules.some((rule) => rule.stream === app.connection.stream?.id);
  draw();
}

/** Return what a rule holds, in words. */
function sentence(rule) {
  const what = rule.every > 1 ? `every ${count(rule.every)}. message` : "messages";
  const parts = [what];
  if (rule.type) parts.push(`of type ${rule.type}`);
  if (rule.client) parts.push(`of ${visible(rule.client)}`);
  if (rule.direction) parts.push(`${ARROWS[rule.direction]} ${rule.direction === "to_server" ? "to the server" : "to the client"}`);
  if (rule.text) parts.push(`with “${rule.text}”`);
  return parts.length === 1 && rule.every <= 1 ? "all messages" : parts.join(" ");
}

function ruleForm() {
  const text = (name, placeholder) => make("input", { name, placeholder, autocomplete: "off", spellcheck: "false", maxlength: 200 });
  const number = (name, value, min, max, step) => make("input", { name, type: "number", value, min, max, step, required: true });
  return make(
    "form.fields-in-line",
    { "aria-label": "A rule to hold messages" },
    field("client", text("client", "any"), "A name, or a pattern such as desk-*"),
    field("direction", select({ name: "direction" }, DIRECTIONS)),
    field("type", text("type", "any"), "A type, or a pattern such as New*"),
    field("text", text("text", "any"), "A text that the message contains"),
    field("every nth", number("every", 1, 1, 1000000, 1), "1 holds each message that matches"),
    field("at most, in seconds", number("timeout", 60, 0.1, 3600, "any"), "A held message is released after so many seconds"),
    make("button.main", {}, "Hold"),
  );
}
