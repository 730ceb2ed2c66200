"""The comparison of a whole replay."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects import lines, redis
from twisted_repeater.recording.records import RecordedLink
from twisted_repeater.replay.comparison import Comparison
from twisted_repeater.replay.masks import masks_of


class ComparisonTests(SynchronousTestCase):
    """Promises about `Comparison`."""

    def test_equal_answers_are_no_difference(self) -> None:
        """A replay in which the same answers come has no difference."""
        comparison = Comparison(redis())
        conversation = comparison.conversation(RecordedLink(id=1, link=1))
        conversation.sends(b"*1\r\n$4\r\nPING\r\n")
        conversation.recorded(b"+PONG\r\n")
        conversation.replayed(b"+PONG\r\n")
        conversation.end()
        report = comparison.report(seconds=1.5)
        self.assertTrue(report.same)
        self.assertEqual(("redis", {"seconds": 1.5}), (report.dialect, report.facts))

    def test_links_share_tokens(self) -> None:
        """A token that one link has learnt is sent by another one."""
        comparison = Comparison(lines(), masks=masks_of(patterns=[r"session (?P<id>\w+)"]))
        first, second = (comparison.conversation(RecordedLink(id=number, link=number)) for number in (1, 2))
        first.recorded(b"session abcd\n")
        first.replayed(b"session wxyz\n")
        self.assertEqual(b"use wxyz\n", second.sends(b"use abcd\n"))
        self.assertEqual(2, comparison.findings.links)

    def test_notes_are_for_the_reader(self) -> None:
        """A note is in the report, escaped, and is no difference."""
        comparison = Comparison(lines())
        comparison.note("a\nnote")
        self.assertTrue(comparison.report().same)
        self.assertIn("  a\\nnote\n", comparison.report().text())

    def test_the_number_of_differences_must_not_be_negative(self) -> None:
        """A negative number is an error that says so."""
        error = self.assertRaises(ValueError, Comparison, lines(), max_differences=-1)
        self.assertEqual("max_differences must be at least 0, not -1", str(error))
