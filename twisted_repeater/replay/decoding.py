"""Reads recorded frames: their payloads, the messages in them, and texts for reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._text import guarded_text, printable, shortened
from .._types import FramingObject
from ..dialects import Dialect
from ..interfaces import ICodec
from ..model import Direction, Limits

__all__ = ["UNLIMITED", "Decoder", "Shown"]

UNLIMITED = Limits(max_frame=2**31 - 1, max_hello=2**31 - 1)
"""What was recorded was within the limits of its repeater."""

LONGEST_TEXT = 500
"""How many characters of a message a report shows."""

LONGEST_DATA = 4096
"""How many bytes of a message a report keeps."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message in a report."""

    text: str
    """The decoded message, or its bytes. Secrets that the dialect knows are not shown."""
    data: bytes | None
    """The beginning of its bytes; ``None`` if they have secrets."""
    size: int
    """How many bytes it has."""


class Decoder:
    """Reads the frames of a link.

    Args:
        dialect: the dialect of the recording.
        version: the version of the messages of the link, if each link has its own.
    """

    def __init__(self, dialect: Dialect, version: int | None = None) -> None:
        self._dialect = dialect
        framings = dialect.framings(UNLIMITED)
        self._framings: dict[Direction, FramingObject] = {
            Direction.TO_SERVER: framings.to_server,
            Direction.TO_CLIENT: framings.to_client,
        }
        self._codecs: dict[Direction, list[ICodec]] = {}
        for direction, kind in ((Direction.TO_SERVER, dialect.to_server), (Direction.TO_CLIENT, dialect.to_client)):
            known = version if version is not None and kind.low <= version <= kind.test else kind.prod
            others = [other for other in range(kind.test, kind.low - 1, -1) if other != known]
            self._codecs[direction] = [kind.codec(each) for each in (known, *others)]

    def payload(self, frame: bytes, direction: Direction) -> bytes:
        """Return the payload of a frame; the frame itself if it is none."""
        framing: Any = self._framings[direction]
        try:
            if not frame or framing.find(frame, 0, len(frame)) != len(frame):
                return frame
            return frame[framing.body : len(frame) - getattr(framing, "tail", 0)]
        except KeyboardInterrupt:
            raise
        except BaseException:  # the code of a dialect, on bytes that somebody else has chosen
            return frame

    def frames(self, data: bytes, direction: Direction) -> list[bytes]:
        """Return the frames in bytes; what is no whole frame is the last one."""
        framing = self._framings[direction]
        frames = []
        at = 0
        while at < len(data):
            try:
                stop = framing.find(data, at, len(data))
            except KeyboardInterrupt:
                raise
            except BaseException:  # as in `payload`
                stop = at
            if not at < stop <= len(data):
                stop = len(data)
            frames.append(data[at:stop])
            at = stop
        return frames

    def decoded(self, frame: bytes, direction: Direction) -> tuple[Any, ICodec | None]:
        """Return the message in a frame, and the codec that has decoded it; the payload and ``None`` if none can."""
        payload = self.payload(frame, direction)
        for codec in self._codecs[direction]:
            try:
                return codec.decode(payload), codec
            except KeyboardInterrupt:
                raise
            except BaseException:  # as above
                continue
        return payload, None

    def framed(self, frame: bytes, payload: bytes, direction: Direction) -> bytes:
        """Return a frame with another payload.

        Raises:
            Exception: the framing cannot make one.
        """
        framing: Any = self._framings[direction]
        made: bytes = framing.replace(frame, payload)
        if framing.find(made, 0, len(made)) != len(made):
            raise ValueError("the framing finds another frame in what it has made")
        return made

    def shown(self, frame: bytes, direction: Direction) -> Shown:
        """Return what a report shows of a frame."""
        message, _ = self.decoded(frame, direction)
        redacted = self._redacted(message, direction)
        text = guarded_text(repr, redacted, "__repr__")
        kept = frame[:LONGEST_DATA] if redacted is message else None
        return Shown(printable(shortened(text, LONGEST_TEXT)), kept, len(frame))

    def _redacted(self, message: Any, direction: Direction) -> Any:
        if self._dialect.redact is None:
            return message
        try:
            return self._dialect.redact(message, direction)
        except KeyboardInterrupt:
            raise
        except BaseException:  # as above
            return "(a message that cannot be shown)"
