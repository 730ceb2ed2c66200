# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The reader of a lane: finds frames in what is received, counts them, keeps what cannot be looked at yet.

A read is looked at from its beginning to its end. The reader stands at one frame of it, and knows:

* ``data[at:stop]``, that frame; ``pieces`` are what came of it in earlier reads;
* ``data[run:at]``, frames that pass untouched and were not put into the output yet: a run leaves as one slice.

Kept from one read to the next are the beginning of a frame whose end has not come, and reads that wait because the
lane is stopped. Everything is counted in offsets: frames that pass are not copied.

Compiled where a compiler was found at installation, with the types of ``reader.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .._slices import SLICE
from .._text import class_name, text_of
from .._types import FramingObject
from ..errors import FramingError
from ..framings.base import framing_of
from ..selectors import Selector
from ..verdicts import PASS_ON
from .input import Backlog, UnfinishedFrame

__all__ = ["MAX_STRIDE", "Raised", "Reader"]

SKIPPED_AT_ONCE = 8 * 1024
"""How many bytes of a read are skipped before a look at the clock."""

FIRST_LOOK = 8
"""After how many messages of a read a reader first looks at the clock, unless it knows that its messages are slow: a
read of a few messages must not pay for a clock."""

MAX_STRIDE = 64
"""After how many messages a reader looks at the clock at the latest. Each look costs about as much as a message that is
passed on. If messages suddenly become slow, this many are judged before the reader notices."""

UNKNOWN = -1.0
"""Stands for a time while the clock was not asked yet."""


class Raised:
    """Stands for the answer of a filter that raised this instead."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Decider(Protocol):
    """Decides about messages."""

    def decide(self, answer: Any) -> None:
        """Do what a filter's answer says about the frame at which the reader stands."""


