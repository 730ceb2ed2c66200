"""One direction of a session: its numbers, and how far its messages have come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from ...model import Direction
from .flow_map import FlowMap
from .message import Message
from .own_messages import OwnMessages
from .resends import Gap, Piece, Resends
from .runs import Runs

__all__ = ["Flow", "opposite"]

MOST_DECIDED = 1000
"""How many runs of decided numbers are remembered: there is one more each time that messages were lost."""


class Flow:
    """All messages that one engine of a session sends to the other.

    Args:
        now: returns the present time.
        numbers: what the repeater did in this flow before.
        last: the highest number of the sender that is known.
    """

    def __init__(self, now: Callable[[], datetime], numbers: FlowMap, last: int = 0) -> None:
        self.map: FlowMap = numbers
        """The numbers of the sender and the receiver."""
        self.last: int = max(last, numbers.last_origin)
        """The highest number of the sender that is known."""
        self.last_is_logon: bool = False
        """Whether that is the number of a Logon. A sender that was refused may say the same number again."""
        self.decided: Runs = Runs(most=MOST_DECIDED)
        """The sender's numbers of the messages that filters have decided about."""
        self.maker: OwnMessages = OwnMessages(now)
        """Makes messages of this flow."""
        self.begin_link()

    def begin_link(self) -> None:
        """Forget what concerns one link only."""
        self.logged_on: bool = False
        """Whether a Logon has passed."""
        self.is_over: bool = False
        """Whether a Logon that begins the flow again has passed, so that nothing may follow in these numbers."""
        self.owed: Gap | None = None
        """Numbers that the receiver has not been told about: the last ones of the flow."""
        self.awaited: int = 0
        """What the receiver's Logon said it expects, in NextExpectedMsgSeqNum, before the sender's Logon; or 0."""
        self.resends: Resends = Resends(self.map)
        """What the receiver asked for."""

    @property
    def next_number(self) -> int:
        """The receiver's number of the next message."""
        return self.last + self.map.added + 1

    def begun_again(self, now: Callable[[], datetime]) -> Flow:
        """Return the flow that begins with number 1 on the same link."""
        fresh = Flow(now, self.map.begun_again())
        fresh.maker = self.maker
        fresh.logged_on = self.logged_on
        return fresh

    def note(self, number: int, *, logon: bool = False) -> None:
        """A message of the sender has been decided about."""
        self.decided.add(number)
        if number > self.last or logon:
            self.last = max(self.last, number)
            self.last_is_logon = logon

    def passed_up_to(self, number: int) -> None:
        """The messages up to this number have passed, with the same numbers for both engines."""
        self.decided.add_all(self.last + 1, number + 1)
        self.last = number

    def owe(self, number: int) -> list[Message]:
        """A message does not go on. Return what the receiver must get now; it is told of the gap later."""
        place = self.map.receiver(number)
        due = self.due() if self.owed is not None and self.owed.stop != place else []
        self.owed = Gap(place if self.owed is None else self.owed.start, place + 1)
        self.note(number)
        return due

    def due(self) -> list[Message]:
        """Return what the receiver must get before it gets anything else."""
        owed, self.owed = self.owed, None
        return [] if owed is None else [self.maker.gap_fill(owed)]

    def again(self, pieces: Iterable[Piece]) -> list[Message]:
        """Return messages that the receiver has asked for."""
        sent = list(pieces)
        for piece in sent:
            self.told(piece.stop if isinstance(piece, Gap) else piece.number + 1)
        return self.maker.again(sent)

    def told(self, stop: int) -> None:
        """The receiver gets all numbers below ``stop`` again: what was owed of them is in that."""
        if self.owed is not None and self.owed.start < stop:
            self.owed = Gap(stop, self.owed.stop) if stop < self.owed.stop else None


def opposite(way: Direction) -> Direction:
    """Return the other direction."""
    return Direction.TO_CLIENT if way is Direction.TO_SERVER else Direction.TO_SERVER
