# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The judge of a lane: asks the filter about each message, checks the verdict, and carries it out.

All frames take the same way, whether they came whole or in pieces, and whether the verdict comes at once or later.
Compiled where a compiler was found at installation, with the types of ``judge.pxd``.
"""

from __future__ import annotations

from inspect import ismethod
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure

from .._pending import NOT_YET, PendingVerdict, begun
from .._text import guarded_text, repr_of
from ..codecs import LEFT_OUT
from ..errors import CallbackFailed, ParseError
from ..model import OnFilterError
from ..selectors import Selector, reach_of
from ..verdicts import DO_NOTHING, OWN, PASS_ON, Close, Send, Verdict, plain
from .account import Account
from .input import UnfinishedFrame
from .output import Output
from .reader import Reader, framing_error, parse_error_of
from .setup import FLUSH_SIZE, LaneHost, LaneSetup

if TYPE_CHECKING:
    from .lane import Lane

__all__ = ["LARGE", "Judge"]

LARGE = 16 * 1024
"""From this size on, in bytes, a frame that nobody wants to see is passed on in pieces as it comes. To keep a smaller
one until it is whole is cheap, and saves others who write to the same connection from waiting for its end."""

NEVER = object()
"""Equals no answer of a filter."""


class Judge:
    """Decides about the messages of one lane."""

    def __init__(
        self, lane: Lane, reader: Reader, output: Output, host: LaneHost, link: object, setup: LaneSetup
    ) -> None:
        self.awaited: PendingVerdict | None = None
        """The verdict that the lane waits for."""
        self._lane = lane
        self._reader = reader
        self._output = output
        self._host = host
        self._link = link
        self._pending: list[bytes] | None = None
        """The frame whose verdict is awaited."""
        self._message: object = None
        """The present message, if the setup sees all."""
        self._payload = b""
        """Its payload."""
        self._by_filter = False
        """Whether the filter decides about it."""
        self._account: Account | None = None
        """Tells those who watch; ``None`` if nobody does."""
        self.use(setup)

    def use(self, setup: LaneSetup) -> None:
        """Decide by this setup."""
        self.setup: LaneSetup = setup
        self._sees_all = setup.sees_all
        self._translates = setup.translates
        self._filter, self._decode = setup.filter, setup.decode
        self._considers = setup.sees_all or setup.decode is not None
        self._ask: Any = self._consider if self._considers else setup.filter
        self._selector: Selector | None = None if setup.sees_all else setup.selector
        self._reach = 0 if self._selector is None else reach_of(self._selector)
        self._simply: object = NEVER if setup.sees_all else PASS_ON
        """The answer with which the search goes on at once."""
        self._account = None
        if setup.watch is not None:
            self._account = Account(self._link, setup, setup.watch, self._reader, self._output)
        self._output.note(self._account is not None)

    def drop(self) -> None:
        """Forget the present message, and give up waiting for its verdict."""
        if self._account is not None and self._pending is not None:
            self._account.tell(None, False, self._message, False)
        self._message = self._pending = None
        if self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.give_up()

    def decide_all(self) -> bool:
        """Decide about the frames of a read, until something stops the lane; return False if time is up."""
        if self._reader.pieces is not None:
            self._decide_joined()
        return self._search()

    def pass_on(self, decides: bool) -> None:
        """Pass on what has come of the frame that is not complete, if it is large and nobody wants to see it."""
        reader, output, unfinished = self._reader, self._output, self._reader.unfinished
        if unfinished is None or unfinished.passes:
            if reader.run != reader.at:
                self.put_run()
        elif (
            not (unfinished.wanted or unfinished.need < LARGE > unfinished.have or reader.framing.follows)
            and output.delayed is None  # or it would overtake, or be cut in two
            and (not decides or self._leaves_out(unfinished))
        ):
            output.extend(unfinished.pass_on())
            output.goes_on = True

    def pass_beginning(self) -> bool:
        """Add the beginning of a frame to the run, if nobody wants to see frames and this one is known to be large.

        It is what `pass_on` does with others. Here the whole read may leave as it came, with one write.
        """
        reader = self._reader
        if reader.stop - reader.at < LARGE or reader.framing.follows or self._output.delayed is not None:
            return False
        reader.pass_beginning()
        return True

    def _leaves_out(self, unfinished: UnfinishedFrame) -> bool:
        """Return whether it is known already that the filter does not want a frame that is not complete.

        If the size of the frame is not known, the bytes that the framing has seen are of the payload, but for a header.
        """
        body, need = unfinished.body, unfinished.need
        if need == 0:
            body = self._reader.framing.opens
        last = body + self._reach
        if need != 0:
            last = min(last, need - unfinished.tail)
        if self._reach == 0:
            unfinished.wanted = True
        elif body >= 0 and unfinished.seen_size >= last:
            start = b"".join(unfinished.pieces())
            unfinished.wanted = self._selector is None or self._selector.matches(start, body, last)
            return not unfinished.wanted
        return False

    def _decide_joined(self) -> None:
        """Decide about a frame that came in pieces."""
        payload = self._reader.joined()
        answer: object = PASS_ON
        try:
            if self._selector is None or self._selector.matches(payload, 0, len(payload)):
                answer = self._ask(payload, self._link)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            answer = self._failed(error)
        self._decide(answer)

    def _search(self) -> bool:
        """Decide about the frames that are whole in the read. One call more for each would cost a tenth of a pass."""
        reader, ask, selector, link, simply = self._reader, self._ask, self._selector, self._link, self._simply
        framing, considers = reader.framing, self._considers
        follows = framing.follows
        data = view = reader.data
        at = stop = reader.at
        end = len(data)
        messages, size = reader.messages, reader.size - at
        look = messages + reader.first_look()
        while reader.flowing:
            if messages == look:
                if at == end or reader.is_late_after_stride():
                    break
                look = messages + reader.stride
            try:
                while messages != look:
                    stop = framing.find(data, at, end)
                    if stop == 0 or stop > end:
                        break
                    body = framing.body
                    if follows:
                        found, stop = stop, at  # an error now is one of the framing
                        framing.taken(data, at, found)
                        stop = found
                    messages += 1
                    last = stop - framing.tail
                    if selector is None or selector.matches(data, body, last):
                        reader.messages, reader.size = messages, size + stop  # the filter may read these
                        payload = view[body:last]
                        answer = self._consider(payload, link) if considers else ask(payload, link)
                        if answer is not simply or reader.disturbed:
                            break
                    at = stop
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                reader.at, reader.stop, reader.messages = at, stop, messages
                answer = self._raised(error, size + at)
            if stop == 0 or stop > end:
                break
            if stop != at:
                reader.at, reader.stop = at, stop
                self._decide(answer)
                at = stop
        reader.at, reader.stop, reader.messages, reader.size = at, stop, messages, size + at
        return not (messages == look and at != end and reader.flowing)

    def _raised(self, error: BaseException, size: int) -> Verdict:
        """Return the verdict for an error of the filter, or raise an error of the framing."""
        if self._reader.stop == self._reader.at:  # no frame was found, so the filter was not asked
            self._reader.size = size
            raise framing_error(error) from error
        return self._failed(error)

    def _consider(self, payload: bytes, link: object) -> object:
        """Decode a message, and ask the filter if it wants the message."""
        wanted = self._filter is not None
        if self._sees_all:
            self._message = self._payload = payload
            if self._account is not None:
                self._account.begin(payload)
            selector = self.setup.selector
            self._by_filter = wanted = wanted and (selector is None or selector.matches(payload, 0, len(payload)))
            if not wanted and not self._translates:
                return PASS_ON
        message: object = payload
        if self._decode is not None:
            try:
                message = self._decode(payload)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._by_filter = False
                return self._unreadable(parse_error_of(error))
        if message is LEFT_OUT:
            self._by_filter = False
            return DO_NOTHING
        if self._sees_all:
            self._message = message
        return self._filter(message, link) if wanted else PASS_ON  # type: ignore[misc]

    def put_run(self) -> None:
        """Put the run into the output."""
        reader = self._reader
        self._output.put(reader.data, reader.run, reader.at)
        reader.run = reader.at

    def _decide(self, answer: Any) -> None:
        """Carry out the filter's answer about the frame at which the reader stands, or wait for the verdict."""
        verdict = answer if type(answer) is Send or type(answer) in OWN else self._checked(answer)
        reader, output = self._reader, self._output
        if output.between is not None:
            self.put_run()
            output.take_between()
            reader.disturbed = not reader.flowing
            if output.made > FLUSH_SIZE:
                self._lane.push()
        if self._sees_all:
            if self.setup.faults is not None and verdict is not None:
                verdict = self._faulted(verdict, reader.frame())
            self._report(verdict)
            if self._account is not None:
                self._account.take(reader.frame())
        passes = type(verdict) is not Send and verdict is not None and verdict.passes
        if verdict is not None and passes and not self._translates and (verdict is PASS_ON or not verdict.delay):
            if reader.pieces is not None:
                output.extend(reader.pieces)
                reader.pieces = None
            reader.at = reader.stop
            if verdict is not PASS_ON:
                self.put_run()
                self._obey(verdict, None)
            elif self._account is not None:
                self._account.tell(verdict, self._by_filter, self._message, True)
            return
        if reader.run != reader.at:
            self.put_run()
        frame = None
        if verdict is None or passes:
            frame = [*(reader.pieces or []), reader.data[reader.at : reader.stop]]
        reader.run = reader.at = reader.stop
        reader.pieces = None
        if type(verdict) is Send:
            self._replace(verdict)
        elif verdict is None:
            self._pending = frame
        elif verdict is not DO_NOTHING or self._account is not None:
            self._obey(verdict, frame)

    def _checked(self, answer: Any) -> Verdict | None:
        """Return the verdict that an answer stands for, or ``None`` if it comes later."""
        try:
            if type(answer) is CoroutineType:
                answer = begun(answer)
            if issubclass(type(answer), Verdict):
                return plain(answer)
            awaited = PendingVerdict(answer, self._arrived)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return self._failed(error)
        if awaited.result is not NOT_YET:
            return self._verdict_of(awaited.result)
        if not self._reader.flowing:  # the filter itself brought about the end of the lane
            awaited.give_up()
            return DO_NOTHING
        self.awaited = awaited
        self._lane.wait()
        return None

    def give_up_waiting(self, reason: BaseException) -> None:
        """Count the filter whose verdict is awaited as failed, for ``reason``."""
        if self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.give_up()
            self._lane.settle(self._failed(reason))

    def _arrived(self, result: Verdict | Failure) -> None:
        """The verdict that the lane waited for is there."""
        self.awaited = None
        self._lane.settle(self._verdict_of(result))

    def _verdict_of(self, result: Any) -> Verdict:
        """Return the verdict that came, or the verdict to use for a failure that came."""
        if not issubclass(type(result), Verdict):
            return self._failed(result.value)
        try:
            return plain(result)
        except BaseException as error:  # Ctrl-C, too: a Deferred would keep it, and the lane would wait for ever
            return self._failed(error)

    def _unreadable(self, error: ParseError) -> Verdict:
        """Report that a message cannot be decoded; return the verdict on it."""
        self._host.lane_parse_error(self._lane, error)
        return Close(error) if error.ends_link else DO_NOTHING

    def _failed(self, error: BaseException) -> Verdict:
        """Report that the filter failed; return the verdict that the application chose for that."""
        self._by_filter = False
        if isinstance(error, ParseError) and error.ends_link:  # of a message that is decoded when it is looked at
            return self._unreadable(error)
        name = guarded_text(_name_of, self.setup.filter, "__qualname__")
        failure = CallbackFailed(f"filter {name}", self._reader.messages, error)
        failure.__cause__ = error
        policy = self._host.lane_filter_failed(self._lane, failure)
        verdict = PASS_ON if policy is OnFilterError.PASS_ON else DO_NOTHING
        if policy is OnFilterError.CLOSE:
            verdict = Close(failure)
        elif policy is OnFilterError.STOP:
            self._lane.cease()
        after_failure = self.setup.after_failure
        return verdict if after_failure is None else after_failure(verdict, self._link)

    def _report(self, verdict: Verdict | None) -> None:
        """Call the hook for decisions."""
        if self.setup.on_decision is not None:
            self.setup.on_decision(self._lane, self._message, verdict, self._by_filter)

    def carry_out(self, verdict: Verdict) -> None:
        """Carry out the verdict that the lane waited for."""
        frame, self._pending = self._pending, None
        if self.setup.faults is not None:
            verdict = self._faulted(verdict, b"".join(frame or ()))
        self._report(verdict)
        self._obey(verdict, frame)

    def _faulted(self, verdict: Verdict, frame: bytes) -> Verdict:
        """Return what the faults of the link make of a verdict."""
        assert self.setup.faults is not None
        return self.setup.faults(self._lane, verdict, frame, self._payload, self._message)

    def _obey(self, verdict: Verdict, frame: list[bytes] | None) -> None:
        """Make the frames that a verdict asks for. ``frame`` is that of the message, unless it went with the run."""
        output = self._output
        later = verdict.delay != 0
        if later:
            output.flush()  # what was decided before does not wait
        if frame is not None and verdict.passes:
            if self._translates:
                output.send(self._message, b"".join(frame))
            else:
                output.extend(frame)
        seen, self._message = self._message, None
        for message in verdict.forward:
            output.send(message)
        for message in verdict.back:
            output.answer(message)
        if self._account is not None:
            self._account.tell(verdict, self._by_filter, seen, verdict.passes and not self._translates)
        if verdict.closes:
            self._close(verdict)
        elif later:
            self._lane.delayed().carry_out(verdict)
            if output.is_choked():
                self._lane.push()
        elif output.made > FLUSH_SIZE:
            self._lane.push()

    def _replace(self, verdict: Send) -> None:
        """Do what `_obey` does for a verdict that only sends, in a fraction of the time."""
        output = self._output
        for message in verdict.forward:
            output.send(message)
        seen, self._message = self._message, None
        if self._account is not None:
            self._account.tell(verdict, self._by_filter, seen, False)
        if output.made > FLUSH_SIZE:
            self._lane.push()

    def _close(self, verdict: Verdict) -> None:
        """Close the link, after what is delayed."""
        if not verdict.delay:
            self._lane.push()
        if verdict.delay or self._output.delayed is not None:
            self._lane.delayed().carry_out(verdict)
            self._lane.cease()
        else:
            self._lane.discard()
            self._host.lane_closes(self._lane, verdict.error)


def _name_of(function: object) -> str:
    """Return the name of a filter's function for errors, with the class of its object if it is a method."""
    if ismethod(function):
        return f"{type(function.__self__).__qualname__}.{function.__name__}"
    return getattr(function, "__qualname__", None) or repr_of(function)
