# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The output of a lane: frames for both outlets, collected until they are pushed.

Compiled where a compiler was found at installation, with the types of ``output.pxd``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["LaneOutlet", "Output"]


class LaneOutlet(Protocol):
    """The part of an outlet that a lane uses. A lane writes to two of them."""

    full: bool

    def push(self, pieces: list[bytes]) -> None:
        """Accept the bytes of whole frames."""

    def encode(self, message: object, instead_of: bytes | None = None) -> bytes | None:
        """Return the frame of a message: empty if the message is left out, ``None`` if it cannot be encoded."""


class Output:
    """Frames for the way ``forward`` and answers for the way ``back``."""

    def __init__(self, forward: LaneOutlet, back: LaneOutlet) -> None:
        self.made = 0
        """How many of the collected bytes the repeater has made itself."""
        self._forward = forward
        self._back = back
        self._frames: list[bytes] = []
        self._answers: list[bytes] = []
        self._answered = False
        self.between: list[tuple[LaneOutlet, bytes]] | None = None
        """Frames that the application sent while the lane was at work."""

    def put(self, data: bytes, start: int, stop: int) -> None:
        """Add a run of untouched frames."""
        if start < stop:
            self._frames.append(data if stop - start == len(data) else data[start:stop])

    def extend(self, pieces: Iterable[bytes]) -> None:
        """Add an untouched frame that came in pieces."""
        self._frames.extend(pieces)

    def send(self, message: object, instead_of: bytes | None = None) -> None:
        """Add a message that goes forward; ``instead_of`` is the frame it came in, if it is only translated."""
        made = self._forward.encode(message, instead_of)
        if made:
            self._frames.append(made)
            self.made += len(made)

    def answer(self, message: object) -> None:
        """Add a message that goes back."""
        made = self._back.encode(message)
        if made:
            self._answers.append(made)
            self.made += len(made)

    def add_between(self, outlet: LaneOutlet, frame: bytes) -> None:
        """Keep a frame of the application's own until it is its turn."""
        if self.between is None:
            self.between = []
        self.between.append((outlet, frame))

    def take_between(self) -> None:
        """It is the turn of the frames that the application sent meanwhile."""
        between, self.between = self.between or [], None
        for outlet, frame in between:
            (self._frames if outlet is self._forward else self._answers).append(frame)
            self.made += len(frame)

    def flush(self) -> None:
        """Push the frames: forward first, so that an answer never overtakes its question."""
        self.made = 0
        if self._frames:
            pieces, self._frames = self._frames, []
            self._forward.push(pieces)
        if self._answers:
            self._answered = True
            pieces, self._answers = self._answers, []
            self._back.push(pieces)

    def is_choked(self) -> bool:
        """Return whether an outlet that is filled from here is full: the one for answers if any wait there."""
        if not self._back.full:
            self._answered = False  # the answers of this lane are gone; if it fills later, others fill it
        return self._forward.full or self._answered
