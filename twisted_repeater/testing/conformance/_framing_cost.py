"""Counts the cost of a framing: linear in the size of a frame, and the same whatever follows the frame."""

from __future__ import annotations

from ._conformance import STEPS_FREE
from ._counting import memory_of, steps_of
from ._tried_framing import LARGE, TriedFraming

MEMORY_FREE = 8 * 1024
"""Costs below this many bytes are not compared."""


def check_cost(tried: TriedFraming) -> None:
    """Raise a complaint about a framing whose cost is not linear."""
    _check_what_follows(tried)
    _check_pieces(tried)
    _check_size(tried)


def _check_what_follows(tried: TriedFraming) -> None:
    """Check that finding a frame costs the same whatever follows it: else a read of many frames is quadratic."""
    small = tried.encode(min(tried.payloads, key=len, default=b""))
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
    """Check that find knows the end of a frame once the header is there: else a large frame is quadratic."""
    frame = tried.encode(tried.sized(min(tried.max_frame, LARGE)))
    looks = sum(not tried.find(frame, 0, end, "a part of a frame")[0] for end in range(64, len(frame), 64))
    if looks * 64 > len(frame) // 2:
        tried.complain(
            f"find knows the end of a frame of {len(frame)} bytes only when {looks * 64} of them are there: each read "
            "starts from its beginning, and the cost of a large frame is quadratic"
        )


def _check_size(tried: TriedFraming) -> None:
    """Check that a payload of four times the size costs about four times as much."""
    large = min(tried.max_frame, LARGE)
    payloads = [tried.sized(large // 4), tried.sized(large)]
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
