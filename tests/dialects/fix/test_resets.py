"""Flows that begin again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    DROP,
    SendBack,
)
from twisted_repeater.dialects.fix import (
    Heartbeat,
    Logon,
    Logout,
    ResendRequest,
)
from twisted_repeater.dialects.fix.numbers import NotLoggedOn

from .numbers_rig import DOWN, UP, Rig, order, report, request


class BeginningTests(SynchronousTestCase):
    """Flows that begin again."""

    def shifted(self) -> Rig:
        """Return a session with an added message each way, and without a link."""
        rig = Rig().logged_on()
        rig.numbers.sent(DOWN, report("one"))
        rig.numbers.sent(UP, order("two"))
        rig.numbers.end_link()
        return rig

    def test_new_day(self) -> None:
        """Both engines begin again with number 1, with ResetSeqNumFlag or without, and nothing old is left."""
        for fields in ({}, {141: "Y"}):
            rig = self.shifted()
            self.assertEqual(rig.says(Logon(fields), 1), [["A1"], []])
            self.assertEqual(rig.says(Logon(fields), 1, DOWN), [["A1"], []])
            self.assertFalse(rig.numbers.changed)
            self.assertEqual(rig.says(report(), 2, DOWN, verdict=SendBack([order("t")])), [[], ["D2 t"]])

    def test_first_day(self) -> None:
        """A session that begins with ResetSeqNumFlag forgets nothing."""
        rig = Rig()
        rig.says(Logon({141: "Y"}), 1)
        self.assertEqual(rig.says(Logon({141: "Y"}), 1, DOWN), [["A1"], []])
        self.assertEqual(rig.commits, [])

    def test_refused(self) -> None:
        """If the other engine refuses, the old numbers hold; a Logon with an old number is then taken by them."""
        rig = self.shifted()
        self.assertEqual(rig.says(Logon({}), 1), [["A1"], []])
        self.assertEqual(rig.says(Logout({}), 2, DOWN), [["53"], []])
        self.assertEqual(rig.says(Heartbeat(), 3, DOWN), [["04"], []])
        self.assertRaises(NotLoggedOn, rig.says, order(), 2, verdict=DROP)
        rig.numbers.end_link()
        self.assertEqual(rig.says(Logon({}), 1), [["A1"], []])
        self.assertTrue(rig.numbers.changed)

    def test_doubt(self) -> None:
        """If nobody has said anything, the next Logon is in doubt again, whatever its number."""
        rig = self.shifted()
        rig.says(Logon({}), 1)
        rig.numbers.end_link()
        self.assertEqual(rig.says(Logon({}), 9), [["A9"], []])
        self.assertEqual(rig.says(ResendRequest({7: 1, 16: 0}), 1, DOWN), [["21 1-0"], []])
        self.assertFalse(rig.numbers.changed)

    def test_repeated(self) -> None:
        """A Logon that nobody has answered may come again with the same number."""
        rig = self.shifted()
        rig.says(Logon({}), 2)
        rig.numbers.end_link()
        self.assertEqual(rig.says(Logon({}), 2), [["A3"], []])

    def test_answer_begins(self) -> None:
        """If the answer begins again, the first message that follows agrees, or a decision that must be kept."""
        rig = self.shifted()
        rig.says(Logon({}), 5)
        self.assertEqual(rig.says(Logon({141: "Y"}), 1, DOWN), [["A1"], []])
        self.assertEqual(rig.says(report(), 2, DOWN, verdict=DROP), [[], []])
        self.assertEqual(rig.says(Heartbeat(), 1), [["01"], ["42>3"]])

    def test_in_session(self) -> None:
        """In a session only a Logon agrees. Until then nothing is added, and nothing is sent in the old numbers."""
        rig = Rig().logged_on()
        rig.numbers.sent(UP, order("two"))
        rig.says(order(), 2, verdict=DROP)
        self.assertEqual(rig.says(Logon({141: "Y"}), 1), [["A1"], []])
        self.assertEqual(rig.says(report(), 2, DOWN, verdict=DROP), [[], []])
        self.assertRaises(NotLoggedOn, rig.says, report(), 3, DOWN, verdict=SendBack([order()]))
        self.assertEqual(rig.says(request(1), 3, DOWN)[1], [])
        self.assertEqual(rig.says(Logon({141: "Y"}), 1, DOWN), [["A1"], []])
        self.assertEqual(rig.says(order("c"), 2), [["D2 c"], []])
