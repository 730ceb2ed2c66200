# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The output of a lane: frames for both outlets, collected until they are pushed.

Compiled where a compiler was found at installation, with the types of ``output.pxd``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from ..verdicts import Frame

if TYPE_CHECKING:
    from .delayed import Delayed

__all__ = ["LaneOutlet", "Output"]


MANY = 16
"""So many frames are joined before they are pushed, if they are small."""

SMALL = 1024
"""Frames below this size on average, in bytes, are small."""


class LaneOutlet(Protocol):
    """The part of an outlet that a lane uses. A lane writes to two of them."""

    full: bool

    @property
    def crowded(self) -> bool:
        """Whether too much waits for the end of a frame that comes in pieces."""

    @property
    def someone_waits(self) -> bool:
        """Whether anything waits for the end of a frame that comes in pieces."""

    def push(self, pieces: list[bytes]) -> None:
        """Accept the bytes of whole frames."""

    def push_part(self, pieces: list[bytes], goes_on: bool) -> None:
        """Accept the rest of the frame that was begun, if one was, and further frames; the last one may go on."""

    def tear(self) -> None:
        """Accept nothing more: the frame that was begun never ends."""

    def send(self, frame: bytes) -> None:
        """Accept a frame of the application's own."""

    def encode(self, message: object, instead_of: bytes | None = None) -> bytes | None:
        """Return the frame of a message: empty if the message is left out, ``None`` if it cannot be encoded."""


