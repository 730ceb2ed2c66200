"""Tests of the link as the application sees it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import Direction, Hello, ILink, Link


class Pair(SimpleNamespace):
    """A pair of connections that keeps what a link asks it for."""

    def __init__(self) -> None:
        super().__init__(
            id=17,
            client_name="ann",
            server_name="quotes",
            client_hello=Hello("ann"),
            server_hello=Hello("quotes"),
            details={"database": "stocks"},
            client=SimpleNamespace(address="client address", certificate="certificate"),
            server=SimpleNamespace(address="server address"),
            stopped=frozenset({Direction.TO_SERVER}),
            held=False,
            asked=[],
        )

    def received(self, direction: Direction) -> tuple[int, int]:
        """Return the counts of a direction."""
        return (1, 5) if direction is Direction.TO_SERVER else (0, 0)

    def send(self, connection: SimpleNamespace, message: object) -> None:
        """Keep what is sent."""
        self.asked.append((connection.address, message))

    def identify(self, name: str) -> Deferred[None]:
        """Keep the name."""
        self.asked.append(("identify", name))
        return succeed(None)

    def hold(self) -> None:
        """Keep that it is held."""
        self.held = True

    def resume(self) -> None:
        """Keep that it is not held."""
        self.held = False

    def finish(self) -> None:
        """Keep that it was asked for."""
        self.asked.append("finish")

    def close(self, reason: BaseException | None) -> None:
        """Keep the reason."""
        self.asked.append(("close", reason))


class LinkTests(SynchronousTestCase):
    """A link stands for its pair."""

    def setUp(self) -> None:
        """Make a link of a pair."""
        self.pair: Any = Pair()
        self.link = Link(self.pair)

    def test_names(self) -> None:
        """It provides `ILink`, and has no other public name."""
        verifyObject(ILink, self.link)
        self.assertEqual({name for name in dir(self.link) if not name.startswith("_")}, set(ILink.names()))

    def test_hold(self) -> None:
        """It can be held and resumed."""
        states = [self.link.held]
        self.link.hold()
        states.append(self.link.held)
        self.link.resume()
        self.assertEqual([*states, self.link.held], [False, True, False])

    def test_attributes(self) -> None:
        """Its attributes are those of the pair; the state is the application's."""
        link = self.link
        self.assertEqual((link.client_name, link.client_hello), ("ann", Hello("ann")))
        self.assertEqual((link.server_name, link.server_hello), ("quotes", Hello("quotes")))
        self.assertEqual((link.id, link.details["database"], link.client_certificate), (17, "stocks", "certificate"))
        self.assertEqual((link.client_address, link.server_address), ("client address", "server address"))
        self.assertEqual((link.stopped, link.state), (frozenset({Direction.TO_SERVER}), None))
        link.state = "mine"
        self.assertEqual(link.state, "mine")
        self.assertEqual(repr(link), "<link of 'ann' to 'quotes'>")

    def test_methods(self) -> None:
        """Its methods act on the pair."""
        reason = ValueError("enough")
        self.assertEqual(self.link.received(Direction.TO_SERVER), (1, 5))
        self.link.send_to_client(b"1")
        self.link.send_to_server(b"2")
        self.successResultOf(self.link.identify("bob"))
        self.link.finish()
        self.link.close(reason)
        self.link.close()
        sent = [("client address", b"1"), ("server address", b"2")]
        self.assertEqual(self.pair.asked, [*sent, ("identify", "bob"), "finish", ("close", reason), ("close", None)])
