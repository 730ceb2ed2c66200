"""The live page in a real Chromium, before a real Redis and its clients."""

from __future__ import annotations

import atexit
import functools
import os
import re
import socket
from typing import Any

import redis
from redis.exceptions import ResponseError
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from twisted_repeater.service.admin.escaped import escaped

from ..needed import needed
from ..programs import LONGEST
from .page_case import SEND, PageCase, Twistd
from .servers import RealServer

DEBIAN_PACKAGES = "chromium chromium-driver redis-server"

HOSTILE = '<img src=x onerror="window.hit=1"> \x01 \\'
"""A text of a peer that would be a script if the page took it for HTML."""

NAME = "<b>shop</b>"
"""A client's name of the same kind."""

TOKEN = "OpenSesamePlease2026"

RELEASED = """
const { held } = await (await fetch("repeaters/cache/held")).json();
await fetch(`repeaters/cache/held/${held[0].id}/release`, { method: "POST" });
"""
"""Releases what is held, as another page would."""


def resp(*words: str) -> bytes:
    """Return a command as it is on the wire."""
    return "\r\n".join([f"*{len(words)}", *(f"${len(word)}\r\n{word}" for word in words), ""]).encode()


@functools.cache
def server() -> RealServer:
    """Start the Redis of all tests."""
    program = needed("redis-server", "redis-server")
    started = RealServer(lambda port: [program, "--port", str(port), "--save", ""])
    atexit.register(started.stop)
    return started


