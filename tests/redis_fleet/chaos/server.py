"""The server of a chaos: it answers each message, and tells the judge what it sees."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from .wire import SERVER, Speaker, unread

if TYPE_CHECKING:
    from .judge import Judge

__all__ = ["ServedLink", "Server"]


class ServedLink(Speaker):
    """A link as the server sees it."""

    factory: Server
    name = ""
    """The name of its client; empty before the hello."""
    session = ""
    """Names the client's connection."""
    number = 0
    """The number of the last message of the client."""

    def connectionMade(self) -> None:
        """Note which node it comes from: each dials from an address of its own."""
        self.node: str = self.transport.getPeer().host
        self.calls: Counter[str] = Counter()
        self.before = 0
        """How many bytes had arrived, but were not read, when another link of this name began."""

    def dataReceived(self, data: bytes) -> None:
        """Count what was there before another link of this name began."""
        super().dataReceived(data)
        self.before = max(self.before - len(data), 0)

    def stringReceived(self, string: bytes) -> None:
        """A hello or a message came."""
        judge = self.factory.judge
        if not self.name:
            hello = json.loads(string)
            self.name, self.session = hello["name"], hello["session"]
            judge.link_began(self)
            self.greet(name=SERVER, node=self.node)
            return
        kind, _, what = string.decode().partition(" ")
        if kind == "m":
            judge.message_came(self, int(what))
            self.number = int(what)
            self.say(f"r {what}")
        else:
            self.calls[what] += 1
            judge.call_came(self, what)

    def overtaken(self) -> None:
        """Another link of this name has begun."""
        self.before = unread(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The link has ended."""
        if self.name:
            self.factory.judge.link_ended(self)


class Server(Factory):
    """The server."""

    noisy = False
    protocol: Any = ServedLink

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
