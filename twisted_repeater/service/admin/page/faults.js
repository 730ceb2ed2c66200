// Faults: a form for each kind, as the administration describes them, and the list of those that are set.

import { get, of, put, remove } from "./api.js";
import { field, make, select, setText } from "./dom.js";
import { count, duration } from "./format.js";

/** Add the tab of the faults. */
export function faultsPanel(app) {
  let kinds = [];
  let faults = [];
  const kind = select({ name: "kind" }, []);
  const name = make("input", { name: "name", autocomplete: "off", spellcheck: "false", required: true });
  const lasts = make("input", { name: "lasts", type: "number", min: 0.1, step: "any", value: 60, placeholder: "for ever" });
  const options = make("div.fields-in-line.options");
  const summary = make("p.quiet.hint");
  const form = make(
    "form",
    { "aria-label": "Set a fault" },
    make(
      "div.fields-in-line",
      {},
      field("kind", kind),
      field("name", name, "A fault of the same name is replaced"),
      field("lasts, in seconds", lasts, "It ends by itself; empty: not before you remove it"),
      make("button.main", {}, "Set"),
    ),
    options,
    summary,
  );
  const all = make("button", { type: "button" }, "Clear all");
  const body = make("tbody");
  const heads = ["name", "fault", "way", "seen", "hit", "ends in", ""];
  const table = make(
    "table.list",
    { "aria-label": "Faults" },
    make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))),
    body,
  );
  const empty = make("p.empty", {}, "No fault is set: messages pass as they are.");
  app.dock.add("faults", "Faults", make("div.faults-panel", {}, form, make("div.buttons", {}, all), table, empty));

  function choose() {
    const one = kinds.find((other) => other.name === kind.value);
    if (!one) return;
    name.value = one.name;
    setText(summary, one.summary ?? "");
    const own = one.options.filter((option) => option.name !== "lasts"); // which is a field of every fault above
    options.replaceChildren(...own.map((option) => field(option.name, control(option), option.kind)));
  }

  function control(option) {
    const settings = { name: `option ${option.name}`, autocomplete: "off", spellcheck: "false", required: option.required };
    if (!option.choices) return make("input", { ...settings, placeholder: option.default ?? "" });
    const choices = option.choices.map((choice) => [choice, choice]);
    if (option.default === null) choices.unshift(["", ""]);
    const made = select(settings, choices);
    made.value = made.original = option.default ?? "";
    return made;
  }

  /** Return the fault as the administration reads it: latency:seconds=0.2. What is left alone keeps its default. */
  function description() {
    const parts = [kind.value];
    for (const input of options.querySelectorAll("input, select")) {
      const value = input.value.trim();
      if (!value || value === input.original) continue;
      parts.push(`${input.name.slice("option ".length)}=${value.replace(/[:\\]/g, "\\$&")}`);
    }
    return parts.join(":");
  }

  async function look() {
    const repeater = app.repeater;
    if (repeater === null) return;
    const answer = await get(of(repeater, "faults")).catch(() => null);
    if (!answer || repeater !== app.repeater) return;
    faults = answer.faults;
    draw();
  }

  function draw() {
    table.hidden = all.hidden = !faults.length;
    empty.hidden = faults.length > 0;
    app.dock.count("faults", faults.length, "warn");
    const names = faults.map((fault) => fault.name).join("\n");
    // Rows stay as long as the same faults are set, so that the focus stays on their buttons.
    if (body.names !== names) {
      body.names = names;
      body.replaceChildren(...faults.map(makeRow));
    }
    faults.forEach((fault, index) => {
      const left = fault.seconds_left ?? null;
      const cells = [fault.name, fault.fault, fault.direction ?? "", count(fault.seen ?? 0), count(fault.hit ?? 0), left === null ? "not by itself" : duration(left)];
      cells.forEach((text, column) => setText(body.children[index].children[column], text));
    });
  }

  function makeRow(fault) {
    const button = make("button", { type: "button", "aria-label": `Remove the fault ${fault.name}` }, "Remove");
    button.addEventListener("click", async () => {
      await app.attempt(() => remove(of(app.repeater, "faults", fault.name)), `The fault ${fault.name} is removed.`);
      await look();
      if (!body.contains(document.activeElement)) kind.focus(); // the button had the focus, and is gone
    });
    const cells = ["", ".value", "", ".number", ".number", ".number"].map((classes) => make(`td${classes}`));
    return make("tr", {}, ...cells, make("td", {}, button));
  }

  kind.addEventListener("change", choose);
  all.addEventListener("click", async () => {
    await app.attempt(() => remove(of(app.repeater, "faults")), "No fault is set any more.");
    await look();
    kind.focus(); // the button had the focus, and is hidden
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = { fault: description(), lasts: lasts.value ? Number(lasts.value) : null };
    await app.attempt(() => put(of(app.repeater, "faults", name.value), wanted), `The fault ${name.value} is set.`);
    look();
  });

  async function kindsOnce() {
    if (kinds.length) return;
    kinds = (await get("fault-kinds").catch(() => ({ kinds: [] }))).kinds;
    kind.replaceChildren(...kinds.map((one) => make("option", { value: one.name }, one.name)));
    choose();
  }

  app.on("repeater", () => {
    faults = [];
    draw();
    look();
    kindsOnce();
  });
  app.on("resync", () => {
    look();
    kindsOnce();
  });
  app.on("summary", (now) => {
    if (now && (now.faults !== faults.length || (faults.length && app.dock.shown === "faults"))) look();
  });
  draw();
}
