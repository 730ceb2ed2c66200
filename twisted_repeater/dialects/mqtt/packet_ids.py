"""The numbers of the packets in one direction of a link that wait for an acknowledgement.

The sender has chosen a number for each of its packets. A packet that a filter adds gets one that is free, from the
highest down, as peers count up. If the sender then uses that number, its packet gets another one, and its
acknowledgement gets the sender's number back.
"""

from __future__ import annotations

__all__ = ["HIGHEST", "Exchange", "PacketIds"]

HIGHEST = 65535
"""The highest number of a packet."""


class Exchange:
    """A packet that goes on to the receiver, and the acknowledgements that belong to it."""

    __slots__ = ("qos", "receiver_id", "receiver_qos", "sender_id")

    def __init__(self, sender_id: int | None, qos: int, receiver_id: int, receiver_qos: int) -> None:
        self.sender_id: int | None = sender_id
        """The sender's number; ``None`` if a filter has added the packet: its acknowledgements end here."""
        self.qos: int = qos
        """The QoS that the sender has chosen; 0 for a request."""
        self.receiver_id: int = receiver_id
        """The number that the receiver gets."""
        self.receiver_qos: int = receiver_qos
        """The QoS that the receiver gets; 0 for a request."""


class PacketIds:
    """The exchanges of one direction that have not ended."""

    __slots__ = ("_by_receiver", "_by_sender", "_next", "added")

    def __init__(self) -> None:
        self.added: int = 0
        """How many of the packets are messages that a filter has added."""
        self._by_sender: dict[int, Exchange] = {}
        self._by_receiver: dict[int, Exchange] = {}
        self._next = HIGHEST

    def __len__(self) -> int:
        return len(self._by_receiver)

    def begin(self, sender_id: int, qos: int = 0, receiver_qos: int = 0) -> Exchange | None:
        """Begin the exchange of a packet of the sender. An earlier one of its number has ended, then.

        Returns:
            The exchange; ``None`` if all numbers are in use.
        """
        before = self._by_sender.get(sender_id)
        if before is not None:
            if before.receiver_qos == receiver_qos:  # the packet is sent again
                before.qos = qos
                return before
            self.end(before)
        receiver_id: int | None = sender_id if sender_id not in self._by_receiver else self._free()
        if receiver_id is None:
            return None
        exchange = Exchange(sender_id, qos, receiver_id, receiver_qos)
        self._by_sender[sender_id] = self._by_receiver[receiver_id] = exchange
        return exchange

    def add(self, qos: int = 0) -> Exchange | None:
        """Begin the exchange of a packet that a filter has added; ``None`` if all numbers are in use."""
        receiver_id = self._free()
        if receiver_id is None:
            return None
        exchange = self._by_receiver[receiver_id] = Exchange(None, qos, receiver_id, qos)
        self.added += qos > 0
        return exchange

    def of_sender(self, number: int) -> Exchange | None:
        """Return the exchange that has a number at the sender."""
        return self._by_sender.get(number)

    def of_receiver(self, number: int) -> Exchange | None:
        """Return the exchange that has a number at the receiver."""
        return self._by_receiver.get(number)

    def end(self, exchange: Exchange) -> None:
        """End an exchange: its numbers are free."""
        self._by_receiver.pop(exchange.receiver_id, None)
        if exchange.sender_id is not None:
            self._by_sender.pop(exchange.sender_id, None)
        elif exchange.qos:
            self.added -= 1

    def _free(self) -> int | None:
        if len(self._by_receiver) >= HIGHEST:
            return None
        number = self._next
        while number in self._by_receiver:
            number = number - 1 or HIGHEST
        self._next = number - 1 or HIGHEST
        return number
