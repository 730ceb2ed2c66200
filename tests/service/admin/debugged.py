"""A repeater in memory with a debugger, and what its streams get."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

from twisted_repeater import Dialect
from twisted_repeater.dialects.fix.messages import Logon, Message, Value
from twisted_repeater.service.admin.debugger import Debugged, Debugger
from twisted_repeater.service.admin.held import HeldItem
from twisted_repeater.service.admin.routes import Context
from twisted_repeater.service.admin.shapes import NewRule
from twisted_repeater.service.admin.streams import Stream
from twisted_repeater.testing import MemoryRepeater, Peer
from twisted_repeater.verdicts import PASS_ON, Verdict

from .administered import Process, Running

__all__ = ["Debugging", "Listening", "events_in", "fix_logon", "fix_message"]


def events_in(data: bytes) -> list[tuple[str, Any]]:
    """Return the names and the data of server-sent events, which must be well-formed."""
    found = []
    for block in filter(None, data.decode().split("\n\n")):
        if block != ":":
            match = re.fullmatch(r"id: [0-9a-f]+-\d+\nevent: (\w+)\ndata: (.*)", block)
            assert match is not None, block
            found.append((match[1], json.loads(match[2])))
    return found


class Listening:
    """The connection of a stream, as `Sink` says; it records what is written."""

    def __init__(self) -> None:
        self.data = b""
        self.waiting = 0
        self.paused = False
        self.ended = False
        self.comments = 0

    def write(self, data: bytes) -> None:
        """See `Sink`."""
        self.data += data

    def comment(self) -> None:
        """See `Sink`."""
        self.comments += 1

    def end(self) -> None:
        """See `Sink`."""
        self.ended = True

    def events(self, name: str | None = None) -> list[Any]:
        """Return the events, or the data of those of a name."""
        found = events_in(self.data)
        return found if name is None else [data for each, data in found if each == name]

    def take(self, name: str) -> list[Any]:
        """Return the data of the events of a name, and forget all events."""
        found = self.events(name)
        self.data = b""
        return found


class Debugging:
    """A repeater in memory, and the debugger of an administration that it is in."""

    def __init__(self, dialect: Dialect | None = None, **options: Any) -> None:
        self.running = Running()
        self.world = MemoryRepeater(dialect, observers=self.running.observers, **options)
        self.running.repeater, self.running.dialect = self.world.repeater, self.world.dialect
        login: Any = SimpleNamespace()
        self.context = Context(Process(self.running), login, self.world.network)
        self.debugger = self.context.part(Debugger)

    @property
    def debugged(self) -> Debugged:
        """What belongs to the repeater."""
        return self.debugger.of(self.running)

    def stream(self, old: str | None = None) -> tuple[Stream, Listening]:
        """Open a stream."""
        stream, is_old = self.debugger.open(self.running, old)
        listening = Listening()
        stream.attach(listening, resumed=is_old)
        return stream, listening

    def rule(self, stream: str, **asked: Any) -> int:
        """Make a rule, and return its id."""
        return self.debugged.rules.add(NewRule(stream, **asked)).id

    @property
    def held(self) -> list[HeldItem]:
        """All that is held."""
        return self.debugger.held.of("edge")

    def settle(self, item: HeldItem, how: str = "released", verdict: Verdict = PASS_ON) -> None:
        """Let a message go on."""
        self.debugger.held.settle(item, how, verdict)
        self.world.settle()


def fix_message(message: Message, number: int, sender: str = "BANK", target: str = "MARKET") -> Message:
    """Return a message of FIX as an engine sends it."""
    header: list[tuple[int, Value]] = [(49, sender), (56, target), (34, number), (52, "20260101-00:00:00.000")]
    return message.with_header("FIX.4.4", header)


def fix_logon(debugging: Debugging) -> tuple[Peer, Peer]:
    """Connect two engines of FIX that have logged on; return the client and the server's side of its link."""
    logon = Logon({98: 0, 108: 30})
    client = debugging.world.connect(None, says=[fix_message(logon, 1)])
    server = debugging.world.server.connections[-1]
    server.send(fix_message(logon, 1, "MARKET", "BANK"))
    return client, server
