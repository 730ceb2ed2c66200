"""Makes of a message what people see of it, without what is secret."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, Final, NamedTuple

from msgspec import Raw

from ..._text import class_name, printable, text_of
from ...codecs import LEFT_OUT
from ...holding import HeldMessage
from ...link import Link
from ...model import Direction
from ...recording.export.plain import plain
from ...verdicts import DO_NOTHING, PASS_ON, Verdict
from ...watching import Origin, WatchedMessage
from .described import Described, Space, described, types_of
from .escaped import clean, one_line
from .setting import settable
from .shapes import Bytes, Sent, ShownMessage
from .wire import Wire

__all__ = ["FULL", "IN_STREAM", "LARGEST", "Room", "Shower"]

LARGEST: Final = 1024 * 1024
"""The largest message that is decoded to show it, in bytes, and how many bytes of one are shown at most."""


class Room(NamedTuple):
    """How much of a message is shown."""

    space: Space
    """How much of its fields."""
    bytes: int
    """How many of its bytes."""
    decoded: int
    """Up to how many bytes it is shown decoded: that costs as much as all the rest, and few look at it."""


IN_STREAM: Final = Room(Space(value=1000, rows=200, total=16_000), bytes=4096, decoded=0)
"""What streams and lists show."""

FULL: Final = Room(Space(value=64 * 1024, rows=3000, total=LARGEST), bytes=LARGEST, decoded=64 * 1024)
"""What is shown of one message that somebody asks for."""


class Shower:
    """Shows the messages of one repeater.

    Args:
        repeater: its name.
        wire: reads its messages; its dialect says what is secret.
    """

    def __init__(self, repeater: str, wire: Wire) -> None:
        self._repeater = repeater
        self._wire = wire
        self._dialect = wire.dialect

    def watched(self, number: int, message: WatchedMessage, room: Room = IN_STREAM) -> ShownMessage:
        """Return what a stream shows of a message.

        Args:
            number: its number in the stream.
            message: the message.
            room: how much is shown.
        """
        if message.origin is Origin.OPENING:
            return self._opening(number, message)
        own = message.origin is Origin.OWN
        data, found = (message.forward, self.own_message(message)) if own else (message.frame, self._found(message))
        shown, _ = self._shown(message.link, message.direction, found, data, room)
        shown.n, shown.time, shown.number = number, message.time, message.number
        shown.origin = message.origin.value
        shown.verdict = _verdict(message.verdict)
        shown.by_filter, shown.took, shown.passed = message.by_filter, message.took, message.passed
        payload = self._wire.first_payload(message.direction, data) if own else message.payload
        before = range(len(data) - len(payload) + 1)
        shown.payload_at = next((at for at in before if data.startswith(payload, at)), 0)
        shown.payload_size = len(payload)
        if not own:
            shown.forward = self._sent(message.link, message.direction, message.forward, room)
        shown.back = self._sent(message.link, _opposite(message.direction), message.back, room)
        return shown

    def held(self, held: HeldMessage, room: Room = IN_STREAM) -> tuple[ShownMessage, list[str]]:
        """Return what is shown of a message that is held, and the names of the fields that can be set."""
        payload = payload_of(held)
        is_small = payload is None or len(payload) <= LARGEST
        found = held.message if is_small else None
        shown, about = self._shown(held.link, held.direction, found, payload or b"", room)
        shown.time = held.time
        if shown.type is None:
            shown.type = _type(held.message)
        return shown, settable(held.message, about)

    def is_secret(self, message: Any, direction: Direction) -> bool:
        """Return whether something in a message is secret."""
        return self._redacted(message, direction)[1]

    def own_message(self, message: WatchedMessage) -> Any:
        """Return what the repeater itself has sent, decoded; ``None`` if that is not one message."""
        messages = self._read(message.link, message.direction, message.forward)
        return messages[0] if messages is not None and len(messages) == 1 else None

    def text(self, held: HeldMessage) -> str:
        """Return what can be read of a held message without its secrets."""
        about = described(self._redacted(held.message, held.direction)[0], FULL.space)
        return "\n".join([about.summary, *(field.value for field in about.fields or ())])

    # -- the parts ------------------------------------------------------------------------------------------------

    def _shown(
        self, link: Link, direction: Direction, found: Any, data: bytes, room: Room
    ) -> tuple[ShownMessage, Described]:
        """Return what is shown of a message, and its description; ``found`` is ``None`` if it cannot be decoded."""
        size = len(data)
        if found is None:
            secret, message = self._dialect.redact is not None, None
            about = Described((), _undecoded(size), None, frozenset())
        else:
            message, secret = self._redacted(found, direction)
            about = described(message, room.space)
        shown = ShownMessage(
            n=0,
            repeater=clean(self._repeater),
            link=link.id,
            client=clean(link.client_name),
            time=0.0,
            direction=direction.value,
            origin="message",
            number=0,
            type=about.types[0] if about.types else None,
            summary=clean(about.summary),
            fields=about.fields,  # type: ignore[arg-type]  # they are such tuples
            decoded=_decoded(message) if found is not None and size <= room.decoded else None,
            verdict="",
            by_filter=False,
            took=0.0,
            passed=False,
            size=size,
            bytes=None if secret else _bytes(data, room.bytes),
            payload_at=0,
            payload_size=size,
            forward=None,
            back=None,
            redacted=secret,
        )
        return shown, about

    def _opening(self, number: int, message: WatchedMessage) -> ShownMessage:
        """Return what is shown of bytes of an opening: how many they are. There may be a password in them."""
        size = len(message.frame) + len(message.forward)
        shown, _ = self._shown(message.link, message.direction, None, b"", IN_STREAM)
        what = "sent" if message.forward else "received"
        shown.n, shown.time, shown.origin = number, message.time, "opening"
        shown.summary, shown.fields, shown.decoded = f"opening: {size} bytes were {what}", None, None
        shown.bytes, shown.redacted, shown.size = None, True, size
        return shown

    def _redacted(self, message: Any, direction: Direction) -> tuple[Any, bool]:
        """Return what may be shown of a message, and whether that is less than all."""
        redact = self._dialect.redact
        if redact is None:
            return message, False
        try:
            shown = redact(message, direction)
            return shown, not (shown is message or bool(shown == message))
        except KeyboardInterrupt:
            raise
        except BaseException:  # the dialect may be of the application
            return None, True

    def _found(self, message: WatchedMessage) -> Any:
        return message.message if len(message.frame) <= LARGEST else None

    def _sent(self, link: Link, direction: Direction, data: bytes, room: Room) -> Sent | None:
        """Return what is shown of bytes that the repeater has made."""
        if not data:
            return None
        messages = self._read(link, direction, data)
        if messages is None:
            return Sent(_undecoded(len(data)), len(data), self._bytes_unless_secret(data, room))
        each = [self._redacted(message, direction) for message in messages]
        line = "; ".join(described(message, room.space).summary for message, _ in each)
        secret = any(secret for _, secret in each)
        return Sent(clean(one_line(line)), len(data), None if secret else _bytes(data, room.bytes))

    def _bytes_unless_secret(self, data: bytes, room: Room) -> Bytes | None:
        return _bytes(data, room.bytes) if self._dialect.redact is None else None

    def _read(self, link: Link, direction: Direction, data: bytes) -> list[Any] | None:
        """Return the messages in some frames that went out; ``None`` if they cannot be read."""
        if len(data) > LARGEST:
            return None
        try:
            return self._wire.messages(link, direction, data)
        except KeyboardInterrupt:
            raise
        except BaseException:
            return None


def payload_of(held: HeldMessage) -> bytes | None:
    """Return the payload of a held message; ``None`` if a filter has made it so that it cannot be encoded."""
    try:
        payload: Any = held.payload
        return payload if isinstance(payload, bytes) else None
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None


def _type(message: Any) -> str | None:
    try:
        return next(iter(types_of(message)), None)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None


def _undecoded(size: int) -> str:
    return f"{size} bytes, {'too many to be decoded here' if size > LARGEST else 'which cannot be decoded'}"


def _opposite(direction: Direction) -> Direction:
    return Direction.TO_CLIENT if direction is Direction.TO_SERVER else Direction.TO_SERVER


def _bytes(data: bytes, most: int) -> Bytes:
    return Bytes(b64encode(data[:most]).decode(), len(data) > most)


def _decoded(message: Any) -> Any:
    """Return a message as JSON; ``None`` if that is not possible."""
    if message is None or message is LEFT_OUT:
        return None
    try:
        return Raw(json.dumps(plain(message), separators=(",", ":")).encode())
    except KeyboardInterrupt:
        raise
    except BaseException:  # methods of messages of the application are called
        return None


def _verdict(verdict: Verdict | None) -> str:
    """Return the name of a verdict, with the reason if it closes the link."""
    if verdict is None:
        return ""
    name = class_name(verdict)
    for constant, written in ((PASS_ON, "PASS_ON"), (DO_NOTHING, "DROP")):
        if verdict is constant:
            name = written
    return f"{name}: {clean(printable(text_of(verdict.error)))[:200]}" if verdict.error is not None else name
