"""Makes hostile headers of frames."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Literal

from ._tried_framing import BIG, TriedFraming

BYTE_ORDERS: Sequence[Literal["big", "little"]] = ("big", "little")

LONGEST_HEADER = 4096
"""How many bytes of a header that never ends are tried."""

AFTER = b"\x2a" * 40


def hostile_headers(tried: TriedFraming) -> Iterator[bytes]:
    """Make headers that are wrong, or may be, each with some bytes after it."""
    for value in (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF):
        yield bytes([value]) * 40
    dice = random.Random(0)
    for number, payload in enumerate(tried.payloads):
        tried.stand_at(number)
        header = tried.header(payload)
        for at in range(len(header)):
            flipped = (header[at] ^ 1 << bit for bit in range(8))
            for value in (0x00, 0x01, 0x7F, 0x80, 0xFC, 0xFD, 0xFE, 0xFF, *flipped):
                yield header[:at] + bytes([value]) + header[at + 1 :] + AFTER
            yield header[:at] + b"\xff" * (len(header) - at) + AFTER
            yield header[:at] + b"\x80" + b"\0" * (len(header) - at - 1) + AFTER
        for _ in range(50):
            yield dice.randbytes(len(header)) + AFTER
    if tried.max_frame <= BIG:
        tried.stand_at(0)
        yield from _one_more(tried.header(tried.longest(tried.max_frame)))


def _one_more(header: bytes) -> Iterator[bytes]:
    """Make headers that announce one byte more, if the length is the last or the first part of the header."""
    for order in BYTE_ORDERS:
        more = (int.from_bytes(header, order) + 1) % (1 << 8 * len(header))
        yield more.to_bytes(len(header), order) + AFTER


def endless_headers(tried: TriedFraming, size: int = LONGEST_HEADER) -> Iterator[bytes]:
    """Make headers of this size that never end, from their beginning or from a place inside."""
    for value in range(256):
        yield bytes([value]) * size
    for number, payload in enumerate(tried.payloads):
        tried.stand_at(number)
        header = tried.header(payload)
        for at in range(len(header)):
            for value in (0x00, 0x20, 0x30, 0x31, 0x7F, 0x80, 0xFF, header[at]):
                yield header[:at] + bytes([value]) * size
