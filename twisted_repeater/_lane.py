# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""One direction of a link: received bytes -> frames -> filter -> verdicts -> output, in order. The hot path.

The rules that a lane keeps:

* Nothing is overtaken: what is received while a verdict is awaited, or while the target is full, is held
  and looked at later, in order. The host stops reading meanwhile.
* A message that is passed on leaves as the bytes that came. A run of such messages leaves as one slice.
* What one read brought leaves in one push, unless a filter makes more than `FLUSH_SIZE` of it.
* A lane knows no transport: it pushes to two outlets and reports to its host, the link.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the
types of ``_lane.pxd``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from inspect import iscoroutine
from reprlib import repr as short_repr
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from .codecs import LEFT_OUT
from .errors import CallbackFailed, FramingError, ParseError, PartialFrame, WrongVerdict
from .framing import Framing
from .model import Direction, OnFilterError
from .selectors import Selector
from .verdicts import DO_NOTHING, PASS_ON, Close, Mixed, Verdict

__all__ = ["FLUSH_SIZE", "IS_COMPILED", "Lane", "LaneHost", "LaneOutlet"]

FLUSH_SIZE = 256 * 1024
"""How many bytes of its own making a lane collects before it pushes them and asks whether the target is full."""

SMALL = 2048
"""Pieces of a large frame below this size are merged: a list entry for each byte would cost 40 times the frame."""

# The states of a lane.
HELD = 0  # not started yet: what comes is held
RUNNING = 1
WAITING = 2  # for the verdict of a filter
CHOKED = 3  # an outlet that it writes to is full
DISCARDING = 4  # for good: what comes is dropped

TRANSLATE = Mixed(passes=True)
"""Pass on, in the target's version: the bytes that came cannot be used."""

IS_COMPILED = not __file__.endswith(".py")
"""Whether this module runs compiled."""


class LaneOutlet(Protocol):
    """What a lane needs of the two outlets that it writes to."""

    full: bool

    def push(self, pieces: list[bytes]) -> None:
        """Take the bytes of whole frames."""

    def encode(self, message: Any, instead_of: bytes | None = None) -> bytes | None:
        """Make a frame of a message; ``None`` if that cannot be, which is reported, or need not be."""


class LaneHost(Protocol):
    """What a lane needs of its link."""

    def lane_blocked(self, lane: Lane) -> None:
        """Stop reading for this lane: it waits for a verdict, or is choked."""

    def lane_flowing(self, lane: Lane) -> None:
        """Nothing is held any more."""

    def lane_parse_error(self, lane: Lane, error: ParseError) -> None:
        """One message was lost; the lane goes on."""

    def lane_filter_failed(self, lane: Lane, error: CallbackFailed) -> OnFilterError:
        """Report that a filter failed, and say what becomes of its message."""

    def lane_framing_failed(self, lane: Lane, error: FramingError) -> None:
        """The stream cannot be read any further."""

    def lane_closes(self, lane: Lane, error: BaseException | None) -> None:
        """A verdict asks to close the link."""


