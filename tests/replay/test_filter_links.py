"""The links of a replay through filters."""

from __future__ import annotations

from typing import cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Repeater
from twisted_repeater.dialects import Dialect, int32, lines, mqtt
from twisted_repeater.link import Link
from twisted_repeater.model import Direction
from twisted_repeater.recording.records import RecordedLink
from twisted_repeater.replay.filter_links import Discarding, OwnMessage, PlayedLink, Stage
from twisted_repeater.testing._memory import MemoryNetwork
from twisted_repeater.testing._running import result_of


class OwnMessageTests(SynchronousTestCase):
    """Promises about `OwnMessage`."""

    def test_it_is_equal_but_for_masks(self) -> None:
        """Equal bytes are equal, and so are others whose key is."""
        one, other = (OwnMessage(data, None, bytes.lower) for data in (b"Ab", b"aB"))
        self.assertTrue(one.same_as(other))
        self.assertTrue(one.same_as(one))
        self.assertFalse(one.same_as(OwnMessage(b"x", None, bytes.lower)))
        self.assertEqual((2, b"A"), (one.size, one.kind))


class DiscardingTests(SynchronousTestCase):
    """Promises about `Discarding`."""

    def test_nothing_is_sent_without_a_connection(self) -> None:
        """Before and after the connection, sending and leaving do nothing."""
        peer, transport = Discarding(), StringTransport()
        peer.send(b"x")
        peer.leave()
        peer.makeConnection(transport)
        peer.dataReceived(b"anything")
        peer.send(b"y")
        peer.connectionLost()
        peer.send(b"z")
        peer.leave()
        self.assertEqual((b"y", False), (transport.value(), transport.disconnecting))


class StageTests(SynchronousTestCase):
    """Promises about `Stage`."""

    def start(self, dialect: Dialect) -> Stage:
        """Start a repeater on a stage."""
        network = MemoryNetwork()
        stage = Stage(dialect, network)
        created = Repeater.create(
            stage.dialect,
            repeater_name="r",
            server_name="server",
            listen=stage.listening,
            server=stage.server,
            reactor=network,
        )
        self.repeater = result_of(created)
        self.repeater.start(on_connect=self.made)
        self.network = network
        self.links: list[Link] = []
        return stage

    def made(self, link: Link) -> None:
        """A link is made."""
        self.links.append(link)

    def test_a_client_connects_from_its_recorded_address(self) -> None:
        """The link has the recorded address; one that is none of TCP gets another."""
        stage = self.start(lines())
        for text, address in (
            ("10.1.2.3:4567", IPv4Address("TCP", "10.1.2.3", 4567)),
            ("[::1]:80", IPv6Address("TCP", "::1", 80)),
        ):
            stage.begin(RecordedLink(id=1, link=1, client_address=text))
            self.assertEqual(address, self.links[-1].client_address)
        for text in ("", "unix:/run/x:1", "host:name"):
            stage.begin(RecordedLink(id=1, link=1, client_address=text))
            self.assertEqual("127.0.0.1", cast("IPv4Address", self.links[-1].client_address).host)

    def test_messages_go_either_way(self) -> None:
        """The client and the server of the link send what they are told; without a server nothing is sent."""
        stage = self.start(lines())
        played = stage.begin(RecordedLink(id=1, link=1))
        played.feed(Direction.TO_SERVER, b"a\n")
        played.feed(Direction.TO_CLIENT, b"b\nc\n")
        self.network.settle()
        received = [self.links[0].received(way)[0] for way in Direction]
        self.assertEqual([1, 2], received)
        played.server = None
        played.feed(Direction.TO_CLIENT, b"d\n")

    def test_a_link_is_made_as_it_was_recorded(self) -> None:
        """If its opening cannot be played, it gets the recorded name, details and version."""
        for dialect, details in ((int32(), {}), (mqtt(), {"version": 5, "username": None, "bridge": False})):
            plain = dialect.changed(filters=None)
            stage = self.start(plain)
            played = stage.begin(RecordedLink(id=1, link=1, client_name="ann", details=details))
            self.assertEqual([], self.links)
            before = played.client
            stage.begin_again(played)
            self.assertTrue(before.lost)
            self.assertEqual(("ann", details), (self.links[0].client_name, dict(self.links[0].details)))

    def test_a_link_is_known_by_its_address_until_it_is_over(self) -> None:
        """The last link that came from an address is found there; forgetting an older one leaves it."""
        stage = self.start(lines())
        address = IPv4Address("TCP", "10.1.2.3", 4567)
        first, second = (
            stage.begin(RecordedLink(id=number, link=number, client_address="10.1.2.3:4567")) for number in (1, 2)
        )
        stage.forget(first)
        self.assertIs(second, stage.played_at(address))
        stage.forget(second)
        self.assertRaises(KeyError, stage.played_at, address)

    def test_a_client_that_is_not_accepted_has_no_connection(self) -> None:
        """If the repeater takes no client, nothing happens."""
        stage = self.start(lines())
        assert stage.listening.port is not None
        self.patch(stage.listening.port.factory, "buildProtocol", lambda address: None)
        played = stage.begin(RecordedLink(id=1, link=1))
        self.assertIsNone(played.client.transport)

    def test_a_connection_of_nobody_is_let_be(self) -> None:
        """A connection at the server while no link is played belongs to no link."""
        stage = self.start(lines())
        played: PlayedLink = stage.begin(RecordedLink(id=1, link=1))
        stage.current = None
        assert stage.server.port is not None
        stage.server.port.factory.buildProtocol(self.network.new_address())
        self.assertIsNotNone(played.server)
