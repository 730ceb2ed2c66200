"""Tries a codec against everything that a repeater relies on: `check_codec`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from ..._types import Codec, Message
from ...errors import MarshalingError, ParseError
from ...interfaces import ICodec, ITypedCodec
from .._transcript import __tracebackhide__, shown
from ._check_types import TypesCheck
from ._conformance import STEPS_FREE, Tried, positions, start_of
from ._counting import copies_of, memory_of, steps_of

__all__ = ["__tracebackhide__", "check_codec"]

MEMORY_ALLOWED = 1024 * 1024
"""How much memory decoding may take for any payload."""

MEMORY_PER_BYTE = 256
"""How much more it may take for each byte: objects are larger than the bytes they are made of."""

MEMORY_FREE = 256 * 1024
"""Costs below this many bytes are not compared: Python keeps as much in store for small objects."""


def check_codec(codec: Codec, messages: Sequence[Message], *, grow: Callable[[int], Message] | None = None) -> None:
    """Raise `ConformanceError` unless a codec keeps what `ICodec` promises.

    It cuts the payloads at every byte, lengthens them, and changes every byte. Each time, the codec must raise
    `ParseError` or return a message, and take little memory. If the codec provides `ITypedCodec`, each message must be
    of one of its classes, and the selector for that class must match the payload.

    Bytes after a message are tried with four single bytes, and with the payload of another message if you give at
    least two. So a codec that passes may still ignore other bytes, or return the last of several messages. Where joined
    payloads are one message, as with Protocol Buffers, that is right.

    Args:
        codec: the codec.
        messages: messages that it must carry. They are compared by ``==``.
        grow: makes a message of a size that you choose the unit of. With it, the cost of decoding and encoding is
            counted, and must be linear.

    Raises:
        ConformanceError: a promise is broken. The message says which, and how.
        TypeError: ``messages`` is empty.
    """
    check = CodecCheck(codec)
    check.provides()
    if not messages:
        raise TypeError("messages must have at least one message")
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
    """Make payloads that are wrong, or may be, from a good one."""
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
    """The trial of one codec."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self.codec = codec
        self.types = TypesCheck(codec) if ITypedCodec.providedBy(codec) else None

    def provides(self) -> None:
        """Check that it has the methods."""
        interface = ICodec if self.types is None else ITypedCodec
        try:
            verifyObject(interface, self.codec)
        except Invalid as error:
            self.complain(f"it does not provide {interface.__name__}: {error}")
        if self.types is not None:
            self.types.known()

    def encode(self, message: object) -> bytes:
        """Encode a good message."""
        return self.encoded(message, shown(message))

    def decode(self, payload: bytes, message: object) -> object:
        """Decode a good payload, which was made from this message."""
        what = f"{start_of(payload)}, the payload of {shown(message)}"
        return self.call("decode", self.codec.decode, what, payload)

    def try_to_decode(self, payload: bytes) -> list[object]:
        """Return the message of a payload that may be wrong in a list, which is empty if it is wrong."""
        return self.attempt("decode", self.codec.decode, ParseError, start_of(payload), payload)

    def round_trip(self, message: object) -> bytes:
        """Check that an encoded message decodes to itself, each time."""
        payload = self.encode(message)
        for again in (payload, self.encode(message)):
            got = self.decode(again, message)
            if got != message:
                self.complain(f"{shown(message)} becomes {shown(got)} when it is encoded and decoded")
        if self.types is not None:
            self.types.given(message)
            self.types.decoded(got, payload)
        return payload

    def left_over(self, message: object, payload: bytes) -> None:
        """Check that bytes after a message are an error, or a part of another message, and not ignored."""
        for tail in (b"\0", b"\x01", b"\xff", b"x"):
            if message in self.try_to_decode(payload + tail):
                self.complain(
                    f"decode ignores the {start_of(tail)} after {start_of(payload)}: it must raise ParseError"
                )

    def ignored(self, messages: Sequence[object], payloads: Sequence[bytes]) -> None:
        """Check that of two joined payloads, in either order, the second is not ignored."""

        def first_of(one: int, other: int) -> bool:
            return messages[one] in self.try_to_decode(payloads[one] + payloads[other])

        for one, other in combinations(range(len(messages)), 2):
            if not payloads[one] or not payloads[other] or messages[one] == messages[other]:
                continue
            # Once may be right: both joined are the message that has every part of the other.
            if first_of(one, other) and first_of(other, one):
                tail, payload = start_of(payloads[other]), start_of(payloads[one])
                self.complain(f"decode ignores the {tail} after {payload}: it must raise ParseError")

    def hostile(self, payload: bytes) -> None:
        """Check that a payload gives a ParseError, or a message that decodes to itself if it can be encoded."""
        decoded: list[object] = []
        memory = memory_of(lambda: decoded.extend(self.try_to_decode(payload)))
        if memory > MEMORY_ALLOWED + MEMORY_PER_BYTE * len(payload):
            self.complain(f"decode takes {memory} bytes of memory for {len(payload)} bytes, {start_of(payload)}")
        for message in decoded:
            if self.types is not None:
                self.types.decoded(message, payload)
            self.encoded_again(message, payload)

    def encoded_again(self, message: object, payload: bytes) -> None:
        """Check that a decoded message decodes to itself, if it can be encoded."""
        what = f"{shown(message)}, decoded from {start_of(payload)},"
        for encoded in self.attempt("encode", self.codec.encode, MarshalingError, what, message):
            again = self.call("decode", self.codec.decode, f"{what} and encoded", encoded)
            if again != message and self.codec.encode(again) != encoded:  # a NaN in it is not equal to itself
                self.complain(f"{what} is encoded and decoded to {shown(again)}")

    def no_message(self) -> None:
        """Check that encoding an object that is not a message raises nothing but MarshalingError."""
        for payload in self.attempt("encode", self.codec.encode, MarshalingError, "an object()", object()):
            if type(payload) is not bytes:
                self.complain(f"encode must return bytes, not {type(payload).__name__}, for an object()")

    def cost(self, grow: Callable[[int], object]) -> None:
        """Check that a message of four times the size costs about four times as much."""
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
