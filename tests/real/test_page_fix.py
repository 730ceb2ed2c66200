"""The live page in a real Chromium, between two FIX engines."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from ..programs import LONGEST
from .fix_engines import Engine, engine_program
from .page_case import SEND, PageCase, Twistd
from .servers import free_port

DEBIAN_PACKAGES = "chromium chromium-driver g++ libquickfix-dev"

CONFIG = """
[repeater.orders]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:PORT"
dialect = "fix"
"""

PAUSE = 0.01


class OrderTests(PageCase):
    """An order that somebody changes on its way."""

    def engine(self, role: str, port: int) -> Engine:
        """Start an engine, which ends with the test."""
        made = Engine(self.directory / role, role, port)
        self.addCleanup(lambda: made.kill())
        made.start()
        return made

    def told(self, engine: Engine, text: str) -> str:
        """Wait until an engine has told its application of an order with a text in it, and return the order."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            for line in engine.told("got", "D"):
                if text in line.text:
                    return line.text
            time.sleep(PAUSE)
        raise AssertionError(f"{text} did not come")

    def test_halve_an_order(self) -> None:
        """An order is held, halved by its field OrderQty, and released, and the session goes on."""
        engine_program()
        self.directory = Path(tempfile.mkdtemp(prefix="page-"))
        self.addCleanup(shutil.rmtree, self.directory)
        port = free_port()
        acceptor = self.engine("acceptor", port)
        running = Twistd(CONFIG.replace("PORT", str(port)))
        self.addCleanup(running.stop)
        initiator = self.engine("initiator", int(running.program.wait_for(r"clients at 127\.0\.0\.1:(\d+)")[1]))
        self.open(running.port)
        self.until(lambda: "BUYER" in self.text("#links-list"))
        self.tab("rules")
        self.fill("#panel-rules [name=type]", "NewOrder*")
        self.click("#panel-rules button.main")
        self.said("are held from now on")
        order = "35=D|11=7|55=ACME|38=1000|21=1|54=1|60=20261126-12:00:00|40=2|44=10"
        initiator.type(f"send {order}")
        self.until(lambda: self.text("#tab-held .badge") == "1")
        self.until(lambda: "NewOrderSingle" in self.text("#held-list"))
        self.fill(".edit input[name='38']", "500")
        self.press(*SEND)
        got = self.told(acceptor, "|11=7|")
        self.assertIn("|38=500|", got)
        self.choose("#messages-list", "NewOrderSingle")
        self.until(lambda: "changed" in self.text(".headline .verdict"))
        self.assertIn("OrderQty=500", self.text("#panel-message h3 + .sides"))
        initiator.type(f"send {order.replace('11=7', '11=8').replace('1000', '8')}")
        self.until(lambda: self.text("#tab-held .badge") == "1")
        self.tab("held")
        self.find("#held-list").click()
        self.press("r")
        self.assertIn("|38=8|", self.told(acceptor, "|11=8|"))