class Lane:
    """One direction of one link.

    ``filter`` is a callable of a message and the link, or ``None`` to pass everything on. ``decode`` makes a
    message of a payload; ``None`` leaves it as it is. ``translates`` says that the target needs another version, so
    that nothing can pass as bytes. ``selector`` says which payloads the filter wants to see, ``None`` for all.
    ``on_read`` is called with the lane, messages and bytes after each read that brought a message.
    """

    def __init__(
        self, direction: Direction, framing: Framing, forward: LaneOutlet, back: LaneOutlet, host: LaneHost
    ) -> None:
        self.direction = direction
        self.messages = 0
        self.size = 0
        self.filter: Callable[[Any, Any], Any] | None = None
        self.selector: Selector | None = None
        self.decode: Callable[[bytes], Any] | None = None
        self.translates = False
        self.on_read: Callable[[Lane, int, int], None] | None = None
        self.awaited: Deferred[Any] | None = None
        self._framing = framing
        self._forward = forward
        self._back = back
        self._host = host
        self._state = HELD
        self._busy = False
        self._sealed = False
        self._answered = False
        self._out: list[bytes] = []
        self._answers: list[bytes] = []
        self._made = 0
        self._held: deque[bytes] | None = None
        self._held_at = 0
        self._pending: list[bytes] | None = None
        self._message: Any = None
        self._asking = False
        self._arrival: Any = None
        self._parts: list[bytes] | None = None
        self._tail: bytearray | None = None
        self._have = 0
        self._need = 0
        self._body = 0

    # -- what the host does with a lane -------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether everything that was received whole is filtered and pushed."""
        return self._state == DISCARDING or (self._state == RUNNING and not self._busy and not self._held)

    @property
    def holding(self) -> int:
        """How many received bytes are held, not looked at yet."""
        return sum(map(len, self._held)) - self._held_at if self._held else 0

    @property
    def discarding(self) -> bool:
        """Whether whatever comes is dropped, for good."""
        return self._state == DISCARDING

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._sealed or self._state == DISCARDING:
            return
        if self._state == RUNNING and not self._busy:
            self._read(data, 0)
            if self._held:
                self._go_on()
        else:
            self._hold(data, 0)

    def start(self) -> None:
        """The link is complete: look at what is held, then at what comes."""
        if self._state == HELD:
            self._state = RUNNING
            self._go_on()

    def unchoke(self) -> None:
        """An outlet was emptied: go on if that was what the lane waited for."""
        if self._state == CHOKED and not self._is_choked():
            self._state = RUNNING
            self._go_on()

    @property
    def unfinished(self) -> PartialFrame | None:
        """The error that the stream ended inside a frame, if it ends here."""
        return PartialFrame(self._have) if self._have else None

    def seal(self) -> None:
        """The stream has ended: take no more bytes. What is held is still looked at."""
        self._sealed = True

    def discard(self) -> None:
        """Drop what is held and whatever comes, for good."""
        self._state = DISCARDING
        self._held = self._pending = self._message = None
        self._forget_frame()
        if self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.cancel()

    def give_up_waiting(self, reason: BaseException) -> None:
        """Take it that the filter whose verdict is awaited failed, for ``reason``."""
        if self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.cancel()
            self._settle(self._failed(reason))

    # -- holding and going on ------------------------------------------------------------------------------

    def _hold(self, data: bytes, at: int) -> None:
        """Keep bytes for later: behind what is held, or before it when part of them was looked at."""
        if self._held is None:
            self._held = deque()
        if at == 0:
            self._held.append(data)
        elif at < len(data):
            self._held.appendleft(data)
            self._held_at = at

    def _go_on(self) -> None:
        """Look at what is held, until it is done or something stops the lane again."""
        while self._state == RUNNING and self._held:
            data = self._held.popleft()
            at = self._held_at
            self._held_at = 0
            self._read(data, at)
        if self._state == RUNNING:
            self._held = None
            self._host.lane_flowing(self)

    def _is_choked(self) -> bool:
        """Whether this lane fills an outlet that is full already."""
        return self._forward.full or (self._answered and self._back.full)

    def _block(self, state: int) -> None:
        self._state = state
        self._host.lane_blocked(self)

    # -- the way of the bytes ------------------------------------------------------------------------------

    def _read(self, data: bytes, at: int) -> None:
        """Look at the bytes from ``at`` on, and push what comes of them."""
        messages = self.messages
        size = self.size
        run = at
        self._busy = True
        try:
            if self._have:
                if self._need == 0:  # not even the header was complete
                    data = self._parts[0] + data  # type: ignore[index]
                    self._forget_frame()
                elif self._have + len(data) < self._need:
                    self._collect(data)
                    return
                else:
                    at = self._need - self._have
                    run = self._finish_frame(data, at)
            if self._state == RUNNING and self.filter is None and not self.translates:
                self._skip(data, at, run)
            elif self._state == RUNNING:
                self._judge(data, at, run)
            else:
                self._stop_at(data, at, run)
        except FramingError as error:
            self._flush()
            self.discard()
            self._host.lane_framing_failed(self, error)
        finally:
            self._busy = False
        self._flush()
        if self._state == RUNNING and self._is_choked():
            self._block(CHOKED)
        if self.on_read is not None and self.messages != messages:
            self.on_read(self, self.messages - messages, self.size - size)

    def _skip(self, data: bytes, at: int, run: int) -> None:
        """Pass all complete frames on as one slice: nobody looks at them."""
        framing = self._framing
        start = at
        end = len(data)
        at = framing.skip(data, at, end)
        self.messages += framing.count
        self.size += at - start
        self._put(data, run, at)
        if at < end:
            try:
                stop = framing.find(data, at, end)
            except Exception as error:
                raise _framing_error(error) from error
            self._begin_frame(data, at, stop)

    def _judge(self, data: bytes, at: int, run: int) -> None:
        """Ask the filter about each complete frame; a run of passed ones leaves as one slice."""
        framing = self._framing
        plain = self.decode is None and not self.translates
        ask: Any = self.filter if plain else self._consider
        selector = self.selector  # the filter itself may put another in its place
        selecting = selector is not None and not self.translates
        link = self._host
        pass_on = PASS_ON
        verdict: Any = None
        view = data
        start = stop = at
        end = len(data)
        messages = self.messages
        while True:
            try:
                while True:
                    stop = framing.find(data, at, end)
                    if stop == 0 or stop > end:
                        break
                    messages += 1
                    if selecting and not selector.matches(data, framing.body, stop):  # type: ignore[union-attr]
                        at = stop
                        continue
                    verdict = ask(view[framing.body : stop], link)
                    if verdict is not pass_on:
                        break
                    at = stop
                self.messages = messages
                if stop == 0 or stop > end:
                    break
                verdict = self._checked(verdict)
            except Exception as error:
                self.messages = messages
                if stop == at:  # no frame was found: it is the framing that raised
                    self._put(data, run, at)
                    self.size += at - start
                    raise _framing_error(error) from error
                verdict = self._failed(error)
            if verdict is None:
                self._put(data, run, at)
                self._pending = [data[at:stop]]
                run = stop
            elif verdict.passes and not self.translates:
                if verdict is not pass_on:
                    self._put(data, run, stop)
                    run = stop
                    self._obey(verdict)
            else:
                self._put(data, run, at)
                run = stop
                if verdict is not DO_NOTHING:
                    self._obey(verdict, data[at:stop] if verdict.passes else None)
            at = stop
            if self._state != RUNNING:
                break
        self.size += at - start
        self._stop_at(data, at, run)
        if self._state == RUNNING and at < end:
            self._begin_frame(data, at, stop)

    def _stop_at(self, data: bytes, at: int, run: int) -> None:
        """End a read at ``at``: the run goes out; what is behind it is held if something stopped the lane."""
        self._put(data, run, at)
        if self._state != RUNNING and self._state != DISCARDING:
            self._hold(data, at)

    def _consider(self, payload: bytes, link: Any) -> Any:
        """Decode a message and ask the filter about it."""
        message: Any = payload
        if self.decode is not None:
            try:
                message = self.decode(payload)
            except ParseError as error:
                self._host.lane_parse_error(self, error)
                return DO_NOTHING
            except Exception as error:
                parse_error = ParseError(f"{type(error).__name__} in the codec: {error}")
                parse_error.__cause__ = error
                self._host.lane_parse_error(self, parse_error)
                return DO_NOTHING
        if message is LEFT_OUT:
            return DO_NOTHING
        self._message = message
        if self.filter is None:
            return TRANSLATE if self.translates else PASS_ON
        if not self.translates:
            return self.filter(message, link)
        if self.selector is not None and not self.selector.matches(payload, 0, len(payload)):
            return TRANSLATE
        verdict = self.filter(message, link)
        return TRANSLATE if verdict is PASS_ON else verdict

    # -- verdicts ----------------------------------------------------------------------------------------

    def _checked(self, verdict: Any) -> Verdict | None:
        """Make sure of a verdict; ``None`` means that it has to be waited for."""
        if isinstance(verdict, Verdict):
            return verdict
        if iscoroutine(verdict):
            verdict = Deferred.fromCoroutine(verdict)
        if not isinstance(verdict, Deferred):
            raise WrongVerdict(f"the filter returned {short_repr(verdict)}, which is no verdict")
        self._asking = True
        self._arrival = None
        verdict.addBoth(self._arrived, verdict)
        self._asking = False
        if self._arrival is None:
            self.awaited = verdict
            self._block(WAITING)
            return None
        (result,) = self._arrival
        return self._verdict_of(result)

    def _verdict_of(self, result: Any) -> Verdict:
        """Read what a Deferred fired with."""
        if isinstance(result, Failure):
            assert result.value is not None
            raise result.value
        if not isinstance(result, Verdict):
            raise WrongVerdict(f"the filter's Deferred gave {short_repr(result)}, which is no verdict")
        return result

    def _arrived(self, result: Any, deferred: Deferred[Any]) -> Any:
        """A Deferred fired: at once, while it is awaited, or too late."""
        if self._asking:
            self._arrival = (result,)
            return None
        if self.awaited is not deferred:  # given up; an error that nobody waits for is still worth a log entry
            return result if isinstance(result, Failure) and not isinstance(result.value, CancelledError) else None
        self.awaited = None
        try:
            verdict = self._verdict_of(result)
        except Exception as error:
            verdict = self._failed(error)
        self._settle(verdict)
        return None

    def _settle(self, verdict: Verdict) -> None:
        """Carry out the verdict that was awaited, and go on."""
        pending, self._pending = self._pending, None
        if self._state != WAITING or pending is None:
            return
        self._state = RUNNING
        if verdict.passes and not self.translates:
            self._out.extend(pending)
            self._obey(verdict)
        else:
            self._obey(verdict, b"".join(pending))
        self._flush()
        if self._state == RUNNING and self._is_choked():
            self._block(CHOKED)
        self._go_on()

    def _failed(self, error: BaseException) -> Verdict:
        """Report that the filter failed, and do what the application chose for that."""
        name = getattr(self.filter, "__qualname__", None) or short_repr(self.filter)
        failure = CallbackFailed(f"filter {name}", self.messages, error)
        failure.__cause__ = error
        policy = self._host.lane_filter_failed(self, failure)
        if policy is OnFilterError.PASS_ON:
            return PASS_ON
        if policy is OnFilterError.STOP:
            self._pending = None
            self.discard()
        elif policy is OnFilterError.CLOSE:
            return Close(failure)
        return DO_NOTHING

    def _obey(self, verdict: Verdict, frame: bytes | None = None) -> None:
        """Make the frames that a verdict asks for. ``frame`` is what a translated message came in."""
        messages = verdict.forward
        if verdict.passes and self.translates:
            messages = (self._message,)
        for message in messages:
            made = self._forward.encode(message, frame if verdict.passes else None)
            if made is not None:
                self._out.append(made)
                self._made += len(made)
        for message in verdict.back:
            made = self._back.encode(message)
            if made is not None:
                self._answers.append(made)
                self._made += len(made)
        self._message = None
        if verdict.closes:
            self._flush()
            self.discard()
            self._host.lane_closes(self, verdict.error)
        elif self._made > FLUSH_SIZE:
            self._flush()
            if self._state == RUNNING and self._is_choked():
                self._block(CHOKED)

    def _put(self, data: bytes, start: int, stop: int) -> None:
        """Add a run of untouched bytes to what leaves."""
        if start < stop:
            self._out.append(data[start:stop])

    def _flush(self) -> None:
        """Push what was made: forward first, so that an answer never overtakes what it answers."""
        self._made = 0
        if self._out:
            pieces, self._out = self._out, []
            self._forward.push(pieces)
        if self._answers:
            self._answered = True
            pieces, self._answers = self._answers, []
            self._back.push(pieces)

    # -- a frame that comes in several reads -----------------------------------------------------------------

    def _begin_frame(self, data: bytes, at: int, stop: int) -> None:
        """Keep the beginning of a frame; ``stop`` is where it ends, 0 if its header is not complete."""
        self._parts = [data[at:]]
        self._have = len(data) - at
        self._need = stop - at if stop else 0
        self._body = self._framing.body - at if stop else 0

    def _collect(self, data: bytes) -> None:
        """Add bytes to the unfinished frame."""
        parts: Any = self._parts
        self._have += len(data)
        if len(data) >= SMALL:
            self._close_tail()
            parts.append(data)
        else:
            if self._tail is None:
                self._tail = bytearray()
            self._tail += data
            if len(self._tail) >= 32 * SMALL:
                self._close_tail()

    def _close_tail(self) -> None:
        parts: Any = self._parts
        if self._tail:
            parts.append(bytes(self._tail))
            self._tail = None

    def _finish_frame(self, data: bytes, at: int) -> int:
        """The unfinished frame ends at ``at`` of this read. Gives where the run that goes on begins.

        A frame that passes is not joined: its pieces go before the run, which begins at 0.
        """
        self._close_tail()
        parts: Any = self._parts
        body = self._body
        self.messages += 1
        self.size += self._need
        self._forget_frame()
        if self.filter is None and not self.translates:
            self._out.extend(parts)
            return 0
        payload = b"".join([memoryview(parts[0])[body:], *parts[1:], memoryview(data)[:at]])
        verdict: Any = None
        try:
            if self.decode is not None or self.translates:
                verdict = self._checked(self._consider(payload, self._host))
            elif self.selector is not None and not self.selector.matches(payload, 0, len(payload)):
                verdict = PASS_ON
            else:
                verdict = self._checked(self.filter(payload, self._host))  # type: ignore[misc]
        except Exception as error:
            verdict = self._failed(error)
        if verdict is None:
            self._pending = [*parts, data[:at]]
            return at
        if verdict.passes and not self.translates:
            self._out.extend(parts)
            if verdict is PASS_ON:
                return 0
            self._put(data, 0, at)
            self._obey(verdict)
        elif verdict is not DO_NOTHING:
            self._obey(verdict, b"".join([*parts, data[:at]]) if verdict.passes else None)
        return at

    def _forget_frame(self) -> None:
        self._parts = self._tail = None
        self._have = self._need = self._body = 0


def _framing_error(error: Exception) -> FramingError:
    """Whatever the framing raised is the end of this stream, and of nothing else."""
    if isinstance(error, FramingError):
        return error
    return FramingError(f"{type(error).__name__} in the framing: {error}")
