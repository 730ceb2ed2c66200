"""Lines that somebody types."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl import typed
from twisted_repeater.ctl.typed import TypedLines


class TypedLinesTests(SynchronousTestCase):
    """`TypedLines`."""

    def setUp(self) -> None:
        """Make a pipe."""
        reads, self.writes = os.pipe()
        self.addCleanup(os.close, reads)
        self.lines = TypedLines(reads)

    def test_lines(self) -> None:
        """A line is returned when it is complete; bytes that are no text are replaced."""
        self.assertEqual(self.lines.fileno(), self.lines.descriptor)
        os.write(self.writes, b" release \ndr")
        self.assertEqual(self.lines.read(), ["release"])
        os.write(self.writes, b"op\n\xff\n")
        self.assertEqual(self.lines.read(), ["drop", "\ufffd"])
        self.assertFalse(self.lines.ended)
        os.close(self.writes)
        self.assertEqual(self.lines.read(), [])
        self.assertTrue(self.lines.ended)

    def test_endless(self) -> None:
        """A line without an end is forgotten."""
        self.patch(typed, "LONGEST_LINE", 3)
        for text in (b"long line", b"and\n"):
            os.write(self.writes, text)
            last = self.lines.read()
        self.assertEqual(last, ["and"])
        os.close(self.writes)
