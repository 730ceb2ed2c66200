"""A port that another repeater of the process takes over."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface.verify import verifyObject

from twisted_repeater import Repeater
from twisted_repeater.faults import Down
from twisted_repeater.service.handover import PortOf

from .test_service import ServiceCase, reactor


class HandoverTests(ServiceCase):
    """Two repeaters, of which one has the port."""

    async def begin(self, listen: str = "tcp:0:interface=127.0.0.1") -> tuple[Repeater, PortOf]:
        """Return a repeater, and its port."""
        giver = await Repeater.create(**{**self.plain(), "listen": listen}, reactor=reactor)
        self.addCleanup(giver.shutdown)
        giver.start()
        self.here.repeater = giver
        return giver, PortOf(giver)

    async def taken(self, port: PortOf) -> Repeater:
        """Return another repeater, which takes the port."""
        listen: Any = port
        taker = await Repeater.create(**{**self.plain(), "listen": listen}, reactor=reactor)
        self.addCleanup(taker.shutdown)
        taker.start()
        return taker

    async def test_taken(self) -> None:
        """New clients go to the other one, and links stay; the end of the first one leaves the port open."""
        giver, port = await self.begin()
        verifyObject(IStreamServerEndpoint, port)
        ann = await self.linked("ann")
        taker = await self.taken(port)
        bob = await self.linked("bob")
        self.assertEqual((giver.active_clients(), taker.active_clients()), (["ann"], ["bob"]))
        await self.here.still_relays(ann, self.here.server.peers[0])
        giver.faults.set("down", Down())  # which would close the port, if it were still its own
        await giver.shutdown()
        await self.here.still_relays(bob, self.here.server.peers[1])
        await self.linked("eve")
        await taker.shutdown()
        await self.refused(giver.port)

    async def test_given_back(self) -> None:
        """The port can be given back, with or without a repeater that has it; the other one's end leaves it open."""
        giver, port = await self.begin()
        port.give_back(None)
        taker = await self.taken(port)
        port.give_back(taker)
        await taker.shutdown()
        await self.linked("ann")
        self.patch(Repeater, "__init__", lambda *_: 1 / 0)
        with self.assertRaises(ZeroDivisionError):
            await Repeater.create(**{**self.plain(), "listen": port})
        port.give_back(None)
        await self.linked("bob")
        self.assertEqual(giver.active_clients(), ["ann", "bob"])

    async def test_wrapped(self) -> None:
        """Where a factory stands before ours, as with PROXY headers, that stays."""
        giver, port = await self.begin("haproxy:tcp:0:interface=127.0.0.1")
        taker = await self.taken(port)
        wrapping = giver._listening._port.factory  # type: ignore[attr-defined]
        self.assertIs(wrapping.wrappedFactory, taker._factory)
        self.assertTrue(taker._factory.wrapped and taker._factory.admission.proxied)
        port.give_back(taker)
        self.assertIs(wrapping.wrappedFactory, giver._factory)

    async def test_closed(self) -> None:
        """A port that is closed cannot be taken."""
        giver, port = await self.begin()
        await giver.shutdown()
        self.failureResultOf(port.listen(giver._factory), ValueError)
