// One event stream of a repeater, which connects again by itself.
// fetch() and not EventSource, because it shows why a stream is refused (no login, too many streams), and because the
// page sees each comment that the server sends to show that it lives.

import { ApiError, asking, checked, of } from "./api.js";
import { eventReader } from "./sse.js";

const SILENCE = 25000; // milliseconds without a byte until the stream counts as lost; a comment comes each 10 s
const PAUSES = [500, 1000, 2000, 4000, 8000]; // milliseconds before each try to connect again

export class Stream {
  /**
   * @param {string} repeater whose stream
   * @param {function(): object} query what to ask for, looked at each time it connects
   * @param {object} tell event(kind, data), up(hello), down(error)
   * @param {string} id the stream that this one goes on with, if the server still has it
   */
  constructor(repeater, query, tell, id = null) {
    this.repeater = repeater;
    this.query = query;
    this.tell = tell;
    this.id = id; // the server's name for this stream, by which it keeps our rules for a while
    this.last = "";
    this.failed = 0;
    this.#run();
  }

  /** Close it. The server releases what it holds if nobody takes it up again. */
  close() {
    this.closed = true;
    this.abort?.abort();
    clearTimeout(this.timer);
  }

  /** Try at once instead of at the end of the pause. */
  hurry() {
    if (this.timer === null || this.closed) return;
    clearTimeout(this.timer);
    this.#run();
  }

  async #run() {
    this.timer = null;
    let error;
    try {
      await this.#read();
      error = new ApiError(0, "The stream has ended.");
    } catch (caught) {
      error = caught instanceof ApiError ? caught : new ApiError(0, "The administration cannot be reached.");
    }
    clearTimeout(this.silence);
    if (this.closed) return;
    const pause = PAUSES[Math.min(this.failed, PAUSES.length - 1)] * (0.75 + Math.random() / 2);
    this.failed += 1;
    this.timer = setTimeout(() => this.#run(), pause);
    this.tell.down(error);
  }

  async #read() {
    this.abort = new AbortController();
    this.#heard();
    const headers = this.last ? { "Last-Event-ID": this.last } : {};
    const path = asking(of(this.repeater, "stream"), { ...this.query(), stream: this.id });
    const answer = await checked(await fetch(path, { headers, cache: "no-store", signal: this.abort.signal }));
    const take = eventReader((kind, data, id) => this.#event(kind, data, id));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heard();
      take(value);
    }
  }

  #event(kind, data, id) {
    if (this.closed) return; // what had come already
    this.last = id || this.last;
    if (kind === "hello") {
      this.failed = 0;
      this.id = data.stream;
      this.tell.up(data);
    }
    this.tell.event(kind, data);
  }

  #heard() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.abort.abort(), SILENCE);
  }
}
