"""The live page in a real Chromium, as a screen reader has it: the names of controls, and what is read aloud."""

from __future__ import annotations

import time
from typing import Any

from selenium.webdriver.common.keys import Keys

from .test_page import RedisPageCase, resp

DEBIAN_PACKAGES = "chromium chromium-driver redis-server"

CONTROLS = frozenset(
    (
        *("button", "link", "textbox", "searchbox", "combobox", "listbox", "option", "checkbox", "radio", "radiogroup"),
        *("tab", "tabpanel", "search", "region", "dialog", "table"),
    )
)
"""The roles of what must have a name."""

LISTEN = """
window.heard = [];
for (const each of document.querySelectorAll("[role=status], [role=alert], [aria-live]")) {
  if (each.getAttribute("aria-live") === "off") continue;
  let text = each.textContent;
  new MutationObserver(() => {
    if (each.textContent !== text && each.textContent.trim()) window.heard.push(each.textContent);
    text = each.textContent;
  }).observe(each, { childList: true, characterData: true, subtree: true });
}
"""
"""Collects what a screen reader would read aloud."""


class ReaderTests(RedisPageCase):
    """What those have who do not see the page."""

    def named(self) -> dict[str, list[str]]:
        """Check that every control has a name, and return the names by roles."""
        found: dict[str, list[str]] = {}
        for node in self.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]:
            role: Any = node.get("role", {}).get("value")
            if not node.get("ignored") and role in CONTROLS:
                found.setdefault(role, []).append(node.get("name", {}).get("value", "").strip())
        self.assertEqual([role for role, names in found.items() if not all(names)], [])
        return found

    def test_names(self) -> None:
        """Every control has a name in all parts of the page, and a row of a list says what it shows."""
        client, raw = self.client(), self.raw()
        self.open(self.process.port)
        client.set("greeting", "hello")
        self.choose("#messages-list", "greeting")
        self.find(".fields table")
        self.assertIn("shop to server SET greeting hello passed on", " ".join(self.named()["option"]))
        self.choose("#links-list", "shop")
        self.hold(text="fruit")
        self.named()
        raw.sendall(resp("SET", "fruit", "apple"))
        self.held(1)
        self.until(lambda: "fruit" in "".join(self.rows("#held-list")))
        held = self.named()
        self.assertIn("SET fruit apple nothing waits behind it", " ".join(held["option"]))
        self.assertLessEqual({"command", "argument 1", "argument 2"}, set(held["textbox"]))
        for name in ("rules", "send", "faults", "errors", "repeater"):
            self.tab(name)
            self.assertIn(name.capitalize(), " ".join(self.named()["tabpanel"]))
        self.click("#panel-repeater button", "Drain")
        self.assertEqual(len(self.named()["dialog"]), 1)
        self.click("#confirm button", "Cancel")
        self.press("?")
        self.assertEqual(self.named()["dialog"], ["Keys"])
        self.press(Keys.ESCAPE)

    def test_aloud(self) -> None:
        """It is read aloud that messages are held, and how many, but not each one, and none that only passes."""
        client = self.client()
        self.open(self.process.port)
        self.hold(text="fruit")
        self.script(LISTEN)
        start = time.monotonic()
        clients = [self.raw() for _ in range(5)]
        for number, raw in enumerate(clients):
            client.set("other", number)
            raw.sendall(resp("SET", "fruit", "apple"))
            self.held(number + 1)
        self.until(lambda: self.text("#held-said") == "5 messages are held.")
        self.click(".held-left button", "Release all")
        self.said("5 messages are released")
        self.until(lambda: not self.text("#held-said"))
        heard = self.script("return window.heard")
        self.assertEqual((heard[0], heard[-1]), ("1 message is held.", "5 messages are released."))
        self.assertLessEqual(len(heard), 3 + (time.monotonic() - start) / 5, heard)
