"""Orders of one node to others, and their answers.

An order is an entry of a stream of the engine: of a node's inbox, or of the one that all nodes read. Each node reads
both on a connection of its own, in order, from where it left off; so a connection that was lost loses no order. An order
has an id, so that a node carries it out once, however often it comes. A node that gets it too late does not carry it
out, because the caller has been told that it did not answer.
"""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .._text import text_of
from .._types import Reactor
from ._engine import Connection, EngineError, Facts
from ._node import Node
from ._scripts import ORDER

__all__ = ["Answer", "Order", "Orders"]

log: Logger = Logger()

LONGEST = 60.0
"""How many seconds an order may take at most; orders are kept for as long."""

REMEMBERED = 10_000
"""How many orders a node remembers that it has carried out."""

READ_AT_ONCE = 100


@dataclass(slots=True)
class Order:
    """An order that came from another node.

    Attributes:
        what: which order it is.
        arguments: what belongs to it.
        payload: bytes that belong to it.
    """

    what: str
    arguments: dict[str, Any]
    payload: bytes


@dataclass(slots=True)
class Answer:
    """What a node has answered, or why it did not."""

    node: str
    value: Any = None
    error: str | None = None
    kind: str = ""
    """The class of the error."""


@dataclass(slots=True)
class _Call:
    """A call that waits for answers. They may come before it is known whose are to come."""

    names: dict[str, str] | None = None
    """The names of the nodes that are to answer, by incarnation."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: Deferred[None] = field(default_factory=Deferred)

    def look(self) -> None:
        """End the wait if nothing is missing."""
        if not self.done.called and self.names is not None and self.names.keys() <= self.answers.keys():
            self.done.callback(None)

    def outcome(self) -> list[Answer]:
        """Return an answer for each node that was to answer."""
        missing = {"error": "no answer in time", "kind": ""}
        answers = ((name, self.answers.get(incarnation, missing)) for incarnation, name in (self.names or {}).items())
        return [Answer(name, got.get("value"), got.get("error"), got.get("kind", "")) for name, got in answers]


class Orders:
    """The orders of a node and to it.

    Args:
        node: the node.
        reactor: the reactor.
        handle: carries out an order, and returns the answer, for JSON. Its errors are told to the caller.
    """

    def __init__(self, node: Node, reactor: Reactor, handle: Callable[[Order], Awaitable[Any]]) -> None:
        self._node = node
        self._reactor = reactor
        self._handle = handle
        self._calls: dict[str, _Call] = {}
        self._done: OrderedDict[str, Deferred[Any]] = OrderedDict()
        self._wait = max(node.settings.lease / 4, 0.1)
        self._connection = Connection(
            node.settings.address, reactor, self._wait + node.settings.timeout, self._up, lambda why: None
        )
        self._inbox = ""
        self._last = {"all": "0-0", "inbox": "0-0"}
        self._reading: Deferred[None] | None = None

    # -- reading ---------------------------------------------------------------------------------------------

    def joined(self, last: bytes) -> None:
        """The node has joined with a new incarnation: read its inbox from now on."""
        self._last = {"all": last.decode(), "inbox": "0-0"}
        if self._inbox:
            self._connection.abort()
        else:
            self._connection.start()
        self._inbox = self._node.incarnation

    def stop(self) -> None:
        """Read no more; whoever waits for answers gets those that are there."""
        self._connection.stop()
        for call in self._calls.values():
            if not call.done.called:
                call.done.callback(None)

    async def _up(self, facts: Facts) -> None:
        self._reading = Deferred.fromCoroutine(self._read())
        self._reading.addErrback(lambda failure: failure.trap(EngineError))

    async def _read(self) -> None:
        milliseconds = round(self._wait * 1000)
        inbox = self._inbox
        streams = dict(zip(self._node.keys("all", f"inbox:{inbox}"), ("all", "inbox"), strict=True))
        words = ("XREAD", "COUNT", READ_AT_ONCE, "BLOCK", milliseconds, "STREAMS", *streams)
        while inbox == self._inbox:
            found = await self._connection.call(*words, *self._last.values())
            for stream, entries in found or ():
                which = streams[stream.decode()]
                for number, fields in entries:
                    self._last[which] = number.decode()
                    self._take(dict(zip(fields[::2], fields[1::2], strict=True)))

    def _take(self, entry: dict[bytes, bytes]) -> None:
        try:
            header = json.loads(entry[b"header"])
            if header["what"] == "answer":
                self._answered(header)
            elif header.get("from") != self._node.incarnation:  # what a node orders all to do, it has done itself
                self._carry_out(header, entry[b"payload"])
        except Exception:
            log.failure("an order of the fleet cannot be read")

    # -- carrying out ----------------------------------------------------------------------------------------

    def _carry_out(self, header: dict[str, Any], payload: bytes) -> None:
        number = header.get("id")
        order = Order(header.pop("what"), header, payload)
        if number is None:  # nobody waits for the answer
            Deferred.fromCoroutine(self._outcome(order))
            return
        done = self._done.get(number)
        if done is None:
            done = self._done[number] = Deferred.fromCoroutine(self._outcome(order))
            if len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
        back = header["from"]

        def reply(outcome: dict[str, Any]) -> dict[str, Any]:
            answer = {"what": "answer", "id": number, "from": self._node.incarnation, **outcome}
            sent = Deferred.fromCoroutine(self._send(answer, b"", [back]))
            sent.addErrback(lambda failure: failure.trap(EngineError))
            return outcome

        done.addCallback(reply)

    async def _outcome(self, order: Order) -> dict[str, Any]:
        try:
            return {"value": await self._handle(order)}
        except Exception as error:
            return {"error": text_of(error), "kind": type(error).__name__}

    # -- calling ---------------------------------------------------------------------------------------------

    async def call(
        self,
        what: str,
        arguments: dict[str, Any],
        payload: bytes = b"",
        *,
        to: Sequence[str] = (),
        timeout: float,
        number: str | None = None,
    ) -> list[Answer]:
        """Give an order, and wait for the answers of the nodes that get it, without this one.

        Args:
            what: which order.
            arguments: what belongs to it, for JSON.
            payload: bytes that belong to it.
            to: incarnations; nobody stands for all nodes.
            timeout: for how many seconds to wait, at most `LONGEST`.
            number: the id of an earlier call, which nodes that have carried it out do not carry out again.

        Returns:
            An answer for each node that was to get the order. One that did not answer in time has an error.

        Raises:
            EngineError: the engine cannot be asked.
        """
        number = number or secrets.token_hex(8)
        call = self._calls[number] = _Call()
        own = self._node.incarnation
        try:
            reached = await self._send({"what": what, "id": number, "from": own, **arguments}, payload, to)
            call.names = {incarnation: name for incarnation, name in reached.items() if incarnation != own}
            call.look()
            await call.done.addTimeout(min(timeout, LONGEST), self._reactor, lambda *_: None)
        finally:
            del self._calls[number]
        return call.outcome()

    async def _send(self, header: dict[str, Any], payload: bytes, to: Sequence[str]) -> dict[str, str]:
        node = self._node
        keys = node.keys("state", "nodes", "names")
        kept = round(LONGEST * 1000)
        answer = await node.run(ORDER, keys, node.settings.prefix, json.dumps(header), payload, kept, *to)
        texts = [text.decode() for text in answer[1]]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def _answered(self, header: dict[str, Any]) -> None:
        call = self._calls.get(header["id"])
        if call is not None:
            call.answers[header["from"]] = header
            call.look()
