"""The segments of a TCP connection that would have carried recorded bytes.

The client begins with a handshake. Each segment acknowledges all that came from the other side. A side that only
listens acknowledges by itself after `SEGMENT` bytes, so that no window is ever full. At the end each side says FIN, or
one says RST.

A link whose beginning is not in the recording has no handshake: programs that read captures know that case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .endpoints import Endpoint

__all__ = ["ACK", "FIN", "PSH", "RST", "SEGMENT", "SYN", "Conversation", "Segment"]

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10

SEGMENT: Final = 32_000
"""The most bytes in one segment. Twice as much is less than the largest window without scaling, 65535 bytes."""

MODULO: Final = 2**32


@dataclass(slots=True)
class Segment:
    """A segment of TCP."""

    time: int
    """When it was sent, in microseconds since 1970."""
    source: Endpoint
    target: Endpoint
    sequence: int
    acknowledged: int
    flags: int
    data: bytes = b""
    comment: str = ""


class _Side:
    """What one side has sent, and has acknowledged; modulo 2**32."""

    __slots__ = ("acknowledged", "endpoint", "sent")

    def __init__(self, endpoint: Endpoint, start: int) -> None:
        self.endpoint = endpoint
        self.sent = start
        """The sequence number of its next byte."""
        self.acknowledged = 0
        """The sequence number of the other side's next byte, as of its last segment."""


class Conversation:
    """The segments of one link.

    Args:
        client: where the client is.
        server: where the server is.
        number: a number of the link; the sequence numbers begin at others for each.
    """

    def __init__(self, client: Endpoint, server: Endpoint, number: int) -> None:
        start = number * 2_654_435_761 % MODULO  # spreads over all numbers, also just before they begin again at 0
        self._client = _Side(client, start)
        self._server = _Side(server, (start ^ 0x5555_5555) % MODULO)
        self._client.acknowledged = self._server.sent
        self._server.acknowledged = self._client.sent

    def begin(self, time: int) -> Iterator[Segment]:
        """Return the handshake."""
        yield self._segment(time, self._client, SYN)
        yield self._segment(time, self._server, SYN | ACK)
        yield self._segment(time, self._client, ACK)

    def send(self, time: int, by_client: bool, data: bytes, comment: str = "") -> Iterator[Segment]:
        """Return the segments that carry bytes.

        Args:
            time: when they are sent.
            by_client: whether the client sends them.
            data: the bytes.
            comment: for the first segment.
        """
        sender, receiver = (self._client, self._server) if by_client else (self._server, self._client)
        for start in range(0, len(data), SEGMENT):
            yield self._segment(time, sender, PSH | ACK, data[start : start + SEGMENT], comment)
            comment = ""
            if (sender.sent - receiver.acknowledged) % MODULO >= SEGMENT:
                yield self._segment(time, receiver, ACK)

    def end(self, time: int, *, reset: bool, comment: str = "") -> Iterator[Segment]:
        """Return the segments that end it.

        Args:
            time: when it ends.
            reset: whether it ends at once, with an error.
            comment: for the first segment.
        """
        if reset:
            yield self._segment(time, self._server, RST | ACK, comment=comment)
            return
        yield self._segment(time, self._client, FIN | ACK, comment=comment)
        yield self._segment(time, self._server, FIN | ACK)
        yield self._segment(time, self._client, ACK)

    def _segment(self, time: int, sender: _Side, flags: int, data: bytes = b"", comment: str = "") -> Segment:
        """Return the next segment of a side."""
        receiver = self._server if sender is self._client else self._client
        sender.acknowledged = receiver.sent
        acknowledged = sender.acknowledged if flags & ACK else 0
        segment = Segment(time, sender.endpoint, receiver.endpoint, sender.sent, acknowledged, flags, data, comment)
        sender.sent = (sender.sent + len(data) + bool(flags & (SYN | FIN))) % MODULO
        return segment