class Output:
    """Frames for the way ``forward`` and answers for the way ``back``."""

    def __init__(self, forward: LaneOutlet, back: LaneOutlet) -> None:
        self.made: int = 0
        """How many of the collected bytes the repeater has made itself."""
        self.goes_on: bool = False
        """Whether the last of the collected frames is not complete: it passes in pieces."""
        self._inside = False
        """Whether the same is true of the last frame that was pushed."""
        self._forward = forward
        self._back = back
        self._frames: list[bytes] | None = None
        """The collected frames that go forward. ``None`` if there are none: empty lists of all lanes cost memory."""
        self._answers: list[bytes] | None = None
        """The same for those that go back."""
        self._answered = False
        self.delayed: Delayed | None = None
        """What goes out later."""
        self.opposite: Output | None = None
        """The output of the other direction, which may delay what goes back."""
        self._noted: tuple[list[bytes], list[bytes]] | None = None
        """The frames made since `note` or `noted`, forward and back, as long as somebody wants to know them."""
        self.between: list[tuple[LaneOutlet, bytes]] | None = None
        """Frames that the application sent while the lane was at work."""

    def put(self, data: bytes, start: int, stop: int) -> None:
        """Add a run of untouched frames."""
        if start < stop:
            self._add(data if stop - start == len(data) else data[start:stop])

    def _add(self, frame: bytes) -> None:
        if self._frames is None:
            self._frames = [frame]
        else:
            self._frames.append(frame)

    def _add_back(self, frame: bytes) -> None:
        if self._answers is None:
            self._answers = [frame]
        else:
            self._answers.append(frame)

    def extend(self, pieces: Iterable[bytes]) -> None:
        """Add an untouched frame that came in pieces."""
        for piece in pieces:
            self._add(piece)

    def send(self, message: object, instead_of: bytes | None = None) -> None:
        """Add a message that goes forward; ``instead_of`` is the frame it came in, if it is only translated."""
        made = message.data if type(message) is Frame else self._forward.encode(message, instead_of)
        if made:
            self._add(made)
            self.made += len(made)
            if self._noted is not None:
                self._noted[0].append(made)

    def encode(self, message: object, instead_of: bytes | None = None) -> bytes | None:
        """Return the frame of a message that goes forward."""
        return self._forward.encode(message, instead_of)

    def answer(self, message: object) -> None:
        """Add a message that goes back."""
        made = self._back.encode(message)
        if made:
            self._add_back(made)
            self.made += len(made)
            if self._noted is not None:
                self._noted[1].append(made)

    def note(self, wanted: bool) -> None:
        """Note the frames that are made from now on, or no longer."""
        self._noted = ([], []) if wanted else None

    def noted(self) -> tuple[bytes, bytes]:
        """Return the bytes made since the last call, forward and back."""
        assert self._noted is not None
        return _emptied(self._noted[0]), _emptied(self._noted[1])

    def add_between(self, outlet: LaneOutlet, frame: bytes) -> None:
        """Keep a frame of the application's own until it is its turn."""
        if self.between is None:
            self.between = []
        self.between.append((outlet, frame))

    def take_between(self) -> None:
        """It is the turn of the frames that the application sent meanwhile."""
        between, self.between = self.between or [], None
        if self.goes_on:
            self.flush()
        for outlet, frame in between:
            if self.goes_on and outlet is self._forward:
                outlet.send(frame)
                continue
            if outlet is self._forward:
                self._add(frame)
            else:
                self._add_back(frame)
            self.made += len(frame)

    def flush(self) -> None:
        """Push the frames: forward first, so that an answer never overtakes its question."""
        self.made = 0
        if self.delayed is not None and self.delayed.holds:
            if self._frames or self._answers:
                self.delayed.extend(*self.take())
            return
        if self._frames:
            pieces, self._frames = _in_one(self._frames), None
            if self.goes_on or self._inside:
                self._inside = self.goes_on
                self._forward.push_part(pieces, self.goes_on)
            else:
                self._forward.push(pieces)
        if self._answers:
            pieces, self._answers = _in_one(self._answers), None
            self._push_back(pieces)

    def _push_back(self, answers: list[bytes]) -> None:
        """Push answers, after what the other direction has delayed."""
        self._answered = True
        if self.opposite is not None and self.opposite.delayed is not None and self.opposite.delayed.holds:
            self.opposite.delayed.extend(answers, [])
        else:
            self._back.push(answers)

    def take(self) -> tuple[list[bytes], list[bytes]]:
        """Remove the frames, forward and back, and return them: they are delayed."""
        self.made = 0
        frames, answers = self._frames or [], self._answers or []
        self._frames = self._answers = None
        return frames, answers

    def push_now(self, frames: list[bytes], answers: list[bytes]) -> None:
        """Push frames that were delayed. None of them is a part, and none waits behind a part that was pushed."""
        if frames:
            self._forward.push(frames)
        if answers:
            self._push_back(answers)

    def send_behind(self, outlet: LaneOutlet, frame: bytes) -> bool:
        """Send a frame of the application's own after what is delayed; return False if nothing is, on this way."""
        if self.delayed is None or outlet is not self._forward or not self.delayed.holds:
            return False
        if self.delayed.full:
            self.delayed.send_all()  # nothing chokes the application: its order and our memory matter more than delays
            return False
        self.delayed.extend([frame], [])
        return True

    def end_frame(self) -> bool:
        """The frame that passed in pieces is complete; return whether anybody waits for that."""
        self.goes_on = False
        return self._forward.someone_waits

    def tear(self) -> None:
        """The rest of the frame that passes in pieces will not come."""
        if self.goes_on:
            self.flush()
            self.goes_on = False
        if self._inside:
            self._inside = False
            self._forward.tear()

    def is_choked(self) -> bool:
        """Return whether an outlet that is filled from here is full: the one for answers if any wait there."""
        if self._answered and not self._back.full and not self._back.crowded and not self._is_back_delayed():
            self._answered = False  # the answers of this lane are gone; if it fills later, others fill it
        return self._forward.full or self._answered or (self.delayed is not None and self.delayed.full)

    def _is_back_delayed(self) -> bool:
        """Return whether the other direction has delayed too much."""
        return self.opposite is not None and self.opposite.delayed is not None and self.opposite.delayed.full

    def is_full(self) -> bool:
        """Return whether the target takes nothing more now."""
        return self._forward.full


def _in_one(frames: list[bytes]) -> list[bytes]:
    """Return many small frames in one piece: an outlet would look at each, in Python, before it joins them."""
    if len(frames) < MANY:
        return frames
    size = 0
    for frame in frames:
        size += len(frame)
    return [b"".join(frames)] if size < SMALL * len(frames) else frames


def _emptied(frames: list[bytes]) -> bytes:
    """Remove all frames from a list, and return them in one piece."""
    if not frames:
        return b""
    joined = b"".join(frames)
    frames.clear()
    return joined
