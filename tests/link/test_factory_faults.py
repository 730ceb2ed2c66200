"""The links of a repeater, when faults are set and removed, and names change."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import Direction, Side
from twisted_repeater.faults import Drop, Fault, Latency, Timeout

from .memory_case import MemoryCase


class FaultTests(MemoryCase):
    """Faults by message and by bytes."""

    def setUp(self) -> None:
        """Make a world with one link."""
        super().setUp()
        self.here = self.memory()
        self.faults: Any = self.here.factory.faults
        self.peers = {"ann": self.here.linked("ann")}

    def test_links_there_and_to_come(self) -> None:
        """Faults break the links that are there, and those to come, until they are removed."""
        cases: tuple[tuple[Fault, list[bytes]], ...]
        cases = ((Drop(direction=Direction.TO_SERVER), []), (Timeout(direction=Direction.TO_SERVER), [b"held"]))
        for fault, late in cases:
            self.faults.set("fault", fault)
            name = f"bob {len(self.peers)}"
            self.peers[name] = self.here.linked(name)
            for client, _ in self.peers.values():
                client.send(b"held")
            self.here.advance(1)
            for _, peer in self.peers.values():
                peer.expect()
            self.faults.remove("fault")
            for client, peer in self.peers.values():
                client.send(b"next")
                self.here.advance(1)
                peer.expect(*late, b"next")

    def test_lanes_are_left_alone(self) -> None:
        """The lanes get another setup for faults by message only, also where one replaces another kind."""
        lane = self.here.pair(self.peers["ann"][0]).lanes[0]
        setups = [lane.setup]
        for fault in (Timeout(), Drop(), Drop(), Timeout()):
            self.faults.set("fault", fault)
            setups.append(lane.setup)
        self.faults.remove("fault")
        plain, timeout, drop, other, again = setups
        self.assertEqual([plain.faults, timeout, again.faults, lane.setup], [None, plain, None, again])
        self.assertIsNotNone(drop.faults)
        self.assertIsNot(other, drop)

    def test_renamed(self) -> None:
        """Those who watch a name, and the faults for a name, follow a link that gets that name."""
        self.successResultOf(self.here.pair(self.peers["ann"][0]).link.identify("amy"))
        seen: list[bytes] = []
        links = self.here.factory.links
        links.watches.add(lambda message: seen.append(message.payload), "bob")
        self.faults.set("fault", Timeout(clients="bob"))
        client, peer = self.peers["ann"]
        client.send(b"by ann")
        self.here.advance(1)
        peer.expect(b"by ann")
        done: Deferred[None] = self.here.pair(client).link.identify("bob")
        self.here.advance(1)
        self.successResultOf(done)
        client.send(b"by bob")
        self.here.advance(1)
        peer.expect()
        self.assertEqual(seen, [b"by bob"])

    def test_broadcast(self) -> None:
        """A message for all links does not overtake those that wait on a link."""
        self.faults.set("fault", Latency(1))
        for client, peer in self.peers.values():
            peer.send(b"late")
            client.send(b"late")
        for side in Side:
            self.here.factory.links.broadcast(side, b"for all")
        self.here.advance(1)
        for ends in self.peers.values():
            for end in ends:
                end.expect(b"late", b"for all")

    def test_watched(self) -> None:
        """Those who watch learn of new links, also while faults are set."""
        names: list[str] = []

        class Watcher:
            """Notes new links."""

            def message_watched(self, message: object) -> None:
                """See `IWatcher`."""

            def link_made(self, link: Any) -> None:
                """See `ILinkWatcher`."""
                names.append(link.client_name)

        self.here.factory.links.watches.add(Watcher(), None)
        self.here.linked("cid")
        self.assertEqual(names, ["cid"])
