"""Which links are broken by which faults, and when."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted_repeater._link.byte_faults import ByteFaults
from twisted_repeater._link.gated_outlets import has_gate
from twisted_repeater.errors import InjectedFault
from twisted_repeater.faults import ActiveFault, Drop, Fault
from twisted_repeater.faults.by_bytes import Bandwidth, Down, LimitData, Timeout
from twisted_repeater.model import Direction

from ..peers import LOST, StoppedTime, reactor, turn
from ..real_sockets import UnixSockets
from .links import CLIENT, SERVER, LinkCase

BACK, FORTH = Direction.TO_CLIENT, Direction.TO_SERVER


class ChoiceTests(LinkCase):
    """Links, and faults with conditions."""

    async def linked(self, *names: str) -> dict[str, Any]:
        """Make a world with links."""
        self.here = await self.world(reactor=StoppedTime())
        self.faults = self.here.repeater.faults
        return {name: await self.here.linked(name) for name in names}

    def hit(self, active: ActiveFault) -> dict[str, str]:
        """Return the names of the clients whose links are broken, with the directions."""
        found = {}
        for pair in self.here.repeater._factory.links.made():
            ways = [way for way in Direction if has_gate(pair.connection(way.target), active)]
            if ways:
                found[pair.client_name] = " ".join(way.value for way in ways)
        return found

    async def test_links_there_and_to_come(self) -> None:
        """A fault breaks the links that are there and those to come, until it is removed."""
        await self.linked("ann")
        early = await self.here.connect()
        await self.here.until_accepted()
        slow = self.faults.set("slow", Bandwidth(1e6))
        await self.here.linked("bob")
        self.assertEqual(self.hit(slow), {"ann": "to_server to_client", "bob": "to_server to_client"})
        self.assertEqual((slow.seen, slow.hit), (2, 2))
        early.abort()
        self.faults.remove("slow")
        await self.here.linked("cid")
        await turn(2)
        self.assertEqual(self.hit(slow), {})

    async def test_conditions(self) -> None:
        """The direction, the pattern of names and the number of links are conditions."""
        await self.linked("ann", "bob", "abe", "amy")
        for fault, hit in (
            (Bandwidth(9, direction=BACK, clients="a*", first=2), {"ann": "to_client", "abe": "to_client"}),
            (Bandwidth(9, direction=FORTH, every=2), {"bob": "to_server", "amy": "to_server"}),
            (Bandwidth(9, clients="nobody"), {}),
        ):
            active = self.faults.set("fault", fault)
            self.assertEqual(self.hit(active), hit)
            self.faults.set("another", Timeout())  # what was decided stays so
            self.assertEqual(self.hit(active), hit)
            self.faults.clear()

    async def test_probability(self) -> None:
        """A link is hit in both directions or not at all, and with the same seed the same ones are."""
        await self.linked(*"abcdefghijkl")
        chosen = []
        for _ in range(2):
            active = self.faults.set("fault", Bandwidth(9, probability=0.5, seed=5))
            chosen.append(self.hit(active))
            self.faults.remove("fault")
        self.assertEqual(chosen[0], chosen[1])
        self.assertEqual(set(chosen[0].values()), {"to_server to_client"})
        self.assertTrue(0 < len(chosen[0]) < 12)

    async def test_replaced(self) -> None:
        """A fault that is set again begins again, with its new options."""
        links = await self.linked("ann")
        client, peer = links["ann"]
        self.faults.set("fault", Timeout(direction=BACK))
        peer.send(b"held")
        await turn(5)
        self.assertEqual(client.seen[1:], [])
        self.faults.set("fault", LimitData(8, direction=BACK))
        peer.send(b"behind the limit")
        await client.lost()
        self.assertEqual(client.seen[1:], [b"held", LOST])

    async def test_others_come(self) -> None:
        """A fault goes on counting when another one is set or removed."""
        links = await self.linked("ann")
        client, peer = links["ann"]
        self.faults.set("fault", LimitData(12, direction=BACK))
        for message in (b"one", b"two"):
            peer.send(message)
            await client.seen.holds(message) if message == b"one" else await client.lost()
            self.faults.set("other", Drop())
            self.faults.remove("other")
        self.assertEqual(client.seen[1:], [b"one", LOST])

    async def test_renamed(self) -> None:
        """If a client says its name later, the faults for that name break its link from then on, and others no more."""
        await self.linked("ann")
        faults = [self.faults.set(name, Timeout(clients=name)) for name in ("ann", "bob")]
        self.assertEqual([list(self.hit(fault)) for fault in faults], [["ann"], []])
        link = self.here.repeater.link("ann")
        assert link is not None
        await link.identify("bob")
        await turn(2)
        self.assertEqual([list(self.hit(fault)) for fault in faults], [[], ["bob"]])

    async def test_gone(self) -> None:
        """A side that is lost is left alone."""
        links = await self.linked("ann")
        pair = next(iter(self.here.repeater._factory.links))
        self.here.repeater.faults.set("hold", Timeout())
        links["ann"][1].abort()
        await self.here.disconnected(SERVER)
        self.faults.set("late", Bandwidth(1))
        self.assertEqual(type(pair.server.outlet).__name__, "SocketOutlet")

    async def test_by_message(self) -> None:
        """Faults by message are not its business."""
        await self.linked("ann")

        class ByMessage(Fault):
            """A fault of another kind."""

        factory = self.here.repeater._factory
        self.assertFalse(factory.byte_faults)
        self.faults.set("other", ByMessage())
        self.assertFalse(factory.byte_faults)
        ByteFaults(self.faults, reactor).stop()


class DownTests(LinkCase):
    """A repeater that is down."""

    def refused(self) -> int:
        """Try to connect; return the error."""
        with socket.socket() as client:
            client.settimeout(5)
            return client.connect_ex(("127.0.0.1", self.here.repeater.port))

    async def test_down(self) -> None:
        """Its links are reset and nobody can connect, until the fault is removed; then the port is the same."""
        await self.link()
        port = self.here.repeater.port
        self.client.transport.pauseProducing()
        self.here.repeater.faults.set("down", Down())
        self.assertEqual(self.refused(), errno.ECONNREFUSED)
        await self.ann.when_over()
        self.assertRaises(ConnectionResetError, self.client.transport.getHandle().recv, 1)
        self.client.transport.resumeProducing()
        await self.peer.lost()
        self.assertEqual(self.here.disconnections["ann", CLIENT][0], InjectedFault)
        self.here.repeater.faults.remove("down")
        self.assertEqual(self.here.repeater.port, port)
        client, peer = await self.here.linked("ann")
        await self.here.still_relays(client, peer)

    async def test_ends_by_itself(self) -> None:
        """Its time limit ends it."""
        time = StoppedTime()
        await self.link(reactor=time)
        self.here.repeater.faults.set("down", Down(), seconds=10)
        await self.ann.when_over()
        self.assertEqual(self.refused(), errno.ECONNREFUSED)
        time.clock.advance(10)
        await self.here.linked("bob")

    async def test_shut_down_while_down(self) -> None:
        """A repeater that is down can be shut down, and the fault be removed after that."""
        await self.link()
        self.here.repeater.faults.set("down", Down())
        await self.here.repeater.shutdown()
        self.here.repeater.faults.clear()
        self.assertEqual(self.refused(), errno.ECONNREFUSED)

    async def test_with_conditions(self) -> None:
        """With conditions, those who are hit are connected and reset."""
        await self.link()
        self.here.repeater.faults.set("down", Down(clients="b*"))
        bob = await self.here.connect(b"\0\0\0\x0e" + b'{"name":"bob"}')
        await bob.lost()
        await self.here.still_relays(self.client, self.peer)


class UnixDownTests(LinkCase):
    """A repeater on Unix sockets."""

    def setUp(self) -> None:
        """Make a directory."""
        self.sockets = UnixSockets(self.mktemp())

    async def test_down(self) -> None:
        """It cannot stop listening: newcomers are connected and closed."""
        await self.link()
        self.here.repeater.faults.set("down", Down())
        await self.ann.when_over()
        bob = await self.here.connect(b"\0\0\0\x0e" + b'{"name":"bob"}')
        await bob.lost()
        self.here.repeater.faults.clear()
        await self.here.linked("cid")
