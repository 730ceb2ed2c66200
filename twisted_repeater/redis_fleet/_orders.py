"""Orders of one node to others, and their answers.

An order has an id, so that a node carries it out once, however often it comes; what it has answered is remembered for
repeats. A node that reads an order too late does not carry it out, because the caller has been told that it did not
answer. Times are counted by the fleet's clock, so the clocks of the nodes may differ.
"""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .._text import text_of
from .._types import Reactor
from ..fleet import LONGEST, NO_ANSWER
from ._engine import EngineError
from ._node import Node
from ._order_scripts import ORDER
from ._reader import Reader

__all__ = ["NOT_REACHED", "Answer", "Order", "Orders", "check_size"]

log: Logger = Logger()

LARGEST = 1024 * 1024
"""How many bytes may belong to an order, or to an answer: the engine and each node hold them in memory."""

UNREAD = 32 * 1024 * 1024
"""How many bytes of orders and answers may wait in the engine for a node that does not read them."""

AGAIN = 0.1
"""How many seconds pass before an answer is sent again to a node that does not read."""

REMEMBERED = 10_000
"""How many orders a node remembers that it has carried out."""

REMEMBERED_BYTES = 16 * 1024 * 1024
"""How many bytes the answers of these may have together."""

REMEMBERED_FOR = 600.0
"""For how many seconds it remembers them."""

NOT_REACHED = "NotReached"
"""The kind of error of a node whose lease has ended."""


@dataclass(slots=True)
class Order:
    """An order that came from another node.

    Attributes:
        what: which order it is.
        arguments: what belongs to it.
        payload: bytes that belong to it.
        left: how many seconds the caller still waits.
    """

    what: str
    arguments: dict[str, Any]
    payload: bytes
    left: float = LONGEST


@dataclass(slots=True)
class Answer:
    """What a node has answered, or why it did not."""

    node: str
    """Its name; empty if it was not reached."""
    incarnation: str
    value: Any = None
    error: str | None = None
    kind: str = ""
    """The class of the error that the order has raised there, or `NOT_REACHED`; empty if no answer has come."""


