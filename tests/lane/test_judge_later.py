"""Tests of how the judge carries out verdicts later, and of the faults that change verdicts."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater.verdicts import PASS_ON, Close, Later, Send, Verdict

from .lanes import frames
from .test_delayed import DelayedCase


class LaterTests(DelayedCase):
    """Verdicts that are carried out later."""

    def test_later(self) -> None:
        """What was decided before goes out at once; the verdict, and what was decided after it, when its time comes."""
        self.answers = {b"b": Later(1), b"c": Send(b"x")}
        self.feed(b"a", b"b", b"c")
        self.assert_journal("forward: a")
        self.at(1, "forward: b x", "flowing")

    def test_full(self) -> None:
        """If too much waits, the lane stops at once, within the read."""
        self.answers = dict.fromkeys([b"%d" % number for number in range(20_000)], Later(1))
        self.feed(*self.answers)
        self.assertLess(len(self.asked), 20_000)
        self.assert_journal("blocked")

    def test_close(self) -> None:
        """The link is closed at once where nothing waits, and after what waits otherwise."""
        for answers in ({b"b": Later(1), b"c": Close()}, {b"c": Later(1, Close(forward=[b"b"]))}):
            self.setUp()
            self.answers = {**answers}
            self.feed(*answers, b"never")
            self.assert_journal("flowing")
            self.clock.advance(1)
            self.assertEqual(self.journal[:2], ["forward: b", "closes"])
        self.setUp()
        self.answers = {b"c": Close()}
        self.feed(b"c")
        self.assert_journal("closes", "flowing")


class FaultTests(DelayedCase):
    """The hook for faults."""

    def test_faults(self) -> None:
        """Each verdict, also one that comes late, is changed after the filter; the frame and the payload are shown."""
        seen: list[tuple[Verdict, bytes, bytes, object]] = []

        def change(lane: Lane, verdict: Verdict, frame: bytes, payload: bytes, message: object) -> Any:
            seen.append((verdict, frame, payload, message))
            return Send(payload, payload)

        late: Deferred[Verdict] = Deferred()
        self.lane.equip(LaneSetup(filter=self.answer, faults=change))
        self.answers = {b"late": lambda: late, b"send": Send(b"x")}
        self.feed(b"a", b"send", b"late")
        late.callback(PASS_ON)
        expected = [(b"a", PASS_ON), (b"send", Send(b"x")), (b"late", PASS_ON)]
        self.assertEqual(seen, [(verdict, frames(name), name, name) for name, verdict in expected])
        self.assertEqual(self.forward.stream, frames(b"a", b"a", b"send", b"send", b"late", b"late"))
