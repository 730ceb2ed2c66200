"""What is kept of differences."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.replay import differences
from twisted_repeater.replay.differences import OTHERS, Difference, Findings, Kind, count_text


class FindingsTests(SynchronousTestCase):
    """Promises about `Findings`."""

    def test_the_first_differences_are_kept_and_all_are_counted(self) -> None:
        """A million differences need no more memory than the first ones."""
        findings = Findings(2)
        for number in range(5):
            findings.add(Difference(kind=Kind.MISSING, link=number, client_name=""))
        self.assertEqual([0, 1], [difference.link for difference in findings.differences])
        self.assertEqual(5, findings.counts[Kind.MISSING])
        self.assertFalse(findings.wants_more)

    def test_texts_are_counted(self) -> None:
        """Equal texts are counted together; too many different ones, too."""
        self.patch(differences, "MOST_TEXTS", 2)
        findings = Findings()
        for text in ("a", "b", "c", "a", "d"):
            findings.note(text)
        self.assertEqual({"a": 2, "b": 1, OTHERS: 2}, dict(findings.notes))
        texts: Counter[str] = Counter()
        count_text(texts, "x")
        self.assertEqual(1, texts["x"])
