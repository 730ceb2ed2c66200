"""What a filter answers: pass on, drop, replace, answer, close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["DO_NOTHING", "PASS_ON", "Close", "Mixed", "PassOnAndSendBack", "Send", "SendBack", "Verdict"]

ONE_MESSAGE = (bytes, bytearray, memoryview, str, Mapping)
"""Types of messages that could be iterated over; and named tuples."""


class Verdict:
    """The base of all verdicts, for a message on its way from A to B.

    A filter returns one of this module's constants or subclasses; the five attributes are what a lane acts on. A
    subclass has a slot for each that differs from one verdict to the next: verdicts are made for every message.
    """

    __slots__ = ()

    passes: bool = False
    """Whether B gets the bytes that A sent."""
    forward: tuple[Any, ...] = ()
    """Messages that B gets, after those bytes."""
    back: tuple[Any, ...] = ()
    """Messages that A gets."""
    closes: bool = False
    """Whether the link is closed then."""
    error: BaseException | None = None
    """Why it is closed, for the log; ``None`` is no trouble."""

    def _effects(self) -> tuple[object, ...]:
        # Two errors made alike are never equal, but mean the same.
        why = (type(self.error), getattr(self.error, "args", ()))
        return (self.passes, self.forward, self.back, self.closes, why)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Verdict):
            return NotImplemented
        return type(other) is type(self) and self._effects() == other._effects()

    def __hash__(self) -> int:
        return hash((type(self), *self._effects()))


class _Constant(Verdict):
    """A verdict without a message of its own."""

    __slots__ = ("_name", "passes")

    def __init__(self, name: str, *, passes: bool) -> None:
        self._name = name
        self.passes = passes

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name  # the lane compares by identity, so a copy must be the same object


PASS_ON = _Constant("PASS_ON", passes=True)
"""B gets the bytes that A sent."""

DO_NOTHING = _Constant("DO_NOTHING", passes=False)
"""B gets nothing."""


class Send(Verdict):
    """B gets these messages, in order, in place of the one that A sent. At least one; `DO_NOTHING` is none."""

    __slots__ = ("forward",)

    def __init__(self, *messages: Any) -> None:
        if not messages:
            raise TypeError("Send needs a message; to send nothing, return DO_NOTHING")
        self.forward = messages

    def __repr__(self) -> str:
        return f"Send({', '.join(map(repr, self.forward))})"


class SendBack(Verdict):
    """A gets these messages, in order; B gets nothing."""

    __slots__ = ("back",)

    def __init__(self, messages: Iterable[Any]) -> None:
        self.back = _several(messages, "SendBack")

    def __repr__(self) -> str:
        return f"SendBack({list(self.back)!r})"


class PassOnAndSendBack(Verdict):
    """B gets the bytes that A sent, then A gets these messages, in order."""

    __slots__ = ("back",)

    passes = True

    def __init__(self, messages: Iterable[Any]) -> None:
        self.back = _several(messages, "PassOnAndSendBack")

    def __repr__(self) -> str:
        return f"PassOnAndSendBack({list(self.back)!r})"


class Close(Verdict):
    """The message is dropped, B gets the messages ``forward``, A the messages ``back``, and the link is closed.

    ``error`` says why, for the log and the observers.
    """

    __slots__ = ("back", "error", "forward")

    closes = True

    def __init__(
        self, error: BaseException | None = None, *, forward: Iterable[Any] = (), back: Iterable[Any] = ()
    ) -> None:
        self.error = _checked_error(error, "Close")
        self.forward = _several(forward, "Close", "forward=")
        self.back = _several(back, "Close", "back=")

    def __repr__(self) -> str:
        return f"Close({self.error!r}, forward={list(self.forward)!r}, back={list(self.back)!r})"


class Mixed(Verdict):
    """Any mixture of effects, for what puts verdicts together."""

    __slots__ = ("back", "closes", "error", "forward", "passes")

    def __init__(
        self,
        *,
        passes: bool = False,
        forward: Iterable[Any] = (),
        back: Iterable[Any] = (),
        closes: bool = False,
        error: BaseException | None = None,
    ) -> None:
        self.passes = passes
        self.forward = _several(forward, "Mixed", "forward=")
        self.back = _several(back, "Mixed", "back=")
        self.closes = closes
        self.error = _checked_error(error, "Mixed")

    def __repr__(self) -> str:
        return (
            f"Mixed(passes={self.passes}, forward={list(self.forward)!r}, back={list(self.back)!r}, "
            f"closes={self.closes}, error={self.error!r})"
        )


OWN = frozenset({_Constant, Send, SendBack, PassOnAndSendBack, Close, Mixed})
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
    )


def _several(messages: Iterable[Any], verdict: str, argument: str = "") -> tuple[Any, ...]:
    """Refuse one message where a list is meant: iterating over its bytes, letters or fields would send nonsense."""
    kind = type(messages)
    if kind is not list and (
        isinstance(messages, ONE_MESSAGE) or hasattr(kind, "_fields") or not hasattr(kind, "__iter__")
    ):
        raise TypeError(f"{verdict} takes a list of messages: write {verdict}({argument}[message])")
    return tuple(messages)


def _checked_error(error: BaseException | None, verdict: str) -> BaseException | None:
    """Refuse what is no exception."""
    if error is not None and not isinstance(error, BaseException):
        raise TypeError(f"{verdict} takes an exception that says why, not {error!r}")
    return error
