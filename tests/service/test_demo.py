"""The demonstration shows the messages that are really sent."""

from __future__ import annotations

import io
import re
import signal
import socket
import subprocess
import sys
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from twisted_repeater import Direction
from twisted_repeater.service import demo
from twisted_repeater.service.demo import DemoService, write_to_terminal

from ..peers import Client, Seen, hello, turn
from ..programs import LONGEST, ProgramCase

reactor: Any = installed_reactor

SHOWN = """\
      sends           the filter                  the server gets   the client gets
ann   buy 100 ACME    passes it on                buy 100 ACME      done: buy 100 ACME
bob   buy 9000 ACME   sends another instead       buy 1000 ACME     done: buy 1000 ACME
eve   what's up       drops it                    -                 -
eve   buy 5 NUKE      answers it itself           -                 rejected: nobody trades NUKE here
bob   sell 30 ACME    passes it on and answers    sell 30 ACME      """

BOTH = {"noted, a sale; done: sell 30 ACME", "done: sell 30 ACME; noted, a sale"}
"""Two answers that come from two ends may come in either order."""


class DemoTests(TestCase):
    """In this process."""

    timeout = 60

    def setUp(self) -> None:
        """Make a demonstration whose words are recorded."""
        self.told = Seen()
        self.demo = DemoService(reactor, self.told.append, pause=0, pace=0)

    @property
    def text(self) -> str:
        """The text that it has written so far."""
        return "".join(self.told)

    async def test_shown(self) -> None:
        """It shows the filter, five messages, its verdict about each, and the messages that server and client got."""
        self.addCleanup(self.demo.stopService)
        await self.demo.run()
        self.assertIn("    def check_order(message: bytes, link: Link) -> Verdict:\n", self.text)
        self.assertIn(SHOWN, self.text)
        self.assertIn(self.text.partition(SHOWN)[2].partition("\n")[0], BOTH)
        self.assertIn(f'create_connection(("127.0.0.1", {self.demo.port}))', self.text)

    async def test_client_of_ones_own(self) -> None:
        """The verdict about a message of a client that joins in is shown on one line."""
        self.addCleanup(self.demo.stopService)
        await self.demo.run()
        client = Client(hello("you"))
        await TCP4ClientEndpoint(reactor, "127.0.0.1", self.demo.port).connect(Factory.forProtocol(lambda: client))
        client.send(b"buy 5 ACME", b"\n\xff")
        await self.told.until(lambda: "drops it\n" in self.told[-1])
        self.assertEqual(
            self.told[-2:],
            [
                "you   buy 5 ACME      passes it on\n",
                "you   \\n\ufffd             drops it\n",
            ],
        )
        client.abort()
        await client.lost()

    async def test_page(self) -> None:
        """The clients go on while the live page is served, also after their links are closed; it says how to see it."""
        self.addCleanup(self.demo.stopService)
        await self.demo.run()
        assert self.demo.url is not None
        self.assertIn(f"    {self.demo.url}\n", self.text)
        repeater = self.demo._repeater
        assert repeater is not None
        (link,) = repeater.links("ann")
        repeater.close_connection_from_client("ann")
        while not any(other is not link and other.received(Direction.TO_CLIENT)[0] for other in repeater.links("ann")):
            await turn()

    async def test_no_page(self) -> None:
        """Without msgspec it says what is missing, and the clients are silent after their orders."""
        self.patch(demo, "administration", lambda program, reactor: __import__("no_msgspec"))
        self.addCleanup(self.demo.stopService)
        await self.demo.run()
        self.assertIsNone(self.demo.url)
        self.assertIn("pip install 'twisted_repeater[admin]'", self.text)
        self.assertFalse(self.demo._going_on.running)

    async def test_service(self) -> None:
        """The service runs it, and ends it with everything that it opened."""
        service = self.demo
        service.startService()
        await self.told.until(lambda: "Ctrl-C ends it all" in self.text)
        await service.stopService()
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", self.demo.port))

    async def test_abort(self) -> None:
        """Its end can be hastened, also before it began; stopped before the reactor runs it never begins."""
        self.demo.abort()
        service = self.demo
        service._begin()
        self.assertEqual(self.told, [])
        service.startService()
        await self.told.until(lambda: "Ctrl-C ends it all" in self.text)
        self.demo.abort()
        await service.stopService()

    async def test_stopped_early(self) -> None:
        """It can be ended while it still talks, or before it began."""
        service = self.demo
        await service.stopService()
        service.startService()
        await self.told.reach(2)
        await service.stopService()
        self.assertNotIn("Ctrl-C", self.text)

    async def test_failure(self) -> None:
        """An error is logged."""
        service = DemoService(reactor, lambda text: 1 / 0, pause=0)
        service.startService()
        errors: list[Any] = []
        while not errors:
            errors = self.flushLoggedErrors(ZeroDivisionError)
            await turn()
        await service.stopService()

    def test_terminal(self) -> None:
        """By default it writes to the terminal, past Twisted's log."""
        terminal = io.StringIO()
        self.patch(sys, "__stdout__", terminal)
        write_to_terminal("text\n")
        self.assertEqual(terminal.getvalue(), "text\n")


class ProcessTests(ProgramCase):
    """As a newcomer sees it."""

    def test_demo(self) -> None:
        """``twistd -n repeater --demo`` shows it; its snippet can be pasted and works; Ctrl-C ends it."""
        demo = self.run_twistd("repeater", "--demo")
        demo.wait_for("Ctrl-C ends it all")
        snippet = re.search(r"^python3 - <<'END'\n.*?^END\n", demo.output, re.MULTILINE | re.DOTALL)
        assert snippet is not None
        done = subprocess.run(["sh"], input=snippet[0], capture_output=True, text=True, timeout=LONGEST, check=False)
        self.assertEqual(done.stderr, "")
        self.assertEqual(
            done.stdout.splitlines()[1:],
            [
                "buy 5 ACME -> done: buy 5 ACME",
                "buy 5000 ACME -> done: buy 1000 ACME",
                "sell 1 NUKE -> rejected: nobody trades NUKE here",
            ],
        )
        demo.wait_for("^you +sell 1 NUKE +answers it itself$")
        demo.send_signal(signal.SIGINT)
        status, output = demo.end()
        self.assertEqual(status, -signal.SIGINT)
        self.assertNotIn("Traceback", output)

    def test_not_in_the_background(self) -> None:
        """Without ``-n`` nobody would see it, and that is said."""
        status, _, error = self.ask_twistd("repeater", "--demo")
        self.assertEqual(status, 1)
        self.assertEqual(error, "twistd repeater: --demo needs a terminal: twistd -n repeater --demo\n")
