"""The options of what is compared, and of the report."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects import redis
from twisted_repeater.recording import RecordedLink
from twisted_repeater.replay.differences import Difference, Kind
from twisted_repeater.replay.options import add_options, check_played, comparison_of, filters_named, write_report


def parsed(*arguments: str) -> argparse.Namespace:
    """Return parsed options."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


class OptionTests(SynchronousTestCase):
    """Promises about the options."""

    def test_options_describe_the_comparison(self) -> None:
        """Masks and limits come from the options."""
        options = parsed(
            *("--mask", "a", "--mask", "(?P<b>b)", "--mask-field", "c", "--token-field", "d"),
            *("--ignore", "e", "--unasked", "f", "--max-differences", "7"),
        )
        comparison = comparison_of(options, redis())
        masks = comparison.masks
        self.assertEqual([b"a", b"(?P<b>b)"], [pattern.pattern for pattern in masks.patterns][:2])
        self.assertEqual(({"c"}, {"d"}), (set(masks.fields), set(masks.token_fields)))
        self.assertTrue(masks.ignores(b"e"))
        self.assertTrue(masks.is_unasked(b"f"))
        self.assertEqual(7, comparison.findings.keep)

    def test_wrong_options_are_errors(self) -> None:
        """The error names the option."""
        for arguments in (("--max-differences", "-1"), ("--mask", "(")):
            error = self.assertRaises(ValueError, comparison_of, parsed(*arguments), redis())
            self.assertIn(arguments[0], str(error))

    def test_filters_are_named_or_not(self) -> None:
        """Any of three options names filters."""
        self.assertFalse(filters_named(parsed()))
        for option in ("--filter", "--to-server-filter", "--to-client-filter"):
            self.assertTrue(filters_named(parsed(option, "x:y")))

    def test_nothing_is_played(self) -> None:
        """A replay of no link is an error, not a success."""
        comparison = comparison_of(parsed(), redis())
        self.assertRaises(ValueError, check_played, comparison.report())
        comparison.conversation(RecordedLink(id=1, link=1))
        check_played(comparison.report())

    def test_the_report_is_written_where_the_options_say(self) -> None:
        """Text goes to the standard output, JSON to a file; the status says whether there is a difference."""
        comparison = comparison_of(parsed(), redis())
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        self.assertEqual(0, write_report(comparison.report(), parsed()))
        self.assertTrue(output.getvalue().startswith("No differences.\n"))
        comparison.findings.add(Difference(kind=Kind.EXTRA, link=1, client_name=""))
        file = Path(self.mktemp())
        self.assertEqual(1, write_report(comparison.report(), parsed("--report", "json", "--output", str(file))))
        self.assertFalse(json.loads(file.read_text())["same"])
