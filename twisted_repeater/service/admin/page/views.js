// On a narrow screen one part of the page is in sight at a time; these buttons choose it.

import { byId } from "./dom.js";

/** Wire the buttons. Returns an object whose `show` chooses a part. */
export function views(app) {
  const buttons = [...byId("views").querySelectorAll("button")];
  const show = (name) => {
    document.body.dataset.view = name; // the style sheet does the rest
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.show === name);
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.show));
  show("messages");
  app.on("message-chosen", (message) => {
    if (message && byId("views").offsetParent !== null) show("dock");
  });
  return { show };
}
