"""The numbers of a session: they stay right for both engines when messages are dropped, answered, changed or added.

There are two flows, one each way. `FlowMap` says how the numbers ``s`` of a flow's sender belong to the numbers ``r``
of its receiver. This module decides, for each message and the verdict on it, what both engines get. It knows no link,
no file and no clock.

**What each engine gets**

=============================== ========================================================================================
a message that passes           has number ``r``, and names other messages by the numbers that its receiver knows
a message that is dropped       becomes a gap fill (SequenceReset with GapFillFlag). It is owed until the next message,
                                or until the receiver sends something, so that many dropped messages make one gap fill
a message that is added         has the next ``r``; it may be an answer, or sent by the application
a message sent again            has the ``r`` that it had, and what was decided about it still holds. If nobody knows
                                what that was, the filter is asked
a ResendRequest                 reaches the sender if it asks for a message of the sender's; see `Resends`
a Logon that begins again       see `Resets`
a Reject of an added message    ends here, as its receiver has never sent such a message
=============================== ========================================================================================

**What is committed, and when**

A passed message changes nothing that must be kept. A message that is dropped, changed or added makes an entry. The
entries that one verdict makes, an order that is dropped and its answer for example, are committed together, before
anything that the verdict sends leaves, and so before any message with a number that depends on them.

**Why the process may be killed at any moment**

* Before the commit: neither engine has seen anything of the verdict. The sender will be asked for the message again,
  and it is decided about as if for the first time.
* After the commit: the entries are known at the next start. What did not reach an engine is missing there, as if the
  network had lost it: the engine sees a number that is too high, asks for the rest, and gets it.
* Messages that passed, and all numbers but those in entries, need not be known at the next start. The next Logon of
  each engine says its next number, and the entries say the rest.
* What belongs to one link only may be lost with it: gap fills that are owed and resends under way. The entries of
  dropped messages answer a later ResendRequest, and an engine that still misses something asks again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from twisted.logger import Logger

from ...errors import MarshalingError, ParseError, RepeaterError
from ...model import Direction
from ...verdicts import PASS_ON, Close, Verdict
from .decisions import check_added, check_size, going_on, is_of_session, is_version, verdict_with
from .flow import Flow, opposite
from .message import Message
from .messages import Heartbeat, Logon, Logout, SequenceReset, TestRequest
from .references import passed, refers_to_added, whole_or_none
from .resends import Gap, Own
from .resets import Resets
from .session_messages import session_message
from .store import Entry, Saved
from .tracking import Tracker

__all__ = ["Commit", "NotLoggedOn", "Numbers", "number_of"]

log: Logger = Logger()

Commit: TypeAlias = Callable[[list[Entry], Mapping[Direction, int], list[Direction]], None]
"""Writes entries and the highest numbers, after forgetting what was known of some flows."""

NOT_RESENT = (Heartbeat, TestRequest, Logout)
"""Messages that become gap fills when they are asked for again."""


class NotLoggedOn(RepeaterError):
    """A message was dropped, or one is to be added, before both engines have logged on."""


def number_of(message: Message) -> int:
    """Return the number of a message.

    Raises:
        ParseError: it has none. Its receiver would log out, so its link ends.
    """
    number = whole_or_none(message, 34)
    if number is None or number < 1:
        raise ParseError("MsgSeqNum must be a number above 0", field="34", ends_link=True)
    return number


class Numbers:
    """The numbers of one session.

    Args:
        saved: what is known of it.
        commit: keeps what must be kept; see `Commit`. If it raises, this object must not be used any more.
        now: returns the present time.
    """

    def __init__(self, saved: Saved, commit: Commit, now: Callable[[], datetime]) -> None:
        self._commit = commit
        self._flows: dict[Direction, Flow] = {}
        for way in Direction:
            self._flows[way] = Flow(now, saved.flows[way], saved.highest[way])
        self._resets = Resets(self._flows, lambda flow: flow.begun_again(now), self._forget)
        self._new: list[Entry] = []
        self.trackers: dict[Direction, Tracker] = {way: Tracker() for way in Direction}
        """Count the messages of each flow that just pass, without `arrived` and `settle`."""
        self.largest: int = sys.maxsize
        """How many bytes a message may have that is changed or added."""

    @property
    def changed(self) -> bool:
        """Whether there are entries, so that numbers of both engines may differ."""
        return any(flow.map for flow in self._flows.values())

    @property
    def highest(self) -> dict[Direction, int]:
        """The highest number known of each sender."""
        return {way: flow.last for way, flow in self._flows.items()}

    def end_link(self) -> None:
        """The link has ended."""
        self._look_up()
        self._resets.end_link()
        for flow in self._flows.values():
            flow.begin_link()
        self._watch()

    def arrived(self, way: Direction, message: Message) -> bool:
        """A message has come; return whether filters must decide about it. `settle` must follow.

        Raises:
            ParseError: the message has no number.
        """
        self._look_up()
        number = number_of(message)
        self._resets.arrived(way, message, number)
        flow = self._resets.flow(way)
        if number > flow.last or isinstance(message, Logon):
            return True
        if is_of_session(message):
            return isinstance(message, SequenceReset) and not message.gap_fill
        if not message.possible_duplicate:  # it is not what was decided about
            return True
        return number not in flow.decided and flow.map.receiver(number) not in flow.map

    def settle(self, way: Direction, message: Message, verdict: Verdict) -> Verdict:
        """Return what both engines get, once the verdict on a message is there.

        Raises:
            ValueError: the verdict is not possible. Nothing has changed.
            TypeError: likewise.
            NotLoggedOn: the verdict is not possible yet. Nothing has changed, and the link should be closed.
        """
        self._look_up()
        flow, other, number = self._resets.flow(way), self._resets.other(way), number_of(message)
        if verdict.closes and not self._may_add():  # nobody may be sent anything
            return Close(verdict.error)
        self._check(way, message, verdict)
        flow, other = self._resets.flow(way), self._resets.other(way)
        back: list[Message] = []
        forward: list[Message] = []
        if is_of_session(message):
            if verdict.passes:
                forward, back = session_message(flow, other, message, number)
            for item in verdict.forward:
                forward += self._added(way, item)
        elif number > flow.last:
            forward = self._live(way, message, number, verdict)
        else:
            forward = self._again(way, message, number, verdict)
        if verdict.closes and flow.logged_on:
            forward += flow.due()
        back[:0] = other.due()
        for item in verdict.back:
            back += self._added(opposite(way), item)
        self._keep()
        self._watch()
        return verdict_with(message, forward, back, verdict)

    def sent(self, way: Direction, message: object) -> list[Message]:
        """Return what the receiver gets where the application sends a message.

        Raises:
            MarshalingError: it cannot be sent.
        """
        try:
            check_added(message)
            check_size(message, self.largest)
        except (TypeError, ValueError) as error:
            raise MarshalingError(str(error)) from error
        if not self._may_add():
            raise MarshalingError("a message can be added only when both engines have logged on")
        self._look_up()
        made = self._added(way, message)
        self._keep()
        self._watch()
        return made

    # -- what a verdict may be -------------------------------------------------------------------------------

    def _may_add(self) -> bool:
        """Return whether both engines have logged on, so that they understand messages that are added."""
        return all(self._resets.flow(way).logged_on for way in Direction) and self._resets.settled()

    def _check(self, way: Direction, message: Message, verdict: Verdict) -> None:
        """Raise an error unless a verdict on a message is possible."""
        if is_of_session(message) and not verdict.closes and (not verdict.passes or verdict.forward or verdict.back):
            raise ValueError(f"a message of type {message.type} can only be passed on, or the link closed")
        items, its_own = going_on(message, verdict)
        added = [item for at, item in enumerate(items) if at != its_own] + list(verdict.back)
        for item in items + added:
            if item is not message:
                if not is_version(item, message):
                    check_added(item)
                check_size(item, self.largest)
        if verdict is PASS_ON or self._may_add():
            return
        if added or not (self._resets.keeps(way) or is_of_session(message)):
            raise NotLoggedOn(f"a message of type {message.type} was decided about before both engines had logged on")

    # -- messages of the application -------------------------------------------------------------------------

    def _live(self, way: Direction, message: Message, number: int, verdict: Verdict) -> list[Message]:
        """Return what the receiver gets for a message that is sent for the first time."""
        flow = self._resets.flow(way)
        flow.last = number - 1
        items, its_own = going_on(message, verdict)
        forward: list[Message] = []
        if its_own < 0:
            self._record(Entry(way, flow.map.receiver(number)))
            forward = flow.owe(number)
        for at, item in enumerate(items):
            if at != its_own:
                forward += self._added(way, item)
            elif self._ends_here(way, item):
                forward += flow.owe(number)
            else:
                due = flow.due()
                forward += [*due, self._its_own(way, message, item, number, verdict)]
                flow.note(number)
        return forward

    def _again(self, way: Direction, message: Message, number: int, verdict: Verdict) -> list[Message]:
        """Return what the receiver gets for a message that may have been sent before."""
        flow = self._resets.flow(way)
        place = flow.map.receiver(number)
        items, its_own = going_on(message, verdict)
        before, passes, after = flow.resends.message(place)
        forward = flow.again(before)
        if passes and its_own >= 0 and not self._ends_here(way, message):
            made = self._its_own(way, message, items[its_own], number, verdict)
            is_new = message.possible_duplicate and not made.possible_duplicate
            forward += flow.again([Own(place, made.frame)]) if is_new else [made]
        elif passes:
            if its_own < 0:
                self._record(Entry(way, place))
            forward += flow.again([Gap(place, place + 1)])
        flow.note(number)
        forward += flow.again(after)
        for at, item in enumerate(items):
            if at != its_own:
                forward += self._added(way, item)
        return forward

    def _its_own(self, way: Direction, message: Message, item: Message, number: int, verdict: Verdict) -> Message:
        """Return what the receiver gets in the place of a message.

        One that passes, but not alone, is kept too: if it comes again, the others must not.
        """
        flow, other = self._resets.flow(way), self._resets.other(way)
        place = flow.map.receiver(number)
        made = item if item is message or is_version(item, message) else flow.maker.added(item, place)
        made = passed(made, place, other.map)
        if item is not message or verdict.forward or verdict.back:
            self._record(Entry(way, place, content=made.frame))
        return made

    def _ends_here(self, way: Direction, message: Message) -> bool:
        """Return whether a message rejects one that the repeater added."""
        if not refers_to_added(message, self._resets.other(way).map):
            return False
        log.warn("a message that was added was rejected: {message}", message=message)
        return True

    def _added(self, way: Direction, message: Any) -> list[Message]:
        """Add a message to a flow; return the messages that its receiver gets for that."""
        flow = self._resets.flow(way)
        due = flow.due()
        made = flow.maker.added(message, flow.next_number)
        content = None if isinstance(message, NOT_RESENT) else made.frame
        self._record(Entry(way, flow.next_number, added=True, content=content))
        return [*due, made]

    # -- messages that just pass -----------------------------------------------------------------------------

    def _look_up(self) -> None:
        """See which messages have just passed."""
        for flow, tracker in zip(self._flows.values(), self.trackers.values(), strict=True):
            if tracker.is_quiet and tracker.last > flow.last:
                flow.passed_up_to(tracker.last)

    def _watch(self) -> None:
        """Say whether messages may just pass."""
        quiet = not self._resets.undecided and all(
            flow.logged_on and flow.owed is None for flow in self._flows.values()
        )
        for way, tracker in self.trackers.items():
            flow = self._flows[way]
            tracker.is_quiet, tracker.last = quiet, flow.last
            tracker.shift, tracker.other_shift = flow.map.added, self._flows[opposite(way)].map.added

    # -- what is kept ----------------------------------------------------------------------------------------

    def _record(self, entry: Entry) -> None:
        self._resets.flow(entry.flow).map.record(entry.number, added=entry.added)
        self._new.append(entry)

    def _keep(self) -> None:
        """Have the new entries committed: what depends on them may leave only after that."""
        if self._new:
            new, self._new = self._new, []
            self._commit(new, self.highest, [])

    def _forget(self, ways: list[Direction]) -> None:
        """These flows begin again."""
        self._commit([], {}, ways)
