"""The factory: protocols for clients, and filters for their lanes."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from twisted_repeater import (
    DO_NOTHING,
    PASS_ON,
    Direction,
    IFilter,
    Send,
)
from twisted_repeater.errors import InvalidHello, NewClientsDropped
from twisted_repeater.filters import wants
from twisted_repeater.selectors import first_byte

from ..peers import (
    LOST,
    SERVER_NAME,
    PeerCase,
    frame,
    hello,
    repeated,
)
from .memory_case import MemoryCase


class ProtocolTests(PeerCase):
    """Which protocol a client gets."""

    async def test_behind_a_wrapper(self) -> None:
        """Behind a factory that wraps ours, such as that of TLS, they are closed at once as well."""
        world = await self.world(start=False, listen="haproxy:tcp:0:interface=127.0.0.1")
        greeting = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 9000\r\n" + hello("alice")
        silent, client = await world.connect(), await world.connect(greeting)
        await silent.lost()
        await client.lost()
        self.assertEqual((client.seen, world.calls), ([LOST], []))
        world.start()
        world.repeater.drop_new_clients()
        client = await world.connect(greeting)
        await client.lost()
        await world.refused()
        self.assertEqual((client.seen, world.refusals), ([LOST], [(None, NewClientsDropped)]))
        world.repeater.accept_new_clients()
        client = await world.connect(greeting)
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])
        await (await world.connect(hello("bob"))).lost()
        self.assertEqual(world.refusals[1:], [(None, InvalidHello)])


class FilterTests(MemoryCase):
    """Filters, as far as the factory has to do with them."""

    def test_both_directions(self) -> None:
        """Each direction has its own."""
        world = self.memory(
            to_server_filter=lambda message, link: Send(b"to server: " + message),
            to_client_filter=lambda message, link: Send(b"to client: " + message),
        )
        client, server = self.linked(world, "alice")
        client.dataReceived(frame(b"one"))
        server.dataReceived(frame(b"two"))
        self.assertEqual(server.transport.value(), frame(b"to server: one"))
        self.assertEqual(client.transport.value(), frame(b"to client: two"))

    def test_selector(self) -> None:
        """What a filter says that it wants to see is all that it is shown."""
        seen: list[bytes] = []

        @wants(first_byte(b"a"))
        def to_server(message: bytes, link: Any) -> Any:
            seen.append(message)
            return DO_NOTHING

        world = self.memory(to_server_filter=to_server)
        client, server = self.linked(world, "alice")
        client.dataReceived(frame(b"ab") + frame(b"ba") + frame(b"aa"))
        self.assertEqual((seen, server.transport.value()), ([b"ab", b"aa"], frame(b"ba")))

    def test_no_filter(self) -> None:
        """What is no filter is an error at once, in either direction; nothing and a function are filters."""
        world = self.memory()
        for direction in Direction:
            self.assertRaises(TypeError, world.factory.equipment.check_filter, 7, direction)
            world.factory.equipment.check_filter(None, direction)
            world.factory.equipment.check_filter(raises_on_bad, direction)

    def test_replaced(self) -> None:
        """Other filters take over on links that there are; what is not replaced stays."""
        world = self.memory(to_server_filter=lambda message, link: DO_NOTHING)
        client, server = self.linked(world, "alice")
        attempt = world.connect(hello("bob"))
        client.dataReceived(frame(b"one"))
        world.factory.replace_filters({"to_server_filter": None, "to_client_filter": lambda message, link: DO_NOTHING})
        client.dataReceived(frame(b"two"))
        server.dataReceived(frame(b"three"))
        self.assertEqual((server.transport.value(), client.transport.value()), (frame(b"two"), b""))
        world.servers[1].dataReceived(hello(SERVER_NAME))
        world.servers[1].transport.clear()
        attempt.dataReceived(frame(b"four"))
        self.assertEqual(world.servers[1].transport.value(), frame(b"four"))

    def test_made_once(self) -> None:
        """What a filter is made into is made once for all links that are alike, however many there are."""
        asked: list[Any] = []

        @implementer(IFilter)
        class Provider:
            """Tells when it is asked what it wants."""

            def selector_for(self, codec: Any) -> None:
                asked.append(codec)

            def filter(self, message: Any, link: Any) -> Any:
                return DO_NOTHING

        world = self.memory(to_server_filter=Provider())
        pairs = [self.linked(world, str(number)) for number in range(5)]
        self.assertEqual(len(asked), 1)
        world.factory.replace_filters({"to_client_filter": Provider()})
        self.assertEqual(len(asked), 3)
        for client, server in pairs:
            client.dataReceived(frame(b"one"))
            server.dataReceived(frame(b"two"))
            self.assertEqual((client.transport.value(), server.transport.value()), (b"", b""))


def raises_on_bad(message: bytes, link: Any) -> Any:
    """A filter with a bug."""
    return 1 / 0 if message == b"bad" else PASS_ON
