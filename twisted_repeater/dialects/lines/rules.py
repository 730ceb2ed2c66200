"""Filters of lines by regular expression: `RefuseLines`, `AllowLines`, `ReplaceInLines`, `LogLines`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from twisted.logger import Logger, LogLevel
from zope.interface import implementer

from ..._text import shortened
from ...codecs import RawCodec
from ...errors import ParseError
from ...filters._provider import selector_for_types
from ...filters.log import short_repr
from ...filters.pair import FilterPair
from ...interfaces import ICodec, IFilter, ISelectiveByCodec
from ...link import Link
from ...selectors import Selector
from ...verdicts import DROP, PASS_ON, Close, Send, SendBack, Verdict
from .patterns import LONE, Pattern, Template
from .perhaps import Perhaps

__all__ = ["AllowLines", "LogLines", "RefuseLines", "ReplaceInLines"]

log: Logger = Logger()

CR, LF, NUL = b"\r\n\0"
"""As numbers: to look for a byte as ``bytes`` in a line costs eight times as much."""

Way: TypeAlias = Literal["to-server", "to-client", "both"]
Lone: TypeAlias = Literal["close", "pass"]

MOST_PLACES = 100
"""In so many places of one line something is replaced. Each place costs a search in the rest of the line."""


class RefuseLines(FilterPair):
    r"""A pair of filters that stops lines in which a regular expression matches.

    For example, nobody may join a channel of IRC, and a client that tries gets the reason::

        RefuseLines(match=r"^JOIN\b.*(#secret)(,| |$)", answer=r":irc.example.org 473 * \1 :Only for members")

    Args:
        match: the expression. It may match anywhere in a line: write ``^`` and ``$`` for its beginning and its end.
        answer: the line that its sender gets, with groups of the match: ``\1``, or ``\0`` for all that has matched.
            Without it the sender gets nothing. The answer goes out at once. If only the order of replies tells to which
            line they belong, use `ReplaceInLines`, with a line that the server refuses.
        direction: the direction of the lines: ``"to-server"``, ``"to-client"`` or ``"both"``.
        lone: what to do if a line has a CR, LF or NUL in the middle, which some servers take for the end of a line:
            ``"close"`` closes the link, ``"pass"`` treats these bytes as any other.

    Raises:
        ImportError: google-re2 is not installed.
        TypeError: an argument is of another kind.
        ValueError: an argument is not valid.
    """

    def __init__(
        self, match: str, *, answer: str | None = None, direction: Way = "to-server", lone: Lone = "close"
    ) -> None:
        pattern = Pattern("match", match)
        template = None if answer is None else Template("answer", answer, pattern.groups)
        _use(self, direction, _Refuse(pattern, template, lone))


class AllowLines(FilterPair):
    r"""A pair of filters that stops all lines, except those that a regular expression matches as a whole.

    For example, a client of FTP may look and get, and nothing else::

        AllowLines(match=r"(USER|PASS|CWD|TYPE|RETR|SIZE) .*|PASV|PWD|LIST|QUIT", answer="550 Not here.")

    Args:
        match: the expression, which must match from the beginning of the line to its end.
        answer: the line that the sender of another line gets. It has no groups but ``\0``, which is the line.
        direction: see `RefuseLines`.
        lone: see `RefuseLines`.

    Raises:
        ImportError: google-re2 is not installed.
        TypeError: an argument is of another kind.
        ValueError: an argument is not valid.
    """

    def __init__(
        self, match: str, *, answer: str | None = None, direction: Way = "to-server", lone: Lone = "close"
    ) -> None:
        template = None if answer is None else Template("answer", answer, 0)
        _use(self, direction, _Allow(Pattern("match", match), template, lone))


class ReplaceInLines(FilterPair):
    r"""A pair of filters that replaces what a regular expression matches in lines.

    For example, in FTP the commands that delete become one that the server refuses, in its turn::

        ReplaceInLines(match=r"^\s*(DELE|X?RMD)\b.*$", by="X-REFUSED")

    Args:
        match: the expression. A line in which it matches more than 100 times closes the link.
        by: the text for each of the places, with groups of the match: ``\1``, or ``\0`` for all that has matched.
        direction: see `RefuseLines`.
        lone: see `RefuseLines`.

    Raises:
        ImportError: google-re2 is not installed.
        TypeError: an argument is of another kind.
        ValueError: an argument is not valid.
    """

    def __init__(self, match: str, by: str, *, direction: Way = "to-server", lone: Lone = "close") -> None:
        pattern = Pattern("match", match)
        _use(self, direction, _Replace(pattern, Template("by", by, pattern.groups), lone))


class LogLines(FilterPair):
    r"""A pair of filters that logs lines in which a regular expression matches, and passes all on.

    For example, who joins which channel::

        LogLines(match=r"^JOIN (\S+)", text=r"joins \1")

    Args:
        match: the expression.
        text: what to log, with groups of the match. By default it is the line, without what the dialect calls secret.
        direction: see `RefuseLines`.
        level: the level in the log: ``"debug"``, ``"info"`` or ``"warn"``.

    Raises:
        ImportError: google-re2 is not installed.
        TypeError: an argument is of another kind.
        ValueError: an argument is not valid.
    """

    def __init__(
        self,
        match: str,
        *,
        text: str | None = None,
        direction: Way = "both",
        level: Literal["debug", "info", "warn"] = "info",
    ) -> None:
        if level not in ("debug", "info", "warn"):
            raise ValueError(f"level must be debug, info or warn, not {level!r}")
        pattern = Pattern("match", match)
        template = None if text is None else Template("text", text, pattern.groups)
        to_server, to_client = (
            _Log(pattern, template, way, LogLevel.levelWithName(level)) for way in ("to the server", "to the client")
        )
        _use(self, direction, to_server, to_client)


def _use(pair: FilterPair, direction: str, to_server: _Rule, to_client: _Rule | None = None) -> None:
    """Make a pair use a rule for one direction or both; ``to_client`` if it is another one than that to the server."""
    if direction not in ("to-server", "to-client", "both"):
        raise ValueError(f"direction must be to-server, to-client or both, not {direction!r}")
    FilterPair.__init__(
        pair,
        to_server=to_server if direction != "to-client" else None,
        to_client=(to_client or to_server) if direction != "to-server" else None,
    )


def _send(messages: list[bytes]) -> Verdict:
    """Return the verdict that sends these in place of a line."""
    return Send(*messages)


@implementer(IFilter, ISelectiveByCodec)
class _Rule:
    """The filter of a direction. All links share it: it keeps nothing of them."""

    _wants_all = False
    """Whether it decides about lines in which the expression does not match."""

    def __init__(self, pattern: Pattern, template: Template | None, lone: str = "pass") -> None:
        if lone not in ("close", "pass"):
            raise ValueError(f"lone must be close or pass, not {lone!r}")
        self._pattern = pattern
        self._template = template
        self._closes = lone == "close"

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`. Lines in which the expression cannot match pass, unless a rule wants all."""
        selector = selector_for_types(self, (bytes,), codec)
        may_match = self._pattern.may_match
        if type(codec) is not RawCodec or may_match is None or self._wants_all:  # a codec may make other bytes of them
            return selector
        return Perhaps(may_match, self._closes)

    def filter(self, message: bytes, link: Link) -> Verdict:
        """See `IFilter`. A CR at the end is a part of the line's end, which the filters need not know."""
        line, end = (message[:-1], b"\r") if message.endswith(b"\r") else (message, b"")
        if self._closes and (CR in line or LF in line or NUL in line):
            return Close(ParseError("a line must not have a CR, LF or NUL in it"))
        return self._decide(line, end, link)

    def _decide(self, line: bytes, end: bytes, link: Link) -> Verdict:
        """Return the verdict about a line without its end."""
        raise NotImplementedError

    def _made(self, verdict: Callable[[list[bytes]], Verdict], line: bytes, end: bytes) -> Verdict:
        """Return a verdict that sends a line, if it is one."""
        if LONE.search(line):  # a group may have such a byte
            return Close(ParseError("a line that was made of another one must not have a CR, LF or NUL in it"))
        return verdict([line + end])


