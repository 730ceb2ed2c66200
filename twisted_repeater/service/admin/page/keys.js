// Keys that work anywhere on the page but in a field, and the overlay that lists them.

import { byId, make } from "./dom.js";

const LIST = [
  ["?", "this help"],
  ["l", "go to the links"],
  ["m", "go to the messages"],
  ["/", "filter messages by a text"],
  ["p", "pause the messages, or go on"],
  ["h", "go to the held messages"],
  ["1 … 7", "the tabs below the messages"],
  ["↑ ↓ PgUp PgDn Home End", "move in a list"],
  ["Enter", "in the links: only the messages of this client; in a list: go to the details"],
  ["Esc", "choose nothing; leave a field or a window"],
  ["r", "in the held messages: release"],
  ["d", "in the held messages: drop"],
  ["e", "in the held messages: edit"],
  ["Ctrl+Enter", "in the editor of a held message: send it changed"],
];

/** Listen to the keys, and make the overlay. */
export function keys(app) {
  const dialog = byId("help");
  const rows = LIST.flatMap(([key, text]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, text)]);
  dialog.append(
    make(
      "form",
      { method: "dialog" },
      make("h2", { id: "help-title" }, "Keys"),
      make("dl.keys", {}, ...rows),
      make("p.quiet", {}, "A rule to hold messages belongs to this tab. If the tab is closed, what it holds is released after 15 seconds."),
      make("div.buttons", {}, make("button.main", { autofocus: true }, "Close")),
    ),
  );
  byId("help-open").addEventListener("click", () => dialog.showModal());

  const go = (view, id) => () => {
    app.views.show(view);
    byId(id).focus();
  };
  const actions = {
    "?": () => dialog.showModal(),
    l: go("links", "links-list"),
    m: go("messages", "messages-list"),
    p: () => byId("pause").click(),
    h: () => app.dock.show("held", true),
    "/": () => {
      app.views.show("messages");
      byId("messages-filter").elements.text.focus();
    },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    const field = event.target.closest("input, textarea, select");
    if (field && event.key === "Escape") field.blur();
    if (field) return;
    const action = actions[event.key];
    if (action) action();
    else if (/^[1-9]$/.test(event.key)) app.dock.showNumber(Number(event.key));
    else return;
    event.preventDefault();
  });
}
