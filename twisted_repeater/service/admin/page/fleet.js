// The nodes of the fleet, as this node knows them. Where there is no fleet there is nothing to see.

import { get } from "./api.js";
import { make } from "./dom.js";
import { count, visible } from "./format.js";

const EVERY = 3000; // milliseconds between two looks: nodes say something of themselves every few seconds

const HEADS = ["node", "host", "process", "version", "repeater", "links", "state"];

/** Make the part of the page that shows the nodes; it is hidden while the process belongs to no fleet. */
export function fleetNodes(app) {
  const body = make("tbody");
  const head = make("thead", {}, make("tr", {}, ...HEADS.map((text) => make("th", { scope: "col" }, text))));
  const part = make("section.nodes", { hidden: true }, make("h3", {}, "Nodes of the fleet"), make("table.list", { "aria-label": "Nodes" }, head, body));
  let next = 0;

  async function look() {
    next = performance.now() + EVERY;
    const fleet = await get("fleet").catch(() => null); // a page that cannot ask says so already
    if (!fleet) return;
    part.hidden = fleet.alone;
    app.notice("fleet", fleet.problem === null ? "" : `This node is no member of its fleet: ${fleet.problem}`);
    body.replaceChildren(...fleet.nodes.flatMap(rows));
  }

  app.on("summary", () => performance.now() >= next && look());
  return part;
}

/** Return the rows of a node: one for each of its repeaters. */
function rows(node) {
  const repeaters = node.repeaters.length ? node.repeaters : [{ name: "", links: 0 }];
  return repeaters.map((repeater) => {
    const state = [node.own && "this node", repeater.draining && "draining", repeater.drops_new_clients && "drops newcomers"];
    return make(
      "tr",
      node.own ? { "aria-current": "true" } : {},
      make("td", {}, visible(node.name)),
      make("td", {}, visible(node.host ?? "")),
      make("td.number", {}, String(node.pid ?? "")),
      make("td", {}, visible(node.version ?? "")),
      make("td", {}, visible(repeater.name)),
      make("td.number", {}, count(repeater.links)),
      make("td", {}, state.filter(Boolean).join(", ")),
    );
  });
}
