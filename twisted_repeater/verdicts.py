# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False, auto_pickle=False
"""Verdicts, the answers of filters: pass on, drop, replace, answer, close, or one of these later.

Compiled where a compiler was found at installation, with the types of ``verdicts.pxd``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from twisted.internet.defer import Deferred

from ._coroutines import Work

__all__ = [
    "DO_NOTHING",
    "DROP",
    "PASS_ON",
    "Answer",
    "Close",
    "Later",
    "Mixed",
    "PassOnAndSendBack",
    "Send",
    "SendBack",
    "Verdict",
]

LONGEST_DELAY = 31_536_000.0
"""The longest delay of a verdict, in seconds: a year."""

ONE_MESSAGE = (bytes, bytearray, memoryview, str, Mapping)
"""Types of messages that could be iterated over. Named tuples are another."""


class Verdict:
    """The base of all verdicts, for a message on its way from A to B.

    A filter returns one of this module's constants, or an instance of one of its subclasses. The lane acts on the six
    attributes. A subclass has a slot for each attribute that differs between its verdicts, because verdicts are made
    for every message.
    """

    __slots__ = ()

    passes: bool = False
    """Whether B gets the bytes that A sent."""
    forward: tuple[object, ...] = ()
    """Messages that B gets, after those bytes."""
    back: tuple[object, ...] = ()
    """Messages that A gets."""
    closes: bool = False
    """Whether the link is closed after that."""
    error: BaseException | None = None
    """The error that is logged as the reason for closing; ``None`` without an error."""
    delay: float = 0.0
    """After how many seconds all this happens; see `Later`."""

    def _effects(self) -> tuple[object, ...]:
        # Two errors made alike are never equal, but mean the same.
        why = (type(self.error), getattr(self.error, "args", ()))
        return (self.passes, self.forward, self.back, self.closes, why, self.delay)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Verdict):
            return NotImplemented
        return type(other) is type(self) and self._effects() == other._effects()

    def __hash__(self) -> int:
        return hash((type(self), *self._effects()))


Answer: TypeAlias = Verdict | Deferred[Verdict] | Work[Verdict]
"""What a filter may return: a verdict, or a Deferred or a coroutine of one."""


class _Constant(Verdict):
    """A verdict without a message of its own."""

    __slots__ = ("_name", "passes")

    def __init__(self, name: str, *, passes: bool) -> None:
        self._name = name
        self.passes: bool = passes

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name  # the lane compares by identity, so a copy must be the same object


PASS_ON: Verdict = _Constant("PASS_ON", passes=True)
"""B gets the bytes that A sent."""

DO_NOTHING: Verdict = _Constant("DO_NOTHING", passes=False)
"""B gets nothing."""

DROP: Verdict = DO_NOTHING
"""Another name of `DO_NOTHING`."""


class Send(Verdict):
    """B gets these messages, in order, instead of the one that A sent.

    Args:
        messages: at least one message, as the codec of this direction encodes it; ``bytes`` without a codec.

    Raises:
        TypeError: no message was given. To send nothing, return `DO_NOTHING`.
    """

    __slots__ = ("forward",)

    def __init__(self, *messages: object) -> None:
        if not messages:
            raise TypeError("Send needs a message; to send nothing, return DO_NOTHING")
        self.forward: tuple[object, ...] = messages

    def __repr__(self) -> str:
        return f"Send({', '.join(map(repr, self.forward))})"


class _Back(Verdict):
    """A verdict with messages for the sender alone."""

    __slots__ = ("back",)

    def __init__(self, messages: Iterable[object]) -> None:
        self.back: tuple[object, ...] = _several(messages, type(self).__name__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.back)!r})"


class SendBack(_Back):
    """A gets these messages, in order; B gets nothing.

    They go out at once. In a protocol whose answers are told apart by their order only, a client that has sent other
    requests before takes them for the answer to an earlier one: use `twisted_repeater.filters.in_order` there.

    Args:
        messages: the messages, as the codec of the other direction encodes them; ``bytes`` without a codec.

    Raises:
        TypeError: one message was given instead of a list.
    """

    __slots__ = ()


class PassOnAndSendBack(_Back):
    """B gets the bytes that A sent, then A gets these messages, in order.

    Args:
        messages: the messages, as the codec of the other direction encodes them; ``bytes`` without a codec.

    Raises:
        TypeError: one message was given instead of a list.
    """

    __slots__ = ()

    passes = True


class Close(Verdict):
    """The message is dropped, last messages go out, and the link is closed.

    Args:
        error: the error that logs and observers get as the reason; ``None`` without an error.
        forward: messages that B gets.
        back: messages that A gets.

    Raises:
        TypeError: ``error`` is not an exception, or one message was given instead of a list.
    """

    __slots__ = ("back", "error", "forward")

    closes = True

    def __init__(
        self, error: BaseException | None = None, *, forward: Iterable[object] = (), back: Iterable[object] = ()
    ) -> None:
        self.error: BaseException | None = _checked_error(error, "Close")
        self.forward: tuple[object, ...] = _several(forward, "Close", "forward=")
        self.back: tuple[object, ...] = _several(back, "Close", "back=")

    def __repr__(self) -> str:
        return f"Close({self.error!r}, forward={list(self.forward)!r}, back={list(self.back)!r})"


class Mixed(Verdict):
    """A mixture of effects, for code that combines verdicts; see `Verdict` for the parameters."""

    __slots__ = ("back", "closes", "delay", "error", "forward", "passes")

    def __init__(
        self,
        *,
        passes: bool = False,
        forward: Iterable[object] = (),
        back: Iterable[object] = (),
        closes: bool = False,
        error: BaseException | None = None,
        delay: float = 0.0,
    ) -> None:
        self.passes: bool = passes
        self.forward: tuple[object, ...] = _several(forward, "Mixed", "forward=")
        self.back: tuple[object, ...] = _several(back, "Mixed", "back=")
        self.closes: bool = closes
        self.error: BaseException | None = _checked_error(error, "Mixed")
        self.delay: float = _checked_delay(delay, "Mixed")

    def __repr__(self) -> str:
        later = f", delay={self.delay!r}" if self.delay else ""
        return (
            f"Mixed(passes={self.passes}, forward={list(self.forward)!r}, back={list(self.back)!r}, "
            f"closes={self.closes}, error={self.error!r}{later})"
        )


class Later(Verdict):
    """Another verdict, which is carried out after some time.

    The time counts from the moment at which the verdict is given. Nothing is held up longer than that: messages that
    come meanwhile are decided about at once, and then wait for those before them only. So 100 messages that are delayed
    by a second each, one after the other, all arrive a second late.

    * The order is kept. A message, or an answer, of the same direction waits until what was decided before it is
      carried out, whatever its own delay. So do messages that the other direction, or the application, sends to the
      same side. Messages of the other direction do not wait for an answer that comes later.
    * If more than 1 MiB or 16384 messages wait, nothing more is received from the sender until there is room.
    * When the link is closed in good order, or a side ends its stream, what waits is still carried out, within
      ``limits.close_timeout`` and ``limits.linger``. If these are shorter than the delay, it is dropped.
    * After a `Close` that comes later, no message of the direction is looked at any more.
    * In a `chain` the next filter sees the message at once, and the delays of both add up.
    * Filters that keep the order of answers, or the numbers of a session (`in_order`, the dialects redis, mqtt, hl7 and
      fix), count the message at once. An answer that waits for its turn is sent in its turn, without the delay.

    Args:
        seconds: the delay; 0 for none.
        verdict: what is carried out then. If it comes later, too, the delays add up.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: the delay is below 0, not a number, or longer than a year.
    """

    __slots__ = ("_verdict", "back", "closes", "delay", "error", "forward", "passes")

    def __init__(self, seconds: float, verdict: Verdict = PASS_ON) -> None:
        if not isinstance(verdict, Verdict):
            raise TypeError(f"Later takes a verdict, not {verdict!r}")
        verdict = plain(verdict)
        self.passes: bool = verdict.passes
        self.forward: tuple[object, ...] = verdict.forward
        self.back: tuple[object, ...] = verdict.back
        self.closes: bool = verdict.closes
        self.error: BaseException | None = verdict.error
        self.delay: float = _checked_delay(seconds, "Later") + verdict.delay
        self._verdict: Verdict = verdict._verdict if isinstance(verdict, Later) else verdict

    def __repr__(self) -> str:
        return f"Later({self.delay!r}, {self._verdict!r})"


class Frame:
    """A message that is a frame already: it is sent as it is, whatever the codec. Faults send it."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: bytes = data

    def __repr__(self) -> str:
        return f"Frame({self.data!r})"


