"""Answers that come in their turn, without counting: `in_turn`.

Redis answers each command in its turn, but not each command has one answer: some have none, some have many, some wait,
and pushes come between them. Whoever counts is lost sooner or later. So nobody counts here. A command that is not to
reach the server is replaced by a *mark*: a command with a name that no server has. Redis answers it, in its turn, with
an error that repeats the name. On its way back that error is replaced by the answer.

So what must happen happens by itself: earlier replies come first, a transaction with a refused command is given up by
the server (``EXECABORT``), and a client that has turned off replies gets none.

A server whose error does not repeat the name cannot be used with marks: its client gets the server's own error.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..._pending import verdict_later
from ..._types import Filter, FilterFunction, FilterPairObject
from ...filters._migration import Around, hand_over
from ...filters._provider import (
    common_selector,
    filters_of,
    fixed_filters,
    guarded,
    name_of,
    pass_on,
)
from ...filters.pair import as_pair
from ...interfaces import ICodec, IFilter, IFilterPair, IMigrating, ISelectiveByCodec
from ...link import Link
from ...model import Direction
from ...selectors import Selector, first_byte
from ...verdicts import PASS_ON, Answer, Mixed, Send, Verdict, delayed_like, plain
from .codec import check_codec
from .messages import Command, Raw, Reply, read_reply

__all__ = ["InTurn", "Marks", "in_turn"]

T = TypeVar("T")

MOST_RUNS = 10_000
"""How many different answers of a link are kept at most."""

MOST_BYTES = 1024 * 1024
"""How many bytes they may have, unless a single one has more. A client that sends commands without reading replies
could make more."""

MOST_DIGITS = 18
"""How many digits the number of a mark may have."""

DROPPED = Reply.failure("ERR this command was dropped by a filter of the repeater")
FORGOTTEN = Reply.failure("ERR too many answers of the repeater wait: read replies while you send commands")
ERRORS = first_byte(b"-!|")
"""Selects errors, and replies with attributes, which may be errors."""


class Marks(Generic[T]):
    """The marks of one link that are under way, with the answer that stands for each.

    Answers of marks that were sent one after the other, and are equal, are kept once.
    """

    def __init__(self) -> None:
        self._beginning = f"TWISTED-REPEATER:{secrets.token_hex(8).upper()}:"
        """What the names of the marks begin with. No client can guess it, and none learns it from other marks."""
        self._word = self._beginning.encode()
        self._runs: deque[tuple[int, int, T, int]] = deque()
        """For each answer the numbers of its first and of its last mark, and how much it counts."""
        self._sent = 0
        self._size = 0

    def __len__(self) -> int:
        """Return how many different answers are kept."""
        return len(self._runs)

    def put(self, answer: T, size: int = 1) -> Command:
        """Return a new mark. If too many answers wait, this one is forgotten: `found` returns it as ``None``.

        Args:
            answer: what stands for its answer.
            size: how many bytes that has.
        """
        self._sent = number = self._sent + 1
        runs = self._runs
        if runs and runs[-1][1] == number - 1 and runs[-1][2] == answer:
            runs[-1] = (runs[-1][0], number, answer, runs[-1][3])
        elif not runs or (len(runs) < MOST_RUNS and self._size + size <= MOST_BYTES):
            runs.append((number, number, answer, size))
            self._size += size
        return Command(f"{self._beginning}{number}")

    def found(self, reply: Reply) -> tuple[T | None] | None:
        """Return the answer for which a reply stands; ``None`` if the reply is not that to a mark.

        The marks before it are forgotten: they have no replies.
        """
        frame = bytes(reply)
        at = frame.find(self._word)
        if at < 0:
            return None
        digits = frame[at + len(self._word) :][:MOST_DIGITS]
        number = int(digits[: len(digits) - len(digits.lstrip(b"0123456789"))] or b"0")
        runs = self._runs
        while runs and runs[0][1] < number:
            self._size -= runs.popleft()[3]
        if not runs or runs[0][0] > number:
            return (None,)
        first = runs[0]
        if first[1] == number:
            self._size -= runs.popleft()[3]
        return (first[2],)


def in_turn(provider: Filter | FilterPairObject, /) -> InTurn:
    """Return a pair of filters in which the answers of a filter come in their turn.

    A client of Redis tells replies apart by their order only. With `in_turn` a filter can answer a command itself,
    and the client gets that answer where the server's would have come: after the replies to earlier commands. The
    command does not reach the server. In a transaction the server then refuses ``EXEC``, so nothing of it is carried
    out. For example::

        def no_flush(command: Command, link: Link) -> Verdict:
            if command.name in ("FLUSHALL", "FLUSHDB"):
                return SendBack([Reply.failure("NOPERM ask an administrator")])
            return PASS_ON

        repeater.start(filters=in_turn(no_flush))

    * ``SendBack([reply])`` answers a command.
    * ``DO_NOTHING`` answers it with an error, as each command must have an answer.
    * ``Send(command)`` sends another command in its place.
    * `Close` acts at once. Its last messages may come before replies to earlier commands.
    * Any other verdict by which a command would not have exactly one answer is an error of the filter.

    Args:
        provider: the filter of commands, or a pair of filters.

    Raises:
        TypeError: the argument is not a filter.
    """
    return InTurn(provider)


@implementer(IFilterPair, IMigrating)
class InTurn:
    """A pair of filters that answers commands in their turn; `in_turn` makes it."""

    def __init__(self, provider: Filter | FilterPairObject) -> None:
        self.inner: FilterPairObject = as_pair(provider)
        self.__qualname__: str = f"in_turn({name_of(provider)})"

    def __repr__(self) -> str:
        return self.__qualname__

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        to_server, to_client = filters_of(self.inner, link)
        marks: Marks[bytes] = Marks()
        return (_ToServer(to_server, marks), _ToClient(to_client, marks))

    def migrate(self, old: object) -> None:
        """See `IMigrating`. The pair that it has takes over from the one before it."""
        hand_over(self.inner, old.inner if isinstance(old, InTurn) else old)

    def _fixed(self) -> Iterable[tuple[Direction, Filter]]:
        yield from fixed_filters(self.inner)


class _Member(Around):
    """The filter of one direction of a link."""

    __qualname__ = "in_turn"
    expected: ClassVar[type]

    def __init__(self, inner: Filter | None, marks: Marks[bytes]) -> None:
        self.inner: Filter | None = inner
        self._marks = marks
        self._ask: FilterFunction = pass_on if inner is None else guarded(inner)

    def __repr__(self) -> str:
        return f"in_turn({self.inner!r})"

    def migrate(self, old: object) -> None:
        """See `IMigrating`. The marks that are under way stay those of the link."""
        if isinstance(old, _Member):
            self._marks = old._marks

    def _wanted(self, codec: ICodec | None) -> Selector | None:
        """Return the selector of the filter that it has; raise ``TypeError`` if the dialect is another one."""
        check_codec(codec, self.expected, "in_turn")
        return common_selector(() if self.inner is None else (self.inner,), codec)


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class _ToServer(_Member):
    """Puts marks in the place of commands that the filter answers."""

    expected = Command

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        return self._wanted(codec)

    def filter(self, message: Command | Raw, link: Link) -> Answer:
        """See `IFilter`."""
        answer = self._ask(message, link)
        if answer is PASS_ON:
            return PASS_ON
        if isinstance(answer, Verdict):
            return self._decide(answer, message)
        later: Deferred[Verdict] = verdict_later(answer, name_of(self.inner))
        return later.addCallback(self._decide, message)

    def _decide(self, verdict: Verdict, message: Command | Raw) -> Verdict:
        """Return the verdict that has the same effect in its turn."""
        verdict = plain(verdict)
        if verdict.closes or verdict is PASS_ON:
            return verdict
        if isinstance(message, Raw):  # it has no answer, or one that ends the connection
            return verdict if verdict.passes or verdict.forward else PASS_ON
        pushes = [reply for reply in verdict.back if isinstance(reply, Reply) and reply.is_push]
        replies = [reply for reply in verdict.back if reply not in pushes]
        answers = len(replies) + len(verdict.forward) + bool(verdict.passes)
        if answers > 1:
            raise ValueError(f"a command must have one answer, not {answers}: {verdict!r}")
        if answers == 1 and not replies:
            return verdict
        reply = replies[0] if replies else DROPPED
        if not isinstance(reply, Reply):
            raise TypeError(f"the answer to a command must be a Reply, not {type(reply).__name__}")
        mark = self._marks.put(bytes(reply), len(bytes(reply)))
        return delayed_like(Mixed(forward=(mark,), back=pushes) if pushes else Send(mark), verdict)


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class _ToClient(_Member):
    """Puts answers in the place of the errors about marks."""

    expected = Reply

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`. It wants errors, and what the filter wants that it has."""
        wanted = self._wanted(codec)
        return None if wanted is None else ERRORS | wanted

    def filter(self, message: Reply, link: Link) -> Answer:
        """See `IFilter`."""
        if message.is_error:
            found = self._marks.found(message)
            if found is not None:
                (answer,) = found
                return Send(FORGOTTEN if answer is None else read_reply(answer))
        return self._ask(message, link)