@dataclass(slots=True)
class _Call:
    """A call that waits for answers. They may come before it is known whose are to come."""

    names: dict[str, str] | None = None
    """The names of the nodes that are to answer, by incarnation."""
    full: dict[str, str] = field(default_factory=dict)
    """The names of the nodes that did not get the order, because they do not read."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: Deferred[None] = field(default_factory=Deferred)

    def look(self) -> None:
        """End the wait if nothing is missing."""
        if not self.done.called and self.names is not None and self.names.keys() <= self.answers.keys():
            self.done.callback(None)

    def outcome(self) -> list[Answer]:
        """Return an answer for each node that was to answer."""
        missing = {"error": NO_ANSWER}
        answers = ((each, name, self.answers.get(each, missing)) for each, name in (self.names or {}).items())
        return [Answer(name, each, **got) for each, name, got in answers] + [
            Answer(name, each, error=_does_not_read(name)) for each, name in self.full.items()
        ]


@dataclass(slots=True)
class _Work:
    """An order that this node has begun to carry out.

    Attributes:
        begun: when.
        outcome: what was answered, as JSON; ``None`` until it is done.
        waiting: who wants it.
    """

    begun: float
    outcome: bytes | None = None
    waiting: list[Deferred[bytes]] = field(default_factory=list)


class Orders:
    """The orders of a node and to it.

    Args:
        node: the node.
        reactor: the reactor.
        handle: carries out an order, and returns the answer, for JSON. Its errors are told to the caller. What it does
            before it first waits is done in the order in which each caller has called.
    """

    def __init__(self, node: Node, reactor: Reactor, handle: Callable[[Order], Awaitable[Any]]) -> None:
        self._node = node
        self._reactor = reactor
        self._handle = handle
        self._calls: dict[int, _Call] = {}
        self._numbers = count(1)
        self._work: OrderedDict[str, _Work] = OrderedDict()
        """What was done lately, by the id of the order; the oldest is first."""
        self._bytes = 0
        self.missed: Callable[[], None] = lambda: None
        """Called if orders to this node alone are gone that it has not read."""
        self._reader = Reader(node, reactor, self._take, lambda: self.missed())

    def joined(self, last: bytes) -> None:
        """The node has joined with a new incarnation: read what it gets from now on."""
        self._reader.joined(last)

    def stop(self) -> Deferred[None]:
        """Read no more; whoever waits for answers gets those that are there."""
        stopped = self._reader.stop()
        for call in list(self._calls.values()):  # the end of a wait takes it away
            if not call.done.called:
                call.done.callback(None)
        return stopped

    # -- carrying out ----------------------------------------------------------------------------------------

    def _take(self, header: dict[str, Any], payload: bytes, age: float) -> None:
        if header["what"] == "answer":
            call = self._calls.get(header["call"])
            if call is not None:
                call.answers[header["from"]] = json.loads(payload)
                call.look()
            return
        sender = header.get("from")
        if sender is not None and sender == self._node.incarnation:
            return  # what a node orders all to do, it does itself
        order = Order(header["what"], header["arguments"], payload, header.get("within", LONGEST) - age)
        if sender is None:  # it comes from the engine itself, and nobody waits for an answer
            Deferred.fromCoroutine(self._outcome(order))
        elif order.left > 0:
            caller, call, until = sender, header["call"], self._node.seconds() + order.left
            self._once(header["id"], order).addCallback(lambda outcome: self._reply(outcome, caller, call, until))

    def once(self, number: str, order: Order) -> Deferred[Mapping[str, Any]]:
        """Carry an order out here, unless that was done; fire with its ``value``, or its ``error`` and its ``kind``."""

        def read(outcome: bytes) -> Mapping[str, Any]:
            return dict(json.loads(outcome))

        return self._once(number, order).addCallback(read)

    def _once(self, number: str, order: Order) -> Deferred[bytes]:
        work = self._work.get(number)
        if work is None:
            work = self._work[number] = _Work(self._node.seconds())
            Deferred.fromCoroutine(self._begin(number, work, order))
            self._forget()
        if work.outcome is not None:
            return succeed(work.outcome)
        waiting: Deferred[bytes] = Deferred()
        work.waiting.append(waiting)
        return waiting

    async def _begin(self, number: str, work: _Work, order: Order) -> None:
        outcome = work.outcome = await self._outcome(order)
        if self._work.get(number) is work:
            self._bytes += len(outcome)
        waiting, work.waiting = work.waiting, []
        for each in waiting:
            each.callback(outcome)

    async def _outcome(self, order: Order) -> bytes:
        try:
            outcome = json.dumps({"value": await self._handle(order)}).encode()
            if len(outcome) > LARGEST:
                raise ValueError(f"the answer must be at most {LARGEST} bytes, not {len(outcome)}")
        except Exception as error:
            outcome = json.dumps({"error": text_of(error), "kind": type(error).__name__}).encode()
        return outcome

    def _reply(self, outcome: bytes, caller: str, call: int, until: float) -> None:
        sent = Deferred.fromCoroutine(self._answer(outcome, caller, call, until))
        sent.addErrback(lambda failure: failure.trap(EngineError))  # the caller sees that no answer comes

    async def _answer(self, outcome: bytes, caller: str, call: int, until: float) -> None:
        """Send an answer. If a caller gets many large ones at once, some wait until it has read others."""
        header = {"what": "answer", "call": call, "from": self._node.incarnation}
        while True:
            _, full = await self._send(header, outcome, "incarnations", [caller])
            if not full or self._node.seconds() >= until:
                return
            await deferLater(self._reactor, AGAIN)

    def _forget(self) -> None:
        """Forget the oldest work, if there is much, or if it is long ago."""
        long_ago = self._node.seconds() - REMEMBERED_FOR
        while True:  # the latest stays
            number, work = next(iter(self._work.items()))
            if len(self._work) <= REMEMBERED and self._bytes <= REMEMBERED_BYTES and work.begun >= long_ago:
                break
            del self._work[number]
            self._bytes -= len(work.outcome or b"")

    # -- calling ---------------------------------------------------------------------------------------------

    async def call(
        self,
        what: str,
        arguments: dict[str, Any],
        payload: bytes = b"",
        *,
        to: Collection[str] | None = None,
        only: Collection[str] | None = None,
        timeout: float,
        number: str | None = None,
    ) -> list[Answer]:
        """Give an order, and wait for the answers of the nodes that get it, without this one.

        Args:
            what: which order.
            arguments: what belongs to it, for JSON.
            payload: bytes that belong to it.
            to: the incarnations that are to do it.
            only: the names of the nodes that are to do it. Without ``to`` and ``only``, all are.
            timeout: for how many seconds to wait, at most `LONGEST`.
            number: the id of the order, or of an earlier call: nodes that have carried that one out do not do it again,
                and answer what they have answered.

        Returns:
            An answer for each node that was to get the order. One that did not answer in time has an error, and so has
            each incarnation in ``to`` that is not there any more. There is none for names of nodes that are not there.

        Raises:
            EngineError: the engine cannot be asked.
            ValueError: the payload is too large.
        """
        check_size(payload)
        own, timeout, this = self._node.incarnation, min(timeout, LONGEST), next(self._numbers)
        header = {"what": what, "id": number or secrets.token_hex(8), "from": own, "call": this, "within": timeout}
        call = self._calls[this] = _Call()
        who = ("incarnations", to) if to is not None else ("all", ()) if only is None else ("names", only)
        try:
            call.names, call.full = await self._send({**header, "arguments": arguments}, payload, *who)
            call.look()
            await call.done.addTimeout(timeout, self._reactor, lambda *_: None)
        finally:
            del self._calls[this]
        gone = (each for each in to or () if each != own and each not in call.names and each not in call.full)
        return call.outcome() + [Answer("", each, None, "it has left the fleet", NOT_REACHED) for each in gone]

    async def _send(
        self, header: dict[str, Any], payload: bytes, how: str, who: Collection[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the names of the nodes that get an order, and of those that do not read, by their incarnations."""
        keys = self._node.keys("state", "nodes", "names")
        kept = round(LONGEST * 1000)  # an order is kept for as long as it may take
        _, reached, full = await self._node.run(ORDER, keys, json.dumps(header), payload, kept, UNREAD, how, *who)
        return _names(reached), _names(full)


def check_size(payload: bytes) -> None:
    """Raise `ValueError` if something is too large to be sent to other nodes."""
    if len(payload) > LARGEST:
        raise ValueError(f"what is sent to other nodes must be at most {LARGEST} bytes, not {len(payload)}")


def _names(texts: list[bytes]) -> dict[str, str]:
    words = [text.decode() for text in texts]
    return dict(zip(words[::2], words[1::2], strict=True))


def _does_not_read(node: str) -> str:
    return (
        f"{UNREAD // 1024**2} MiB of calls wait for the node {node!r}, and it gets no more: it stands still, or is too "
        "slow. Repeat the call with its id when the node goes on, or end the node"
    )
