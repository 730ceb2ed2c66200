// The tabs below the messages. Arrow keys move between them, as in every list of tabs.

import { byId, make, setText } from "./dom.js";

export class Dock {
  /** @param {function(string, boolean)} told called with the name of each tab that is shown, and whether it is opened */
  constructor(bar, told) {
    this.bar = bar;
    this.told = told;
    this.panels = new Map();
    this.shown = null;
    bar.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Add a tab. Its number is its key. */
  add(name, title, content) {
    const badge = make("span.badge", { hidden: true });
    const tab = make("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}` }, title, " ", badge);
    const panel = make("div.panel", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": tab.id }, content);
    tab.addEventListener("click", () => this.show(name));
    this.bar.append(tab);
    this.bar.parentElement.append(panel);
    this.panels.set(name, { tab, panel, badge });
    tab.title = `Key ${this.panels.size}`;
    if (this.shown === null) this.show(name);
    else this.#mark(name, false);
  }

  /** Show a tab. With `open` also where only one part of the page is in sight, and its first control gets the focus. */
  show(name, open = false) {
    this.shown = name;
    this.told(name, open);
    for (const other of this.panels.keys()) this.#mark(other, other === name);
    this.panels.get(name).tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (!open) return;
    const { panel, tab } = this.panels.get(name);
    const first = (what) => panel.querySelector(what);
    (first("[tabindex='0']") ?? first("input, select, textarea, button") ?? tab).focus();
  }

  /** Show the tab with this number. */
  showNumber(number) {
    const name = [...this.panels.keys()][number - 1];
    if (name) {
      this.show(name, true);
      this.panels.get(name).tab.focus();
    }
  }

  /** Show a number at a tab; 0 takes it away. */
  count(name, number, kind = "") {
    const { badge } = this.panels.get(name);
    setText(badge, number ? String(number) : "");
    badge.hidden = !number;
    badge.className = `badge ${kind}`;
    if (name !== "held") return;
    const small = byId("views-held");
    setText(small, badge.textContent);
    small.hidden = !number;
  }

  #mark(name, shown) {
    const { tab, panel } = this.panels.get(name);
    tab.setAttribute("aria-selected", shown);
    tab.tabIndex = shown ? 0 : -1;
    panel.hidden = !shown;
  }

  #key(event) {
    const names = [...this.panels.keys()];
    const at = names.indexOf(this.shown);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const name = names[(to + names.length) % names.length];
    this.show(name);
    this.panels.get(name).tab.focus();
  }
}
