"""The openings that are ready, between peers in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import ClientNotAllowed, Dialect, InvalidHello, OpeningFailed, SameName, dialects
from twisted_repeater.dialects import Frame, Opening, by_address, first_message, server_first
from twisted_repeater.framings.length import Int32Framing

from ..link.memory_case import MemoryCase


class OpeningCase(MemoryCase):
    """A test case with openings."""

    def world_of(self, opening: Opening, **options: Any) -> Any:
        """Make a repeater whose dialect has an opening."""
        dialect = Dialect(name="test", framing=lambda limits: Int32Framing(limits.max_frame), opening=opening)
        return self.memory(dialect=dialect, **options)


class ByAddressTests(OpeningCase):
    """`by_address`."""

    def test_default(self) -> None:
        """It is what a dialect begins with if nothing else is said."""
        dialect = Dialect(name="test", framing=lambda limits: Int32Framing(limits.max_frame))
        self.assertIs(dialect.opening, by_address)
        self.assertIs(dialects.by_address, by_address)

    def test_first_byte(self) -> None:
        """The server is dialled with the client's first byte; the link has the name of the address."""
        asked: list[str] = []
        world = self.world_of(by_address, is_client_allowed=asked.append)
        client = world.connect()
        self.assertEqual(world.server.connections, [])
        client.send_bytes(b"\0")
        (server,) = world.server.connections
        client.send_bytes(b"\0\0\2hi")
        self.assertEqual(server.received, [b"hi"])
        address = client.transport.getHost()
        self.assertEqual(world.repeater.active_clients(), [f"127.0.0.1:{address.port}"])
        self.assertEqual(asked, [])

    def test_port_scan(self) -> None:
        """A connection that says nothing reaches no server, and is no event."""
        world = self.world_of(by_address)
        world.connect().close()
        world.connect().abort()
        self.assertEqual((world.server.connections, world.calls.refusals), ([], []))


class ServerFirstTests(OpeningCase):
    """`server_first`."""

    def test_banner(self) -> None:
        """The server is dialled at once, and its first words reach the client that has said nothing."""
        world = self.world_of(server_first)
        client = world.connect()
        (server,) = world.server.connections
        server.send(b"banner")
        self.assertEqual(client.received, [b"banner"])
        client.send(b"login")
        self.assertEqual(server.received, [b"login"])

    def test_client_first(self) -> None:
        """The client may also speak first."""
        world = self.world_of(server_first)
        client = world.connect()
        client.send(b"login")
        self.assertEqual(world.server.connections[0].received, [b"login"])


class FirstMessageTests(OpeningCase):
    """`first_message`."""

    @staticmethod
    def name_of(message: Frame) -> str | None:
        """Return the name in a message."""
        if message.payload == b"broken":
            raise LookupError("no name")
        if message.payload == b"wrong":
            raise InvalidHello("not a login")
        return message.payload.decode() or None

    def test_name(self) -> None:
        """The name comes from the first message, which goes on to the server."""
        world = self.world_of(first_message(self.name_of), is_client_allowed=lambda name: name == "ann")
        world.connect().send(b"ann", b"more")
        self.assertEqual(world.repeater.active_clients(), ["ann"])
        self.assertEqual(world.server.connections[0].received, [b"ann", b"more"])
        world.connect().send(b"bob")
        self.assertEqual(world.calls.refusals, [("bob", ClientNotAllowed)])

    def test_later(self) -> None:
        """The name may come later, by a coroutine or a Deferred."""
        name: Deferred[str | None] = Deferred()
        world = self.world_of(first_message(lambda message: name))
        world.connect().send(b"token")
        self.assertEqual(world.server.connections, [])
        name.callback("ann")
        world.settle()
        self.assertEqual(world.repeater.active_clients(), ["ann"])

    def test_no_name(self) -> None:
        """A message without a name gives a label."""
        world = self.world_of(first_message(self.name_of))
        world.connect().send(b"")
        (name,) = world.repeater.active_clients()
        self.assertTrue(name.startswith("127.0.0.1:"))

    def test_wrong(self) -> None:
        """What is wrong with the message is the client's fault, or the function's."""
        for sent, kind in ((b"wrong", InvalidHello), (b"broken", OpeningFailed)):
            world = self.world_of(first_message(self.name_of))
            world.connect().send(sent)
            self.assertEqual(world.calls.refusals, [(None, kind)])
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_not_a_name(self) -> None:
        """A name must be a string."""
        world = self.world_of(first_message(lambda message: message.payload))  # type: ignore[arg-type,return-value]
        world.connect().send(b"ann")
        self.assertIn("a name must be a string or None, not b'ann'", str(world.calls.refusal))
        self.flushLoggedErrors(TypeError)

    def test_not_a_function(self) -> None:
        """The argument must be a function."""
        error = self.assertRaises(TypeError, first_message, "ann")
        self.assertEqual(str(error), "name_of must be a function of a frame, not 'ann'")

    def test_qualname(self) -> None:
        """It is named after its function."""
        self.assertEqual(first_message(self.name_of).__qualname__, "first_message(FirstMessageTests.name_of)")


class SameNameTests(OpeningCase):
    """The values of `SameName`."""

    def test_values(self) -> None:
        """They are the words of the command line."""
        self.assertEqual([meaning.value for meaning in SameName], ["refuse", "replace", "share"])
