"""Texts of exceptions and other objects, whatever their methods do.

``str(error)`` runs code of the application, which may raise, recurse too deeply, or return text that no log file can
hold. The functions here always return a plain text, so that every failure can be reported.
"""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as short_repr
from typing import TypeVar

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

T = TypeVar("T")

LONGEST = 1000
"""How many characters of an exception's or another object's text are kept."""

LONGEST_LOGGED = 200
"""How many characters of a name or a reason are logged."""

LONGEST_LINE = 500
"""How many characters of one line of a traceback are logged."""

LONGEST_TRACEBACK = 16_000
"""How many characters of a traceback are logged; an ordinary one is far below."""

name_of_class: Callable[[type], str] = type.__dict__["__name__"].__get__
"""Return the name of a class, without calling a metaclass that overrides ``__name__``."""


class Unprintable(Exception):
    """Replaces in the log an exception that cannot be printed. Its text names the exception, and why it cannot."""


def text_of(error: object) -> str:
    """Return the text of an exception."""
    return shortened(guarded_text(str, error, "__str__"), LONGEST)


def told(error: object) -> str:
    """Return the name of an exception's class and the exception's text."""
    return f"{class_name(error)}: {text_of(error)}"


def repr_of(value: object) -> str:
    """Return a short ``repr``."""
    return shortened(guarded_text(short_repr, value, "__repr__"), LONGEST)


def class_name(value: object) -> str:
    """Return the name of an object's class."""
    return name_of_class(type(value))


def guarded_text(show: Callable[[T], str], value: T, method: str) -> str:
    """Return ``show(value)``, or a text about the exception that ``show`` raised, with the name of the method."""
    try:
        return str.__str__(show(value))  # plain text also where a subclass of str was returned
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"<{class_name(error)} raised by its {method}>"


def shortened(text: str, longest: int = LONGEST_LOGGED) -> str:
    """Return the beginning of a text, with its length if it is cut: strangers can make names and messages very long."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def loggable(failure: Failure) -> Failure:
    """Return a failure that every log can hold: the given one with its text cut, or an `Unprintable` in its place.

    Twisted formats a failure when it writes it to the log. If that raises, or if the log's file cannot encode the text,
    the entry is lost.
    """
    try:
        str(failure.value)
        failure.getTraceback().encode()
    except KeyboardInterrupt:
        raise
    except BaseException:
        error = told(failure.value).encode("utf-8", "backslashreplace").decode()
        failure = Failure(Unprintable(error), Unprintable, failure.tb)
    return _BriefFailure(failure)


class _BriefFailure(Failure):
    """A failure whose traceback is cut in the middle if it, or one of its lines, is long.

    An exception may quote a message of a stranger, which may have megabytes.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value, failure.type, failure.getTracebackObject())  # type: ignore[no-untyped-call]
        self._whole = failure

    def getTraceback(self, elideFrameworkCode: int = 0, detail: str = "default") -> str:
        """See `Failure`."""
        text = self._whole.getTraceback(elideFrameworkCode, detail)
        lines = [without_middle(line, LONGEST_LINE) for line in text.split("\n")]
        return without_middle("\n".join(lines), LONGEST_TRACEBACK)


def without_middle(text: str, longest: int) -> str:
    """Return a text without its middle if it is long: its beginning and its end say the most."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} ... ({len(text) - 2 * half} characters are left out) ... {text[-half:]}"


def printable(text: str) -> str:
    """Return a text in which characters that could break its line or change the terminal are escaped."""
    if text.isprintable():  # as nearly all are
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def address_text(address: IAddress | None) -> str:
    """Return the text of an address as people write it."""
    if isinstance(address, IPv4Address):
        return printable(f"{address.host}:{address.port}")  # a PROXY header may contain any text
    if isinstance(address, IPv6Address):
        return printable(f"[{address.host}]:{address.port}")
    if isinstance(address, UNIXAddress):
        name = address.name or b""
        return printable(f"unix:{name.decode('utf-8', 'replace') if isinstance(name, bytes) else name}")
    return printable(str(address))
