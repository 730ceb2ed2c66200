"""Puts a codec through all that a repeater relies on: `check_codec`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from ...errors import MarshalingError, ParseError
from ...interfaces import ICodec, ITypedCodec
from .._transcript import shown
from ._check_types import TypesCheck
from ._conformance import STEPS_FREE, Tried, positions, start_of, told
from ._counting import copies_of, memory_of, steps_of

__all__ = ["check_codec"]

MEMORY_ALLOWED = 1024 * 1024
"""What decoding may set aside for any payload."""

MEMORY_PER_BYTE = 256
"""And for each byte of it: objects are larger than what they are made of."""

MEMORY_FREE = 256 * 1024
"""A cost below so many bytes is not worth comparing: Python keeps that much of small objects at hand."""


def check_codec(codec: ICodec, messages: Sequence[Any], *, grow: Callable[[int], Any] | None = None) -> None:
    """Raise `ConformanceError` unless a codec keeps what `ICodec` promises.

    ``messages`` are some that it must carry; they are compared by ``==``. ``grow`` makes a message of a size, in
    whatever it can grow by; with it, the cost of decoding and encoding is counted, and must be linear.

    The payloads are cut at every byte, lengthened, and changed at every byte; whatever comes of that must be a
    `ParseError` or a message, and cost no more memory than the payload is worth. Where the codec provides
    `ITypedCodec`, each message must be of its classes, and its selector must want the payload.

    What is left over behind a message is tried with one byte of four kinds, and with the payload of another message,
    where at least two are given. So a codec that goes unpunished may still ignore other bytes, or take the last of
    several messages for all; where joined payloads are one message, as those of Protocol Buffers are, that is right.
    """
    check = CodecCheck(codec)
    check.provides()
    if not messages:
        raise TypeError("give check_codec at least one message")
    payloads = [check.round_trip(message) for message in messages]
    for message, payload in zip(messages, payloads, strict=True):
        check.left_over(message, payload)
    check.ignored(messages, payloads)
    for payload in payloads:
        for hostile in hostile_payloads(payload):
            check.hostile(hostile)
    check.no_message()
    if grow is not None:
        check.cost(grow)


def hostile_payloads(payload: bytes) -> Iterator[bytes]:
    """Make payloads that are wrong, or might be, out of a good one."""
    for cut in positions(len(payload)):
        yield payload[:cut]
    for at in positions(len(payload)):
        for value in (0x00, 0x22, 0x7F, 0x80, 0xFC, 0xFD, 0xFE, 0xFF, payload[at] ^ 0x01, payload[at] ^ 0x20):
            yield payload[:at] + bytes([value]) + payload[at + 1 :]
    dice = random.Random(0)
    for size in (1, 8, 40, max(len(payload), 1)):
        yield from (dice.randbytes(size) for _ in range(20))
    yield from (bytes([value]) * 300 for value in (0x00, 0x7F, 0x80, 0xFD, 0xFF))
    yield from (opening * 20_000 for opening in (b"[", b'{"a":', b"\x91", b"\x81\xa1a"))  # nested too deep


class CodecCheck(Tried):
    """One codec being tried."""

    def __init__(self, codec: ICodec) -> None:
        super().__init__(codec)
        self.codec = codec
        self.types = TypesCheck(codec) if ITypedCodec.providedBy(codec) else None

    def provides(self) -> None:
        """It must have the methods."""
        interface = ICodec if self.types is None else ITypedCodec
        try:
            verifyObject(interface, self.codec)
        except Invalid as error:
            self.complain(f"it does not provide {interface.__name__}: {error}")
        if self.types is not None:
            self.types.known()

    def encode(self, message: Any) -> bytes:
        """Encode a good message."""
        return self.encoded(message, shown(message))

    def decode(self, payload: bytes, message: Any) -> Any:
        """Decode a good payload, which was made of this message."""
        try:
            return self.codec.decode(payload)
        except Exception as error:
            self.complain(f"decode raised {told(error)} for {start_of(payload)}, which encode made of {shown(message)}")

    def round_trip(self, message: Any) -> bytes:
        """What is encoded decodes to the same, each time."""
        payload = self.encode(message)
        for again in (payload, self.encode(message)):
            got = self.decode(again, message)
            if got != message:
                self.complain(f"{shown(message)} becomes {shown(got)} when it is encoded and decoded")
        if self.types is not None:
            self.types.given(message)
            self.types.decoded(got, payload)
        return payload

    def left_over(self, message: Any, payload: bytes) -> None:
        """Bytes behind a message are an error, or a part of another message; they are never ignored."""
        for tail in (b"\0", b"\x01", b"\xff", b"x"):
            try:
                got = self.codec.decode(payload + tail)
            except Exception as error:
                self.parse_error(error, payload + tail)
                continue
            if got == message:
                self.complain(
                    f"decode ignores the {start_of(tail)} behind {start_of(payload)}: it must raise ParseError"
                )

    def ignored(self, messages: Sequence[Any], payloads: Sequence[bytes]) -> None:
        """Of two payloads in one, the second must not be ignored, whichever that is."""

        def first_of(one: int, other: int) -> bool:
            try:
                return bool(self.codec.decode(payloads[one] + payloads[other]) == messages[one])
            except Exception as error:
                self.parse_error(error, payloads[one] + payloads[other])
                return False

        for one, other in combinations(range(len(messages)), 2):
            if not payloads[one] or not payloads[other] or messages[one] == messages[other]:
                continue
            # Once may be chance, or right: what has all that the other has is what comes of both.
            if first_of(one, other) and first_of(other, one):
                tail, payload = start_of(payloads[other]), start_of(payloads[one])
                self.complain(f"decode ignores the {tail} behind {payload}: it must raise ParseError")

    def hostile(self, payload: bytes) -> None:
        """Whatever comes is a ParseError, or a message that decodes to itself when it can be encoded."""
        decoded: list[Any] = []
        errors: list[Exception] = []

        def decode() -> None:
            try:
                decoded.append(self.codec.decode(payload))
            except Exception as error:
                errors.append(error)

        memory = memory_of(decode)
        if memory > MEMORY_ALLOWED + MEMORY_PER_BYTE * len(payload):
            self.complain(f"decode sets {memory} bytes aside for {len(payload)} bytes, {start_of(payload)}")
        for error in errors:
            self.parse_error(error, payload)
        for message in decoded:
            if self.types is not None:
                self.types.decoded(message, payload)
            self.encoded_again(message, payload)

    def encoded_again(self, message: Any, payload: bytes) -> None:
        """What was decoded is encoded to itself, if it can be encoded."""
        try:
            encoded = self.codec.encode(message)
            again = self.codec.decode(encoded)
        except MarshalingError:
            return
        except Exception as error:
            self.complain(
                f"{shown(message)}, decoded from {start_of(payload)}, is not encoded and decoded: {told(error)}"
            )
        if again != message and self.codec.encode(again) != encoded:  # a NaN in it is unlike itself
            self.complain(
                f"{shown(message)}, decoded from {start_of(payload)}, is encoded and decoded to {shown(again)}"
            )

    def parse_error(self, error: Exception, payload: bytes) -> None:
        """The one exception that a payload may bring out."""
        if not isinstance(error, ParseError):
            self.complain(f"decode raised {told(error)} for {start_of(payload)}: it must raise ParseError")

    def no_message(self) -> None:
        """What is no message of this codec is a MarshalingError, if it is anything."""
        try:
            payload = self.codec.encode(object())
        except MarshalingError:
            return
        except Exception as error:
            self.complain(
                f"encode raised {told(error)} for an object() that is no message: it must raise MarshalingError"
            )
        if type(payload) is not bytes:
            self.complain(f"encode gave {type(payload).__name__}, not bytes, for an object()")

    def cost(self, grow: Callable[[int], Any]) -> None:
        """Four times the message costs at most four times as much, and a bit."""
        messages = [grow(1000), grow(4000)]
        payloads = [self.encode(message) for message in messages]
        self._compare("encode", "steps", payloads, *(steps_of(self.codec.encode, message) for message in messages))
        self._compare("encode", "bytes of memory", payloads, *(memory_of(self.codec.encode, each) for each in messages))
        for unit, count in (("steps", steps_of), ("bytes of memory", memory_of), ("bytes copied", copies_of)):
            self._compare("decode", unit, payloads, *(count(self.codec.decode, payload) for payload in payloads))

    def _compare(self, name: str, unit: str, payloads: list[bytes], cost: int, more: int) -> None:
        free = STEPS_FREE if unit == "steps" else MEMORY_FREE
        if more > 6 * cost + free:
            self.complain(
                f"{name} takes {cost} {unit} for a payload of {len(payloads[0])} bytes and {more} for one of "
                f"{len(payloads[1])}: its cost is not linear"
            )
