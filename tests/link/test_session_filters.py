"""Filters of a dialect that keep a session: they stand around the application's, and number what is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import (
    DROP,
    PASS_ON,
    Link,
    MarshalingError,
    OnFilterError,
    Send,
    SendBack,
    Verdict,
)
from twisted_repeater._pending import verdict_later
from twisted_repeater._types import Filter
from twisted_repeater.dialects import int32
from twisted_repeater.filters import FilterPair, filter_function
from twisted_repeater.verdicts import Answer

from .memory_case import MemoryCase


class Session:
    """A filter of one direction that numbers what goes out, and writes ``gap`` for a message that is dropped."""

    def __init__(self) -> None:
        self.number = 0
        self.inner: Filter | None = None
        self.over: list[Link] = []

    def around(self, inner: Filter | None) -> Filter:
        """See `ISessionFilter`."""
        self.inner = inner
        return self

    def filter(self, message: bytes, link: Link) -> Answer:
        """Ask the application's filters, and number what goes on."""
        answer = PASS_ON if self.inner is None else filter_function(self.inner)(message, link)
        if isinstance(answer, Verdict):
            return self.settle(answer, message)
        return verdict_later(answer).addCallback(self.settle, message)

    def settle(self, verdict: Verdict, message: bytes) -> Verdict:
        """Return the verdict with numbers."""
        going: list[Any] = [message] if verdict.passes else list(verdict.forward)
        return Send(*[self.numbered(one) for one in going or [b"gap"]])

    def numbered(self, message: Any) -> bytes:
        """Return a message with the next number."""
        self.number += 1
        return b"%d:%s" % (self.number, message)

    def failed(self, verdict: Verdict, link: Link) -> Verdict:
        """See `ISessionFilter`."""
        if self.number == 3:
            raise OSError("the disk is full")
        return verdict if verdict.closes else self.settle(verdict, b"failed")

    def sent(self, message: Any, link: Link) -> Iterable[bytes]:
        """See `ISessionFilter`."""
        if message == b"unsound":
            raise MarshalingError("unsound")
        return [] if message == b"nothing" else [self.numbered(b"about to send"), self.numbered(message)]

    def ended(self, link: Link) -> None:
        """See `ISessionFilter`."""
        self.over.append(link)
        if self.number == 7:
            raise OSError("the disk is full")


class Sessions:
    """A dialect's pair with a session for each direction of each link."""

    def __init__(self) -> None:
        self.made: list[tuple[Session, Session]] = []

    def for_link(self, link: Link) -> tuple[Session, Session]:
        """See `IFilterPair`."""
        self.made.append((Session(), Session()))
        return self.made[-1]


def broken(message: bytes, link: Link) -> Verdict:
    """Fail."""
    raise ValueError(message)


class SessionTests(MemoryCase):
    """What a filter that keeps a session is asked."""

    def linked(self, **settings: Any) -> Any:
        """Return a world with such a dialect, and its linked client and server."""
        self.sessions = Sessions()
        world = self.memory(dialect=int32().changed(filters=self.sessions), **settings)
        return (world, *world.linked("ann"))

    def test_around(self) -> None:
        """It sees each message before the application's filters, and what they decide, at once or later."""
        later: Deferred[Verdict] = Deferred()

        def decide(message: bytes, link: Link) -> Answer:
            answers: dict[bytes, Answer] = {b"drop": DROP, b"later": later}
            return answers.get(message, PASS_ON)

        world, client, server = self.linked(
            to_server_filter=decide, filters=FilterPair(to_server=lambda m, link: Send(m * 2))
        )
        for message in (b"a", b"drop", b"later", b"b"):
            client.send(message)
        server.send(b"up")
        self.assertEqual(server.received, [b"1:aa", b"2:gap"])
        later.callback(Send(b"c"))
        world.settle()
        self.assertEqual(server.received, [b"1:aa", b"2:gap", b"3:cc", b"4:bb"])
        self.assertEqual(client.received, [b"1:up"])

    def test_replaced(self) -> None:
        """When the application's filters are replaced, it goes on with what it knows."""
        world, client, server = self.linked()
        client.send(b"a")
        world.factory.replace_filters({"to_server_filter": lambda message, link: DROP})
        client.send(b"b")
        world.factory.replace_filters({"to_server_filter": None})
        client.send(b"c")
        self.assertEqual(server.received, [b"1:a", b"2:gap", b"3:c"])

    def test_sent(self) -> None:
        """It numbers what the application sends, to one link or to all, also from within a filter."""

        def look(message: bytes, link: Link) -> Verdict:
            link.send_to_server(b"before")
            world.repeater.send_to_all_clients(b"all")
            return PASS_ON

        world, client, server = self.linked(to_server_filter=look)
        client.send(b"a")
        self.assertEqual(server.received, [b"1:about to send", b"2:before", b"3:a"])
        world.repeater.send_to_all_clients(b"all")
        world.link("ann").send_to_client(b"nothing")
        world.link("ann").send_to_client(b"one")
        world.settle()
        texts = [text.partition(b":") for text in client.received]
        self.assertEqual([int(number) for number, _, _ in texts], [1, 2, 3, 4, 5, 6])
        self.assertEqual([text for _, _, text in texts][1::2], [b"all", b"all", b"one"])

    def test_not_sent(self) -> None:
        """A message that it cannot send, or fails on, is reported as one that cannot be encoded."""
        world, client, _ = self.linked()
        link = world.link("ann")
        link.send_to_client(b"unsound")
        link.send_to_client(7)
        self.assertEqual(client.received, [])
        self.assertEqual([type(error) for error in world.errors], [MarshalingError, MarshalingError])

    def test_none(self) -> None:
        """Other filters of a dialect are not asked about what is sent."""
        pair = FilterPair(to_server=lambda message, link: PASS_ON)
        world = self.memory(dialect=int32().changed(filters=pair))
        _, server = world.linked("ann")
        world.link("ann").send_to_server(b"a")
        world.link("ann").close()
        world.settle()
        self.assertEqual(server.received, [b"a"])

    def test_failed(self) -> None:
        """It has the last word where the application's filter fails; if it fails itself, the link is closed."""
        for policy, received in ((OnFilterError.PASS_ON, b"1:failed"), (OnFilterError.DROP, b"1:gap")):
            _, client, server = self.linked(to_server_filter=broken, on_filter_error=policy)
            client.send(b"a")
            self.assertEqual(server.received, [received])
        for _ in range(3):
            client.send(b"a")
        self.assertFalse(server.open)
        self.flushLoggedErrors(ValueError)

    def test_answers(self) -> None:
        """An answer of the application's is for the dialect's filter to number, as it knows both directions."""
        _, client, server = self.linked(to_server_filter=lambda message, link: SendBack([message]))
        client.send(b"a")
        self.assertEqual((client.received, server.received), ([], [b"1:gap"]))

    def test_ended(self) -> None:
        """It is told once when its link is over. If it fails then, that is logged."""
        world, client, _ = self.linked()
        for _ in range(7):
            client.send(b"a")
        world.link("ann").close()
        world.settle()
        to_server, to_client = self.sessions.made[0]
        self.assertEqual((len(to_server.over), len(to_client.over)), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