OWN = frozenset({_Constant, Send, SendBack, PassOnAndSendBack, Close, Mixed, Later})
"""The classes of this module: reading their attributes runs no code of the application."""


def plain(verdict: Verdict) -> Verdict:
    """Return a verdict of this module that says the same as a verdict of another class.

    Each attribute is read once, and may raise; a value that no verdict may have raises ``TypeError``.
    """
    if type(verdict) in OWN:
        return verdict
    return Mixed(
        passes=bool(verdict.passes),
        forward=verdict.forward,
        back=verdict.back,
        closes=bool(verdict.closes),
        error=verdict.error,
        delay=verdict.delay,
    )


def delayed_like(verdict: Verdict, other: Verdict) -> Verdict:
    """Return a verdict that was made of another one, with the delay of that one."""
    return Later(other.delay, verdict) if other.delay else verdict


def _several(messages: Iterable[object], verdict: str, argument: str = "") -> tuple[object, ...]:
    """Refuse one message where a list is meant: iterating over its bytes, letters or fields would send nonsense."""
    kind = type(messages)
    if kind is not list and (
        isinstance(messages, ONE_MESSAGE) or hasattr(kind, "_fields") or not hasattr(kind, "__iter__")
    ):
        raise TypeError(f"{verdict} takes a list of messages: write {verdict}({argument}[message])")
    return tuple(messages)


def _checked_error(error: BaseException | None, verdict: str) -> BaseException | None:
    """Raise ``TypeError`` unless an error is an exception or ``None``."""
    if error is not None and not isinstance(error, BaseException):
        raise TypeError(f"{verdict}: the error must be an exception, not {error!r}")
    return error


def _checked_delay(delay: float, verdict: str) -> float:
    """Raise ``TypeError`` or ``ValueError`` unless a delay is a number of seconds."""
    if not isinstance(delay, (int, float)) or isinstance(delay, bool):
        raise TypeError(f"{verdict}: the delay must be a number of seconds, not {delay!r}")
    if not 0 <= delay <= LONGEST_DELAY:
        raise ValueError(f"{verdict}: the delay must be at least 0 and at most {LONGEST_DELAY:.0f}, not {delay!r}")
    return delay
