"""Flows that begin again with number 1: when that counts, and when not.

Both flows begin again if a Logon says so (ResetSeqNumFlag), or if its number is one that was there before: the engines
have begun a new day, or have lost what they knew. Whether the other engine agrees is not known yet. So the flows that
begin again are candidates. The sender of the Logon is understood by them at once, but they take their place only with
the first message of the other engine, unless that is a Logout. If a Logout comes, what was known before still holds.

If a Logon with an old number was refused, the next one with an old number is understood by the old numbers, and so on
by turns, as nobody can know which the other engine expects. If the link ended before the other engine said anything,
the next Logon is in doubt again, whatever its number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...model import Direction
from .flow import Flow, opposite
from .message import Message
from .messages import Logon, Logout

__all__ = ["Resets"]

Flows = dict[Direction, Flow]


@dataclass(slots=True)
class _Candidate:
    """Flows that begin again if the other engine agrees."""

    asker: Direction
    """The flow with the Logon."""
    flows: Flows
    """The flows that would begin again."""
    relogon: bool
    """Whether both engines were logged on: then only a Logon agrees, as other messages may be older."""
    refused: bool = False
    """Whether the other engine has said no."""


class Resets:
    """Knows which flows count.

    Args:
        flows: those that do; this object puts others in their place.
        begin_again: returns a flow that begins again in place of one.
        forget: is told that these flows begin again, before anything depends on it.
    """

    def __init__(
        self, flows: Flows, begin_again: Callable[[Flow], Flow], forget: Callable[[list[Direction]], None]
    ) -> None:
        self._flows = flows
        self._begin_again = begin_again
        self._forget = forget
        self._candidate: _Candidate | None = None
        self._refused: set[Direction] = set()
        """The flows whose old number was refused when it was taken for a beginning."""
        self._doubtful: set[Direction] = set()
        """The flows that may have begun again."""

    @property
    def undecided(self) -> bool:
        """Whether it is not known yet which flows count."""
        return self._candidate is not None

    def settled(self) -> bool:
        """Return whether it is known which flows count, so that entries can be made.

        If only the answer to the answer is missing, the flows begin again with that: one message more must be kept.
        """
        candidate = self._candidate
        if candidate is None:
            return True
        if candidate.relogon or candidate.refused or not self._flows[opposite(candidate.asker)].logged_on:
            return False
        self._agree(candidate)
        return True

    def keeps(self, way: Direction) -> bool:
        """Return whether entries can be made in the flow of a direction, although its end may be near."""
        candidate = self._candidate
        return candidate is None or (candidate.relogon and candidate.asker is not way)

    def flow(self, way: Direction) -> Flow:
        """Return the flow that the next message of this direction belongs to."""
        candidate = self._candidate
        return candidate.flows[way] if candidate is not None and candidate.asker is way else self._flows[way]

    def other(self, way: Direction) -> Flow:
        """Return the flow of the other direction, as messages of this direction refer to it."""
        candidate = self._candidate
        other = opposite(way)
        if candidate is not None and candidate.asker is way:
            return candidate.flows[other]
        return self._flows[other]

    def end_link(self) -> None:
        """The link has ended, perhaps before the other engine agreed."""
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            (self._refused if candidate.refused else self._doubtful).add(candidate.asker)

    def arrived(self, way: Direction, message: Message, number: int) -> None:
        """A message has come: see what it says about flows that begin again."""
        candidate = self._candidate
        asked = candidate is not None and candidate.asker is not way
        if candidate is not None and asked:
            self._answered(candidate, message)
        if not isinstance(message, Logon) or message.possible_duplicate:
            return
        if message.reset_numbers:
            if not asked:  # otherwise it is the answer
                self._begin(way)
        elif self._begins_again(way, number):
            self._begin(way)

    def _begin(self, way: Direction) -> None:
        """A Logon begins both flows again. Nothing may follow it in the old numbers of its flow."""
        old = self._flows
        for flow in old.values():
            flow.owed = None
        old[way].is_over = True
        relogon = all(flow.logged_on for flow in old.values())
        self._candidate = _Candidate(way, {each: self._begin_again(flow) for each, flow in old.items()}, relogon)

    def _answered(self, candidate: _Candidate, message: Message) -> None:
        """The other engine has sent a message."""
        if candidate.refused or (candidate.relogon and not isinstance(message, Logon)):
            return
        if isinstance(message, Logout):
            candidate.refused = True
        else:
            self._agree(candidate)

    def _agree(self, candidate: _Candidate) -> None:
        """Flows begin again."""
        self._candidate = None
        self._refused.clear()
        self._doubtful.clear()
        if any(flow.map for flow in self._flows.values()):
            self._forget(list(self._flows))
        self._flows.update(candidate.flows)

    def _begins_again(self, way: Direction, number: int) -> bool:
        """Return whether a Logon begins its flow again, by its number."""
        flow = self.flow(way)
        if way in self._doubtful:
            self._doubtful.discard(way)
            return True
        if number > flow.last or (number == flow.last and flow.last_is_logon):
            return False
        if way in self._refused:
            self._refused.discard(way)
            return False
        return True
