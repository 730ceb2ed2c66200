"""The numbers of a session, message by message."""

from __future__ import annotations

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    DROP,
    PASS_ON,
    Close,
    MarshalingError,
    Mixed,
    ParseError,
    PassOnAndSendBack,
    Send,
    SendBack,
)
from twisted_repeater.dialects.fix import (
    BusinessMessageReject,
    Heartbeat,
    Logon,
    Logout,
    Reject,
    SequenceReset,
    TestRequest,
)
from twisted_repeater.dialects.fix.flow_map import FlowMap
from twisted_repeater.dialects.fix.numbers import NotLoggedOn
from twisted_repeater.dialects.fix.resends import Gap, Own, Resends, filled, own
from twisted_repeater.dialects.fix.store import Store

from .numbers_rig import DOWN, UP, Rig, brief, fill, frame, order, report, request


class NumberTests(SynchronousTestCase):
    """Messages in turn."""

    def test_passes(self) -> None:
        """While nothing was changed, all leaves as it came."""
        rig = Rig().logged_on()
        self.assertEqual(rig.says(order(), 2), [["D2 a"], []])
        self.assertEqual(rig.says(Reject({45: 2}), 2, DOWN), [["32"], []])
        self.assertEqual(rig.says(Heartbeat(), 3), [["03"], []])
        self.assertEqual(rig.commits, [])

    def test_dropped(self) -> None:
        """Dropped messages make one gap fill, before the next message, or when the receiver says something."""
        rig = Rig().logged_on()
        self.assertEqual(rig.says(order(), 2, verdict=DROP), [[], []])
        self.assertEqual(rig.says(order(), 3, verdict=DROP), [[], []])
        self.assertEqual(rig.says(order("b"), 4), [["42>4", "D4 b"], []])
        rig.says(order(), 5, verdict=DROP)
        self.assertEqual(rig.says(Heartbeat(), 2, DOWN), [["02"], ["45>6"]])
        self.assertEqual(rig.says(request(2), 3, DOWN), [["23 4-0"], ["42*>4"]])
        self.assertEqual(rig.says(order("b"), 4, f43="Y"), [["D4* b", "45*>6"], []])
        self.assertEqual(rig.says(order(), 5, f43="Y"), [[], []])

    def test_added(self) -> None:
        """An answer shifts the later numbers of its flow, and fields that name them; all of it outlives a restart."""
        rig = Rig().logged_on()
        self.assertEqual(rig.says(order(), 2, verdict=SendBack([report()])), [[], ["82 x"]])
        self.assertEqual(len(rig.commits), 1)
        self.assertEqual(rig.says(report("y"), 2, DOWN), [["83 y"], ["42>3"]])
        self.assertEqual(rig.says(order("b"), 3, f369="3"), [["D3 b"], []])
        self.assertEqual(rig.says(BusinessMessageReject({45: 3}), 4), [["j4"], []])
        rig = rig.again().logged_on(5, 3)
        self.assertEqual(rig.says(order(), 6), [["D6 a"], []])
        self.assertEqual(rig.says(report("z"), 4, DOWN), [["85 z"], []])
        self.assertEqual(rig.says(request(1), 7), [["27 1-0"], []])
        self.assertEqual(rig.says(fill(2), 1, DOWN, f43="Y"), [["41*>2", "82* x"], []])
        self.assertEqual(rig.says(request(2, 2), 8), [[], ["82* x"]])
        self.assertEqual(rig.says(Heartbeat(), 9), [["48>9", "09"], []])

    def test_rejected_here(self) -> None:
        """A reject of an added message ends here; one of another names it by the number of its sender."""
        rig = Rig().logged_on()
        rig.says(order(), 2, verdict=SendBack([report()]))
        self.assertEqual(rig.says(Reject({45: 2}), 3), [[], []])
        made = frame(Reject({45: 3}), 4)
        rig.says(report("y"), 2, DOWN)
        rig.numbers.arrived(UP, made)
        (first,) = rig.numbers.settle(UP, made, PASS_ON).forward
        assert isinstance(first, Reject)
        self.assertEqual(first.reference, 2)
        self.assertEqual(rig.says(Reject({45: 2}), 3, f43="Y"), [["43*>4"], []])

    def test_sent(self) -> None:
        """Messages of the application get numbers, with what is owed before them; some can be sent by engines only."""
        rig = Rig()
        self.assertRaises(MarshalingError, rig.numbers.sent, UP, order())
        rig.logged_on().says(order(), 2, verdict=DROP)
        self.assertEqual([brief(one) for one in rig.numbers.sent(UP, order("z"))], ["42>3", "D3 z"])
        copied = frame(order("w"), 9, f43="Y", f122="20261126-12:00:00")
        self.assertEqual([brief(one) for one in rig.numbers.sent(UP, copied)], ["D4 w"])
        self.assertEqual([brief(one) for one in rig.numbers.sent(UP, TestRequest({112: "t"}))], ["15"])
        for wrong in (b"bytes", request(1), Logon({})):
            self.assertRaises(MarshalingError, rig.numbers.sent, UP, wrong)
        with mock.patch.object(rig.numbers, "largest", 5):
            self.assertRaises(MarshalingError, rig.numbers.sent, UP, order())
        self.assertEqual(rig.says(request(3), 2, DOWN), [[], ["D3* z", "D4* w", "45*>6"]])
        self.assertEqual(rig.says(order("c"), 3), [["D6 c"], ["42>3"]])

    def test_verdicts(self) -> None:
        """A message that goes on keeps its place; others are added before and after it; one replaces it."""
        rig = Rig().logged_on()
        made = frame(order(), 2)
        verdict = Send(order("before"), made, order("after"))
        self.assertEqual(
            rig.outcome(made, rig.numbers.settle(UP, made, verdict)), [["D2 before", "D3 a", "D4 after"], []]
        )
        self.assertEqual(rig.says(order(), 3, verdict=Send(order("new"))), [["D5 new"], []])
        made = frame(order(), 4)
        changed = made.changed({11: "changed"})
        self.assertEqual(rig.outcome(made, rig.numbers.settle(UP, made, Send(changed))), [["D6 changed"], []])
        self.assertEqual(rig.says(order(), 5, verdict=PassOnAndSendBack([report()])), [["D7 a"], ["82 x"]])
        again = ["D2* before", "D3* a", "D4* after", "D5* new", "D6* changed", "D7* a"]
        self.assertEqual(rig.says(request(2), 2, DOWN), [[], again])

    def test_wrong_verdicts(self) -> None:
        """A message of the session passes, or closes the link; what goes on must be messages."""
        rig = Rig().logged_on()
        self.assertRaises(ValueError, rig.says, Heartbeat(), 2, verdict=DROP)
        self.assertRaises(TypeError, rig.says, order(), 2, verdict=Send(b"bytes"))
        self.assertEqual(rig.says(order(), 2), [["D2 a"], []])
        for wrong in ("x", 0):
            self.assertRaises(ParseError, rig.says, order(), wrong)

    def test_closes(self) -> None:
        """A message that closes the link is dropped; last messages go out, if both engines have logged on."""
        rig = Rig()
        made = frame(Logon({}), 1)
        rig.numbers.arrived(UP, made)
        self.assertEqual(rig.numbers.settle(UP, made, Close(back=[Logout({})])), Close())
        rig = Rig().logged_on()
        verdict = Close(forward=[Logout({})], back=[Logout({})])
        self.assertEqual(rig.says(order(), 2, verdict=verdict), [["42>3", "53"], ["52"]])
        self.assertEqual(rig.says(Heartbeat(), 3, verdict=Mixed(passes=True, closes=True)), [["04"], []])
        self.assertEqual(rig.says(Heartbeat(), 4, verdict=Close(forward=[Logout({})])), [["55"], []])

    def test_before_logon(self) -> None:
        """A message that comes before both Logons can pass, or be dropped, and no more."""
        rig = Rig()
        rig.says(Logon({}), 1)
        self.assertEqual(rig.says(order(), 2, verdict=DROP), [[], []])
        self.assertRaises(NotLoggedOn, rig.says, order(), 3, verdict=SendBack([report()]))

    def test_resent(self) -> None:
        """What is sent again passes as it was decided. What nobody knows is decided, and may add something."""
        rig = Rig().logged_on(5)
        self.assertEqual(rig.says(request(1), 2, DOWN), [["22 1-0"], []])
        self.assertEqual(rig.says(fill(2), 1, f43="Y"), [["41*>2"], []])
        self.assertEqual(rig.says(order("b"), 2, f43="Y", verdict=DROP), [["42*>3"], []])
        made = frame(order("c"), 3, f43="Y")
        rig.numbers.arrived(UP, made)
        verdict = rig.numbers.settle(UP, made, Send(made, order("more")))
        self.assertEqual(rig.outcome(made, verdict), [["D3* c", "D6 more"], []])
        self.assertEqual(rig.says(order("d"), 4, f43="Y"), [["D4* d"], []])
        self.assertEqual(rig.says(Logon({}), 5, f43="Y")[0], ["A5*"])
        self.assertEqual(rig.says(order("c"), 3, f43="Y", verdict=DROP)[0], [])
        self.assertEqual(rig.says(Heartbeat(), 4, f43="Y"), [["04*"], []])

    def test_skipped(self) -> None:
        """If a sender leaves out numbers, the gap that is owed says nothing about these."""
        rig = Rig().logged_on()
        rig.says(order(), 2, verdict=DROP)
        self.assertEqual(rig.says(order(), 5, verdict=DROP), [["42>3"], []])
        self.assertEqual(rig.says(order(), 6), [["45>6", "D6 a"], []])

    def test_resets(self) -> None:
        """SequenceReset names the numbers of its receiver; one in Reset mode makes up for all that was missed."""
        rig = Rig().logged_on()
        rig.numbers.sent(UP, order("z"))
        self.assertEqual(rig.says(fill(5), 2), [["43>6"], []])
        rig.says(order(), 5, verdict=DROP)
        self.assertEqual(rig.says(SequenceReset({36: 9}), 6), [["47>10"], []])
        self.assertEqual(rig.says(SequenceReset({36: 3}), 9), [["410>4"], []])
        self.assertEqual(rig.says(fill(2), 4, f43="Y"), [["45*>2"], []])
        self.assertEqual(rig.says(order("n"), 9), [["D10 n"], []])
        self.assertEqual(rig.says(fill(4), 1, f43="Y"), [["41*>2", "D2* z", "43*>5"], []])

    def test_odd_requests(self) -> None:
        """A request that makes no sense, or asks for what is not there, is for its receiver."""
        rig = Rig().logged_on()
        rig.numbers.sent(UP, order("z"))
        made = frame(request("x", 3), 2, DOWN)
        rig.numbers.arrived(DOWN, made)
        self.assertTrue(rig.numbers.settle(DOWN, made, PASS_ON).passes)
        self.assertEqual(rig.says(request(9, 12), 3, DOWN), [["23 8-11"], []])
        self.assertEqual(rig.says(request(1, 2), 4, DOWN), [["24 1-1"], []])
        old = Rig(version="FIX.4.2").logged_on()
        self.assertEqual(old.says(request(1, 999999), 2, DOWN), [["22 1-999999"], []])

    def test_expected(self) -> None:
        """NextExpectedMsgSeqNum is answered without a request, by the sender and from here."""
        rig = Rig().logged_on()
        rig.numbers.sent(DOWN, report("one"))
        rig.numbers.sent(UP, order("two"))
        rig.numbers.end_link()
        self.assertEqual(rig.says(Logon({789: 2}), 2)[0], ["A3"])
        made = frame(Logon({789: 2}), 2, DOWN)
        rig.numbers.arrived(DOWN, made)
        outcome = rig.outcome(made, rig.numbers.settle(DOWN, made, PASS_ON))
        self.assertEqual(outcome, [["A3", "82* one"], ["D2* two"]])

    def test_told(self) -> None:
        """What a resend covers is not told again; what it covers in part, in part."""
        for numbers in ((3,), (3, 4)):
            rig = Rig().logged_on()
            rig.says(order(), 2, verdict=SendBack([report()]))
            rig.says(Heartbeat(), 2, DOWN)
            rig.says(request(1), 3, DOWN)
            for number in numbers:
                rig.says(Reject({45: 2}), number)
            rig.says(fill(2), 1, f43="Y")
            rig.says(order(), 2, f43="Y")
            self.assertEqual(rig.says(Reject({45: 2}), 3, f43="Y"), [["43*>4"], []])
            last = numbers[-1] + 1
            owed = ["44>5"] if len(numbers) > 1 else []
            self.assertEqual(rig.says(order(), last), [[*owed, f"D{last} a"], []])

    def test_asked_of_gap(self) -> None:
        """A request that covers what is owed is the end of that."""
        rig = Rig().logged_on()
        rig.says(order(), 2, verdict=DROP)
        self.assertEqual(rig.says(request(1), 2, DOWN), [["22 1-0"], []])
        self.assertEqual(rig.says(order("b"), 3), [["D3 b"], []])

    def test_unseen(self) -> None:
        """Messages that were only counted are known, too."""
        rig = Rig().logged_on()
        rig.numbers.trackers[UP].last = 3
        self.assertEqual(rig.numbers.highest[UP], 1)
        self.assertEqual(rig.says(order(), 4), [["D4 a"], []])
        self.assertEqual(rig.says(order("b"), 3, f43="Y", verdict=DROP), [["D3* b"], []])

    def test_too_low(self) -> None:
        """A message with a low number that does not say why is decided about, and left to its receiver."""
        rig = Rig().logged_on(5)
        self.assertEqual(rig.says(order(), 3), [["D3 a"], []])

    def test_replaced_when_it_came_again(self) -> None:
        """What takes the place of a message that comes again is a possible duplicate, if the message was."""
        rig = Rig().logged_on(5)
        self.assertEqual(rig.says(order(), 3, verdict=Send(order("b")), f43="Y"), [["D3* b"], []])
        self.assertEqual(rig.says(order(), 3, f43="Y"), [["D3* b"], []])
        self.assertEqual(rig.says(order(), 4, verdict=Send(order("b"))), [["D4 b"], []])

    def test_passed_with_company_when_it_came_again(self) -> None:
        """A possible duplicate that is kept, as it did not pass alone, is one when it is sent again."""
        rig = Rig().logged_on(5)
        self.assertEqual(rig.says(order(), 3, verdict=PassOnAndSendBack([report()]), f43="Y"), [["D3* a"], ["82 x"]])
        self.assertEqual(rig.says(order(), 3, f43="Y"), [["D3* a"], []])

    def test_just_passes(self) -> None:
        """The next message, if it names no other number, is only counted, and gets its number for the receiver."""
        rig = Rig().logged_on()
        for number, place in ((2, 2), (3, 4)):
            made = frame(order(), number)
            self.assertTrue(rig.numbers.trackers[UP].is_next(made))
            self.assertEqual(rig.outcome(made, rig.numbers.trackers[UP].passed(made)), [[f"D{place} a"], []])
            rig.numbers.sent(UP, order("z"))
        self.assertEqual(rig.says(order(), 4), [["D6 a"], []])

    def test_forgotten_content(self) -> None:
        """If the store has forgotten what a message said, a gap fill stands for it."""
        rig = Rig(Store(max_content=10))
        rig.logged_on()
        rig.numbers.sent(UP, order("z"))
        self.assertEqual(rig.says(request(1), 2, DOWN), [["22 1-0"], []])
        self.assertEqual(rig.says(fill(2), 1, f43="Y"), [["41*>3"], []])

    def test_odd_reset(self) -> None:
        """A SequenceReset without a sound NewSeqNo is left to its receiver."""
        rig = Rig().logged_on()
        made = frame(SequenceReset({123: True, 36: "x"}), 2)
        rig.numbers.arrived(UP, made)
        self.assertTrue(rig.numbers.settle(UP, made, PASS_ON).passes)

    def test_begins_again(self) -> None:
        """When both engines begin again, what was added before is forgotten."""
        rig = Rig().logged_on()
        rig.numbers.sent(UP, order("z"))
        self.assertTrue(rig.numbers.changed)
        rig.numbers.end_link()
        rig.logged_on()
        self.assertFalse(rig.numbers.changed)
        self.assertFalse(rig.again().numbers.changed)
        self.assertEqual(rig.says(Heartbeat(), 2), [["02"], []])


