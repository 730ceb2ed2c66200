"""The dialect ``lines`` itself."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, FrameTooLong, Limits, dialects
from twisted_repeater.codecs import text
from twisted_repeater.service.ready_filters import log
from twisted_repeater.testing import FilterHarness


class EndTests(SynchronousTestCase):
    """What ends a line."""

    def found(self, dialect: dialects.Dialect, stream: bytes) -> list[bytes]:
        """Return the lines of a stream."""
        framing: Any = dialect.framing(Limits())
        found = []
        at = 0
        while (stop := framing.find(stream, at, len(stream))) > 0:
            found.append(stream[framing.body : stop - framing.tail])
            at = stop
        return [*found, stream[at:]]

    def test_line_feed(self) -> None:
        """By default it is a line feed; a carriage return is a byte like any other."""
        self.assertEqual(self.found(dialects.lines(), b"a\r\nb\rc\n\nd"), [b"a\r", b"b\rc", b"", b"d"])

    def test_both(self) -> None:
        """If it is both, neither of them alone ends a line."""
        lines = dialects.lines(end=b"\r\n")
        self.assertEqual(self.found(lines, b"a\nb\rc\r\r\n\r\nd\r"), [b"a\nb\rc\r", b"", b"d\r"])

    def test_empty(self) -> None:
        """Something must end a line."""
        with self.assertRaisesRegex(ValueError, "end must have at least one byte"):
            dialects.lines(end=b"")


class LengthTests(SynchronousTestCase):
    """How long a line may be."""

    def test_limit(self) -> None:
        """It may have the limit; one byte more is too long, whole and byte by byte, and so is a line without end."""
        for end in (b"\n", b"\r\n"):
            for size, fits in ((511, True), (512, True), (513, False), (2000, False)):
                for step in (1, 7, 3000):
                    with self.subTest(end=end, size=size, step=step):
                        self.assertEqual(self.is_read(end, b"x" * size + end, step), fits)
                        if not fits:
                            self.assertFalse(self.is_read(end, b"x" * (size + len(end)), step))

    def is_read(self, end: bytes, stream: bytes, step: int) -> bool:
        """Return whether a line that comes in steps is read."""
        framing: Any = dialects.lines(end=end, max_frame=512).framing(Limits(max_frame=512))
        try:
            return any(
                framing.find(stream[:to], 0, min(to, len(stream))) for to in range(step, len(stream) + step, step)
            )
        except FrameTooLong:
            return False


class SecretTests(SynchronousTestCase):
    """Lines that logs must not show."""

    def test_shown(self) -> None:
        """Logs show a secret line up to the end of what matches, and others whole."""
        redact = dialects.lines(secret="^(PASS|OPER [^ ]+) ").redact
        assert redact is not None
        for line, shown in (
            (b"PASS sesame", b"PASS ..."),
            (b"oper ann sesame\r", b"oper ann ..."),
            (b"PRIVMSG #a :PASS sesame", b"PRIVMSG #a :PASS sesame"),
        ):
            self.assertEqual(redact(line, Direction.TO_SERVER), shown)

    def test_other_messages(self) -> None:
        """Messages that a codec has made are shown as they are; without the option, all are."""
        dialect = dialects.lines(secret="^PASS ", to_server=text())
        assert dialect.redact is not None
        self.assertEqual(dialect.redact("PASS sesame", Direction.TO_SERVER), "PASS sesame")
        self.assertIs(dialects.lines().redact, None)

    def test_logged(self) -> None:
        """The filter that logs leaves out what is secret."""
        run = FilterHarness(filters=log(), dialect=dialects.lines(secret="^PASS "))
        with capturedLogs() as events:
            run.client_sends(b"PASS sesame\r")
        self.assertEqual([str(formatEvent(event))[-11:] for event in events], ["b'PASS ...'"])

    def test_not_an_expression(self) -> None:
        """What is not a regular expression is refused at once."""
        with self.assertRaisesRegex(ValueError, "secret must be a regular expression of RE2"):
            dialects.lines(secret="(")
