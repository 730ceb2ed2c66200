"""What the tests of framings share: streams, how they are cut, and the simplest way to read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from hypothesis import strategies as st

from twisted_repeater.errors import FramingError
from twisted_repeater.framings.base import Framing

__all__ = ["CUTS", "FAR", "OFFSETS", "frames_in", "outcome", "reads_of", "skipped_by_find"]

CUTS = st.lists(st.integers(0, 10_000), max_size=20)

FAR = st.sampled_from([2**31 - 1, 2**31, -(2**31), 2**63, -(2**63), 2**64, -(2**70)]) | st.integers(2**63 - 40, 2**63)

OFFSETS = st.integers(-3, 30) | FAR
"""Offsets into data of 26 bytes, and far outside of it."""


def reads_of(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cut a stream into reads, at these places as far as it is so long."""
    places = sorted({0, len(stream), *(place for place in cuts if place < len(stream))})
    return [stream[start:stop] for start, stop in pairwise(places)]


def frames_in(framing: Framing, reads: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Read frames as a lane does, with `more` where there is one; yield each with its payload."""
    frame, data, stop, resumed = b"", b"", 0, False
    for read in reads:
        data += read
        while data:
            stop = framing.more(data, 0, len(data)) if resumed else framing.find(data, 0, len(data))
            if stop == 0:
                resumed = framing.goes_on
                if resumed:
                    frame, data = frame + data[: framing.seen], data[framing.seen :]
                break
            if stop > len(data):
                break
            frame += data[:stop]
            body = framing.body
            yield frame, frame[body : len(frame) - framing.tail]
            frame, data, resumed = b"", data[stop:], False


def outcome(framing: Framing, reads: Iterable[bytes]) -> tuple[list[bytes], str]:
    """Return the payloads in a stream, and the error that ends it."""
    found: list[bytes] = []
    try:
        found.extend(payload for _, payload in frames_in(framing, reads))
    except FramingError as error:
        return found, f"{type(error).__name__}: {error}"
    return found, ""


def skipped_by_find(framing: Framing, data: bytes) -> tuple[int, int]:
    """Return the end of the last complete frame, and how many there are, found one by one."""
    at = count = 0
    try:
        while at < len(data):
            stop = framing.find(data, at, len(data))
            if stop == 0 or stop > len(data):
                break
            at = stop
            count += 1
    except FramingError:
        pass
    return at, count
