"""The progress of long work, as people see it."""

from __future__ import annotations

import io

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """See `TextIO`."""
        return True


class Broken(Terminal):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        """See `TextIO`."""
        raise BrokenPipeError


class ProgressTests(SynchronousTestCase):
    """`Progress`."""

    def setUp(self) -> None:
        self.clock = Clock()

    def progress(self, stream: io.StringIO, total: int = 0, *, shows: bool = True) -> Progress:
        """Make one whose time the test moves."""
        return Progress("played", "messages", total, stream=stream, shows=shows, clock=self.clock.seconds)

    def test_a_line_on_a_terminal(self) -> None:
        """On a terminal one line shows the count, the share, the rate and the time left, and is gone at the end."""
        terminal = Terminal()
        with self.progress(terminal, 4000) as progress:
            progress.step(500)
            self.assertEqual(terminal.getvalue(), "")
            self.clock.advance(0.5)
            progress.step(500)
            line = "\rplayed 1,000 of 4,000 messages (25 %), 2,000/s, 0:02 left\x1b[K"
            self.assertEqual(terminal.getvalue(), line)
            self.clock.advance(0.1)
            progress.step()
            self.assertEqual(terminal.getvalue(), line)
        self.assertEqual(terminal.getvalue(), line + "\r\x1b[K")

    def test_an_unknown_total(self) -> None:
        """Without a total there is no share; a total that is too low grows with the count."""
        terminal = Terminal()
        progress = self.progress(terminal)
        self.clock.advance(1)
        progress.step(7)
        progress.total = 5
        progress.show()
        self.assertIn("\rplayed 7 messages, 7/s\x1b[K", terminal.getvalue())
        self.assertIn("\rplayed 7 of 7 messages (100 %), 7/s, 0:00 left\x1b[K", terminal.getvalue())

    def test_nothing_done(self) -> None:
        """Before anything is done, no time left is guessed."""
        terminal = Terminal()
        self.progress(terminal, 4).show()
        self.assertEqual(terminal.getvalue(), "\rplayed 0 of 4 messages (0 %), 0/s\x1b[K")

    def test_long_work(self) -> None:
        """A time left of hours is written as hours."""
        terminal = Terminal()
        progress = self.progress(terminal, 3906)
        self.clock.advance(1)
        progress.step()
        self.assertIn("1:05:05 left", terminal.getvalue())

    def test_elsewhere(self) -> None:
        """In a log file there is a line every ten seconds, and none for short work."""
        file = io.StringIO()
        with self.progress(file, 4) as progress:
            self.clock.advance(9)
            progress.step()
            self.assertEqual(file.getvalue(), "")
            self.clock.advance(1)
            progress.step()
        self.assertEqual(file.getvalue(), "played 2 of 4 messages (50 %), 0/s, 0:10 left\n")

    def test_not_shown(self) -> None:
        """Work that prints its results on the terminal can switch it off."""
        terminal = Terminal()
        progress = self.progress(terminal, 4, shows=False)
        self.clock.advance(100)
        progress.step()
        self.assertEqual((terminal.getvalue(), progress.done), ("", 1))

    def test_nobody_reads(self) -> None:
        """A terminal that is gone does not end the work."""
        progress = self.progress(Broken(), 4)
        self.clock.advance(1)
        progress.step()
        self.clock.advance(1)
        progress.step()
        self.assertEqual(progress.done, 2)

    def test_standard_error(self) -> None:
        """By default it is written on standard error."""
        terminal = Terminal()
        self.patch(__import__("sys"), "stderr", terminal)
        Progress("played", "messages").show()
        self.assertIn("played 0 messages", terminal.getvalue())
