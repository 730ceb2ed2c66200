"""What the tests of framings share: streams, how they are cut, and the simplest way to read them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import pairwise

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.errors import FramingError
from twisted_repeater.framings.base import Framing

__all__ = [
    "CUTS",
    "check_not_initialized",
    "check_outside",
    "frames_in",
    "outcome",
    "payloads_in",
    "reads_of",
    "skipped_by_find",
]

CUTS = st.lists(st.integers(0, 10_000), max_size=20)


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
            if stop <= 0:
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
            frame, data, stop, resumed = b"", data[stop:], 0, False


def payloads_in(framing: Framing, reads: Iterable[bytes]) -> list[bytes]:
    """Return the payloads of the frames in a stream."""
    return [payload for _, payload in frames_in(framing, reads)]


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


def check_outside(case: SynchronousTestCase, framing: Framing) -> None:
    """Check that each method refuses offsets outside of the data. `test_offsets` has more."""
    for call in (framing.find, framing.skip, *([framing.more] if framing.goes_on else [])):
        for start, end in ((-1, 2), (3, 2), (0, 27)):
            framing.find(b"", 0, 0)
            case.assertRaises(ValueError, call, bytes(26), start, end)


def check_not_initialized(case: SynchronousTestCase, kind: type[Framing]) -> None:
    """Check that a framing whose ``__init__`` was not called finds no frame. It must read nothing outside of the data,
    which would end the process."""
    framing = kind.__new__(kind)
    for use in (framing.find, framing.more, framing.skip):
        with contextlib.suppress(AttributeError, FramingError, NotImplementedError):
            case.assertEqual(use(bytes(26), 3, 26), 3)
