"""Texts of exceptions and other objects, whatever their methods do; and the log, which must hold them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import Logger, eventAsText, textFileLogObserver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._text import (
    LONGEST,
    LONGEST_LINE,
    LONGEST_TRACEBACK,
    Unprintable,
    address_text,
    class_name,
    guarded_text,
    loggable,
    printable,
    repr_of,
    text_of,
    told,
)

from .unprintable import UNPRINTABLE, Mute, NamelessClass, Pretender, nested


class Interrupted(Exception):
    """Somebody presses Ctrl-C while this is printed."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


def raised(error: BaseException) -> Failure:
    """Raise an exception, to have a failure with a traceback."""
    try:
        raise error
    except BaseException:
        return Failure()


class TextTests(SynchronousTestCase):
    """The texts of objects."""

    def test_plain(self) -> None:
        """The text of a plain exception has its class and its message."""
        error = ValueError("no such price")
        self.assertEqual((text_of(error), told(error)), ("no such price", "ValueError: no such price"))
        self.assertEqual((text_of(ValueError()), told(ValueError())), ("", "ValueError: "))
        self.assertEqual(repr_of([1, "two"]), "[1, 'two']")

    def test_unprintable(self) -> None:
        """What an exception raises as it is printed stands in the place of its text."""
        texts = [
            "Mute: <ValueError raised by its __str__>",
            "Deep: <RecursionError raised by its __str__>",
            "Leaving: <SystemExit raised by its __str__>",
            "NoText: <TypeError raised by its __str__>",
            "Half: \ud800",
            "Posing: posing",
        ]
        self.assertEqual([told(kind()) for kind in UNPRINTABLE], texts)
        self.assertIs(type(text_of(UNPRINTABLE[-1]())), str)

    def test_arguments(self) -> None:
        """Arguments of an exception that cannot be printed, or are nested too deeply, do no harm."""
        self.assertEqual(told(KeyError(Mute())), "KeyError: <ValueError raised by its __str__>")
        self.assertEqual(told(ValueError(nested())), "ValueError: <RecursionError raised by its __str__>")

    def test_repr(self) -> None:
        """So it is with other objects, and where a short repr would ask for more."""

        class Leaving:
            def __repr__(self) -> str:
                raise SystemExit

        self.assertEqual(repr_of(Leaving()), "<SystemExit raised by its __repr__>")
        self.assertEqual(repr_of(nested()), "[[[[[[[...]]]]]]]")
        self.assertEqual(class_name(Pretender()), "Pretender")
        self.assertIsInstance(repr_of(Pretender()), str)

    def test_class_without_a_name(self) -> None:
        """A class has a name, even if its own class hides it."""
        kind: Any = NamelessClass("Kind", (Exception,), {})
        self.assertEqual(told(kind("text")), "Kind: text")

    def test_long(self) -> None:
        """A long text is cut, with its length."""
        text = text_of(ValueError("x" * 10_000))
        self.assertTrue(text.startswith("x" * LONGEST))
        self.assertTrue(text.endswith("x... (10000 characters)"))
        self.assertLess(len(text), LONGEST + 50)

    def test_interrupted(self) -> None:
        """Ctrl-C is nobody's failure."""
        self.assertRaises(KeyboardInterrupt, told, Interrupted())
        self.assertRaises(KeyboardInterrupt, guarded_text, str, Interrupted(), "__str__")
        self.assertRaises(KeyboardInterrupt, loggable, raised(Interrupted()))


def deep(levels: int) -> None:
    """Raise far below."""
    if levels:
        deep(levels - 1)
    raise ValueError("deep")


