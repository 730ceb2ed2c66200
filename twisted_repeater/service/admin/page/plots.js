// Four small plots of the last two minutes: messages and bytes a second, each way.

import { byId, make, setText } from "./dom.js";
import { ARROWS, WAYS, rate, size } from "./format.js";

const POINTS = 120;
const WIDTH = 120;
const HEIGHT = 28;
const SVG = "http://www.w3.org/2000/svg";

/** Fill the strip of plots, and go on drawing. */
export function plots(app) {
  const all = [];
  for (const [what, show] of [["messages", rate], ["bytes", (value) => size(value)]]) {
    for (const way of ["to_server", "to_client"]) all.push(new Plot(way, what, show));
  }
  byId("rates").append(...all.map((plot) => plot.element));
  let before = null;
  app.on("repeater", () => {
    before = null;
    for (const plot of all) plot.clear();
  });
  app.on("summary", (summary) => {
    if (!summary) return;
    const now = performance.now() / 1000;
    if (before && now - before.now < 0.5) return; // too short for a rate
    // Counters that went back belong to a repeater that was made anew.
    if (before && before.summary.started === summary.started) {
      const seconds = now - before.now;
      for (const plot of all) plot.add(before.summary.received, summary.received, seconds);
    }
    before = { now, summary };
  });
}

class Plot {
  constructor(way, what, show) {
    this.way = way;
    this.what = what;
    this.show = show;
    this.values = [];
    this.line = document.createElementNS(SVG, "path");
    this.area = document.createElementNS(SVG, "path");
    this.line.setAttribute("class", "line");
    this.area.setAttribute("class", "area");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(this.area, this.line);
    this.number = make("b", {}, "–");
    this.top = make("span.top.quiet", {});
    this.element = make(
      "figure.plot",
      { class: `plot ${way}` },
      make("figcaption", {}, this.number, make("span.quiet", {}, "/s"), make("p.quiet", {}, make("span.arrow", {}, ARROWS[way]), `${what} ${WAYS[way]}`)),
      make("div", {}, this.top, svg),
    );
  }

  clear() {
    this.values = [];
    this.#draw();
  }

  add(before, now, seconds) {
    const difference = now[this.way][this.what] - before[this.way][this.what];
    this.values.push(Math.max(0, difference / seconds));
    if (this.values.length > POINTS) this.values.shift();
    this.#draw();
  }

  #draw() {
    const highest = nice(Math.max(1, ...this.values), this.what === "bytes" ? 1024 : 1000);
    const points = this.values.map((value, index) => {
      const x = WIDTH - ((this.values.length - 1 - index) * WIDTH) / (POINTS - 1);
      return `${x.toFixed(1)} ${(HEIGHT - 1 - (value / highest) * (HEIGHT - 3)).toFixed(1)}`;
    });
    const line = points.length > 1 ? `M${points.join("L")}` : "";
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", line && `${line}V${HEIGHT}H${points[0].split(" ")[0]}Z`);
    const last = this.values.at(-1);
    setText(this.number, last === undefined ? "–" : this.show(last));
    setText(this.top, this.values.some(Boolean) ? `to ${this.show(highest)}` : "");
  }
}

/** Return the next of 1, 2, 5, 10, 20 …, so that the scale changes seldom. */
function nice(value, thousand) {
  let unit = 1;
  while (value > unit * 1000) unit *= thousand;
  return [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((step) => step * unit).find((step) => step >= value);
}
