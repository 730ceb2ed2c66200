# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The reader of a lane: finds the frames in received bytes, counts them, and keeps those that have to wait.

A read is looked at from its beginning to its end. The reader stands at one frame of it, and knows:

* ``data[at:stop]``, that frame; ``pieces`` came of it in earlier reads;
* ``data[run:at]``, the run: frames that pass untouched and are not in the output yet. A run leaves as one slice.

From one read to the next it keeps the beginning of a frame whose end has not come, and, while the lane is stopped,
whole reads. Everything is counted in offsets: frames that pass are not copied.

Compiled where a compiler was found at installation, with the types of ``reader.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable

from .._slices import SLICE
from .._text import class_name, text_of
from ..errors import FramingError
from ..framings.base import Framing, framing_of
from ..interfaces import IFraming
from .input import Backlog, UnfinishedFrame

__all__ = ["MAX_STRIDE", "Reader", "framing_error"]

SKIPPED_AT_ONCE = 8 * 1024
"""The number of bytes that are skipped between two looks at the clock."""

FIRST_LOOK = 8
"""The number of messages of a read before the first look at the clock, unless messages were slow before: a read of a
few messages must not pay for a clock."""

MAX_STRIDE = 64
"""The largest number of messages between two looks at the clock. A look costs about as much as a message that passes.
If messages suddenly become slow, the filter is asked about this many before the reader notices."""

UNKNOWN = -1.0
"""Stands for a time as long as the clock was not asked."""


class Reader:
    """Reads one stream. ``now`` is a clock, in seconds."""

    def __init__(self, framing: IFraming | Framing, now: Callable[[], float]) -> None:
        self.messages = 0
        """The number of messages found, up to the one that the filter looks at."""
        self.size = 0
        """The number of their bytes on the wire."""
        self.held: Backlog | None = None
        """Reads that wait."""
        self.unfinished: UnfinishedFrame | None = None
        """The frame whose end has not come."""
        self.flowing = False
        """Whether the lane runs."""
        self.disturbed = True
        """Whether the search must not go on at once: the lane is stopped, or the application has sent a message."""
        self.since = UNKNOWN
        """When the present work began."""
        self.data = b""
        self.at = self.stop = self.run = 0
        self.pieces: list[bytes] | None = None
        self.framing = framing_of(framing)
        self._now = now
        self._looked = UNKNOWN
        """When the clock was asked last."""
        self.stride = FIRST_LOOK
        """The number of messages between two looks at the clock."""
        self._body = 0
        """Where the payload begins in the first of the pieces."""

    def hold(self, data: bytes) -> None:
        """Keep a read for later."""
        if self.held is None:
            self.held = Backlog()
        self.held.add(data)

    def take(self) -> tuple[bytes, int]:
        """Remove the read that has waited longest; return it, and the offset up to which it was looked at."""
        assert self.held is not None
        taken = self.held.take()
        if not self.held:
            self.held = None
        return taken

    def begin(self, data: bytes, at: int) -> bool:
        """Stand at the first frame of a read; return False if the read only goes on with an unfinished frame."""
        unfinished = self.unfinished
        self.stop = 0
        if unfinished is not None:
            if unfinished.need == 0:  # not even the header was complete
                data = b"".join([*unfinished.pieces(), data])
            elif unfinished.have + len(data) < unfinished.need:
                unfinished.add(data)
                return False
            else:
                self.stop = unfinished.need - unfinished.have
                self.pieces = unfinished.pieces()
                self._body = unfinished.body
                self.messages += 1
                self.size += unfinished.need
            self.unfinished = None
        self.data = data
        self.at = self.run = at
        return True

    def end(self, flowing: bool) -> None:
        """Keep the bytes that were not looked at. If the lane is ``flowing``, they are the beginning of a frame."""
        data, at, stop = self.data, self.at, self.stop
        if flowing:
            body = self.framing.body - at if stop else 0
            self.unfinished = UnfinishedFrame(data[at:], stop - at if stop else 0, body)
            return
        if self.held is None:
            self.held = Backlog()
        self.held.put_back(data, at)

    def frame(self) -> list[bytes]:
        """Return the frame at which the reader stands, in the pieces in which it came."""
        return [*(self.pieces or []), self.data[self.at : self.stop]]

    def skip(self) -> bool:
        """Pass over the complete frames; return False if time is up."""
        framing, data = self.framing, self.data
        start = at = self.at
        stop = 0
        end = len(data)
        late = False
        if end - at > SKIPPED_AT_ONCE and self.since == UNKNOWN:
            self.start_clock()
        try:
            while True:
                limit = min(at + SKIPPED_AT_ONCE, end)
                at = framing.skip(data, at, limit)
                self.messages += framing.count
                if at == end:
                    break
                if framing.count == 0 or limit == end:
                    stop = framing.find(data, at, end)
                    if stop != 0 and stop <= limit:
                        raise FramingError("the framing found no whole frame at an offset, and one when asked again")
                    if stop == 0 or stop > end:
                        break
                    self.messages += 1
                    at = stop
                if at == end:
                    break
                if self.is_late():
                    late = True
                    break
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise framing_error(error) from error
        finally:
            self.size += at - start
            self.at, self.stop = at, stop
        return not late

    def first_look(self) -> int:
        """Return the number of messages of this read before the first look at the clock."""
        if self.stride >= FIRST_LOOK:
            return FIRST_LOOK
        if self.since == UNKNOWN:
            self.start_clock()
        return self.stride

    def joined(self) -> bytes:
        """Return the payload of a frame that came in pieces."""
        first, *others = self.pieces or [b""]
        return b"".join([memoryview(first)[self._body :], *others, memoryview(self.data)[: self.stop]])

    def forget_clock(self) -> None:
        """The present work begins now; the clock is asked when that takes long enough to matter."""
        self.since = UNKNOWN

    def start_clock(self) -> None:
        """The present work begins now."""
        self.since = self._looked = self._now()

    def is_late(self) -> bool:
        """Look at the clock: return whether the present work has taken a slice of time."""
        self._looked = self._now()
        return not 0 <= self._looked - self.since < SLICE  # a clock may be set back

    def is_late_after_stride(self) -> bool:
        """Do the same after ``stride`` messages, and adjust the stride to the time that they took."""
        if self.since == UNKNOWN:
            self.start_clock()
            return False
        before = self._looked
        late = self.is_late()
        taken = self._looked - before
        if taken > SLICE / 4:
            self.stride = max(int(self.stride * (SLICE / 4) / taken), 1)
        elif taken < SLICE / 16:
            self.stride = min(self.stride * 2, MAX_STRIDE)
        return late


def framing_error(error: BaseException) -> FramingError:
    """Return the error for anything that a framing raises: it ends this stream, and nothing else."""
    if isinstance(error, FramingError):
        return error
    return FramingError(f"{class_name(error)} in the framing: {text_of(error)}")
