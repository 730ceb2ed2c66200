"""What filters of this package learn of the two connections, and have them do."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import DROP, PASS_ON, Dialect, Direction, Later, OnFilterError, SendBack, Verdict
from twisted_repeater.dialects import int32

from .memory_case import MemoryCase


class InnerTests(MemoryCase):
    """What `Link` does not show to applications."""

    def test_at_work(self) -> None:
        """A lane is at work while its filter is asked, and at no other time."""
        seen: list[tuple[bool, ...]] = []

        def look(message: bytes, link: Any) -> Verdict:
            seen.append(tuple(link._pair.is_at_work(direction) for direction in Direction))
            return PASS_ON

        world = self.memory(to_server_filter=look, to_client_filter=look, on_connect=lambda link: look(b"", link))
        client, server = world.linked("ann")
        client.send(b"a")
        server.send(b"b")
        pair = world.pair(client)
        self.assertEqual(seen, [(False, False), (True, False), (False, True)])
        self.assertEqual([pair.is_at_work(direction) for direction in Direction], [False, False])
        unmade = world.connect(None)
        self.assertFalse(world.pair(unmade).is_at_work(Direction.TO_CLIENT))

    def test_policy(self) -> None:
        """It knows what becomes of a message whose filter fails."""
        world = self.memory(on_filter_error=OnFilterError.DROP)
        client, _ = world.linked("ann")
        self.assertIs(world.pair(client).on_filter_error, OnFilterError.DROP)

    def test_call_soon(self) -> None:
        """It calls in the next turn of the reactor, once for each function, and not after its end."""
        world = self.memory()
        client, _ = world.linked("ann")
        pair = world.pair(client)
        called: list[int] = []

        def call() -> None:
            called.append(1)

        pair.call_soon(call)
        pair.call_soon(call)
        self.assertEqual(called, [])
        world.settle()
        self.assertEqual(called, [1])
        pair.abort()
        world.settle()
        self.assertTrue(pair.over)
        pair.call_soon(call)
        world.settle()
        self.assertEqual(called, [1])

    def test_call_later(self) -> None:
        """It calls after some seconds, which begin again if the call waits already."""
        world = self.memory()
        client, _ = world.linked("ann")
        called: list[int] = []

        def call() -> None:
            called.append(1)

        world.pair(client).call_later(10, call)
        world.advance(9)
        world.pair(client).call_later(10, call)
        world.advance(9)
        self.assertEqual(called, [])
        world.advance(1)
        self.assertEqual(called, [1])

    def test_own_messages_keep_their_place(self) -> None:
        """A message sent from within a filter comes after the answers before it, also if the other way is late."""

        def ask(message: bytes, link: Any) -> Verdict:
            if message == b"send":
                link.send_to_server(b"own")
            return SendBack([b"answer"]) if message == b"answer" else PASS_ON

        world = self.memory(to_server_filter=lambda message, link: Later(1), to_client_filter=ask)
        client, server = world.linked("ann")
        client.send(b"late")
        server.send(b"answer", b"send")
        world.advance(1)
        server.expect(b"late", b"answer", b"own")

    def test_redacted(self) -> None:
        """A message is redacted for the direction that is at work or waits; if both may be meant, for both."""
        verdict: Deferred[Verdict] = Deferred()
        shown: list[Any] = []

        def look(message: bytes, link: Any) -> Any:
            shown.append(link._pair.redacted(message))
            return verdict if message == b"later" else DROP

        plain = int32()
        dialect = Dialect(
            name="secretive",
            framing=plain.framing,
            opening=plain.opening,
            redact=lambda message, direction: (direction, message),
        )
        world = self.memory(dialect=dialect, to_server_filter=look, to_client_filter=look)
        client, server = world.linked("ann")
        pair = world.pair(client)
        server.send(b"b")
        client.send(b"later")
        shown.append(pair.redacted(b"c"))
        verdict.callback(DROP)
        shown.append(pair.redacted(b"d"))
        up, down = Direction.TO_SERVER, Direction.TO_CLIENT
        self.assertEqual(shown, [(down, b"b"), (up, b"later"), (up, b"c"), (down, (up, b"d"))])
        world = self.memory()
        client, _ = world.linked("ann")
        self.assertEqual(world.pair(client).redacted(b"e"), b"e")
