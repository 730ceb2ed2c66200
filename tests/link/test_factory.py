"""Tests of the factory: which protocol a client gets, and which filters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from twisted_repeater import DO_NOTHING, Dialect, IFilter, Send, dialects
from twisted_repeater.errors import InvalidHello, NewClientsDropped, OpeningFailed
from twisted_repeater.filters import wants
from twisted_repeater.selectors import first_byte

from ..peers import (
    LOST,
    SERVER_NAME,
    PeerCase,
    hello,
    repeated,
)
from .memory_case import MemoryCase
from .test_making import RefusalCase


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


class FramingTests(RefusalCase):
    """A dialect whose framing fails for a link, on real sockets."""

    broken: Callable[[], object] | None = None
    """What the framing returns, if it fails."""

    def fragile(self) -> Dialect:
        """Return a dialect whose framing may fail."""
        plain = dialects.int32()
        return plain.changed(framing=lambda limits: self.broken() if self.broken else plain.framing(limits))

    async def test_fails(self) -> None:
        """The client is closed, the failure is logged, the application is told, and nobody else notices."""
        world = await self.world(dialect=self.fragile())
        check = await self.bystander(world)
        for self.broken, told in ((lambda: 1 / 0, "division by zero"), (lambda: sys.exit("out"), "out")):
            error = await self.refused(world, hello("ann"), OpeningFailed)
            self.assertRegex(str(error), f"the framing of int32 failed: .*{told}")
            self.assertIsInstance(error.__cause__, (ZeroDivisionError, SystemExit))
            self.assertEqual(error.client_address.host, "127.0.0.1")
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, SystemExit)), 1)
        self.broken = None
        await check("ann")

    async def test_interrupted(self) -> None:
        """Ctrl-C goes through."""
        world = await self.world(dialect=self.fragile())

        def interrupted() -> object:
            raise KeyboardInterrupt

        self.broken = interrupted
        self.assertRaises(KeyboardInterrupt, world.repeater._factory.buildProtocol, None)

    async def test_behind_a_wrapper(self) -> None:
        """So is a client whose connection has a protocol before ours."""
        listen = "haproxy:tcp:0:interface=127.0.0.1"
        world = await self.world(dialect=self.fragile(), listen=listen)
        self.broken = lambda: 1 / 0
        await self.refused(world, b"PROXY UNKNOWN\r\n" + hello("ann"), OpeningFailed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class FilterTests(MemoryCase):
    """The filters of links."""

    def test_both_directions(self) -> None:
        """Each direction has its own."""
        world = self.memory(
            to_server_filter=lambda message, link: Send(b"to server: " + message),
            to_client_filter=lambda message, link: Send(b"to client: " + message),
        )
        client, server = world.linked("alice")
        client.send(b"one")
        server.send(b"two")
        server.expect(b"to server: one")
        client.expect(b"to client: two")

    def test_selector(self) -> None:
        """A filter is shown only the messages that its selector names."""
        seen: list[bytes] = []

        @wants(first_byte(b"a"))
        def to_server(message: bytes, link: Any) -> Any:
            seen.append(message)
            return DO_NOTHING

        world = self.memory(to_server_filter=to_server)
        client, server = world.linked("alice")
        client.send(b"ab", b"ba", b"aa")
        self.assertEqual((seen, server.received), ([b"ab", b"aa"], [b"ba"]))

    def test_replaced(self) -> None:
        """Other filters take over on existing links; one that is not replaced stays."""
        world = self.memory(answers=False, to_server_filter=lambda message, link: DO_NOTHING)
        client, server = world.linked("alice")
        attempt = world.connect("bob")
        client.send(b"one")
        world.factory.replace_filters({"to_server_filter": None, "to_client_filter": lambda message, link: DO_NOTHING})
        client.send(b"two")
        server.send(b"three")
        self.assertEqual((server.received, client.received), ([b"two"], []))
        world.answer()
        attempt.send(b"four")
        world.server["bob"].expect(b"four")

    def test_not_replaced(self) -> None:
        """If the filters of a new pair cannot be made, the old ones stay, for links to come too."""

        class Failing:
            def for_link(self, link: Any) -> Any:
                raise LookupError

        world = self.memory(to_server_filter=lambda message, link: DO_NOTHING)
        client, server = world.linked("alice")
        replaced = {"to_server_filter": None, "filters": Failing()}
        self.assertRaises(LookupError, world.factory.replace_filters, replaced)
        client.send(b"one")
        world.linked("bob")[0].send(b"one")
        self.assertEqual((server.received, world.server["bob"].received), ([], []))

    def test_made_once(self) -> None:
        """All links of the same versions share the work that is done once for a filter."""
        asked: list[Any] = []

        @implementer(IFilter)
        class Provider:
            """A filter that counts the questions for its selector."""

            def selector_for(self, codec: Any) -> None:
                asked.append(codec)

            def filter(self, message: Any, link: Any) -> Any:
                return DO_NOTHING

        world = self.memory(to_server_filter=Provider())
        asked.clear()
        pairs = [world.linked(str(number)) for number in range(5)]
        self.assertEqual(len(asked), 1)
        world.factory.replace_filters({"to_client_filter": Provider()})
        self.assertEqual(len(asked), 3)
        for client, server in pairs:
            client.send(b"one")
            server.send(b"two")
            self.assertEqual((client.received, server.received), ([], []))


class RenamedTests(MemoryCase):
    """A link that gets another name."""

    def test_holders(self) -> None:
        """Holders of the new name are asked about its messages from then on."""
        world = self.memory()
        asked: list[bytes] = []
        world.repeater.hold(lambda message: asked.append(message.message), links="bob")
        client, _ = world.linked("ann")
        client.send(b"one")
        world.pair(client).link.identify("bob")
        client.send(b"two")
        self.assertEqual(asked, [b"two"])
