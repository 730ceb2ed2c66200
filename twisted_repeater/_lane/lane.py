# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""One direction of a link: received bytes -> frames -> filter -> verdicts -> output, in order. The hot path.

* A message that is passed on leaves as the bytes that came. A run of such messages leaves as one slice.
* What one read brought leaves in one push, unless a filter makes more than `FLUSH_SIZE` of it, or takes so long that
  the lane gives way.
* A lane knows no transport: it pushes to two outlets and reports to its host, the link.

What stops a lane and lets it go on is in ``flow.py``. This module is ordinary Python; where a compiler was found at
installation it runs compiled, with the types of ``lane.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import ismethod
from time import monotonic
from typing import Any, Protocol

from .._pending import NOT_YET, PendingVerdict
from .._text import class_name, guarded_text, repr_of, text_of
from ..codecs import LEFT_OUT
from ..errors import CallbackFailed, FramingError, ParseError, PartialFrame
from ..framings.base import Framing, framing_of
from ..interfaces import ICodec, IFraming
from ..model import Direction, OnFilterError
from ..selectors import Selector
from ..verdicts import DO_NOTHING, OWN, PASS_ON, Close, Mixed, Verdict, plain
from .flow import Flow
from .input import UnfinishedFrame
from .output import LaneOutlet, Output

__all__ = ["COMPILED", "FLUSH_SIZE", "Lane", "LaneHost", "UnfinishedTotal", "UnfinishedWatch"]

FLUSH_SIZE = 256 * 1024
"""How many bytes of its own making a lane collects before it pushes them and asks whether the target is full."""

SKIPPED_AT_ONCE = 8 * 1024
"""How many bytes of a read a lane without a filter searches before it looks at the clock."""

TRANSLATE = Mixed(passes=True)
"""Pass on, in the target's version: the bytes that came cannot be used."""

COMPILED = not __file__.endswith(".py")
"""Whether this module runs compiled."""


class LaneHost(Protocol):
    """What a lane needs of its link."""

    def lane_blocked(self, lane: Lane) -> None:
        """Stop reading for this lane: it waits for a verdict (then ``lane.awaited`` is set), or is choked."""

    def lane_gave_way(self, lane: Lane) -> None:
        """Call ``lane.take_turn`` in the next turn of the reactor. Reading may go on until `lane_blocked` is called."""

    def lane_flowing(self, lane: Lane) -> None:
        """Nothing is held any more, after something was; or the lane was sealed or began to discard at its work."""

    def lane_parse_error(self, lane: Lane, error: ParseError) -> None:
        """One message was lost; the lane goes on."""

    def lane_filter_failed(self, lane: Lane, error: CallbackFailed) -> OnFilterError:
        """Report that a filter failed, and say what becomes of its message."""

    def lane_framing_failed(self, lane: Lane, error: FramingError) -> None:
        """The stream cannot be read any further."""

    def lane_closes(self, lane: Lane, error: BaseException | None) -> None:
        """A verdict asks to close the link."""

    def lane_is_read(self, lane: Lane) -> bool:
        """Return whether the connection that the lane is fed from is read now, and can bring more."""


class UnfinishedWatch(Protocol):
    """Watches the lanes that have an unfinished frame."""

    def watch(self, lane: Lane) -> None:
        """List a lane, which has begun to keep an unfinished frame."""

    def forget(self, lane: Lane) -> None:
        """Remove a lane, which has ended, from the list."""

    def exceeded(self) -> None:
        """The unfinished frames of all lanes hold more than they may."""


class UnfinishedTotal:
    """How many bytes the unfinished frames of all lanes that share this object hold, and how many they may hold."""

    def __init__(self, limit: int, watch: UnfinishedWatch) -> None:
        self.size = 0
        self.limit = limit
        self.watch = watch