def config(**more: str) -> str:
    """Return the text of a configuration with two repeaters before the Redis."""
    dialects = {"cache": "redis", "lines": "delimited:end=crlf"}
    tables = []
    for name, dialect in dialects.items():
        keys = {"listen": "tcp:0:interface=127.0.0.1", "server": f"tcp:127.0.0.1:{server().port}", "dialect": dialect}
        keys |= {key: value for key, value in more.items() if name == "cache"}
        tables.append(f"[repeater.{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items()))
    return "\n".join(tables)


@functools.cache
def process() -> Twistd:
    """Start the repeaters of most tests."""
    server()
    started = Twistd(config(record="traffic.db"))
    atexit.register(started.stop)
    return started


def port_of(running: RealServer, name: str = "cache") -> int:
    """Return where a repeater accepts clients."""
    return int(running.program.wait_for(rf"repeater {name}: .* accepting clients at 127\.0\.0\.1:(\d+)")[1])


class RedisPageCase(PageCase):
    """A test case with the page of a repeater before a Redis."""

    def setUp(self) -> None:
        """Start what is not yet there."""
        needed("redis-server", "redis-server")
        super().setUp()
        self.process = process()

    def client(self, name: str = "shop", running: RealServer | None = None, **settings: Any) -> Any:
        """Return a client of the Redis, which leaves at the end."""
        made = redis.Redis(port=port_of(running or self.process), client_name=name, **settings)
        self.addCleanup(made.close)
        made.ping()
        return made

    def raw(self) -> socket.socket:
        """Return a client that only has a socket."""
        made = socket.create_connection(("127.0.0.1", port_of(self.process)), LONGEST / 2)
        self.addCleanup(made.close)
        return made

    def hold(self, **rule: str) -> None:
        """Make a rule on the page."""
        self.tab("rules")
        for name, value in rule.items():
            self.fill(f"#panel-rules [name={name}]", value)
        self.click("#panel-rules button.main")
        self.said("are held from now on")

    def held(self, count: int) -> None:
        """Wait until so many messages are held."""
        self.until(lambda: self.text("#tab-held .badge") == (str(count) if count else ""), f"{count} are not held")


class WatchingTests(RedisPageCase):
    """Messages as they pass."""

    def test_messages(self) -> None:
        """Messages are shown with their fields and bytes; texts of peers stay texts."""
        client = self.client(NAME)
        self.open(self.process.port, "%zz")  # which names no repeater
        client.set("greeting", HOSTILE)
        self.until(lambda: len(self.rows("#messages-list")) == 2)
        command, answer = (row.split("\t") for row in self.rows("#messages-list"))
        self.assertEqual(command[1:4] + command[5:], [NAME, "→", "SET", "passed on"])
        self.assertEqual(answer[1:5], [NAME, "←", "status", "OK"])
        self.choose("#messages-list", "greeting")
        self.find(".fields table")
        self.assertIn(HOSTILE.replace("\\", "\\\\").replace("\x01", "\\x01"), self.text(".fields table"))
        self.assertIn("3c 69 6d 67 20 73 72 63", self.text(".dump .hex").replace("  ", " "))
        self.assertIn(NAME, self.text(".headline"))
        self.until(lambda: NAME in self.text("#links-list"))
        self.assertEqual(
            self.script(
                "return [window.hit ?? null, document.querySelectorAll('main img, b').length > 0 && "
                "[...document.querySelectorAll('b')].some((b) => b.textContent === 'shop')]"
            ),
            [None, False],
        )
        # A large one is cut, and complete on demand.
        client.set("large", "x" * 100_000)
        self.choose("#messages-list", "large")
        self.click(".bytes button", "More")
        self.until(lambda: "The first 32 KiB of" in self.text(".bytes"))
        self.assertEqual(self.all(".bytes button"), [])

    def counted(self) -> int:
        """Return of how many messages the page shows some; a few from before the filter changed may be among them."""
        found = re.search(r"shown \d+ of (\d+)", self.text("#counts"))
        return 0 if found is None else int(found[1])

    def test_filter_and_pause(self) -> None:
        """The page shows what somebody asks for, and nothing while it is paused."""
        client = self.client()
        self.open(self.process.port)
        self.press("/")
        self.press("colour", Keys.TAB)
        self.fill("#messages-filter [name=type]", "get")
        self.until(lambda: "fits the filter" in self.text("#messages-list"))
        client.set("colour", "red")
        client.get("size")
        client.get("colour")
        self.until(lambda: len(self.rows("#messages-list")) == 1)
        self.assertIn("GET\tcolour", self.rows("#messages-list")[0])
        self.until(lambda: self.counted() >= 6)
        self.click("#hold-these")
        self.assertEqual(self.find("#panel-rules [name=text]").get_attribute("value"), "colour")
        self.fill("#messages-filter [name=text]", "s")
        self.until(lambda: not self.rows("#messages-list"))
        self.find("#messages-title").click()
        self.press("p")
        self.until(lambda: "paused" in self.text("#counts"))
        client.get("size")
        self.until(lambda: self.counted() >= 2)
        self.click("#pause")
        self.until(lambda: client.get("sum") is None and "GET\tsum" in "\n".join(self.rows("#messages-list")))
        self.assertNotIn("GET\tsize", "\n".join(self.rows("#messages-list")))


class HoldingTests(RedisPageCase):
    """Messages that are held."""

    def test_edit(self) -> None:
        """A held command is changed by its fields, as text and as hex, and the server gets it so."""
        client = self.client()
        self.open(self.process.port)
        self.hold(type="SET")
        first = self.aside(lambda: client.set("price", "1000"))
        self.held(1)
        self.assertIn("nothing waits behind it", self.text(".editor header"))
        self.fill(".edit tr:last-child input", "500")
        self.press(*SEND)
        self.assertTrue(first.result())
        self.held(0)
        self.assertEqual(client.get("price"), b"500")
        for mode, written, meant in (
            ("Text", "SET price 250", b"250"),
            ("Hex", resp("SET", "price", "125").hex(" "), b"125"),
        ):
            call = self.aside(lambda: client.set("price", "1000"))
            self.held(1)
            self.click(".modes label", mode)
            self.fill(".editor textarea", written)
            self.click(".editor button", "Send changed")
            call.result()
            self.held(0)
            self.assertEqual(client.get("price"), meant)
        self.tab("rules")
        self.assertIn("messages of type SET", self.text("#panel-rules tbody"))
        self.until(lambda: "3" in self.text("#panel-rules td.number"))

    def test_release_drop_answer(self) -> None:
        """What waits behind a held message is shown; it is dropped, answered, or released with all others."""
        client, raw = self.client(), self.raw()
        self.open(self.process.port)
        self.hold(text="fruit")
        raw.sendall(resp("SET", "fruit", "apple") + resp("ECHO", "behind"))
        self.held(1)
        self.until(lambda: "26 B wait behind it" in self.text(".editor header"))
        self.find("#held-list").click()
        self.press("d")
        self.said("dropped")
        self.assertIn(b"behind", raw.recv(100))
        self.assertIsNone(client.get("other"))
        call = self.aside(lambda: client.set("fruit", "pear"))
        self.held(1)
        self.click(".modes label", "Answer")
        self.fill(".editor textarea", r"-ERR not today\r\n")
        self.click(".editor button", "Answer and drop")
        self.assertIn("not today", str(self.assertRaises(ResponseError, call.result)))
        raw.sendall(resp("SET", "fruit", "plum"))
        call = self.aside(lambda: client.set("fruit", "cherry"))
        self.held(2)
        self.click(".held-left button", "Release all")
        self.assertTrue(call.result())
        self.held(0)
        self.assertEqual(raw.recv(5), b"+OK\r\n")

    def test_gone(self) -> None:
        """When a held message goes by itself, what somebody wrote stays, and the focus is where one can go on."""
        client = self.client()
        self.open(self.process.port)
        self.hold(text="fig", timeout="0.2")
        self.assertTrue(client.set("fig", "1"))
        self.held(0)
        self.tab("rules")
        self.click("#panel-rules td button", "Remove")
        self.until(lambda: not self.text("#panel-rules tbody"))
        self.assertIn("No rule", self.text("#panel-rules"))
        self.assertEqual(self.script("return document.activeElement.name"), "client")
        self.hold(text="fig", timeout="60")
        call = self.aside(lambda: client.set("fig", "2"))
        self.held(1)
        self.press("h")
        self.press("e")
        self.press("mine")
        self.script(RELEASED)
        call.result()
        self.until(lambda: "What you wrote is still here" in self.text(".editor header"))
        self.assertEqual(self.find(".edit .changed").get_attribute("value"), "mine")
        self.click(".editor button", "Leave it")
        self.browser.refresh()
        call = self.aside(lambda: client.set("fig", "3"))
        self.held(1)
        self.until(lambda: "not of this tab" not in self.text("#panel-rules tbody"))  # it has come back in time
        self.press("h")
        self.press(Keys.TAB, Keys.SPACE)  # "Fields"
        self.press(Keys.TAB, Keys.SPACE)  # "Release"
        call.result()
        self.until(lambda: self.script("return document.activeElement.id") == "held-list")


class ControlTests(RedisPageCase):
    """What can be done with clients, links and the repeater."""

    def test_links(self) -> None:
        """A client is held, resumed and closed."""
        client = self.client("desk-7")
        self.open(self.process.port)
        self.choose("#links-list", "desk-7")
        self.click("#link-chosen button", "Hold client")
        self.until(lambda: "on hold" in self.text("#links-list"))
        call = self.aside(client.ping)
        self.assertTrue(call.is_alive())
        self.click("#link-chosen button", "Resume client")
        self.assertTrue(call.result())
        self.click("#link-chosen button", "Only its messages")
        self.assertEqual(self.find("#messages-filter [name=client]").get_attribute("value"), "desk-7")
        self.fill("#links-find", "nobody")
        self.until(lambda: "No client has such a name" in self.text("#links-list"))
        self.fill("#links-find", "desk")
        self.until(lambda: "desk-7" in self.text("#links-list"))
        self.click("#link-chosen button", "Close client")
        self.said("1 link is closed")
        self.until(lambda: self.rows("#links-list") == [])
        self.assertTrue(client.ping())  # it has connected again

    def test_send(self) -> None:
        """A message of one's own is sent to the server and to a client."""
        raw = self.raw()
        raw.sendall(resp("ECHO", "ready"))
        raw.recv(100)
        self.open(self.process.port)
        self.choose("#links-list", "127.0.0.1")
        self.click("#link-chosen button", "Send to it")
        self.fill("#panel-send textarea", "SET sent yes")
        self.press(*SEND)
        self.said("It is sent")
        self.assertEqual(raw.recv(5), b"+OK\r\n")
        self.find("#panel-send [name=direction]").send_keys("←")
        self.find("#panel-send [name=as]").send_keys("hex")
        self.fill("#panel-send textarea", b"+PUSHED\r\n".hex(" "))
        self.click("#panel-send button.main")
        self.assertEqual(raw.recv(9), b"+PUSHED\r\n")

    def test_faults(self) -> None:
        """A fault is set from the form of its kind, is listed with its time, and removed."""
        self.expected = "422"
        client = self.client()
        self.open(self.process.port)
        self.tab("faults")
        self.find("#panel-faults [name=kind]").send_keys("latency")
        self.fill("#panel-faults [name='option seconds']", "0.01")
        self.click("#panel-faults button.main")
        self.until(lambda: "Latency(seconds=0.01)" in self.text("#panel-faults tbody"))
        client.ping()
        self.until(lambda: self.text("#panel-faults tbody td:nth-child(5)") == "2")
        self.assertRegex(self.text("#panel-faults tbody td:nth-child(6)"), r"5\d s|1 min 00 s")
        self.click("#panel-faults button", "Clear all")
        self.until(lambda: "No fault is set" in self.find("#panel-faults .empty").text)
        self.find("#panel-faults [name=kind]").send_keys("latency")
        self.fill("#panel-faults [name='option seconds']", "x")
        self.click("#panel-faults button.main")
        self.said("Latency: seconds")

    def test_repeater(self) -> None:
        """Recording, newcomers, reload and another repeater are at hand."""
        self.open(self.process.port)
        self.tab("repeater")
        self.click("#panel-repeater button", "Stop the recording")
        self.click("#panel-repeater button", "Start the recording")
        self.find("#panel-repeater button:nth-child(2)")
        self.click("#panel-repeater button", "Drop newcomers")
        self.until(lambda: self.text("#ready") == "refuses newcomers")
        self.click("#panel-repeater button", "Accept newcomers")
        self.until(lambda: self.text("#ready") == "ready")
        self.click("#panel-repeater button", "Reload")
        self.until(lambda: "nothing has changed" in self.text("#panel-repeater .answer"))
        self.find("#repeater").send_keys("lines")
        self.until(lambda: "delimited" in self.text("#route"))
        self.until(lambda: self.text("#live") == "live")
        self.assertTrue(self.find("#panel-repeater button:nth-child(2)").get_attribute("disabled"))
        self.script("document.querySelector('.skip').focus()")
        self.press(Keys.ENTER)
        self.assertEqual(self.script("return [document.activeElement.id, location.hash]"), ["messages-list", "#lines"])

    def test_names(self) -> None:
        """A client with any name can be closed, and its name is seen as it is."""
        self.visit(self.process.port)
        script = r"return import('/page/api.js').then(({ of }) => of('edge', 'clients', 'a/\u00e9?#%\udcff', 'close'))"
        self.assertEqual(self.script(script), "repeaters/edge/clients/a%2F%C3%A9%3F%23%25%ff/close")
        script = "return import('/page/api.js').then(({ of }) => of('edge', 'clients', '..', 'close')).catch(String)"
        self.assertIn("A browser cannot ask", self.script(script))
        script = r"return import('/page/format.js').then((all) => all.visible('a\u202eb \\\u00e9\udcff\u200b'))"
        self.assertEqual(self.script(script), r"a\xe2\x80\xaeb \\é\xff\xe2\x80\x8b")
        script = r"return import('/page/bytes.js').then(({ toText }) => toText(Uint8Array.from(arguments[0])))"
        for text in ("a\\é€😀\r", "\u200b\xa0"):
            self.assertEqual(self.script(script, list(text.encode())), escaped(text))
        for wrong in (b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\xe2\x82a"):
            self.assertEqual(self.script(script, list(wrong)), escaped(wrong))
        named = self.client("..")
        self.until(lambda: ".." in self.text("#links-list"))
        self.choose("#links-list", "..")
        self.click("#link-chosen button", "Hold client")
        self.until(lambda: "on hold" in self.text("#links-list"))
        self.click("#link-chosen button", "Close link")
        self.said("is closed")
        self.assertTrue(named.ping())  # it has connected again

    def test_keys(self) -> None:
        """The help lists the keys, and they work."""
        client = self.client()
        self.open(self.process.port)
        client.set("key", "1")
        self.until(lambda: len(self.rows("#messages-list")) == 2)
        self.press("?")
        self.assertIn("release", self.find("#help").text)
        self.press(Keys.ESCAPE)
        self.until(lambda: not self.find("body").find_elements("css selector", "dialog[open]"))
        self.press("m")
        self.press(Keys.ARROW_UP, Keys.ARROW_UP)
        self.until(lambda: "SET" in self.text(".headline"))
        self.press(Keys.ENTER)
        self.assertTrue(self.script("return document.activeElement.matches('.fields')"))
        self.press("3")
        self.assertEqual(self.script("return document.activeElement.id"), "tab-rules")


class ConnectionTests(RedisPageCase):
    """The page and the administration."""

    expected = "ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_EMPTY|ERR_CONNECTION_RESET|401|net::ERR"

    def test_login_and_end(self) -> None:
        """With a token the page has a form; when the process ends it says so, and comes back by itself."""
        token = f"{server().directory}/token"
        with open(os.open(token, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(TOKEN)
        running = Twistd(config(), "--admin-token-file", token)
        self.addCleanup(running.stop)
        self.visit(running.port)
        self.fill("#login [type=password]", "wrong")
        self.press(Keys.ENTER)
        self.until(lambda: "wrong" in self.text("#login .bad"))
        self.fill("#login [type=password]", TOKEN)
        self.press(Keys.ENTER)
        self.until(lambda: self.text("#live") == "live")
        self.tab("repeater")
        self.click("#panel-repeater button", "Drain")
        self.click("#confirm button", "Cancel")
        self.assertTrue(running.program.runs)
        self.click("#panel-repeater button", "Drain")
        self.click("#confirm button", "Drain and stop")
        self.assertTrue(running.program.ends_within(LONGEST / 2))
        self.until(lambda: "connection lost" in self.text("#live"))
        self.until(lambda: "What you see is old" in self.find("#notice").text)
        running.start_again()  # which knows none of the browsers that were logged in
        self.fill("#login [type=password]", TOKEN)
        self.press(Keys.ENTER)
        self.until(lambda: self.text("#live") == "live")
        self.until(lambda: not self.all("#notice:not([hidden])"))

    def test_many_tabs(self) -> None:
        """The fifth tab says why it has no stream, and gets one when another tab is closed."""
        self.open(self.process.port)
        first = self.browser.current_window_handle
        others = []
        for _ in range(3):
            self.browser.switch_to.new_window("tab")
            self.open(self.process.port)
            others.append(self.browser.current_window_handle)
        self.browser.switch_to.new_window("tab")
        self.visit(self.process.port)
        self.until(lambda: "Close one of the others" in self.find("#notice").text)
        last = self.browser.current_window_handle
        for handle in others:
            self.browser.switch_to.window(handle)
            self.browser.close()
        self.browser.switch_to.window(last)
        self.until(lambda: self.text("#live") == "live")
        self.browser.close()
        self.browser.switch_to.window(first)

    def test_many_links_and_messages(self) -> None:
        """With many links and messages the page samples, says so, and keeps few nodes."""
        clients = [self.raw() for _ in range(100)]
        self.open(self.process.port)
        for client in clients:
            client.sendall(resp("ECHO", "load") * 100)
        self.until(lambda: len(self.rows("#messages-list")) >= 10)  # the pointer goes to the middle of the list
        # The row under the pointer may be another one when the button goes up: a press chooses, and stops the list.
        ActionChains(self.browser).click_and_hold(self.find("#messages-list")).perform()
        self.until(lambda: "load" in self.text("#panel-message"))
        ActionChains(self.browser).release().perform()
        self.until(lambda: self.script("return document.querySelector('#counts').classList.contains('samples')"))
        self.until(lambda: self.text("#links-count") == "100")
        self.assertRegex(self.text("#counts"), r"shown \d+ of \d+,\d+")
        self.assertLess(self.script("return document.querySelectorAll('*').length"), 1500)
        self.find("#links-sort").send_keys("newest")
        self.press(Keys.TAB)
        self.find("#links-list").send_keys(Keys.END)
        self.until(lambda: self.text("#link-chosen h3").startswith("127.0.0.1"))
