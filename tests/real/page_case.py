"""A browser before the live page, shared by all tests of a process: starting one takes a second."""

from __future__ import annotations

import atexit
import functools
import re
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from twisted.trial.unittest import SynchronousTestCase

from ..needed import needed
from ..programs import TWISTD, Program, environment
from .servers import ENDS_WITH_US, RealServer

__all__ = ["SEND", "PageCase", "Twistd", "browser"]

T = TypeVar("T")

SEND = (Keys.CONTROL, Keys.ENTER)
"""The keys that send what is in an editor."""

PATIENCE = 20.0
"""Seconds; far longer than anything on the page takes."""

POLL = 0.03
"""Seconds between two looks at the page."""

SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses to run as root with one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--host-resolver-rules=MAP edge.example.org 127.0.0.1",  # a proxy with a name
    "--ignore-certificate-errors",  # of an authority that only the test knows
    "--window-size=1280,800",
)


FORGET = """
const done = arguments[0];
addEventListener("pagehide", () => sessionStorage.clear());
(async () => {
  for (const { name } of (await (await fetch("repeaters")).json()).repeaters ?? []) {
    for (const { id } of (await (await fetch(`repeaters/${name}/rules`)).json()).rules) {
      await fetch(`repeaters/${name}/rules/${id}`, { method: "DELETE" });
    }
  }
})().then(done, done);
"""
"""Removes all rules and the name of the stream, which would stay for a while after their page."""


@functools.cache
def browser() -> Chrome:
    """Start the browser of this process, and return what drives it."""
    options = ChromeOptions()
    options.binary_location = needed("chromium", "chromium")
    driver = needed("chromedriver", "chromium-driver")
    profile = tempfile.mkdtemp(prefix="chromium-")
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = Chrome(options, Service(driver))

    def end() -> None:
        started.quit()
        shutil.rmtree(profile, ignore_errors=True)

    atexit.register(end)
    return started


class Twistd(RealServer):
    """What twistd runs, with the administration at its ``port``.

    Args:
        config: the text of the file for ``--config``.
        options: more options.
    """

    def __init__(self, config: str, *options: str) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="page-"))
        file = self._place / "edge.toml"
        file.write_text(config)
        words = [TWISTD, "--pidfile=", "-n", "repeater", "--config", str(file), *options, "--admin"]
        self._command = lambda port: [*words, f"tcp:{port}:interface=127.0.0.1"]
        super().__init__(self._command)

    def start_again(self) -> None:
        """Start it again, at the same port."""
        self.program.kill()
        self.program = Program(*ENDS_WITH_US, *self._command(self.port), cwd=self.directory, env=environment())
        assert self._accepts(), self.program.output

    def stop(self) -> None:
        """End it, and remove its files."""
        super().stop()
        shutil.rmtree(self._place, ignore_errors=True)