class PartTests(SynchronousTestCase):
    """The parts."""

    def test_resends(self) -> None:
        """Pieces are sent in their places, once, also if requests overlap."""
        kept = {3: b"x"}
        numbers = FlowMap(
            [(2, 4), (5, 6)], [(3, 4)], lambda start, stop: [(n, kept[n]) for n in range(start, stop) if n in kept]
        )
        self.assertEqual(list(filled(numbers, 1, 5)), [Gap(1, 3), Own(3, b"x"), Gap(4, 5)])
        self.assertEqual(list(filled(numbers, 3, 4)), [Own(3, b"x")])
        self.assertEqual(list(own(numbers, 1, 9)), [Gap(2, 3), Own(3, b"x"), Gap(5, 6)])
        resends = Resends(numbers)
        self.assertEqual(resends.begin(7, 7), [])
        self.assertEqual(resends.message(5), ([Gap(5, 6)], False, []))
        self.assertEqual(resends.gap(1, 2), [Gap(1, 2)])
        resends.begin(4, 6, goes_on=True)
        resends.begin(4, 6)
        self.assertEqual(resends.message(4), ([], True, [Gap(5, 6)]))
        self.assertEqual(resends.message(5), ([], False, []))
        self.assertEqual(resends.message(6), ([], True, []))
        self.assertEqual(resends.gap(4, 6), [Gap(4, 6)])
        resends.begin(1, 6)
        self.assertEqual(resends.message(4)[1], True)
        resends.clear()
        resends.clear()
        resends.begin(1, 2)
        resends.begin(1, 4)
        self.assertEqual(resends.gap(1, 3), [Gap(1, 3), Own(3, b"x")])  # the first request was for less
        kept.clear()
        self.assertEqual(list(own(numbers, 2, 4)), [Gap(2, 4)])