class _Refuse(_Rule):
    """Stops lines in which the expression matches."""

    __qualname__ = "RefuseLines"

    def _decide(self, line: bytes, end: bytes, link: Link) -> Verdict:
        spans = self._pattern.search(line)
        if spans is None:
            return PASS_ON
        return DROP if self._template is None else self._made(SendBack, self._template.made_of(line, spans), end)


class _Allow(_Rule):
    """Stops lines that the expression does not match as a whole."""

    __qualname__ = "AllowLines"
    _wants_all = True

    def _decide(self, line: bytes, end: bytes, link: Link) -> Verdict:
        if self._pattern.matches_all_of(line):
            return PASS_ON
        if self._template is None:
            return DROP
        return self._made(SendBack, self._template.made_of(line, [(0, len(line))]), end)


class _Replace(_Rule):
    """Puts something else in the places where the expression matches."""

    __qualname__ = "ReplaceInLines"

    def __init__(self, pattern: Pattern, template: Template, lone: str) -> None:
        super().__init__(pattern, template, lone)
        self._by = template

    def _decide(self, line: bytes, end: bytes, link: Link) -> Verdict:
        if self._pattern.search(line) is None:
            return PASS_ON
        made = self._pattern.replaced(line, self._by, MOST_PLACES)
        if made is None:
            return Close(ParseError(f"a line must not match in more than {MOST_PLACES} places"))
        return self._made(_send, made, end)


class _Log(_Rule):
    """Logs lines in which the expression matches."""

    __qualname__ = "LogLines"

    def __init__(self, pattern: Pattern, template: Template | None, way: str, level: LogLevel) -> None:
        super().__init__(pattern, template)
        self._way = way
        self._level = level

    def _decide(self, line: bytes, end: bytes, link: Link) -> Verdict:
        spans = self._pattern.search(line)
        if spans is not None:
            shown = link._pair.redacted(line) if self._template is None else self._template.made_of(line, spans)
            log.emit(
                self._level,
                "client {client!r}, {label}: {text}",
                client=shortened(link.client_name),
                link=link.id,
                label=self._way,
                text=short_repr(shown),
            )
        return PASS_ON
