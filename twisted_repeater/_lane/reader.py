# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The reader of a lane: finds the frames in received bytes, counts them, and keeps those that have to wait.

A read is looked at from its beginning to its end. The reader stands at one frame of it, and knows:

* ``data[at:stop]``, that frame, or its end; ``pieces`` came of it in earlier reads;
* ``data[run:at]``, the run: frames that pass untouched and are not in the output yet. A run leaves as one slice.

From one read to the next it keeps the beginning of a frame whose end has not come, and, while the lane is stopped,
whole reads. Everything is counted in offsets: frames that pass are not copied.

A frame whose end has not come is known by its size, and then its bytes are only counted. If its size is not known, the
framing is asked about it again with each read: about all of it, or, if the framing can go on where it stopped, about
the bytes that it has not seen. It may say how many bytes it needs at least before it is asked.

Compiled where a compiler was found at installation, with the types of ``reader.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .._slices import SLICE
from .._text import class_name, text_of
from .._types import FramingObject
from ..errors import FramingError, ParseError
from ..framings.base import framing_of
from .input import Backlog, UnfinishedFrame

if TYPE_CHECKING:
    from .frame_monitor import FrameMonitor
    from .lane import Lane

__all__ = ["MAX_STRIDE", "Reader", "framing_error", "parse_error_of"]

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

    def __init__(self, framing: FramingObject, now: Callable[[], float]) -> None:
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
        self.now = now
        self._looked = UNKNOWN
        """When the clock was asked last."""
        self.stride = FIRST_LOOK
        """The number of messages between two looks at the clock."""
        self.counted = 0
        """How many bytes of the unfinished frame the frame monitor has counted."""
        self._body = 0
        """Where the payload begins in the frame that came in pieces."""
        self._tail = 0
        """How many bytes of that frame are after its payload."""

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
        self.stop = 0
        self.data = data
        self.at = self.run = at
        return self.unfinished is None or self._go_on_with(self.unfinished)

    def _go_on_with(self, unfinished: UnfinishedFrame) -> bool:
        """Add the read to the unfinished frame; return whether there is more to do in the read."""
        need = unfinished.need
        if need != 0:
            stop = need - unfinished.have
        elif unfinished.have + len(self.data) < unfinished.least:
            unfinished.add(self.data)
            return False
        else:
            self.data = unfinished.show(self.data)
            if not self.framing.goes_on:
                self.unfinished = None
                return True
            stop = self._ask_on(unfinished)
        end = len(self.data)
        if stop == 0 or stop > end:
            if stop != 0:
                self._keep(unfinished, end)
            return False
        self._complete(unfinished, stop)
        return True

    def _ask_on(self, unfinished: UnfinishedFrame) -> int:
        """Ask the framing to go on with the unfinished frame; return the offset at which it ends, 0 if not known."""
        framing, data = self.framing, self.data
        try:
            stop = framing.more(data, 0, len(data))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise framing_error(error) from error
        if stop != 0:
            unfinished.need = unfinished.have + stop
            unfinished.body, unfinished.tail = framing.body, framing.tail
        else:
            unfinished.least = framing.least
            self._keep(unfinished, framing.seen)
        return stop

    def _keep(self, unfinished: UnfinishedFrame, seen: int) -> None:
        """Keep the read for the unfinished frame. If that passes, its bytes, up to where they are seen, are the run."""
        unfinished.see(self.data, seen)
        if unfinished.passes:
            self.at = seen

    def _complete(self, unfinished: UnfinishedFrame, stop: int) -> None:
        """The unfinished frame ends at ``stop``: count it, and stand at it, or after it if it passes."""
        self.unfinished = None
        if unfinished.passes:
            self.at = stop
        else:
            pieces = unfinished.pieces()
            if self.framing.follows:
                whole = b"".join([*pieces, memoryview(self.data)[:stop]])
                self.take_frame(whole, 0, len(whole))
                pieces = [whole]
                self.at = self.run = stop
            self.stop = stop
            self.pieces = pieces
            self._body, self._tail = unfinished.body, unfinished.tail
        self.messages += 1
        self.size += unfinished.need

    def take_frame(self, data: bytes, start: int, stop: int) -> None:
        """Tell a framing that follows its frames of the next one."""
        try:
            self.framing.taken(data, start, stop)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise framing_error(error) from error

    def end(self, flowing: bool) -> None:
        """Keep the bytes that were not looked at. If the lane is ``flowing``, they are the beginning of a frame."""
        data, at, stop = self.data, self.at, self.stop
        if not flowing:
            if self.held is None:
                self.held = Backlog()
            self.held.put_back(data, at)
        elif stop != 0:
            self.unfinished = UnfinishedFrame(data[at:], b"", stop - at, self.framing.body - at, 0)
            self.unfinished.tail = self.framing.tail
        else:
            seen = self.framing.seen if self.framing.goes_on else at
            self.unfinished = UnfinishedFrame(data[at:seen], data[seen:], 0, 0, self.framing.least)

    def pass_beginning(self) -> None:
        """Let the run go on to the end of the read: the frame that has begun there passes, so none of it is kept."""
        size = self.stop - self.at
        self.unfinished = UnfinishedFrame(b"", b"", size, 0, 0)
        self.unfinished.have = len(self.data) - self.at
        self.unfinished.passes = True
        self.at = len(self.data)

    def count_kept(self, lane: Lane, monitor: FrameMonitor | None) -> None:
        """Tell the frame monitor how much is kept of the unfinished frame, and that there is one."""
        if monitor is None:
            return
        unfinished, before = self.unfinished, self.counted
        self.counted = unfinished.kept if unfinished is not None else 0
        monitor.size += self.counted - before
        grown = self.counted > before and monitor.size > monitor.limit
        if unfinished is not None and (grown or not lane.listed):
            lane.listed = True
            monitor.watch(lane)

    def skip(self) -> bool:
        """Pass over the complete frames; return False if time is up."""
        if self.framing.follows:
            return self._skip_followed()
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
                late = at != end and self.is_late()
                if at == end or late:
                    break
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise framing_error(error) from error
        finally:
            self.size += at - start
            self.at, self.stop = at, stop
        return not late

    def _skip_followed(self) -> bool:
        """Do the same with a framing that must be told of each frame."""
        framing, data = self.framing, self.data
        end = len(data)
        count = 0
        try:
            while self.at != end:
                if count == self.stride:
                    count = 0
                    if self.is_late_after_stride():
                        return False
                self.stop = framing.find(data, self.at, end)
                if self.stop == 0 or self.stop > end:
                    break
                framing.taken(data, self.at, self.stop)
                count += 1
                self.messages += 1
                self.size += self.stop - self.at
                self.at = self.stop
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise framing_error(error) from error
        return True

    def first_look(self) -> int:
        """Return the number of messages of this read before the first look at the clock."""
        if self.stride >= FIRST_LOOK:
            return FIRST_LOOK
        if self.since == UNKNOWN:
            self.start_clock()
        return self.stride

    def frame(self) -> bytes:
        """Return the frame at which the reader stands."""
        last = self.data[self.at : self.stop]
        return last if self.pieces is None else b"".join([*self.pieces, last])

    def joined(self) -> bytes:
        """Return the payload of a frame that came in pieces."""
        pieces = [memoryview(piece) for piece in self.pieces or ()]
        pieces.append(memoryview(self.data)[self.at : self.stop])
        body = self._body
        while body > 0 and len(pieces) > 1 and body >= len(pieces[0]):
            body -= len(pieces.pop(0))
        pieces[0] = pieces[0][body:]
        tail = self._tail
        last = pieces.pop()
        while tail > len(last):
            tail -= len(last)
            last = pieces.pop()
        pieces.append(last[: len(last) - tail])
        return b"".join(pieces)

    def forget_clock(self) -> None:
        """The present work begins now; the clock is asked when that takes long enough to matter."""
        self.since = UNKNOWN

    def start_clock(self) -> None:
        """The present work begins now."""
        self.since = self._looked = self.now()

    def is_late(self) -> bool:
        """Look at the clock: return whether the present work has taken a slice of time."""
        self._looked = self.now()
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


def parse_error_of(error: BaseException) -> ParseError:
    """Return the error to report for an exception of a codec."""
    if isinstance(error, ParseError):
        return error
    parse_error = ParseError(f"{class_name(error)} in the codec: {text_of(error)}")
    parse_error.__cause__ = error
    return parse_error