class LogTests(SynchronousTestCase):
    """What a log file gets."""

    def logged(self, failure: Failure) -> str:
        """Log a failure to a file as twistd does."""
        file = BytesIO()
        Logger(observer=textFileLogObserver(file)).failure("it failed", failure)
        return file.getvalue().decode()

    def test_plain(self) -> None:
        """A failure that can be logged is logged as it is."""
        failure = raised(ValueError("no"))
        self.assertIs(loggable(failure).value, failure.value)

    def test_unprintable(self) -> None:
        """One that cannot is logged all the same, on plain lines, with the place where it was raised."""
        for kind in UNPRINTABLE:
            text = self.logged(loggable(raised(kind())))
            self.assertIn("it failed", text)
            self.assertIn(kind.__name__, text)
            self.assertIn("in raised", text)
            self.assertEqual(text.count("Traceback"), 1)
            self.assertLess(len(text.splitlines()), 12)

    def test_half_a_character(self) -> None:
        """What the file cannot hold is escaped: the entry would be lost with it."""
        (half,) = (kind for kind in UNPRINTABLE if kind.__name__ == "Half")
        failure = loggable(raised(half()))
        self.assertIs(failure.type, Unprintable)
        self.assertIn(r"Half: \ud800", self.logged(failure))

    def test_nameless_class(self) -> None:
        """The class of the exception may be what cannot be printed."""
        kind: Any = NamelessClass("Kind", (Exception,), {})
        self.assertIn("Kind: text", self.logged(loggable(raised(kind("text")))))


class BriefTests(SynchronousTestCase):
    """Long texts are cut."""

    def test_ordinary(self) -> None:
        """An ordinary traceback is as it was."""
        failure = raised(ValueError("no"))
        brief = loggable(failure)
        self.assertEqual(brief.getTraceback(), failure.getTraceback())
        self.assertIn("in raised", brief.getTraceback())
        self.assertIs(brief.value, failure.value)
        self.assertIs(brief.check(TypeError, ValueError), ValueError)

    def test_long_text(self) -> None:
        """An error that quotes a message of a megabyte makes a line of some hundred characters."""
        brief = loggable(raised(ValueError(f"no {'x' * 1_000_000} here")))
        lines = eventAsText({"log_format": "failed", "log_failure": brief}).splitlines()
        self.assertLess(max(map(len, lines)), LONGEST_LINE + 50)
        self.assertTrue(lines[-1].startswith("builtins.ValueError: no xxx"))
        self.assertTrue(lines[-1].endswith("xxx here"))
        self.assertRegex(lines[-1], r" \.\.\. \(\d{6} characters are left out\) \.\.\. ")

    def test_many_lines(self) -> None:
        """So are the lines of a text, or of a recursion, if they are many; its beginning and its end stay."""
        with self.assertRaises(ValueError) as caught:
            deep(500)
        for error, last in ((caught.exception, "deep"), (ValueError("\n" * 1_000_000 + "end"), "end")):
            text = loggable(Failure(error)).getTraceback()
            self.assertLess(len(text), LONGEST_TRACEBACK + 50)
            self.assertTrue(text.startswith("Traceback"))
            self.assertTrue(text.endswith(f"{last}\n"))

    def test_cleaned(self) -> None:
        """A failure that has lost its traceback, as those of Deferreds may, shows its frames all the same."""
        failure = raised(ValueError("no"))
        failure.cleanFailure()
        self.assertIn("in raised", loggable(failure).getTraceback())


class PrintableTests(SynchronousTestCase):
    """Texts of strangers, written so that they stay on their line."""

    def test_printable(self) -> None:
        """Characters that could break a line or change the terminal are escaped; others stay."""
        self.assertEqual(printable("ann ü 漢"), "ann ü 漢")
        self.assertEqual(printable("a\nb\x1b[2J\u2028"), "a\\nb\\x1b[2J\\u2028")

    def test_address(self) -> None:
        """Addresses are written as people write them."""
        for address, written in (
            (IPv4Address("TCP", "127.0.0.1", 80), "127.0.0.1:80"),
            (IPv4Address("TCP", "\n", 80), "\\n:80"),
            (IPv6Address("TCP", "::1", 80), "[::1]:80"),
            (UNIXAddress("/run/edge"), "unix:/run/edge"),
            (UNIXAddress(b"/run/\xff"), "unix:/run/\ufffd"),
            (UNIXAddress(None), "unix:"),
            (None, "None"),
        ):
            self.assertEqual(address_text(address), written)
