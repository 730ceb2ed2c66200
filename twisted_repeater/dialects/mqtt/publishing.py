"""What is published in one direction of a link, and how it is acknowledged.

A message with QoS 1 is acknowledged by one packet; with QoS 2 there are three, and the sender's second one releases the
message. The two peers need not be in the same exchange:

=================================  =======================  ====================================================
what the filter did                the sender               the receiver
=================================  =======================  ====================================================
passed it on, or altered it        gets the receiver's      acknowledges
dropped it                         is answered from here    knows nothing of it
changed its QoS                    gets its own kind        is in an exchange of the other QoS, carried on here
added one                          knows nothing of it      is in an exchange that is carried on here
=================================  =======================  ====================================================

A receiver of version 5 says how many messages it takes at a time, and ends the link if there are more. Added messages
take some of that room, and the sender does not know it. So its messages wait here while there is no room.

A message that is sent again is dropped again, so it gets the same answer. All state belongs to one connection; after a
reconnection both peers know of their own exchanges, and ask about those that the other does not know.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TypeAlias, TypeVar

from twisted.logger import Logger

from .aliases import Aliases
from .messages import PubAck, PubComp, Publish, PubRec, PubRel
from .packet_ids import HIGHEST, Exchange, PacketIds
from .properties import Property
from .reasons import Reason

__all__ = ["FAILED", "MOST_WAITING", "Acknowledgement", "Publishing"]

log: Logger = Logger()

FAILED = 0x80
"""From this reason on an acknowledgement ends its exchange."""
MOST_WAITING = 1000
"""How many messages may wait for room. Of added ones more are dropped, and the log says so; others pass."""

Acknowledgement: TypeAlias = PubAck | PubRec | PubComp
"""A packet of the receiver."""
Numbered = TypeVar("Numbered", PubAck, PubRec, PubRel, PubComp, Acknowledgement)


class Publishing:
    """One direction of a link: its aliases, its numbers, and the exchanges that are carried on here."""

    __slots__ = ("_answered", "_held", "_waiting", "aliases", "ids", "max_packet", "receive_maximum")

    def __init__(self) -> None:
        self.aliases: Aliases = Aliases()
        """The topic aliases."""
        self.ids: PacketIds = PacketIds()
        """The numbers that are in use."""
        self.receive_maximum: int = HIGHEST
        """How many unacknowledged messages the receiver allows."""
        self.max_packet: int | None = None
        """The size of the largest packet that the receiver allows; ``None`` without a limit."""
        self._answered: set[int] = set()
        self._held: dict[int, tuple[Publish, int]] = {}
        self._waiting: deque[Publish] = deque()

    def answer(self, number: int, qos: int, reason: int = 0) -> PubAck | PubRec:
        """Return the answer to a message of the sender that nobody else answers.

        Args:
            number: the number of the message.
            qos: its QoS, 1 or 2.
            reason: 0, or why it is refused.
        """
        if qos == 1:
            return PubAck(number, reason)
        self.is_answered(number, reason < FAILED)
        return PubRec(number, reason)

    def is_answered(self, number: int, value: bool) -> None:
        """Note whether the exchange of a message with QoS 2 goes on here, until the sender releases it."""
        if value:
            self._answered.add(number)
        else:
            self._answered.discard(number)

    def repeated(self, publish: Publish) -> PubRec | None:
        """Return the answer to a message that was answered from here before, and is sent again."""
        number = publish.packet_id
        if not publish.dup or publish.qos != 2 or number is None or number not in self._answered:
            return None
        return PubRec(number)

    def must_wait(self, number: int) -> bool:
        """Return whether a message of the sender has to wait, because added messages have taken its room."""
        if self._held:  # to keep their order
            return number in self._held or len(self._held) < MOST_WAITING
        if not self.ids.added or len(self.ids) < self.receive_maximum:
            return False
        return self.ids.of_sender(number) is None

    def hold(self, publish: Publish, number: int, qos: int) -> None:
        """Keep a message of the sender until there is room. The arguments are those of `sent`."""
        self._answered.discard(number)
        self._held[number] = (publish, qos)

    def sent(self, publish: Publish, number: int, qos: int) -> Publish:
        """Return what the receiver gets for a message of the sender, with the number that it has there.

        Args:
            publish: the message, as the filter has left it, with QoS 1 or 2.
            number: the number that the sender gave it.
            qos: the QoS that the sender gave it.
        """
        self._answered.discard(number)
        exchange = self.ids.begin(number, qos, publish.qos)
        if exchange is None or exchange.receiver_id == publish.packet_id:
            return publish
        return replace(publish, packet_id=exchange.receiver_id)

    def added(self, publish: Publish) -> Publish | None:
        """Return a message that a filter has added, with a number; ``None`` if it has to wait for room."""
        names = (Property.TOPIC_ALIAS, Property.SUBSCRIPTION_IDENTIFIER)
        publish = replace(publish, packet_id=None, dup=False, properties=publish.properties.without(*names))
        if publish.qos == 0:
            return publish
        if not self._waiting and (numbered := self._numbered(publish)):
            return numbered
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(publish)
        else:
            log.warn("{most} added messages wait for acknowledgements: another one is dropped", most=MOST_WAITING)
        return None

    def acknowledged(self, ack: Acknowledgement) -> tuple[Acknowledgement | None, list[PubRel | Publish]]:
        """Return what an acknowledgement of the receiver leads to.

        Returns:
            The acknowledgement for the sender, ``None`` for none; and packets for the receiver.
        """
        exchange = self.ids.of_receiver(ack.packet_id)
        if exchange is None:
            return ack, []
        if isinstance(ack, PubRec) and ack.reason < FAILED:
            if exchange.qos == 2 and exchange.sender_id is not None:
                return _renumbered(ack, exchange.sender_id), []
            return None, [PubRel(ack.packet_id)]
        return self._ended(ack, exchange), [*self.end(exchange)]

    def _ended(self, ack: Acknowledgement, exchange: Exchange) -> Acknowledgement | None:
        """Return the sender's acknowledgement at the end of an exchange with the receiver."""
        number = exchange.sender_id
        if number is None:
            return None
        if exchange.qos == exchange.receiver_qos:
            return _renumbered(ack, number)
        # The reasons of PUBCOMP are about the exchange, those of the others about the message.
        return self.answer(number, exchange.qos, Reason.SUCCESS if isinstance(ack, PubComp) else ack.reason)

    def end(self, exchange: Exchange) -> list[Publish]:
        """End an exchange; return the messages that there is room for now: those of the sender first."""
        self.ids.end(exchange)
        ready = []
        while self._held and len(self.ids) < self.receive_maximum:
            number = next(iter(self._held))
            publish, qos = self._held.pop(number)
            ready.append(self.sent(publish, number, qos))
        while self._waiting and (numbered := self._numbered(self._waiting[0])):
            self._waiting.popleft()
            ready.append(numbered)
        return ready

    def released(self, release: PubRel) -> PubRel | PubComp:
        """Return the packet for the receiver when the sender releases a message, or the answer for the sender."""
        number = release.packet_id
        if number in self._answered:
            self._answered.discard(number)
            return PubComp(number)
        exchange = self.ids.of_sender(number)
        if exchange is not None:
            return _renumbered(release, exchange.receiver_id)
        if self.ids.of_receiver(number) is None:  # it is of an earlier connection: nobody else may have its number
            self.ids.begin(number, 2, 2)
        return release

    def _numbered(self, publish: Publish) -> Publish | None:
        """Return an added message with a number, if there is room at the receiver."""
        exchange = self.ids.add(publish.qos) if len(self.ids) < self.receive_maximum else None
        return None if exchange is None else replace(publish, packet_id=exchange.receiver_id)


def _renumbered(packet: Numbered, number: int) -> Numbered:
    """Return a packet with another number: the same object if it has that number already."""
    return packet if packet.packet_id == number else replace(packet, packet_id=number)
