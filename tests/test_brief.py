"""The failures that the log gets."""

from __future__ import annotations

from twisted.logger import eventAsText
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._brief import LONGEST, LONGEST_LINE, BriefFailure


def deep(levels: int) -> None:
    """Raise far below."""
    if levels:
        deep(levels - 1)
    raise ValueError("deep")


def failure_of(error: Exception) -> Failure:
    """Make the failure of an error that is raised here."""
    try:
        raise error
    except Exception:
        return Failure()


class BriefFailureTests(SynchronousTestCase):
    """Long texts are cut."""

    def test_ordinary(self) -> None:
        """An ordinary traceback is as it was, and so is what the failure is of."""
        failure = failure_of(ValueError("no"))
        brief = BriefFailure(failure)
        self.assertEqual(brief.getTraceback(), failure.getTraceback())
        self.assertIn("in failure_of", brief.getTraceback())
        self.assertIs(brief.value, failure.value)
        self.assertIs(brief.check(TypeError, ValueError), ValueError)

    def test_long_text(self) -> None:
        """An error that quotes a message of a megabyte makes a line of some hundred characters."""
        brief = BriefFailure(failure_of(ValueError(f"no {'x' * 1_000_000} here")))
        lines = eventAsText({"log_format": "failed", "log_failure": brief}).splitlines()
        self.assertLess(max(map(len, lines)), LONGEST_LINE + 50)
        self.assertTrue(lines[-1].startswith("builtins.ValueError: no xxx"))
        self.assertTrue(lines[-1].endswith("xxx here"))
        self.assertRegex(lines[-1], r" \.\.\. \(\d{6} characters are left out\) \.\.\. ")

    def test_many_lines(self) -> None:
        """So are the lines of a text, or of a recursion, if they are many; where it began and ended is told."""
        with self.assertRaises(ValueError) as caught:
            deep(500)
        for error, last in ((caught.exception, "deep"), (ValueError("\n" * 1_000_000 + "end"), "end")):
            text = BriefFailure(Failure(error)).getTraceback()
            self.assertLess(len(text), LONGEST + 50)
            self.assertTrue(text.startswith("Traceback"))
            self.assertTrue(text.endswith(f"{last}\n"))

    def test_cleaned(self) -> None:
        """A failure that has lost its traceback, as those of Deferreds may, tells its frames all the same."""
        failure = failure_of(ValueError("no"))
        failure.cleanFailure()
        self.assertIn("in failure_of", BriefFailure(failure).getTraceback())
