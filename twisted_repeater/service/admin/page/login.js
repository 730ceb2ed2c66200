// The form for the token, if the administration needs one.

import { ApiError, checked, remove } from "./api.js";
import { byId, make, setText } from "./dom.js";

export class Login {
  /** @param {function()} done called when the login has succeeded */
  constructor(done) {
    this.dialog = byId("login");
    this.token = make("input", { type: "password", autocomplete: "current-password", required: true });
    this.error = make("p.bad", { role: "alert" });
    this.dialog.append(
      make(
        "form",
        { onsubmit: (event) => this.#submit(event, done) },
        make("h2", { id: "login-title" }, "Log in"),
        make("input", { autocomplete: "username", value: "administration", hidden: true }), // for password managers
        make("p", {}, "This administration needs its token: the content of the file that --admin-token-file names."),
        make("label.field", {}, make("span", {}, "Token"), this.token),
        this.error,
        make("div.buttons", {}, make("button.main", {}, "Log in")),
      ),
    );
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
  }

  show() {
    if (!this.dialog.open) this.dialog.showModal();
    this.token.focus();
  }

  /** Offer the way out beside the version, if there was a way in. */
  offersLogout(needed) {
    if (!needed || byId("logout")) return;
    const out = async () => {
      await remove("session").catch(() => {});
      location.reload();
    };
    byId("version").before(make("button", { type: "button", id: "logout", onclick: out }, "Log out"));
  }

  async #submit(event, done) {
    event.preventDefault();
    setText(this.error, "");
    try {
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ token: this.token.value });
      const settings = { method: "POST", headers, body, signal: AbortSignal.timeout(20000) };
      await checked(await fetch("session", settings));
    } catch (error) {
      setText(this.error, error instanceof ApiError ? error.message : "The administration cannot be reached.");
      this.token.select();
      return;
    }
    this.token.value = "";
    this.dialog.close();
    done();
  }
}
