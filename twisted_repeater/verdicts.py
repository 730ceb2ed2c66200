"""What a filter answers: pass on, drop, replace, answer, close."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["DO_NOTHING", "PASS_ON", "Close", "PassOnAndSendBack", "Send", "SendBack", "Verdict"]


class Verdict:
    """The base of all verdicts, for a message on its way from A to B.

    A filter returns one of this module's constants or subclasses; the four attributes are what a lane acts on.
    """

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
        """Whether B gets the bytes that A sent."""
        self.forward = tuple(forward)
        """Messages that B gets, after those bytes."""
        self.back = tuple(back)
        """Messages that A gets."""
        self.closes = closes
        """Whether the link is closed then."""
        self.error = error
        """Why it is closed, for the log; ``None`` is no trouble."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Verdict.__slots__)

    def __hash__(self) -> int:
        return hash((type(self), self.passes, self.forward, self.back, self.closes))


class _Constant(Verdict):
    """A verdict without a message of its own."""

    __slots__ = ("_name",)

    def __init__(self, name: str, *, passes: bool) -> None:
        super().__init__(passes=passes)
        self._name = name

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

    __slots__ = ()

    def __init__(self, *messages: Any) -> None:
        if not messages:
            raise TypeError("Send needs a message; to send nothing, return DO_NOTHING")
        super().__init__(forward=messages)

    def __repr__(self) -> str:
        return f"Send({', '.join(map(repr, self.forward))})"


class SendBack(Verdict):
    """A gets these messages, in order; B gets nothing."""

    __slots__ = ()

    def __init__(self, messages: Iterable[Any]) -> None:
        super().__init__(back=_several(messages, "SendBack"))

    def __repr__(self) -> str:
        return f"SendBack({list(self.back)!r})"


class PassOnAndSendBack(Verdict):
    """B gets the bytes that A sent, then A gets these messages, in order."""

    __slots__ = ()

    def __init__(self, messages: Iterable[Any]) -> None:
        super().__init__(passes=True, back=_several(messages, "PassOnAndSendBack"))

    def __repr__(self) -> str:
        return f"PassOnAndSendBack({list(self.back)!r})"


class Close(Verdict):
    """The message is dropped, B gets the messages ``forward``, A the messages ``back``, and the link is closed.

    ``error`` says why, for the log and the observers.
    """

    __slots__ = ()

    def __init__(
        self, error: BaseException | None = None, *, forward: Iterable[Any] = (), back: Iterable[Any] = ()
    ) -> None:
        super().__init__(forward=forward, back=back, closes=True, error=error)

    def __repr__(self) -> str:
        return f"Close({self.error!r}, forward={list(self.forward)!r}, back={list(self.back)!r})"


def _several(messages: Iterable[Any], verdict: str) -> Iterable[Any]:
    """Refuse one message where a list is meant: iterating over its bytes or letters would send nonsense."""
    if isinstance(messages, (bytes, bytearray, memoryview, str)):
        raise TypeError(f"{verdict} takes a list of messages: write {verdict}([message])")
    return messages
