# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Counts the messages that just pass, which are nearly all of them, in little time. `Numbers` looks at the others.

As long as nothing is owed or in doubt, a message that has the number after the last one, names no other numbers, and is
passed on, needs nothing but its number for the receiver. If that is the same, and no filter wants the message, it is
not even decoded: its number is read in the bytes.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from ...errors import ParseError, outside
from ...selectors import Selector
from ...verdicts import PASS_ON, Send, Verdict
from .scan import Scanned

__all__ = ["Tracker", "Untracked", "number_in"]

NAMING: bytes = b"234Aj"
"""The types, of one letter, of messages that name numbers."""
MOST_FIELDS = 16
"""How many fields after MsgType are searched for the number. Engines write it among the first."""


class Tracker:
    """Counts the messages of one flow that just pass."""

    is_quiet: bool
    """Whether both engines have logged on, and nothing is owed or in doubt."""
    last: int
    """The sender's number of the last message."""
    shift: int
    """By how much the numbers of the messages that follow are higher for the receiver."""
    other_shift: int
    """The same of the other flow, whose numbers may be named in LastMsgSeqNumProcessed."""

    def __init__(self) -> None:
        self.is_quiet = False
        self.last = self.shift = self.other_shift = 0

    def is_next(self, message: Scanned) -> bool:
        """Return whether a message just passes, if the filter says so: it is the next, and names no other numbers."""
        if not self.is_quiet:
            return False
        try:
            if not message._find(34) or message._number(message._value, message._end) != self.last + 1:
                return False
            if not message._find(35) or (message._end - message._value == 1 and message.data[message._value] in NAMING):
                return False
            return self.other_shift == 0 or not message._find(369)
        except ParseError:  # its fields cannot be told apart
            return False

    def passed(self, message: Scanned) -> Verdict:
        """Return what the receiver gets for a message that just passes: `is_next` has said so."""
        self.last += 1
        return PASS_ON if self.shift == 0 else Send(message.renumbered(self.last + self.shift))


class Untracked(Selector):
    """Selects the messages that cannot just pass. It counts the others. It must be asked once about each message.

    Args:
        tracker: what is known of the flow.
        asks: whether the application has a filter.
        wanted: selects the messages that this filter wants; ``None`` for all.
    """

    def __init__(self, tracker: Tracker, asks: bool, wanted: Selector | None) -> None:
        self._tracker: Tracker | None = tracker
        self._asks = asks
        self._wanted = wanted

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        tracker = self._tracker
        if tracker is None:
            raise AttributeError("this Untracked was not initialized")
        if not tracker.is_quiet or tracker.shift != 0 or tracker.other_shift != 0:
            return True
        if self._asks and (self._wanted is None or self._wanted.matches(data, start, stop)):
            return True
        number = number_in(data, start, stop)
        if number != tracker.last + 1:
            return True
        tracker.last = number
        return False


def number_in(data: bytes, start: int, stop: int) -> int:
    """Return the number of a message; 0 if a closer look is needed.

    That is so for messages that name numbers (types 2, 3, 4 and A), for garbled ones, and where data may stand before
    the number.
    """
    view = data
    if stop - start < 20:
        return 0
    end = stop - 7
    total = 0
    for at in range(start, end):
        total += view[at]
    if (total & 255) != (view[stop - 4] - 48) * 100 + (view[stop - 3] - 48) * 10 + view[stop - 2] - 48:
        return 0
    at = start
    for field in range(2 + MOST_FIELDS):
        while at < end and view[at] != 1:
            at += 1
        at += 1
        if end - at < 5:
            return 0
        if field == 1:
            if view[at] != 51 or view[at + 1] != 53 or view[at + 2] != 61:  # 35=
                return 0
            kind = view[at + 3]
            if view[at + 4] == 1 and (kind == 65 or 50 <= kind <= 52):
                return 0
        elif field > 1 and view[at] == 51 and view[at + 1] == 52 and view[at + 2] == 61:  # 34=
            number = 0
            at += 3
            while at < end and 48 <= view[at] <= 57 and number < 100000000000000000:
                number = number * 10 + view[at] - 48
                at += 1
            return number if view[at] == 1 else 0
        elif (view[at] == 57 and (view[at + 1] == 48 or view[at + 1] == 49) and view[at + 2] == 61) or (
            view[at] == 50 and view[at + 1] == 49 and view[at + 3] == 61  # 90=, 91=, 212=, 213=
        ):
            return 0
    return 0
