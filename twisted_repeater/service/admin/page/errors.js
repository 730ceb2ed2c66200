// The last errors of the repeater, newest first.

import { get, of } from "./api.js";
import { make } from "./dom.js";
import { clock, visible } from "./format.js";

const MOST = 100;

/** Add the tab of the errors. */
export function errorsPanel(app) {
  let errors = [];
  const body = make("tbody");
  const table = make(
    "table.list",
    { "aria-label": "Errors" },
    make("thead", {}, make("tr", {}, ...["time", "client", "link", "side", "error"].map((text) => make("th", { scope: "col" }, text)))),
    body,
  );
  const empty = make("p.empty", {}, "No error.");
  app.dock.add("errors", "Errors", make("div.errors-panel", {}, table, empty));
  let fresh = 0; // errors that came while the tab was not in sight

  function draw() {
    table.hidden = !errors.length;
    empty.hidden = errors.length > 0;
    if (app.dock.shown === "errors") fresh = 0;
    app.dock.count("errors", fresh, "bad");
    if (app.dock.shown !== "errors") return;
    body.replaceChildren(
      ...errors.map((error) =>
        make(
          "tr",
          {},
          make("td.number", {}, clock(error.time)),
          make("td", {}, visible(error.client ?? "")),
          make("td.number", {}, error.link === null ? "" : String(error.link)),
          make("td", {}, error.side ?? ""),
          make("td.value", {}, error.error),
        ),
      ),
    );
  }

  async function look() {
    const repeater = app.repeater;
    if (repeater === null) return;
    const answer = await get(of(repeater, "errors")).catch(() => null);
    if (!answer || repeater !== app.repeater) return;
    errors = answer.errors;
    draw();
  }

  // Many may come at once, and drawing the list for each would take long.
  let later = null;
  app.on("error", (error) => {
    errors = [error, ...errors].slice(0, MOST);
    fresh += 1;
    later ??= setTimeout(() => {
      later = null;
      draw();
    }, 200);
  });
  app.on("dock", (name) => name === "errors" && look());
  app.on("repeater", () => {
    errors = [];
    fresh = 0;
    draw();
    look();
  });
  app.on("resync", look);
  draw();
}
