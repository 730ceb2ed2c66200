# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Decides about the messages of a lane: asks the filter, checks the verdict, obeys it.

It is all the same whether a frame came whole in a read or in pieces, and whether its verdict comes at once or later.

Compiled where a compiler was found at installation, with the types of ``judge.pxd``.
"""

from __future__ import annotations

from inspect import ismethod
from typing import TYPE_CHECKING, Any

from .._pending import NOT_YET, PendingVerdict
from .._text import class_name, guarded_text, repr_of, text_of
from ..codecs import LEFT_OUT
from ..errors import CallbackFailed, ParseError
from ..model import OnFilterError
from ..selectors import Selector
from ..verdicts import DO_NOTHING, OWN, PASS_ON, Close, Verdict, plain
from .output import Output
from .reader import Raised, Reader
from .setup import LaneHost, LaneSetup

if TYPE_CHECKING:
    from .lane import Lane

__all__ = ["FLUSH_SIZE", "Judge"]

FLUSH_SIZE = 256 * 1024
"""How many bytes of its own making a lane collects before it pushes them and asks whether the target is full."""

NEVER = object()
"""No filter answers this."""


class Judge:
    """Decides about the messages of one lane."""

    def __init__(self, lane: Lane, reader: Reader, output: Output, host: LaneHost, link: Any) -> None:
        self.setup: LaneSetup = LaneSetup()
        self.awaited: PendingVerdict | None = None
        """The verdict that is waited for."""
        self._lane = lane
        self._reader = reader
        self._output = output
        self._host = host
        self._link = link
        self._pending: list[bytes] | None = None
        """The frame whose verdict is awaited."""
        self._message: Any = None
        """The message that is decided about, if the setup sees all."""
        self._by_filter = False
        """Whether the filter decides about that."""
        self._ask: Any = None
        self._selector: Selector | None = None
        self._sees_all = False

    def use(self, setup: LaneSetup) -> None:
        """Decide by this setup."""
        self.setup = setup
        self._sees_all = setup.sees_all
        self._ask = self._consider if setup.sees_all or setup.decode is not None else setup.filter
        self._selector = None if setup.sees_all else setup.selector

    def drop(self) -> None:
        """Forget what is decided about, and give up what is awaited."""
        self._message = self._pending = None
        if self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.give_up()

    def decide_all(self) -> bool:
        """Decide about the frames of a read, until something stops the lane; return False if time is up."""
        reader = self._reader
        if reader.pieces is not None:
            self.decide(reader.ask_once(self._ask, self._link, self._selector))
            if not reader.flowing:
                return True
        return reader.search(self._ask, self, self._link, self._selector, NEVER if self._sees_all else PASS_ON)

    def _consider(self, payload: bytes, link: Any) -> Any:
        """Ask the filter about a message, where there is more to do than that."""
        setup = self.setup
        wanted = setup.filter is not None
        if self._sees_all:
            self._message = payload
            selector = setup.selector
            self._by_filter = wanted = wanted and (selector is None or selector.matches(payload, 0, len(payload)))
            if not wanted and not setup.translates:
                return PASS_ON
        message: Any = payload
        if setup.decode is not None:
            try:
                message = setup.decode(payload)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._by_filter = False
                self._host.lane_parse_error(self._lane, _parse_error(error))
                return DO_NOTHING
        if message is LEFT_OUT:
            self._by_filter = False
            return DO_NOTHING
        if self._sees_all:
            self._message = message
        return setup.filter(message, link) if wanted else PASS_ON  # type: ignore[misc]

    def decide(self, answer: Any) -> None:
        """Do what the filter's answer says about the frame at which the reader stands, or wait for the verdict."""
        verdict = answer if type(answer) in OWN else self._checked(answer)
        reader, output = self._reader, self._output
        if output.between is not None:
            output.put(reader.data, reader.run, reader.at)
            reader.run = reader.at
            output.take_between()
            reader.disturbed = not reader.flowing
            if output.made > FLUSH_SIZE:
                self._lane.push()
        if self._sees_all:
            self._tell(verdict)
        if verdict is not None and verdict.passes and not (self._sees_all and self.setup.translates):
            if reader.pieces is not None:
                output.extend(reader.take_pieces())
            reader.at = reader.stop
            if verdict is not PASS_ON:
                output.put(reader.data, reader.run, reader.at)
                reader.run = reader.at
                self._obey(verdict, None)
            return
        if reader.run != reader.at:
            output.put(reader.data, reader.run, reader.at)
        frame = reader.frame() if verdict is None or verdict.passes else None
        reader.run = reader.at = reader.stop
        reader.pieces = None
        if verdict is None:
            self._pending = frame
        elif verdict is not DO_NOTHING:
            self._obey(verdict, frame)

    def _checked(self, answer: Any) -> Verdict | None:
        """Make sure of a verdict; ``None`` means that it has to be waited for."""
        kind = type(answer)
        if kind is Raised:
            return self._failed(answer.error)
        try:
            if issubclass(kind, Verdict):
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
        """Take it that the filter whose verdict is awaited failed, for ``reason``."""
        if self.awaited is not None:
            awaited, self.awaited = self.awaited, None
            awaited.give_up()
            self._lane.settle(self._failed(reason))

    def _arrived(self, result: Any) -> None:
        """The verdict that was awaited is there."""
        self.awaited = None
        self._lane.settle(self._verdict_of(result))

    def _verdict_of(self, result: Any) -> Verdict:
        """Return the verdict that was awaited, or the one that a failure comes to."""
        if not issubclass(type(result), Verdict):
            return self._failed(result.value)
        try:
            return plain(result)
        except BaseException as error:  # Ctrl-C, too: a Deferred would keep it, and the lane would wait for ever
            return self._failed(error)

    def _failed(self, error: BaseException) -> Verdict:
        """Report that the filter failed, and do what the application chose for that."""
        self._by_filter = False
        name = guarded_text(_name_of, self.setup.filter, "__qualname__")
        failure = CallbackFailed(f"filter {name}", self._reader.messages, error)
        failure.__cause__ = error
        policy = self._host.lane_filter_failed(self._lane, failure)
        if policy is OnFilterError.PASS_ON:
            return PASS_ON
        if policy is OnFilterError.CLOSE:
            return Close(failure)
        if policy is OnFilterError.STOP:
            self._lane.discard()
        return DO_NOTHING

    def _tell(self, verdict: Verdict | None) -> None:
        """Tell whoever watches what was decided."""
        if self.setup.on_decision is not None:
            self.setup.on_decision(self._lane, self._message, verdict, self._by_filter)

    def carry_out(self, verdict: Verdict) -> None:
        """Do what the verdict says that was awaited."""
        frame, self._pending = self._pending, None
        self._tell(verdict)
        self._obey(verdict, frame)

    def _obey(self, verdict: Verdict, frame: list[bytes] | None) -> None:
        """Make the frames that a verdict asks for. ``frame`` is the message's own, unless that went with the run."""
        output = self._output
        if frame is not None and verdict.passes:
            if self.setup.translates:
                output.send(self._message, b"".join(frame))
            else:
                output.extend(frame)
        self._message = None
        for message in verdict.forward:
            output.send(message)
        for message in verdict.back:
            output.answer(message)
        if verdict.closes:
            self._lane.push()
            self._lane.discard()
            self._host.lane_closes(self._lane, verdict.error)
        elif output.made > FLUSH_SIZE:
            self._lane.push()


def _parse_error(error: BaseException) -> ParseError:
    """Return the error to report for what a codec raised."""
    if isinstance(error, ParseError):
        return error
    parse_error = ParseError(f"{class_name(error)} in the codec: {text_of(error)}")
    parse_error.__cause__ = error
    return parse_error


def _name_of(function: Any) -> str:
    """Return what a filter's function is called in errors: a method after the class of its object."""
    if ismethod(function):
        return f"{type(function.__self__).__qualname__}.{function.__name__}"
    return getattr(function, "__qualname__", None) or repr_of(function)