class PageCase(SynchronousTestCase):
    """A test case that looks at the page, and types and clicks there as people do.

    At the end of each test the browser's console must have no error but those that the test expects.
    """

    expected: str = "^$"
    """What errors of the console may match."""

    def setUp(self) -> None:
        """Find the browser."""
        self.browser = browser()
        self._visited = False
        self.browser.get_log("browser")

    def _leave(self) -> None:
        found = self.browser.get_log("browser")
        errors = [entry["message"] for entry in found if entry["level"] == "SEVERE"]
        self.browser.execute_async_script(FORGET)
        self.browser.get("about:blank")
        self.browser.delete_all_cookies()
        self.assertEqual([error for error in errors if not re.search(self.expected, error)], [])

    # -- looking ----------------------------------------------------------------------------------------------

    def open(self, port: int, repeater: str = "") -> None:
        """Open the page of an administration, and wait until it has its stream."""
        self.visit(port, repeater)
        self.until(lambda: self.text("#live") == "live", "the page has no stream")

    def visit(self, port: int, repeater: str = "", base: str = "") -> None:
        """Open the page of an administration; ``base`` is where a proxy has it."""
        if not self._visited:
            self._visited = True
            self.addCleanup(self._leave)  # before what runs ends, which was started earlier
        self.browser.get(f"{base or f'http://127.0.0.1:{port}/'}#{repeater}")

    def until(self, condition: Callable[[], T], otherwise: str = "in vain") -> T:
        """Wait until a condition is true, and return what it returned."""
        wait = WebDriverWait(self.browser, PATIENCE, POLL, [StaleElementReferenceException])
        try:
            return wait.until(lambda _: condition())
        except TimeoutException:
            said = self.script("return document.body.innerText")
            raise AssertionError(f"{otherwise}; the page says:\n{said}") from None

    def find(self, css: str) -> WebElement:
        """Return an element, when it is there and can be seen."""

        def seen() -> WebElement | None:
            return next((each for each in self.all(css) if each.is_displayed()), None)

        found = self.until(seen, f"there is no {css}")
        assert found is not None
        return found

    def all(self, css: str) -> list[WebElement]:
        """Return all elements of a kind."""
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str) -> str:
        """Return the text of the first element of a kind, seen or not."""
        return str(self.script("return document.querySelector(arguments[0])?.textContent ?? ''", css))

    def rows(self, name: str) -> list[str]:
        """Return the rows of a list that are drawn, each with its cells between tabs."""
        script = """
            const rows = [...document.querySelectorAll(arguments[0] + " [role=option]:not([hidden])")];
            rows.sort((a, b) => a.getAttribute("aria-posinset") - b.getAttribute("aria-posinset"));
            return rows.map((row) => [...row.children].map((cell) => cell.textContent).join("\\t"));"""
        found: list[str] = self.script(script, name)
        return found

    def script(self, text: str, *arguments: object) -> Any:
        """Run a script in the page."""
        return self.browser.execute_script(text, *arguments)

    # -- doing ------------------------------------------------------------------------------------------------

    def click(self, css: str, text: str = "") -> None:
        """Click an element; with a text, the first one that has it."""

        def clicked() -> bool:
            for each in self.all(css):
                if each.is_displayed() and each.is_enabled() and each.text.startswith(text):
                    each.click()
                    return True
            return False

        self.until(clicked, f"there is no {css} {text}")

    def choose(self, name: str, text: str) -> None:
        """Click the last row of a list that has this text in it."""

        def chosen() -> bool:
            rows = [each for each in self.all(f"{name} [role=option]") if text in each.text]
            if rows:
                rows[-1].click()
            return bool(rows)

        self.until(chosen, f"no row of {name} has {text}")

    def fill(self, css: str, text: str) -> None:
        """Write into a field, in place of what is there."""
        element = self.find(css)
        element.clear()
        element.send_keys(text)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        self.browser.switch_to.active_element.send_keys(*keys)

    def tab(self, name: str) -> None:
        """Show one of the tabs below the messages."""
        self.click(f"#tab-{name}")

    def said(self, text: str) -> None:
        """Wait until the line at the bottom has a text."""
        self.until(lambda: text in self.text("#said"), f"the page does not say {text!r}")

    def aside(self, call: Callable[[], object]) -> Aside:
        """Make a call that blocks, such as one of a client that waits for a held message, in a thread."""
        return Aside(self, call)


class Aside(threading.Thread):
    """A call that is made beside the test, which must end with the test."""

    def __init__(self, case: SynchronousTestCase, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._result: object = None
        self._error: BaseException | None = None
        self.start()
        case.addCleanup(self.join, PATIENCE)

    def run(self) -> None:
        """Make the call. See `threading.Thread`."""
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error

    def result(self) -> object:
        """Wait for its end, and return what it returned, or raise what it raised."""
        self.join(PATIENCE)
        assert not self.is_alive(), "the call has not ended"
        if self._error is not None:
            raise self._error
        return self._result
