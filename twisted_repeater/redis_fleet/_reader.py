"""Reads the orders that a node gets, from two streams of the engine: its inbox, and the one that all nodes read.

It has a connection of its own, because it waits there. It reads from where it left off, so a connection that was lost
loses no order. The orders of both streams are handed over in the order in which they were given. The engine keeps
orders for a limited time only; whoever reads too late is told that some were missed. From time to time the reader says
what it has read, so that the engine can forget that, and gives a node no more than it reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .._text import text_of
from .._types import Reactor
from ._engine import Connection, EngineError, Facts
from ._node import Node
from ._order_scripts import NOW, READ

__all__ = ["Reader"]

log: Logger = Logger()

READ_AT_ONCE = 16
"""How many orders are read from a stream at once: few, because each may be large."""

NOTED = 1024 * 1024
"""After how many bytes the engine is told what was read."""


class Reader:
    """Reads the orders that a node gets.

    Args:
        node: the node.
        reactor: the reactor.
        take: called with the header of each order, its payload, and how many seconds ago it was given.
        missed: called if the inbox had orders that are gone.
    """

    def __init__(
        self,
        node: Node,
        reactor: Reactor,
        take: Callable[[dict[str, Any], bytes, float], None],
        missed: Callable[[], None],
    ) -> None:
        self._node = node
        self._take = take
        self._missed = missed
        self._wait = max(node.settings.lease / 4, 0.1)
        self._connection = Connection(
            node.settings.address, reactor, self._wait + node.settings.timeout, self._up, lambda why: None
        )
        self._inbox = ""
        self._last = {"all": "0-0", "inbox": "0-0"}
        self._numbers: dict[str, int] = {}
        """The number of the last order of each stream."""
        self._bytes: dict[str, int | str] = {}
        """How many bytes were given to each stream, up to its last order."""
        self._unnoted = 0
        """How many bytes were read that the engine does not know of."""
        self._offset = 0.0
        """By how much the fleet's clock is ahead of this node's, in seconds."""
        self._measured = float("-inf")
        self._logged = False

    def joined(self, last: bytes) -> None:
        """The node has joined with a new incarnation: read its inbox, and what is given to all nodes from now on."""
        first, self._inbox = not self._inbox, self._node.incarnation
        self._last = {"all": last.decode(), "inbox": "0-0"}
        self._numbers = {"inbox": 0}
        self._bytes = {"all": "", "inbox": 0}
        self._unnoted = 0
        self._logged = False
        if first:
            self._connection.start()
        else:
            self._connection.abort()

    def stop(self) -> Deferred[None]:
        """Read no more."""
        self._inbox = ""
        return self._connection.stop()

    async def _up(self, facts: Facts) -> None:
        self._measured = float("-inf")
        Deferred.fromCoroutine(self._read())

    async def _read(self) -> None:
        try:
            await self._read_on()
        except EngineError as error:
            self._connection.abort(text_of(error))
        except Exception:
            log.failure("the calls of other nodes cannot be read")
            self._connection.abort()

    async def _read_on(self) -> None:
        inbox = self._inbox
        streams = dict(zip(self._node.keys("all", f"inbox:{inbox}"), ("all", "inbox"), strict=True))
        words = ("XREAD", "COUNT", READ_AT_ONCE, "BLOCK", round(self._wait * 1000), "STREAMS", *streams)
        while inbox == self._inbox:
            found = await self._connection.call(*words, *(self._last[which] for which in streams.values()))
            self._node.look()
            if found:
                await self._measure()
            for stream, entry in _in_order(found or []):
                if inbox != self._inbox:
                    return  # the orders were for an earlier incarnation
                self._hand_over(streams[stream], *entry)
            if self._unnoted >= NOTED:
                await self._note()

    async def _measure(self) -> None:
        """Look at the fleet's clock, unless that was done lately."""
        if self._node.seconds() - self._measured > self._wait:
            (now,) = await NOW.run(self._connection, self._node.keys("state"), [])
            self._measured = self._node.seconds()
            self._offset = now / 1000 - self._measured

    async def _note(self) -> None:
        """Tell the engine what was read, and hear after which orders to read on.

        These are others only after an entry that is none of ours.
        """
        words = (word for which in ("all", "inbox") for word in (self._last[which], self._bytes[which]))
        inbox, self._unnoted = self._inbox, 0
        _, every, own = await self._node.run(READ, self._node.keys("state", "nodes"), *words)
        if inbox == self._inbox:
            self._last = {"all": every.decode(), "inbox": own.decode()}

    def _hand_over(self, which: str, number: bytes, fields: list[bytes]) -> None:
        self._last[which] = number.decode()
        try:
            age = self._node.seconds() + self._offset - _place(number)[0] / 1000
            if age < -self._wait:
                self._unnoted = NOTED
            entry = dict(zip(fields[::2], fields[1::2], strict=True))
            self._bytes[which] = int(entry[b"bytes"])
            self._unnoted += len(entry[b"header"]) + len(entry[b"payload"])
            self._count(which, int(entry[b"number"]))
            header = json.loads(entry[b"header"].decode("utf-8", "surrogatepass"))
            self._take(header, entry[b"payload"], age)
        except Exception:
            if not self._logged:
                log.failure("a call of another node cannot be read; further ones are not logged")
            self._logged = True

    def _count(self, which: str, number: int) -> None:
        before = self._numbers.get(which, number - 1)
        self._numbers[which] = number
        if number > before + 1:
            log.warn("{count} calls of other nodes came too late to be read", count=number - before - 1)
            if which == "inbox":
                self._missed()


def _in_order(found: list[Any]) -> list[tuple[str, tuple[bytes, list[bytes]]]]:
    """Return the orders of all streams, each with its stream, by the time at which they were given.

    If there may be more in a stream, what was given later to another one is left out. It is read again.
    """
    entries = []
    ends = []
    for stream, orders in found:
        entries += [(_place(order[0]), stream.decode(), order) for order in orders]
        if len(orders) == READ_AT_ONCE:
            ends.append(_place(orders[-1][0]))
    entries.sort(key=lambda entry: entry[0])
    return [(stream, order) for place, stream, order in entries if not ends or place <= min(ends)]


def _place(number: bytes) -> tuple[int, int]:
    milliseconds, _, count = number.partition(b"-")
    return int(milliseconds), int(count)
