"""Counts what a framing costs: it must be linear in the size of a frame, and independent of what lies behind."""

from __future__ import annotations

from ._conformance import STEPS_FREE
from ._counting import memory_of, steps_of
from ._tried_framing import LARGE, TriedFraming

__all__ = ["check_cost"]

MEMORY_FREE = 8 * 1024
"""Costs below so many bytes are not worth comparing."""


def check_cost(tried: TriedFraming) -> None:
    """Complain about a framing whose cost is not linear."""
    _check_what_lies_behind(tried)
    _check_pieces(tried)
    _check_size(tried)


def _check_what_lies_behind(tried: TriedFraming) -> None:
    """To find a frame must cost the same whatever else the read has brought: else a read of many is quadratic."""
    small = tried.encode(min(tried.payloads, key=len, default=b""))
    find = tried.framing.find
    reads = [small * (count * (1 + 4096 // len(small))) for count in (10, 40)]
    # Not from 0: a slice of all the data is no copy.
    steps, more_steps = (steps_of(find, data, len(small), len(data)) for data in reads)
    memory, more_memory = (memory_of(find, data, len(small), len(data)) for data in reads)
    if more_steps > 2 * steps + STEPS_FREE:
        tried.complain(
            f"find takes {steps} steps for a frame that others lie behind, and {more_steps} when four times as many "
            "do: the cost of a read is quadratic"
        )
    if more_memory > 2 * memory + MEMORY_FREE:
        tried.complain(
            f"find sets {memory} bytes aside for a frame that others lie behind, and {more_memory} when four times as "
            "many do: it copies the data, and the cost of a read is quadratic"
        )


def _check_pieces(tried: TriedFraming) -> None:
    """Once its header is there, an unfinished frame need not be looked at again: else a large one is quadratic."""
    frame = tried.encode(tried.sized(min(tried.max_frame, LARGE)))
    looks = sum(not tried.find(frame, 0, end, "a part of a frame")[0] for end in range(64, len(frame), 64))
    if looks * 64 > len(frame) // 2:
        tried.complain(
            f"find does not tell where a frame of {len(frame)} bytes ends before {looks * 64} of them are there: it is "
            "looked at from its beginning with each read, and the cost of a large frame is quadratic"
        )


def _check_size(tried: TriedFraming) -> None:
    """Four times the payload must cost at most four times as much, and a bit."""
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
        tried.complain(f"find sets {memory} bytes aside for a frame of {len(frames[1])} bytes: it must copy nothing")
