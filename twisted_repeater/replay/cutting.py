"""Cuts a stream into messages, as it comes."""

from __future__ import annotations

from collections.abc import Generator

from .._lane.input import UnfinishedFrame
from .._lane.reader import framing_error
from .._types import FramingObject
from ..framings.base import Framings, framing_of

__all__ = ["Answers", "Cutter"]


class Cutter:
    """Cuts one stream into messages.

    Args:
        framing: the framing of this direction of the link. It limits the size of a message.
    """

    def __init__(self, framing: FramingObject) -> None:
        self._framing = framing_of(framing)
        self._unfinished: UnfinishedFrame | None = None

    @property
    def has_rest(self) -> bool:
        """Whether the beginning of a message has come, and not its end."""
        return self._unfinished is not None

    @property
    def follows(self) -> bool:
        """Whether the framing must be told of each frame, for the sake of the other direction perhaps."""
        return self._framing.follows

    def feed(self, data: bytes) -> Generator[bytes, None, None]:
        """Yield the messages that are complete with the next bytes of the stream; take all of them.

        Raises:
            FramingError: the bytes are no message. No more can be cut from this stream.
        """
        try:
            yield from self._messages(data)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # a framing may be the application's
            raise framing_error(error) from error

    def _messages(self, data: bytes) -> Generator[bytes, None, None]:
        framing = self._framing
        at = 0
        if self._unfinished is not None:
            data, at = self._go_on(self._unfinished, data)
            if at:
                yield self._taken(data[:at])
        end = len(data)
        while at < end:
            stop = framing.find(data, at, end)
            if not 0 < stop <= end:
                self._unfinished = self._begun(data, at, stop)
                return
            yield self._taken(data[at:stop])
            at = stop

    def _begun(self, data: bytes, at: int, stop: int) -> UnfinishedFrame:
        """Return the message that begins at an offset; ``stop`` is where it ends if that is known, else 0."""
        if stop:
            return UnfinishedFrame(data[at:], b"", stop - at, 0, 0)
        seen = self._framing.seen if self._framing.goes_on else at
        return UnfinishedFrame(data[at:seen], data[seen:], 0, 0, self._framing.least)

    def _go_on(self, unfinished: UnfinishedFrame, data: bytes) -> tuple[bytes, int]:
        """Add the next bytes to the unfinished message.

        Returns:
            Bytes in which messages can be found, and the offset at which the unfinished one ends in them. The offset is
            0 if the framing must look for it, and the bytes are empty if more must come.
        """
        if unfinished.have + len(data) < max(unfinished.need, unfinished.least):
            unfinished.add(data)
            return b"", 0
        if not unfinished.need:
            data = unfinished.show(data)
            if not self._framing.goes_on:
                self._unfinished = None
                return data, 0
            stop = self._framing.more(data, 0, len(data))
            if not 0 < stop <= len(data):
                unfinished.need = unfinished.have + stop if stop else 0
                unfinished.least = self._framing.least
                unfinished.see(data, len(data) if stop else self._framing.seen)
                return b"", 0
            unfinished.need = unfinished.have + stop
        self._unfinished = None
        return b"".join([*unfinished.pieces(), data]), unfinished.need

    def _taken(self, frame: bytes) -> bytes:
        if self._framing.follows:
            self._framing.taken(frame, 0, len(frame))
        return frame


class Answers:
    """Cuts what the server sends on a link into messages.

    Args:
        framings: the framings of the link.
    """

    def __init__(self, framings: Framings) -> None:
        self._requests = Cutter(framings.to_server)
        self._answers = Cutter(framings.to_client)

    @property
    def has_rest(self) -> bool:
        """Whether the beginning of a message has come, and not its end."""
        return self._answers.has_rest

    def after(self, request: bytes) -> None:
        """Note a request: the framings of some protocols need it to understand the answer.

        Raises:
            FramingError: the request is not a message.
        """
        if self._requests.follows:
            for _ in self._requests.feed(request):
                pass

    def feed(self, data: bytes) -> Generator[bytes, None, None]:
        """See `Cutter`."""
        return self._answers.feed(data)
