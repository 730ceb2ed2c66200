"""Refusals that come in their turn: `in_turn`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..._types import Filter, FilterPairObject
from ...errors import MarshalingError
from ...filters._deciding import Deciding
from ...filters._migration import hand_over
from ...filters._provider import filters_of, fixed_filters
from ...filters.pair import as_pair
from ...interfaces import ICodec, IFilterPair, IMigrating
from ...link import Link
from ...model import Direction, OnFilterError, Side
from ...selectors import Selector
from ...verdicts import DROP, PASS_ON, Mixed, Verdict, plain
from .acknowledging import refuse
from .batches import Batch
from .codec import check_codec, check_fits
from .frames import Raw
from .messages import Message
from .turns import Frame, Turns, ids_of

__all__ = ["InTurn", "in_turn"]

NAME = "in_turn"
"""The name of the pair and of its filters. It is always the same, so that in a chain they take over from each other."""

DROPPED = "not accepted"
"""The text of the answer to a message that the filter drops without one."""

FAILED = "not checked, because of an error in the repeater"
"""The text of the answer to a message that is dropped because the filter has failed."""


def in_turn(
    provider: Filter | FilterPairObject,
    /,
    *,
    answer_timeout: float = 30.0,
) -> InTurn:
    """Return a pair of filters in which refusals come in their turn, and no message stays without an answer.

    * What the filter sends back (`refuse`) waits for the answers to the messages before it.
    * A changed message that cannot be sent, as it is too long now, gets an answer with ``AE``.
    * A message that the filter drops is refused with the text "not accepted". One that is dropped because the filter
      has failed gets an answer with ``AE``.
    * If a thousand messages have no answer while one of the filter waits for them, the client's next message waits.
    * `Close` acts at once. Its last messages may come before the answers to earlier messages.
    * A message that the filter adds (``Send(message, extra)``) needs a control id of its own. The server's answer to it
      ends here.

    For example::

        def no_merges(message: Message | Batch | Raw | Filler, link: Link) -> Verdict:
            if isinstance(message, Message) and message.type == "ADT^A40":
                return refuse(message, "merge patients in the master index")
            return PASS_ON

        repeater.start(filters=in_turn(no_merges))

    Args:
        provider: the filter of messages to the server, or a pair of filters.
        answer_timeout: how long an answer waits, in seconds. Then the link is closed.

    Raises:
        TypeError: the argument is not a filter, or is in `in_turn` already.
        ValueError: ``answer_timeout`` is not above 0.
    """
    return InTurn(provider, answer_timeout)


@implementer(IFilterPair, IMigrating)
class InTurn:
    """A pair of filters that answers messages in their turn; `in_turn` makes it."""

    def __init__(self, provider: Filter | FilterPairObject, answer_timeout: float) -> None:
        if not answer_timeout > 0:
            raise ValueError(f"answer_timeout must be above 0, not {answer_timeout!r}")
        if isinstance(provider, InTurn):
            raise TypeError("in_turn cannot be used twice for the same filter")
        self.__qualname__: str = NAME
        self.inner: FilterPairObject = as_pair(provider)
        self._answer_timeout = answer_timeout

    def __repr__(self) -> str:
        return f"{NAME}({self.inner!r})"

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        to_server, to_client = filters_of(self.inner, link)
        turns = Turns(link, self._answer_timeout)
        return (_ToServer(to_server, turns), _ToClient(to_client, turns))

    def migrate(self, old: object) -> None:
        """See `IMigrating`. The pair that it has takes over from the one before it."""
        hand_over(self.inner, old.inner if isinstance(old, InTurn) else old)

    def _fixed(self) -> Iterator[tuple[Direction, Filter]]:
        yield from fixed_filters(self.inner)


@implementer(IMigrating)
class _Member(Deciding):
    """The filter of one direction of a link."""

    __qualname__ = NAME

    def __init__(self, inner: Filter | None, turns: Turns) -> None:
        super().__init__(inner)
        self._turns = turns

    def __repr__(self) -> str:
        return f"{NAME}({self.inner!r})"

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It goes on with what is known of the link."""
        if isinstance(old, _Member):
            self._turns = old._turns

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        check_codec(codec, NAME)
        return super().selector_for(codec)


class _ToServer(_Member):
    """Remembers what the server has to answer, and lets answers of the filter wait."""

    def _decide(self, verdict: Verdict, message: Frame) -> Verdict | Deferred[Verdict]:
        turns = self._turns
        if verdict is PASS_ON:
            turns.expect(message)
            return turns.in_room(PASS_ON)
        verdict = plain(verdict)
        if not (verdict.passes or verdict.forward or verdict.back or verdict.closes):
            verdict = refuse(message, DROPPED)
        try:
            self._expect(verdict, message)
        except MarshalingError as error:
            return self._decide(refuse(message, f"cannot be sent to the server: {error}", code="AE"), message)
        if verdict.closes or (verdict.back and turns.is_next()):
            return verdict
        if verdict.back:
            turns.wait(verdict.back)
            verdict = Mixed(passes=verdict.passes, forward=verdict.forward, delay=verdict.delay)
        return turns.in_room(verdict)

    def _expect(self, verdict: Verdict, message: Frame) -> None:
        """Remember what a verdict lets go to the server. One of these stands for the message of the client."""
        passed: Sequence[object] = (message, *verdict.forward) if verdict.passes else verdict.forward
        frames = [each for each in passed if isinstance(each, (Message, Batch, Raw))]
        for each in frames[verdict.passes :]:
            check_fits(each, self._turns._link, Side.SERVER)
        ids = ids_of(message)
        first = next((each for each in frames if ids_of(each) & ids), frames[0] if frames else None)
        for each in frames:
            self._turns.expect(each, ours=each is not first or bool(verdict.back))

    def _failed(self, message: Frame) -> None:
        """The filter failed: if the message passes on all the same, the server has to answer it; else it is refused."""
        policy = self._turns._link._pair.on_filter_error
        if policy is OnFilterError.PASS_ON:
            self._turns.expect(message)
        elif policy is OnFilterError.DROP and (answers := refuse(message, FAILED, code="AE").back):
            self._turns.wait_or_close(answers)


class _ToClient(_Member):
    """Notices what the server answers, and sends the answers that have waited for that."""

    def _decide(self, verdict: Verdict, message: Frame) -> Verdict:
        turns = self._turns
        if not turns.answered(message):
            verdict = DROP
        return turns.with_due(plain(verdict))

    def _failed(self, message: Frame) -> None:
        """The filter failed: the message was an answer all the same."""
        self._turns.answered(message)
        self._turns._link._pair.call_soon(self._turns._release)
