"""Counts the cost of a framing: linear in the size of a frame, and the same whatever follows the frame."""

from __future__ import annotations

from ._conformance import STEPS_FREE
from ._counting import memory_of, steps_of
from ._frame_in_pieces import shown_in_pieces
from ._tried_framing import LARGE, TriedFraming, keeps_state

MEMORY_FREE = 8 * 1024
"""Costs below this many bytes are not compared."""

PIECE = 64
"""The size of the pieces in which a large frame comes."""


def check_cost(tried: TriedFraming) -> None:
    """Raise a complaint about a framing whose cost is not linear."""
    tried.stand_at(0)
    _check_what_follows(tried)
    _check_size(tried)
    _check_pieces(tried)


def _check_what_follows(tried: TriedFraming) -> None:
    """Check that finding a frame costs the same whatever follows it: else a read of many frames is quadratic."""
    payloads = tried.payloads[:1] if keeps_state(tried.framing) else tried.payloads
    small = tried.encode(min(payloads, key=len, default=b""))
    find = tried.framing.find
    reads = [small * (count * (1 + 4096 // len(small))) for count in (10, 40)]
    # Not from 0: Python does not copy for a slice of all the data.
    steps, more_steps = (steps_of(find, data, len(small), len(data)) for data in reads)
    memory, more_memory = (memory_of(find, data, len(small), len(data)) for data in reads)
    if more_steps > 2 * steps + STEPS_FREE:
        tried.complain(
            f"find takes {steps} steps for a frame that others follow, and {more_steps} if four times as many follow: "
            "the cost of a read is quadratic"
        )
    if more_memory > 2 * memory + MEMORY_FREE:
        tried.complain(
            f"find takes {memory} bytes of memory for a frame that others follow, and {more_memory} if four times as "
            "many follow: it copies the data, and the cost of a read is quadratic"
        )


def _check_pieces(tried: TriedFraming) -> None:
    """Check that a frame in many pieces costs time in proportion to its size."""
    large = min(tried.max_frame, LARGE)
    frames = [tried.encode(tried.longest(size)) for size in (large // 4, large)]
    for frame in frames:
        shown = _shown(tried, frame)
        if shown > 4 * len(frame) + PIECE * PIECE:
            tried.complain(
                f"find and more are shown {shown} bytes of a frame of {len(frame)} that comes in pieces of {PIECE}: "
                "the cost of a large frame is quadratic. Let its header tell its end, or set least, or provide more"
            )
    steps, more_steps = (steps_of(_shown, tried, frame) for frame in frames)
    if more_steps > 6 * steps + STEPS_FREE:
        tried.complain(
            f"find and more take {steps} steps for a frame of {len(frames[0])} bytes that comes in pieces of {PIECE}, "
            f"and {more_steps} for one of {len(frames[1])}: the cost is not linear"
        )


def _shown(tried: TriedFraming, frame: bytes) -> int:
    """Return how many bytes a framing is shown of a frame in pieces."""
    return shown_in_pieces(tried, frame, [*range(PIECE, len(frame), PIECE), len(frame)], "a large frame")


def _check_size(tried: TriedFraming) -> None:
    """Check that a payload of four times the size costs about four times as much."""
    large = min(tried.max_frame, LARGE)
    payloads = [tried.longest(large // 4), tried.longest(large)]
    frames = [tried.encode(payload) for payload in payloads]
    encode_steps = [steps_of(tried.framing.encode, payload) for payload in payloads]
    find_steps = [steps_of(tried.framing.find, frame, 0, len(frame)) for frame in frames]
    for name, (steps, more_steps) in (("encode", encode_steps), ("find", find_steps)):
        if more_steps > 6 * steps + STEPS_FREE:
            tried.complain(
                f"{name} takes {steps} steps for a payload of {large // 4} bytes and {more_steps} for one of {large}: "
                "its cost is not linear"
            )
    memory = memory_of(tried.framing.find, frames[0] + frames[1], len(frames[0]), len(frames[0] + frames[1]))
    if memory > large // 2 + MEMORY_FREE:
        tried.complain(
            f"find must copy nothing; it takes {memory} bytes of memory for a frame of {len(frames[1])} bytes"
        )
