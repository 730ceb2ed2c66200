// A question before something that cannot be undone.

import { byId, make } from "./dom.js";

/** Ask, and return whether the answer was yes. @param {string} yes what the button says that does it */
export function confirmed(title, text, yes) {
  const dialog = byId("confirm");
  dialog.replaceChildren(
    make(
      "form",
      { method: "dialog" },
      make("h2", { id: "confirm-title" }, title),
      make("p", {}, text),
      make("div.buttons", {}, make("button", { value: "no", autofocus: true }, "Cancel"), make("button.danger", { value: "yes" }, yes)),
    ),
  );
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
