// Puts the page together and asks once a second how the repeaters are.

import { get, onLoginNeeded } from "./api.js";
import { App } from "./app.js";
import { Connection } from "./connection.js";
import { Dock } from "./dock.js";
import { byId, make, setText } from "./dom.js";
import { errorsPanel } from "./errors.js";
import { faultsPanel } from "./faults.js";
import { heldPanel } from "./held.js";
import { keys } from "./keys.js";
import { links } from "./links.js";
import { Login } from "./login.js";
import { messagePanel } from "./message.js";
import { messages } from "./messages.js";
import { plots } from "./plots.js";
import { repeaterPanel } from "./repeater.js";
import { rulesPanel } from "./rules.js";
import { sendPanel } from "./send.js";
import { views } from "./views.js";

const EVERY = 1000; // milliseconds between two looks at the repeaters

// Where it leads cannot be said in the address: there stands the name of the repeater.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  app.views.show("messages");
  byId("messages-list").focus();
});

const app = new App();
const login = new Login(() => begin());
onLoginNeeded(() => login.show());
app.connection = new Connection(app);
app.views = views(app);
app.dock = new Dock(byId("tabs"), (name, open) => {
  if (open) app.views.show("dock");
  app.tell("dock", name);
});

plots(app);
links(app);
messages(app);
for (const panel of [messagePanel, heldPanel, rulesPanel, sendPanel, faultsPanel, errorsPanel, repeaterPanel]) panel(app);
keys(app);

app.on("repeater", () => app.connection.open());
byId("repeater").addEventListener("change", (event) => {
  location.hash = encodeURIComponent(event.target.value);
});
addEventListener("hashchange", () => app.summaries && chooseOne());

/** Show what the repeaters say of themselves, and choose one if none is chosen. */
function show(repeaters) {
  app.summaries = new Map(repeaters.map((summary) => [summary.name, summary]));
  const picker = byId("repeater");
  const names = [...app.summaries.keys()];
  if (names.join("\n") !== [...picker.options].map((option) => option.value).join("\n")) {
    picker.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
    if (app.repeater) picker.value = app.repeater;
  }
  picker.disabled = names.length < 2;
  if (!app.summaries.has(app.repeater)) chooseOne();
  app.summary = app.summaries.get(app.repeater) ?? null;
  app.notice("repeaters", names.length ? "" : "This process has no repeater at the moment.");
  if (app.summary) describe(app.summary);
}

/** Return the name behind the #. Anybody may have typed it, so it may be no name at all. */
function named() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function chooseOne() {
  const wanted = named();
  const name = app.summaries.has(wanted) ? wanted : (app.summaries.keys().next().value ?? null);
  if (name === app.repeater) return;
  // Else the address would go on to say a name that is not shown, and choosing that one would change nothing.
  if (wanted && wanted !== name) history.replaceState(null, "", `#${encodeURIComponent(name ?? "")}`);
  const left = app.repeater;
  byId("repeater").value = name;
  if (left !== null && app.holds()) app.say(`What this tab holds at ${left} is released in 15 seconds, unless you go back`);
  if (left !== null && !app.summaries.has(left)) app.say(`The repeater ${left} is gone`, true);
  app.choose(name);
}

function describe(summary) {
  setText(byId("route"), `${summary.dialect}  ·  ${[summary.listen, summary.server].filter(Boolean).join(" → ")}`);
  const ready = byId("ready");
  const refuses = summary.drops_new_clients ? "refuses newcomers" : "ready";
  setText(ready, summary.ready ? refuses : "not ready");
  ready.className = `chip ${summary.ready && !summary.drops_new_clients ? "good" : "warn"}`;
  document.title = `${summary.held ? `(${summary.held} held) ` : ""}${summary.name} – twisted_repeater`;
}

let lost = false;
let timer = null;

async function look() {
  clearTimeout(timer);
  const started = performance.now();
  if (!document.hidden || app.holds()) {
    try {
      show((await get("repeaters")).repeaters);
      if (lost) app.connection.stream?.hurry();
      lost = false;
    } catch (error) {
      if (error.status === undefined) throw error;
      if (error.status === 401) return; // the login begins anew
      lost = true;
    }
    if (!lost) app.tell("summary", app.summary);
    app.notice("lost", lost ? "What you see is old." : "");
    document.body.classList.toggle("lost", lost);
  }
  clearTimeout(timer);
  timer = setTimeout(look, Math.max(EVERY / 4, EVERY - (performance.now() - started)));
}

app.on("changed", look); // somebody has changed something here, and wants to see it

let running = false;

async function begin() {
  const session = await get("session").catch(() => ({}));
  if (session.needs_token && !session.logged_in) {
    login.show();
    return;
  }
  login.offersLogout(session.needs_token);
  const version = await get("version").catch(() => null);
  if (version) setText(byId("version"), `twisted_repeater ${version.version}, ${version.hot_path}`);
  if (running) app.connection.open();
  running = true;
  look();
}

begin();