class Lane(Flow):
    """One direction of one link.

    ``filter`` is a callable of a message and the link, or ``None`` to pass everything on. ``decode`` makes a
    message of a payload; ``None`` leaves it as it is. ``codec`` is what decodes, for filters that ask; ``None`` if
    messages are converted after that. ``translates`` says that the target needs another version, so that nothing can
    pass as bytes. ``selector`` says which payloads the filter wants to see, ``None`` for all.
    ``on_read`` is called with the lane, messages and bytes after each read, or part of a read, that brought a message.
    ``messages`` and ``size`` count up to the message that the filter looks at. ``now`` is a clock, in seconds: a lane
    gives way to others when it has worked for long enough.
    """

    def __init__(
        self,
        direction: Direction,
        framing: IFraming | Framing,
        forward: LaneOutlet,
        back: LaneOutlet,
        host: LaneHost,
        now: Callable[[], float] = monotonic,
        link: Any = None,
    ) -> None:
        Flow.__init__(self, host, now)
        self.direction = direction
        self.link = link
        """What its filter gets with each message."""
        self.messages = 0
        self.size = 0
        self.filter: Callable[[Any, Any], Any] | None = None
        self.selector: Selector | None = None
        self.decode: Callable[[bytes], Any] | None = None
        self.codec: ICodec | None = None
        self.translates = False
        self.on_read: Callable[[Lane, int, int], None] | None = None
        self.unfinished_total: UnfinishedTotal | None = None
        """Where the sizes of unfinished frames are added up, ``None`` for nowhere."""
        self.listed = False
        """Whether the watch of the total has this lane on its list."""
        self._framing = framing_of(framing)
        self._output = Output(forward, back)
        self._unfinished: UnfinishedFrame | None = None
        self._message: Any = None
        self._pending: list[bytes] | None = None
        self._between: list[tuple[LaneOutlet, bytes]] | None = None

    @property
    def unfinished(self) -> PartialFrame | None:
        """The error that the stream ended inside a frame, if it ends here."""
        return PartialFrame(self.unfinished_size) if self._unfinished is not None else None

    @property
    def unfinished_size(self) -> int:
        """How much has come of a frame that is not complete."""
        return self._unfinished.have if self._unfinished is not None else 0

    @property
    def is_read(self) -> bool:
        """Whether more can come now."""
        return bool(self._host.lane_is_read(self))

    def discard(self) -> None:
        """Drop what is held and whatever comes, for good."""
        self.drop_unfinished()
        self._message = self._pending = None
        if self.listed:
            self.listed = False
            self.unfinished_total.watch.forget(self)  # type: ignore[union-attr]
        Flow.discard(self)

    def drop_unfinished(self) -> None:
        """Drop the beginning of a frame whose end can no longer come."""
        if self._unfinished is not None:
            self._count(-self._unfinished.have)
            self._unfinished = None

    def cut_off(self, error: FramingError) -> None:
        """Stop reading the stream for good, because of an error in it."""
        self.discard()
        self._host.lane_framing_failed(self, error)

    def _count(self, change: int) -> None:
        """Add a change in the size of the unfinished frame, which is negative when it is one no longer."""
        total = self.unfinished_total
        if total is not None:
            total.size += change
            if change > 0:
                if not self.listed:
                    self.listed = True
                    total.watch.watch(self)
                if total.size > total.limit:
                    total.watch.exceeded()

    def give_up_waiting(self, reason: BaseException) -> None:
        """Take it that the filter whose verdict is awaited failed, for ``reason``."""
        if self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.give_up()
            self._settle(self._failed(reason))

    def send_between(self, outlet: LaneOutlet, frame: bytes) -> bool:
        """Take a frame that the application sends from within a filter, to go out between the messages of a read.

        That is behind all messages before the one that the filter looks at. False if the lane is not at work; then
        the frame can be sent at once.
        """
        if not self._busy:
            return False
        if self._between is None:
            self._between = []
        self._between.append((outlet, frame))
        self._undisturbed = False
        return True

    # -- the way of the bytes ------------------------------------------------------------------------------

    def _read(self, data: bytes, at: int) -> None:
        """Look at the bytes from ``at`` on, and push what comes of them."""
        messages = self.messages
        size = self.size
        run = at
        try:
            unfinished = self._unfinished
            if unfinished is not None:
                if unfinished.need == 0:  # not even the header was complete
                    self._count(-unfinished.have)
                    data = b"".join([*unfinished.pieces(), data])
                    self._unfinished = None
                elif unfinished.have + len(data) < unfinished.need:
                    unfinished.add(data)
                    self._count(len(data))
                    return
                else:
                    at = unfinished.need - unfinished.have
                    run = self._finish_frame(unfinished, data, at)
            if not self._running:
                self._end_read(data, at, run, 0)
            elif self.filter is None and not self.translates:
                self._skip(data, at, run)
            else:
                self._judge(data, at, run)
        except FramingError as error:
            self._push()
            self.discard()
            self._host.lane_framing_failed(self, error)
        except BaseException:  # Ctrl-C, or a bug: the rest of this read is lost, so later bytes must not pass
            self.discard()
            raise
        if self.on_read is not None and self.messages != messages:
            self.on_read(self, self.messages - messages, self.size - size)
        self._push()

    def _skip(self, data: bytes, at: int, run: int) -> None:
        """Pass all complete frames on as one slice: nobody looks at them."""
        framing = self._framing
        end = len(data)
        start = at
        stop = 0
        if end - at > SKIPPED_AT_ONCE:
            self._need_clock()
        while True:
            limit = min(at + SKIPPED_AT_ONCE, end)
            at = framing.skip(data, at, limit)
            self.messages += framing.count
            if at == end:
                break
            if framing.count == 0 or limit == end:
                try:
                    stop = framing.find(data, at, end)
                    if stop != 0 and stop <= limit:
                        raise FramingError("the framing found no whole frame at an offset, and one when asked again")
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    self.size += at - start
                    self._output.put(data, run, at)
                    raise _framing_error(error) from error
                if stop == 0 or stop > end:
                    break
                self.messages += 1
                at = stop
            if at == end or self._gives_way():
                break
        self.size += at - start
        self._end_read(data, at, run, stop)

    def _judge(self, data: bytes, at: int, run: int) -> None:
        """Ask the filter about each complete frame; a run of passed ones leaves as one slice."""
        framing = self._framing
        plain = self.decode is None and not self.translates
        ask: Any = self.filter if plain else self._consider
        selector = self.selector  # the filter itself may put another in its place
        selecting = selector is not None and not self.translates
        link = self.link
        pass_on = PASS_ON
        verdict: Any = None
        view = data
        stop = at
        end = len(data)
        messages = self.messages
        size = self.size - at
        look = messages + self._first_look()
        while True:
            if messages == look:
                if at == end or self._gives_way_after_stride():
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
                    verdict = ask(view[body:stop], link)
                    if verdict is not pass_on or not self._undisturbed:
                        break
                    at = stop
                else:
                    continue
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a filter that calls sys.exit() has failed, no more
                self.messages = messages
                if stop == at:  # no frame was found: it is the framing that raised
                    self._output.put(data, run, at)
                    self.size = size + at
                    raise _framing_error(error) from error
                verdict = self._failed(error)
            else:
                self.messages = messages
                if stop == 0 or stop > end:
                    break
                verdict = self._checked(verdict)
            if self._between is not None:
                self._output.put(data, run, at)
                run = at
                self._take_between()
                if self._output.made > FLUSH_SIZE:
                    self._push()
            if verdict is None:
                self._output.put(data, run, at)
                self._pending = [data[at:stop]]
                run = stop
            elif verdict.passes and not self.translates:
                if verdict is not pass_on:
                    self._output.put(data, run, stop)
                    run = stop
                    self._obey(verdict)
            else:
                self._output.put(data, run, at)
                run = stop
                if verdict is not DO_NOTHING:
                    self._obey(verdict, data[at:stop] if verdict.passes else None)
            at = stop
            if not self._running:
                break
        self.messages = messages
        self.size = size + at
        self._end_read(data, at, run, stop)

    def _end_read(self, data: bytes, at: int, run: int, stop: int) -> None:
        """A read was looked at up to ``at``: the run goes out; what is behind it is for later.

        ``stop`` is where the frame ends that begins at ``at``, 0 if its header isn't complete.
        """
        self._output.put(data, run, at)
        if not self._running:
            self._put_back(data, at)
        elif at < len(data):
            body = self._framing.body - at if stop else 0
            self._unfinished = UnfinishedFrame(data[at:], stop - at if stop else 0, body)
            self._count(len(data) - at)

    def _finish_frame(self, unfinished: UnfinishedFrame, data: bytes, at: int) -> int:
        """The unfinished frame ends at ``at`` of this read. Gives where the run that goes on begins.

        A frame that passes is not joined: its pieces go before the run, which begins at 0.
        """
        self._unfinished = None
        self._count(-unfinished.have)
        self.messages += 1
        self.size += unfinished.need
        pieces = unfinished.pieces()
        if self.filter is None and not self.translates:
            self._output.extend(pieces)
            return 0
        verdict: Any = None
        try:
            verdict = self._ask(unfinished.payload(memoryview(data)[:at]))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            verdict = self._failed(error)
        else:
            verdict = self._checked(verdict)
        self._take_between()
        if verdict is None:
            self._pending = [*pieces, data[:at]]
            return at
        if verdict.passes and not self.translates:
            self._output.extend(pieces)
            if verdict is PASS_ON:
                return 0
            self._output.put(data, 0, at)
            self._obey(verdict)
        elif verdict is not DO_NOTHING:
            self._obey(verdict, b"".join([*pieces, data[:at]]) if verdict.passes else None)
        return at

    # -- asking the filter ---------------------------------------------------------------------------------

    def _ask(self, payload: bytes) -> Any:
        """Ask about one message, as `_judge` does about many."""
        selector = self.selector  # a local name, because its function may replace the lane's selector
        if selector is not None and not self.translates and not selector.matches(payload, 0, len(payload)):
            return PASS_ON
        return self._consider(payload, self.link)

    def _consider(self, payload: bytes, link: Any) -> Any:
        """Decode a message and ask the filter about it."""
        message: Any = payload
        if self.decode is not None:
            try:
                message = self.decode(payload)
            except ParseError as error:
                self._host.lane_parse_error(self, error)
                return DO_NOTHING
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                parse_error = ParseError(f"{class_name(error)} in the codec: {text_of(error)}")
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
        selector = self.selector
        if selector is not None and not selector.matches(payload, 0, len(payload)):
            return TRANSLATE
        verdict = self.filter(message, link)
        return TRANSLATE if verdict is PASS_ON else verdict

    def _checked(self, verdict: Any) -> Verdict | None:
        """Make sure of a verdict; ``None`` means that it has to be waited for."""
        if type(verdict) in OWN:
            return verdict  # type: ignore[no-any-return]
        try:
            if issubclass(type(verdict), Verdict):
                return plain(verdict)
            awaited = PendingVerdict(verdict, self._arrived)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return self._failed(error)
        if awaited.result is not NOT_YET:
            return self._verdict_of(awaited.result)
        if not self._running:  # the filter itself brought about the end of the lane
            awaited.give_up()
            return DO_NOTHING
        self._wait_for(awaited)
        return None

    def _verdict_of(self, result: Any) -> Verdict:
        """Return the verdict that was awaited, or what a failure comes to."""
        if not issubclass(type(result), Verdict):
            return self._failed(result.value)
        try:
            return plain(result)
        except BaseException as error:  # Ctrl-C, too: a Deferred would keep it, and the lane would wait for ever
            return self._failed(error)

    def _arrived(self, result: Any) -> None:
        """The verdict that was awaited is there."""
        self.awaited = None
        self._settle(self._verdict_of(result))

    def _failed(self, error: BaseException) -> Verdict:
        """Report that the filter failed, and do what the application chose for that."""
        name = guarded_text(_name_of, self.filter, "__qualname__")
        failure = CallbackFailed(f"filter {name}", self.messages, error)
        failure.__cause__ = error
        policy = self._host.lane_filter_failed(self, failure)
        if policy is OnFilterError.PASS_ON:
            return PASS_ON
        if policy is OnFilterError.CLOSE:
            return Close(failure)
        if policy is OnFilterError.STOP:
            self.discard()
        return DO_NOTHING

    # -- carrying out verdicts -----------------------------------------------------------------------------

    def _carry_out(self, verdict: Verdict) -> None:
        """Do what the verdict on the pending message says."""
        pending: Any = self._pending
        self._pending = None
        if verdict.passes and not self.translates:
            self._output.extend(pending)
            self._obey(verdict)
        else:
            self._obey(verdict, b"".join(pending) if verdict.passes else None)
        self._push()

    def _obey(self, verdict: Verdict, frame: bytes | None = None) -> None:
        """Make the frames that a verdict asks for. ``frame`` is what a message to be translated came in."""
        output = self._output
        if verdict.passes and self.translates:
            output.send(self._message, frame)
        self._message = None
        for message in verdict.forward:
            output.send(message)
        for message in verdict.back:
            output.answer(message)
        if verdict.closes:
            self._push()
            self.discard()
            self._host.lane_closes(self, verdict.error)
        elif output.made > FLUSH_SIZE:
            self._push()

    def _take_between(self) -> None:
        """It is the turn of what the application sent meanwhile."""
        if self._between is not None:
            between, self._between = self._between, None
            self._undisturbed = self._running
            for outlet, frame in between:
                self._output.add(outlet, frame)

    def _push(self) -> None:
        """Push what was made, and stop if that is enough for now."""
        while True:
            self._take_between()
            self._output.flush()
            if self._between is None:
                break
        if (self._running or self.gave_way) and self._is_choked():
            self._choke()

    def _is_choked(self) -> bool:
        """Return whether an outlet that this lane fills is full."""
        return self._output.is_choked()


def _framing_error(error: BaseException) -> FramingError:
    """Whatever the framing raised is the end of this stream, and of nothing else."""
    if isinstance(error, FramingError):
        return error
    return FramingError(f"{class_name(error)} in the framing: {text_of(error)}")


def _name_of(function: Any) -> str:
    """What a filter's function is called in errors: a method after the class of its object, which may inherit it."""
    if ismethod(function):
        return f"{type(function.__self__).__qualname__}.{function.__name__}"
    return getattr(function, "__qualname__", None) or repr_of(function)
