"""Shows a framing a frame in pieces, in the way of a lane, and counts the bytes that it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._tried_framing import TriedFraming, goes_on, tail_of

__all__ = ["shown_in_pieces"]


def shown_in_pieces(  # noqa: RET503 - complain never returns
    tried: TriedFraming, frame: bytes, ends: Iterable[int], what: str
) -> int:
    """Show a frame up to each of these offsets, until the framing knows its end; return how many bytes it was shown.

    `IPatientFraming` and `IResumingFraming` are honoured: a framing is asked again when ``least`` bytes are there, and
    `more` is shown only those that were not seen.
    """
    framing: Any = tried.framing
    resumes = goes_on(framing)
    shown = seen = least = 0
    asked = False
    for end in ends:
        if end < least:
            continue
        data = frame[seen:end] if asked and resumes else frame[:end]
        first = seen if asked and resumes else 0
        name = "more" if asked and resumes else "find"
        stop = tried.call(name, getattr(framing, name), f"{what}, {end} of {len(frame)} bytes", data, 0, len(data))
        shown += len(data)
        if stop:
            _check_found(tried, frame, first + stop, end, f"{name}, for {what} of which {end} bytes have come,")
            return shown
        least = _least(tried, frame, end, what)
        if resumes:
            if not 0 <= framing.seen <= len(data):
                tried.complain(
                    f"{name} sets seen to {framing.seen}, for {what} of which it was shown {len(data)} bytes"
                )
            seen = first + framing.seen
        asked = True
    tried.complain(f"neither find nor more finds the end of {what} that comes in pieces; it has {len(frame)} bytes")


def _check_found(tried: TriedFraming, frame: bytes, stop: int, end: int, what: str) -> None:
    """Check the end of a frame that came in pieces, and where its payload is."""
    body, tail = tried.framing.body, tail_of(tried.framing)
    if stop != len(frame):
        tried.complain(f"{what} gives an end at {stop} of the frame, which ends at {len(frame)}")
    tried.payload_of(frame, what)
    expected = (tried.framing.body, tail_of(tried.framing))
    if (body, tail) != expected and body <= end:
        tried.complain(
            f"{what} says that the payload begins at {body} of the frame and ends {tail} bytes before its end; find "
            f"says {expected[0]} and {expected[1]} for the whole frame"
        )


def _least(tried: TriedFraming, frame: bytes, end: int, what: str) -> int:
    """Return how many bytes the framing waits for."""
    least: Any = getattr(tried.framing, "least", 0)
    if type(least) is not int or least < 0:
        tried.complain(f"least must be a number of bytes, not {least!r}, for {what}")
    if least > len(frame):
        tried.complain(
            f"least is {least} when {end} bytes have come of {what}, which has {len(frame)}: nobody would ask again"
        )
    return least