class Reader:
    """Reads one stream. ``now`` is a clock, in seconds."""

    def __init__(self, framing: FramingObject, now: Callable[[], float]) -> None:
        self.messages = 0
        """How many messages were found, up to the one that the filter looks at."""
        self.size = 0
        """How many bytes these had on the wire."""
        self.held: Backlog | None = None
        """Received bytes that wait."""
        self.unfinished: UnfinishedFrame | None = None
        """The frame whose end has not come."""
        self.flowing = False
        """Whether the lane runs."""
        self.disturbed = True
        """Whether `search` must have every answer decided about: the lane is stopped, or the application has sent."""
        self.since = UNKNOWN
        """When the present work began."""
        self.data = b""
        self.at = self.stop = self.run = 0
        self.pieces: list[bytes] | None = None
        self._framing = framing_of(framing)
        self._now = now
        self._looked = UNKNOWN
        """When the clock was asked last."""
        self._stride = FIRST_LOOK
        """How many messages are judged between two looks at the clock."""
        self._body = 0
        """Where the payload begins in the first of the pieces."""

    # -- the bytes that wait -------------------------------------------------------------------------------

    def hold(self, data: bytes) -> None:
        """Keep for later what was received last."""
        if self.held is None:
            self.held = Backlog()
        self.held.add(data)

    def take(self) -> tuple[bytes, int]:
        """Take out the read that has waited longest, and the offset up to which it was looked at."""
        assert self.held is not None
        taken = self.held.take()
        if not self.held:
            self.held = None
        return taken

    # -- one read ------------------------------------------------------------------------------------------

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
        """Keep what was not looked at; ``flowing`` says whether that is the beginning of a frame without its end."""
        data, at, stop = self.data, self.at, self.stop
        if at == len(data):
            return
        if flowing:
            body = self._framing.body - at if stop else 0
            self.unfinished = UnfinishedFrame(data[at:], stop - at if stop else 0, body)
            return
        if self.held is None:
            self.held = Backlog()
        self.held.put_back(data, at)

    def take_pieces(self) -> list[bytes]:
        """Return the pieces: they go before the run."""
        pieces, self.pieces = self.pieces, None
        return pieces or []

    def frame(self) -> list[bytes]:
        """Return the frame at which the reader stands, in the pieces in which it came."""
        return [*(self.pieces or []), self.data[self.at : self.stop]]

    # -- finding frames ------------------------------------------------------------------------------------

    def skip(self) -> bool:
        """Pass over the complete frames, as nobody looks at them; return False when time is up."""
        framing, data = self._framing, self.data
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
            raise _framing_error(error) from error
        finally:
            self.size += at - start
            self.at, self.stop = at, stop
        return not late

    def search(self, ask: Any, judge: Decider, link: Any, selector: Selector | None, simply: Any) -> bool:
        """Ask about one frame after the other, and let the judge decide on every answer that is not ``simply``.

        Frames that the selector does not want are passed over. Ends at the last complete frame, or when something stops
        the lane, or when time is up; then it returns False. Calls for each frame would cost a tenth of what a message
        costs, so the loop is here.
        """
        framing = self._framing
        selecting = selector is not None
        data = self.data
        view = data
        at = stop = self.at
        end = len(data)
        messages = self.messages
        size = self.size - at
        look = messages + self._first_look()
        while True:
            if messages == look:
                if at == end or self._is_late_after_stride():
                    break
                look = messages + self._stride
            try:
                while messages != look:
                    stop = framing.find(data, at, end)
                    if stop == 0 or stop > end:
                        break
                    messages += 1
                    body = framing.body
                    if selecting and not selector.matches(data, body, stop):  # type: ignore[union-attr]
                        at = stop
                        continue
                    self.messages = messages  # before the filter is asked: it may read these counts
                    self.size = size + stop
                    answer = ask(view[body:stop], link)
                    if answer is not simply or self.disturbed:
                        break
                    at = stop
                else:
                    continue
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a filter that calls sys.exit() has failed, no more
                self.at = at
                self.messages = messages
                if stop == at:  # no frame was found: it is the framing that raised
                    self.size = size + at
                    raise _framing_error(error) from error
                answer = Raised(error)
            if stop == 0 or stop > end:
                break
            self.at = at
            self.stop = stop
            judge.decide(answer)
            at = stop
            if not self.flowing:
                break
        self.messages = messages
        self.size = size + at
        self.at = at
        self.stop = stop
        return not (messages == look and at != end and self.flowing)

    def _first_look(self) -> int:
        """Return how many messages of a read may be looked at before the first look at the clock."""
        if self._stride >= FIRST_LOOK:
            return FIRST_LOOK
        if self.since == UNKNOWN:
            self.start_clock()
        return self._stride

    def ask_once(self, ask: Any, link: Any, selector: Selector | None) -> Any:
        """Return the answer about a frame that came in pieces."""
        first, *others = self.pieces or [b""]
        payload = b"".join([memoryview(first)[self._body :], *others, memoryview(self.data)[: self.stop]])
        try:
            if selector is not None and not selector.matches(payload, 0, len(payload)):
                return PASS_ON
            return ask(payload, link)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return Raised(error)

    # -- the time that this takes --------------------------------------------------------------------------

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

    def _is_late_after_stride(self) -> bool:
        """Do the same after ``_stride`` messages, and adjust the stride to the time that they took."""
        if self.since == UNKNOWN:
            self.start_clock()
            return False
        before = self._looked
        late = self.is_late()
        taken = self._looked - before
        if taken > SLICE / 4:
            self._stride = max(int(self._stride * (SLICE / 4) / taken), 1)
        elif taken < SLICE / 16:
            self._stride = min(self._stride * 2, MAX_STRIDE)
        return late


def _framing_error(error: BaseException) -> FramingError:
    """Whatever the framing raised is the end of this stream, and of nothing else."""
    if isinstance(error, FramingError):
        return error
    return FramingError(f"{class_name(error)} in the framing: {text_of(error)}")
