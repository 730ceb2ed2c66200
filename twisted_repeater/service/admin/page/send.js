// Sends a message of one's own to the server or to a client.

import { get, of, post } from "./api.js";
import { fromBase64, toHex, toText } from "./bytes.js";
import { field, make, select } from "./dom.js";
import { size, visible } from "./format.js";

/** Add the tab that sends. */
export function sendPanel(app) {
  const area = make("textarea", { name: "message", required: true, spellcheck: "false", autocomplete: "off", "aria-label": "The message" });
  const form = make(
    "form.send-panel",
    { "aria-label": "Send a message" },
    make(
      "div.fields-in-line",
      {},
      field("direction", select({ name: "direction" }, [["to_server", "→ to server"], ["to_client", "← to client"]])),
      field("client", make("input", { name: "client", autocomplete: "off", spellcheck: "false" }), "On all links of this client"),
      field("link", make("input", { name: "link", inputmode: "numeric", pattern: "[0-9]*", placeholder: "all", autocomplete: "off" }), "Only on the link with this number"),
      field("written as", select({ name: "as" }, [["text", "text"], ["hex", "hex"]])),
      make("button.main", {}, "Send"),
    ),
    area,
    make("p.quiet.hint", {}, "It does not go through the filters. As text, \\r, \\n, \\t and \\x00 … \\xff stand for bytes, \\\\ for a backslash."),
  );
  app.dock.add("send", "Send", form);
  const given = form.elements;

  app.on("link", (link) => {
    if (!link) return;
    given.client.value = link.client ?? "";
    given.link.value = String(link.id);
  });
  app.on("send-copy", async (message) => {
    given.direction.value = message.direction;
    given.client.value = message.client ?? "";
    given.link.value = String(message.link);
    area.value = "";
    app.dock.show("send", true);
    area.focus();
    const path = `streams/${message.stream}/messages/${message.n}`;
    const { bytes, payload_at: at, payload_size } = message.bytes?.cut ? await app.attempt(() => get(path)) ?? message : message;
    if (!bytes) return;
    // Without what the dialect adds, such as a length before it or the end of a line.
    const payload = fromBase64(bytes.base64).subarray(at, at + payload_size);
    area.value = given.as.value === "hex" ? toHex(payload) : toText(payload);
    if (payload.length < payload_size) app.say(`Only the first ${size(payload.length)} of ${size(payload_size)} are here.`, true);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const link = given.link.value.trim();
    const client = given.client.value;
    if (!link && !client) {
      app.say("Say to which client or link it is to be sent.", true);
      return;
    }
    const message = given.as.value === "hex" ? { hex: area.value.replace(/\s+/g, "") } : { text: area.value };
    const target = link ? ["links", link] : ["clients", client];
    const path = of(app.repeater, ...target, "send");
    await app.attempt(() => post(path, { direction: given.direction.value, message }), `It is sent${link ? ` on link ${link}` : ` on the links of ${visible(client)}`}.`);
  });
}
