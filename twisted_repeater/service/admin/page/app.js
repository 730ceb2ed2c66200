// What the parts of the page share: the chosen repeater, the filter of messages, and who is told of what.

import { byId, setText } from "./dom.js";

const STAYS = 8000; // milliseconds that an answer stays in the line at the bottom

/** Return what the administration says as a sentence: its errors begin small, and have no full stop. */
const whole = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");

export class App {
  constructor() {
    this.repeater = null; // the name of the chosen repeater
    this.summary = null; // what /repeaters says of it
    this.filter = { client: "", direction: "", type: "", text: "" };
    this.paused = false;
    this.link = null; // the chosen link
    this.message = null; // the chosen message
    this.holds = () => false; // whether this tab has rules or held messages; the part for rules sets it
    this.listeners = new Map();
    this.notices = new Map();
  }

  /** Call something each time an event of this kind comes. */
  on(kind, call) {
    if (!this.listeners.has(kind)) this.listeners.set(kind, []);
    this.listeners.get(kind).push(call);
  }

  /** Tell all that listen. */
  tell(kind, data = undefined) {
    for (const call of this.listeners.get(kind) ?? []) call(data);
  }

  /** Choose a repeater: all lists are read anew, and the stream is opened. */
  choose(name) {
    this.repeater = name;
    this.summary = null;
    this.link = null;
    this.tell("repeater", name);
  }

  /** Say something in the line at the bottom. */
  say(text, bad = false) {
    const said = byId("said");
    setText(said, text && whole(text));
    said.classList.toggle("bad", bad);
    clearTimeout(this.timer);
    if (!bad) this.timer = setTimeout(() => setText(said, ""), STAYS);
  }

  /**
   * Make calls of the API for somebody who pressed a button, and say how it went.
   *
   * @param {function(): Promise} calls what to do
   * @param {string|function(*): string} done what to say then; it may be made of the answer
   * @returns the answer, or null if it failed
   */
  async attempt(calls, done = "") {
    try {
      const answer = await calls();
      const text = typeof done === "function" ? done(answer) : done;
      if (text) this.say(text);
      return answer ?? {};
    } catch (error) {
      if (error.status !== 401) this.say(error.message, true);
      if (error.status === undefined) throw error;
      return null;
    }
  }

  /** Show a sentence above the page as long as it is true; an empty one takes it away. Each kind has one. */
  notice(kind, sentence) {
    this.notices.set(kind, sentence);
    const text = [...this.notices.values()].filter(Boolean).map(whole).join(" ");
    const bar = byId("notice");
    setText(bar, text);
    bar.hidden = !text;
  }
}
