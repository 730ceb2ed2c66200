// Decides how this tab is told what happens, and says so in the header.
//   live      it has a stream
//   polling   other tabs have all the streams that a browser can carry; lists are asked for, no messages come
//   resting   nobody sees the tab and it holds nothing, so it gave its stream up
//   lost      the administration does not answer; it is tried again by itself

import { post } from "./api.js";
import { byId, setText } from "./dom.js";
import { Stream } from "./stream.js";
import { MOST_STREAMS, Tabs } from "./tabs.js";

const REST = 5000; // milliseconds that a tab may be hidden before it gives up its stream
const ASKS_AGAIN = 10000; // milliseconds after which a polling tab asks whether there is room

const CROWDED =
  `${MOST_STREAMS} other tabs of this page have a stream, and a browser cannot carry more. ` +
  "This tab shows links and rates, but no messages. Close one of the others and it goes on here.";

const KEPT = "streams"; // where the names of the streams are, from when this page goes until it is loaded anew

/** Take what the page before this one has left here. Taken once: a tab that is made as a copy of this one has its own streams. */
function remembered() {
  const kept = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  return new Map(kept ? JSON.parse(kept) : []);
}

export class Connection {
  constructor(app) {
    this.app = app;
    this.stream = null;
    this.resumed = false; // whether the stream is one that was lost, and is there again
    this.ids = remembered(); // the last stream of each repeater: whoever comes back in time finds its rules again
    this.state = "";
    this.tabs = new Tabs(() => this.state === "polling" && this.#soon(Math.random() * 500));
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("pagehide", () => {
      this.#close();
      sessionStorage.setItem(KEPT, JSON.stringify([...this.ids]));
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      remembered(); // this page still knows them itself
      this.open();
    });
    addEventListener("online", () => this.stream?.hurry());
  }

  /** The name of this tab's stream at the server, null while there is none. */
  get id() {
    return this.state === "live" ? this.stream.id : null;
  }

  /** Open the stream of the chosen repeater, in place of the one before. */
  async open() {
    this.#close();
    const repeater = this.app.repeater;
    if (repeater === null) return;
    this.#is("connecting", "connecting …");
    const may = await this.tabs.mayStream();
    if (repeater !== this.app.repeater || this.stream) return;
    if (!may) {
      this.#is("polling", "no stream: too many tabs", CROWDED);
      this.#soon(ASKS_AGAIN);
      this.app.tell("resync");
      return;
    }
    this.stream = new Stream(repeater, () => ({ ...this.app.filter, paused: this.app.paused || null }), {
      event: (kind, data) => this.app.tell(kind, data),
      up: (hello) => this.#up(hello),
      down: (error) => this.#down(error),
    }, this.ids.get(repeater));
  }

  /** Ask anew what the stream shows, after the filter or the pause has changed. */
  async choose() {
    if (this.id !== null) {
      const chosen = Object.entries(this.app.filter).map(([name, value]) => [name, value || null]);
      await this.app.attempt(() => post(`streams/${this.id}`, { ...Object.fromEntries(chosen), paused: this.app.paused }));
    }
  }

  #up(hello) {
    this.resumed = this.ids.get(hello.repeater) === hello.stream;
    this.ids.set(hello.repeater, hello.stream);
    this.#is("live", "live");
    if (this.resumed) this.choose(); // it goes on with what was chosen before, and the filter may be another one by now
    this.app.tell("resync");
  }

  #down(error) {
    // The same sentence at each try: a screen reader reads each new one aloud.
    const why = error.message.replace(/\.$/, "");
    this.#is("lost", error.status ? "no stream" : "connection lost", `${why}. It is tried again every few seconds.`);
  }

  #close() {
    clearTimeout(this.timer);
    this.stream?.close();
    this.stream = null;
    this.tabs.giveUp();
  }

  #soon(pause) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), pause);
  }

  #seen() {
    clearTimeout(this.rest);
    if (document.hidden) this.rest = setTimeout(() => this.#rest(), REST);
    else if (this.state === "resting") this.open();
    else this.stream?.hurry();
  }

  #rest() {
    if (this.app.holds() || !this.stream) return;
    this.#close();
    this.#is("resting", "resting");
  }

  #is(state, text, sentence = "") {
    this.state = state;
    document.body.dataset.connection = state;
    const live = byId("live");
    setText(live, text);
    live.title = sentence;
    this.app.notice("connection", sentence);
    this.app.tell("connection", state);
  }
}
