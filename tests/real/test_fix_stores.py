"""The store of FIX: repeaters of one process share it, and one that cannot be used is an error that says so."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from typing import Any

from twisted_repeater import Link, RefusedByApplication
from twisted_repeater.dialects.fix import Message, NewOrderSingle, sessions
from twisted_repeater.observers import LogObserver
from twisted_repeater.verdicts import DO_NOTHING, Verdict

from ..peers import reactor
from .fix_case import FixCase, Peer
from .fix_filters import on_orders
from .test_fix_peers import order

HOLD = "import sys; from twisted_repeater.dialects.fix.store import Store; s = Store(sys.argv[1]); print(); input()"
"""A process that has the file."""


def drop(message: NewOrderSingle, link: Link) -> Verdict:
    """Drop an order, and add news for the server."""
    link.send_to_server(Message("B", {148: "news"}))
    return DO_NOTHING


class Ends(LogObserver):
    """Keeps the reasons why links ended."""

    def __init__(self) -> None:
        super().__init__(reactor)
        self.reasons: list[BaseException | None] = []

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `IObserver`."""
        self.reasons.append(reason)


class StoreTests(FixCase):
    """Repeaters with a file."""

    @property
    def path(self) -> str:
        """The file."""
        return str(self.directory / "numbers")

    async def linked(self, up: int = 1, down: int = 1, **settings: Any) -> tuple[Peer, Peer]:
        """Start a repeater with the file, and log a client and a server on with these numbers."""
        server, port = self.scripted_server()
        repeating = await self.repeat(port, fix={"store": self.path}, to_server_filter=on_orders(drop), **settings)
        client = await self.scripted_client(repeating)
        client.log_on(up)
        await self.hears(server, 1)
        server.peers[0].log_on(down)
        await self.hears(client, 1)
        return client, server.peers[0]

    async def refused(self) -> str:
        """Start a repeater, connect a client, and return the error with which it is refused."""
        _, port = self.scripted_server()
        before = len(self.calls.refusals)
        client = await self.scripted_client(await self.repeat(port, fix={"store": self.path}))
        client.log_on()
        await self.until(lambda: client.is_gone and len(self.calls.refusals) > before)
        self.assertEqual(client.heard, b"")
        error = self.calls.refusal
        self.assertIsInstance(error, RefusedByApplication)
        return str(error)

    async def test_again(self) -> None:
        """A repeater that is shut down and made again in the same process goes on at once, also while links end."""
        client, server = await self.linked()
        client.say("D", 2, *order(1))
        self.assertEqual([line.number for line in await self.hears(server, 2)], [1, 2])
        await self.repeater.shutdown()
        client, server = await self.linked(3, 2)
        self.assertEqual([line.number for line in await self.hears(server, 1)], [4])
        client.say("D", 4, *order(2))
        client.say("0", 5)
        found = [(line.type, line.number) for line in await self.hears(server, 4)]
        self.assertEqual(found, [("A", 4), ("B", 5), ("4", 6), ("0", 7)])

    async def test_two(self) -> None:
        """Two repeaters of one process have links with one file; the same session cannot have two."""
        client, server = await self.linked()
        self.assertIn("the session FIX.4.4:BUYER->SELLER has a link already", await self.refused())
        other = await self.scripted_client(self.repeater.port)
        other.header = {"sender": "OTHER"}
        other.log_on()
        client.say("D", 2, *order(1))
        await self.hears(server, 2)

    async def test_another_process(self) -> None:
        """If another process has the file, the error says so and names the file; when it has ended, all is well."""
        command = [sys.executable, "-c", HOLD, self.path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            try:
                text = await self.refused()
            finally:
                other.communicate(b"\n")
        self.assertIn(f"the store {self.path} cannot be used: another process has it", text)
        await self.linked()

    async def test_unusable(self) -> None:
        """A file of another program, of another version, or that is damaged, is refused, and stays as it is."""
        await self.linked()
        await self.repeater.shutdown()
        sessions.in_files.clear()
        with open(self.path, "rb") as file:
            good = file.read()
        changed = sqlite3.connect(self.path)
        changed.execute("PRAGMA user_version = 2")
        changed.close()
        self.assertIn("must have tables of version 1, not 2", await self.refused())
        for data, why in (
            (b"words" * 1000, "file is not a database"),
            (good[:100] + b"\xff" * (len(good) - 100), "malformed"),
        ):
            with open(self.path, "wb") as file:
                file.write(data)
            text = await self.refused()
            self.assertIn(why, text)
            self.assertIn(self.path, text)
            with open(self.path, "rb") as file:
                self.assertEqual(file.read(), data)
        os.unlink(self.path)
        os.mkdir(self.path)
        self.assertIn("unable to open database file", await self.refused())

    async def test_full(self) -> None:
        """If the disk is full, the link ends before anything leaves that depends on what could not be written."""
        ends = Ends()
        client, server = await self.linked(observers=[ends])
        store = sessions.in_files[os.path.realpath(self.path)]._store
        (pages,) = store._database.execute("PRAGMA page_count").fetchone()
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(2, 400):
            client.say("D", number, *order("x" * 500))
        await self.until(lambda: ends.reasons)
        self.assertIn("database or disk is full", str(ends.reasons))
        numbers = [line.number for line in server.lines]
        self.assertEqual(numbers, sorted(set(numbers)))
        await self.repeater.shutdown()
        known = sqlite3.connect(self.path)
        self.addCleanup(known.close)
        kept = {number for (number,) in known.execute("SELECT number FROM content WHERE flow = 0")}
        self.assertEqual([line.number for line in server.lines if line.type == "B" and line.number not in kept], [])
