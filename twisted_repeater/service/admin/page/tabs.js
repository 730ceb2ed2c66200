// Which tabs of this page have a stream. A browser opens six connections to an origin, so all tabs together have at
// most four streams; the rest is for calls. A tab more asks for lists only, until one of the others is closed.

export const MOST_STREAMS = 4;
const ANSWERS = 200; // milliseconds that other tabs have for an answer

export class Tabs {
  /** @param {function()} freed called when another tab has given up its stream */
  constructor(freed) {
    this.id = Math.random().toString(36).slice(2);
    this.streams = false;
    this.others = new Set();
    this.channel = new BroadcastChannel("twisted_repeater");
    this.channel.onmessage = ({ data }) => {
      if (data.kind === "who" && this.streams) this.#say("here");
      else if (data.kind === "here") this.others.add(data.id);
      else if (data.kind === "gone") freed();
    };
  }

  #say(kind) {
    this.channel.postMessage({ kind, id: this.id });
  }

  /** Return whether this tab may open a stream, and tell the others if it does. */
  async mayStream() {
    this.others.clear();
    this.#say("who");
    await new Promise((resolve) => setTimeout(resolve, ANSWERS));
    this.streams = this.others.size < MOST_STREAMS;
    if (this.streams) this.#say("here");
    return this.streams;
  }

  /** Tell the others that this tab has no stream any more. */
  giveUp() {
    if (this.streams) this.#say("gone");
    this.streams = false;
  }
}
