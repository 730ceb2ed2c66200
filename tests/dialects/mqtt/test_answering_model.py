"""A client and a broker that keep to the protocol, and a filter between them that does what it likes."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, PassOnAndSendBack, Send, Verdict
from twisted_repeater.dialects.mqtt import (
    ConnAck,
    Connect,
    MqttCodec,
    Packet,
    Properties,
    Property,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Reason,
    answered,
)
from twisted_repeater.filters import FilterPair
from twisted_repeater.verdicts import plain

from ...drawn import examples

NUMBERS = (1, 2, 3, 65533, 65534, 65535)
"""Few, and among them those that added messages get first."""
ALIASES = (1, 2)


class Peer:
    """A client or a broker: it sends messages, and receives others. It notes what the protocol does not allow.

    Args:
        random: decides.
        version: the version.
        room: its own Receive Maximum.
    """

    def __init__(self, random: Random, version: int, room: int) -> None:
        self.random, self.version, self.room = random, version, room
        self.other_room = 0
        self.out: deque[Any] = deque()
        self.owed: list[Packet] = []
        self.sending: dict[int, tuple[str, type]] = {}
        self.done: Counter[str] = Counter()
        self.sent: list[str] = []
        self.told: dict[int, str] = {}
        self.receiving: dict[int, type] = {}
        self.known: dict[int, str] = {}
        self.got: Counter[tuple[str, str]] = Counter()

    def publish(self, name: str) -> None:
        """Send a message, if there is room and a number."""
        qos = self.random.randrange(3)
        free = [number for number in NUMBERS if number not in self.sending]
        if qos and (not free or len(self.sending) >= self.other_room):
            return
        number = self.random.choice(free) if qos else None
        topic = self.random.choice(("a", "b", "c"))
        wanted, properties = topic, Properties()
        if self.version == 5 and self.random.random() < 0.6:
            alias = self.random.choice(ALIASES)
            properties = Properties([(Property.TOPIC_ALIAS, alias)])
            if self.told.get(alias) == topic and self.random.random() < 0.8:
                wanted = ""
            self.told[alias] = topic
        if number is not None:
            self.sending[number] = (name, (PubAck, PubRec)[qos - 1])
        self.sent.append(name)
        self.out.append(Publish(wanted, f"{name} {topic}".encode(), qos, packet_id=number, properties=properties))

    def answer(self) -> None:
        """Say one of the answers that it owes."""
        if self.owed:
            self.out.append(self.owed.pop(self.random.randrange(len(self.owed))))

    def receives(self, packet: Any) -> None:
        """A packet comes."""
        if isinstance(packet, Publish):
            self.gets(packet)
        elif isinstance(packet, PubRel):
            assert self.receiving.get(packet.packet_id) is PubRel, ("released", packet)
            self.receiving[packet.packet_id] = PubComp
            self.owes(PubComp(packet.packet_id))
        else:
            name, expected = self.sending[packet.packet_id]
            kind = type(packet)
            assert kind is expected, (packet, expected)
            if isinstance(packet, PubRec) and packet.reason < 0x80:
                self.sending[packet.packet_id] = (name, PubComp)
                self.out.append(PubRel(packet.packet_id))
            else:
                del self.sending[packet.packet_id]
                self.done[name] += 1

    def gets(self, message: Publish) -> None:
        """A message comes."""
        alias, topic = message.properties.get(Property.TOPIC_ALIAS), message.topic
        if alias is not None:
            assert alias in ALIASES
            topic = topic or self.known[alias]
            self.known[alias] = topic
        self.got[message.payload.decode(), topic] += 1
        if message.packet_id is None:
            return
        assert message.packet_id not in self.receiving, ("used twice", message)
        fails = self.version == 5 and self.random.random() < 0.2
        kind = PubAck if message.qos == 1 else PubRec
        self.receiving[message.packet_id] = PubRec if message.qos == 2 and fails else kind
        assert len(self.receiving) <= self.room, "more messages than there is room for"
        self.owes(kind(message.packet_id, Reason.QUOTA_EXCEEDED if fails else 0))

    def owes(self, answer: Packet) -> None:
        """An answer is to be said, later."""
        self.owed.append(answer)

    def says(self) -> Any:
        """Return its next packet."""
        packet = self.out.popleft()
        if isinstance(packet, PubRec) and packet.reason < 0x80:
            self.receiving[packet.packet_id] = PubRel
        elif isinstance(packet, (PubAck, PubRec, PubComp)):
            del self.receiving[packet.packet_id]
        return packet


class Between:
    """The filter in `answered`, and what it has done.

    Args:
        random: decides.
        version: the version.
        rooms: the Receive Maximum of the client and of the broker.
    """

    def __init__(self, random: Random, version: int, rooms: tuple[int, int]) -> None:
        self.random, self.codec = random, MqttCodec(version)
        self.client, self.broker = (Peer(random, version, room) for room in rooms)
        self.client.other_room, self.broker.other_room = self.broker.room, self.client.room
        self.wanted: dict[Peer, Counter[tuple[str, str]]] = {self.client: Counter(), self.broker: Counter()}
        self.count = 0
        own, other = (
            Properties([(Property.RECEIVE_MAXIMUM, room), (Property.TOPIC_ALIAS_MAXIMUM, len(ALIASES))])
            if version == 5
            else Properties()
            for room in rooms
        )
        connect = Connect("ann", version=version, properties=own)
        self.link = cast("Any", SimpleNamespace(client_hello=connect))
        pair = FilterPair(
            lambda message, link: self.decide(message, self.broker, self.client),
            lambda message, link: self.decide(message, self.client, self.broker),
        )
        self.filters = cast("Any", answered(pair).for_link(self.link))
        assert self.filters[0].filter(connect, self.link) is PASS_ON
        assert self.filters[1].filter(ConnAck(properties=other), self.link) is PASS_ON

    def decide(self, message: object, receiver: Peer, sender: Peer) -> Verdict:
        """Do something with a message."""
        if not isinstance(message, Publish):
            return PASS_ON
        name, topic = message.payload.decode().split()
        assert message.topic == topic, "the filter sees another topic"
        assert message.properties.get(Property.TOPIC_ALIAS) is None
        choice = self.random.randrange(8)
        if choice == 0:
            return DROP
        if choice < 4:
            self.wanted[receiver][f"{name} {topic}", topic] += 1
            return PASS_ON
        if choice == 4:
            self.wanted[receiver][f"{name} {topic}", topic] += 1
            return PassOnAndSendBack([self.added(sender)])
        changed = replace(message, topic="z", qos=self.random.randrange(3))
        if changed.qos == 0:
            changed = replace(changed, packet_id=None)
        self.wanted[receiver][f"{name} {topic}", "z"] += 1
        more = [self.added(receiver) for _ in range(self.random.randrange(3))]
        return Send(changed, *more) if choice < 7 else Send(*more, changed)

    def added(self, receiver: Peer) -> Publish:
        """Return a message that nobody has sent."""
        self.count += 1
        self.wanted[receiver][f"+{self.count}", "added"] += 1
        return Publish("added", f"+{self.count}".encode(), self.random.randrange(3))

    def carry(self, sender: Peer, receiver: Peer) -> None:
        """Carry one packet from a sender through the filters."""
        if not sender.out:
            return
        packet = self.again(sender.says())
        verdict = plain(self.filters[receiver is self.client].filter(packet, self.link))
        assert not verdict.closes, verdict
        for message in ([packet] if verdict.passes else []) + list(verdict.forward):
            receiver.receives(self.again(message))
        for message in verdict.back:
            sender.receives(self.again(message))

    def again(self, packet: object) -> Packet:
        """Return a packet as it comes out of the wire."""
        return self.codec.decode(self.codec.encode(packet))

    def run(self, steps: int) -> None:
        """Do this many steps, and then what is left to do."""
        peers = (self.client, self.broker)
        for step in range(steps):
            peer, other = self.random.choice((peers, peers[::-1]))
            choice = self.random.randrange(4)
            if choice == 0:
                peer.publish(str(step))
            elif choice == 1:
                peer.answer()
            else:
                self.carry(peer, other)
        while any(peer.out or peer.owed for peer in peers):
            for peer, other in (peers, peers[::-1]):
                peer.answer()
                self.carry(peer, other)


class ModelTests(SynchronousTestCase):
    """What holds whatever the filter does."""

    @settings(deadline=None, max_examples=examples(150))
    @given(
        st.randoms(use_true_random=False),
        st.sampled_from((4, 5)),
        st.tuples(st.integers(1, 4), st.integers(1, 4)),
        st.integers(1, 150),
    )
    def test_session(self, random: Random, version: int, rooms: tuple[int, int], steps: int) -> None:
        """Each exchange ends once, at both peers; numbers, aliases and limits are right; nothing stays behind."""
        between = Between(random, version, rooms if version == 5 else (65535, 65535))
        between.run(steps)
        for peer in (between.client, between.broker):
            self.assertEqual((peer.sending, peer.receiving), ({}, {}))
            self.assertEqual(peer.got, between.wanted[peer])
            self.assertEqual(set(peer.done.values()) - {1}, set())
        session = between.filters[0].session
        for direction in (session.to_server, session.to_client):
            self.assertEqual((len(direction.ids), direction.ids.added), (0, 0))
            self.assertEqual((direction._held, list(direction._waiting), direction._answered), ({}, [], set()))
