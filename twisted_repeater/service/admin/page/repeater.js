// What concerns the whole repeater: its facts, newcomers, the recording, reload; and draining the process.

import { get, of, post } from "./api.js";
import { confirmed } from "./confirm.js";
import { make, setText } from "./dom.js";
import { fleetNodes } from "./fleet.js";

/** Add the tab of the repeater. */
export function repeaterPanel(app) {
  const facts = make("dl.facts");
  const limits = make("dl.facts");
  const answer = make("div.answer", { role: "status" });
  const button = (text, call, settings = {}) => make("button", { type: "button", onclick: call, ...settings }, text);
  const newcomers = button("Drop newcomers", async () => {
    const drops = app.summary?.drops_new_clients;
    const path = of(app.repeater, drops ? "accept-new-clients" : "drop-new-clients");
    await app.attempt(() => post(path), drops ? "Newcomers are accepted again." : "Newcomers are refused from now on; links stay.");
    app.tell("changed");
  });
  const recording = button("Start the recording", async () => {
    const runs = app.summary?.recording;
    const path = of(app.repeater, "recording", runs ? "stop" : "start");
    await app.attempt(() => post(path), runs ? "The recording is stopped." : "The recording runs.");
    app.tell("changed");
  });
  const reload = button("Reload", async () => {
    const said = await app.attempt(() => post(of(app.repeater, "reload")));
    if (said) answer.replaceChildren(...(said.reloaded ?? [said]).map(reloaded));
  });
  const drain = button("Drain …", () => drained(app), { class: "danger" });
  const buttons = make("div.buttons", {}, newcomers, recording, reload, drain);
  const sides = make("div.sides", {}, make("div", {}, make("h3", {}, "Configuration"), facts), make("div", {}, make("h3", {}, "Limits"), limits));
  app.dock.add("repeater", "Repeater", make("div.repeater-panel", {}, buttons, answer, fleetNodes(app), sides));

  async function look() {
    const repeater = app.repeater;
    if (repeater === null) return;
    const about = await get(of(repeater)).catch(() => null);
    if (!about || repeater !== app.repeater) return;
    listed(facts, about.facts ?? {});
    listed(limits, about.limits ?? {});
  }

  app.on("summary", (summary) => {
    setText(newcomers, summary?.drops_new_clients ? "Accept newcomers" : "Drop newcomers");
    newcomers.setAttribute("aria-pressed", Boolean(summary?.drops_new_clients));
    const records = summary?.recording ?? null;
    recording.disabled = records === null;
    recording.title = records === null ? "This repeater was started without a recording: see the option --record" : "";
    setText(recording, records ? "Stop the recording" : "Start the recording");
  });
  app.on("repeater", () => {
    answer.replaceChildren();
    look();
  });
  app.on("resync", look);
}

function listed(list, values) {
  list.replaceChildren(...Object.entries(values).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value === null ? "none" : typeof value === "number" ? value.toLocaleString("en") : String(value))]));
}

/** Return what a reload says of one repeater, key by key. */
function reloaded(one) {
  const where = one.repeater ? `${one.repeater}: ` : "";
  if (one.error) return make("p.bad", {}, `${where}nothing was changed: ${one.error}`);
  const keys = Object.entries(one.keys ?? {});
  if (!keys.length) return make("p", {}, `${where}nothing has changed.`);
  const items = keys.map(([key, how]) => make("li", { class: how === "applied" ? "" : "warn" }, make("b", {}, key), `: ${how}`));
  return make("div", {}, make("p", {}, `${where}reloaded.`), make("ul", {}, ...items));
}

async function drained(app) {
  const text =
    "The whole process ends: it refuses newcomers, lets its links end in good order within its deadline, and stops. " +
    "This cannot be taken back.";
  if (await confirmed("Drain all repeaters of this process?", text, "Drain and stop")) {
    await app.attempt(() => post("drain"), "The process drains. This page ends with it.");
  }
}
