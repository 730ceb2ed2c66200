"""Splits SQL into statements and tokens, as PostgreSQL does before it looks at the grammar.

Whether a backslash in an ordinary string is a character or an escape depends on a setting of the session,
``standard_conforming_strings``, and a client may change it in the message before. So a text with backslashes may have
two readings, and rules look at both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

__all__ = ["CHANGES", "Statement", "Token", "is_readable", "readings", "target_of_copy"]

SPACES = " \t\n\r\f\v"
SPACE = f"[{SPACES}]"
COMMENT = r"--[^\n\r]*+"

TOKEN = re.compile(
    rf"""
    (?P<space>(?:{SPACE}++|{COMMENT})++)
    | (?P<comment>/\*)
    | (?P<escapes>[eE]')
    | (?P<plain>(?:[uU]&|[bBxX])'[^']*+(?:''[^']*+)*+')
    | (?P<ordinary>[nN]?')
    | (?P<name>(?:[uU]&)?"[^"]*+(?:""[^"]*+)*+")
    | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+)
    | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*+)?\$)
    | (?P<parameter>\$[0-9]++)
    | (?P<number>[0-9]++(?:\.[0-9]*+)?(?:[eE][-+]?[0-9]++)?)
    | (?P<open>")
    | (?P<symbol>.)
    """,
    re.DOTALL | re.VERBOSE,
)
"""One token. Only ASCII characters are space, and all others are letters. ``open`` is a quote that nothing closes."""

WITHOUT_ESCAPES = re.compile(r"[^']*+(?:''[^']*+)*+'")
WITH_ESCAPES = re.compile(r"(?:[^'\\]++|''|\\.)*+'", re.DOTALL)
CONTINUED = re.compile(rf"(?:[ \t\f\v]|{COMMENT})*+[\n\r](?:{SPACE}++|{COMMENT}[\n\r])*+'")
"""What may be between two parts of one string."""
END_OF_COMMENT = re.compile(r"/\*|\*/")

MOST_WORDS = 8
"""How many words at the beginning of a command are looked at."""
FIRST_WORDS = re.compile(
    rf"([A-Za-z_][A-Za-z0-9_$]*+(?:{SPACE}++[A-Za-z_][A-Za-z0-9_$]*+){{0,{MOST_WORDS - 1}}}+)"
    rf"(?![\x80-\U0010ffff'\"&]|{SPACE}*+(?:--|/\*))"
)
"""The words that a statement begins with, unless something is at their end that takes a closer look."""

CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
"""The commands that other statements may contain, such as WITH, COPY, PREPARE and EXPLAIN."""
CHANGE = re.compile("|".join(sorted(CHANGES)), re.IGNORECASE)
NOT_BEFORE = frozenset({".", "FOR", "KEY", "ON", "DO", "THEN"})
"""After these, the words are part of a clause: FOR UPDATE, ON DELETE CASCADE, ON CONFLICT DO UPDATE."""
CONTAINS_NONE = frozenset({"GRANT", "REVOKE", "ALTER", "COMMENT"})
"""Statements that contain no commands, though they may have these words."""
OF_EXPLAIN = frozenset({"ANALYZE", "ANALYSE", "VERBOSE"})

AFTER_ANY = re.compile("[^\0-\x7f]\\\\")
"""A backslash after a byte that may have begun a character."""
UNSAFE_ENCODINGS = frozenset({"BIG5", "GB18030", "GBK", "JOHAB", "SHIFT_JIS_2004", "SJIS", "UHC"})
"""The encodings in which the second byte of a character may be that of a backslash."""


class Token(NamedTuple):
    """One token of a statement. White space and comments are not tokens."""

    kind: str
    """``word`` for keywords and plain names, ``name`` for quoted ones, ``string``, ``number``, ``parameter``,
    ``symbol`` for one character of anything else, ``open`` for a quote that nothing closes."""
    text: str
    """Its text, with its quotes."""
    start: int
    """Where it begins in its statement."""

    @property
    def word(self) -> str:
        """A word in capitals, or a symbol; otherwise ""."""
        if self.kind == "word":
            return _capitals(self.text)
        return self.text if self.kind == "symbol" else ""


class Statement:
    """One statement of a `Query` or a `Parse`.

    Args:
        sql: its text.
        start: where it begins in the text of the message.
        tokens: its tokens, if they are known.
        backslashes: whether a backslash is an escape in ordinary strings.
    """

    __slots__ = ("_backslashes", "_commands", "_tokens", "sql", "start")

    sql: str
    """Its text, from its first token to its last. In the extended protocol it may have parameters (``$1``)."""
    start: int
    """Where it begins in the text of the message."""

    def __init__(
        self, sql: str, start: int = 0, *, tokens: tuple[Token, ...] | None = None, backslashes: bool = False
    ) -> None:
        self.sql = sql
        self.start = start
        self._tokens = tokens
        self._backslashes = backslashes
        self._commands: tuple[tuple[str, ...], ...] | None = None

    def __repr__(self) -> str:
        return f"Statement({self.sql!r})"

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Its tokens."""
        if self._tokens is None:
            self._tokens = tuple(_tokens(self.sql, self._backslashes))
        return self._tokens

    @property
    def words(self) -> tuple[str, ...]:
        """The words that it begins with, in capitals: ``("ALTER", "TABLE", "IF", "EXISTS")``."""
        return self.commands[0]

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """The first words of each command in it: its own, then those of commands that it contains.

        ``EXPLAIN ANALYZE DELETE FROM orders`` contains a DELETE, and so may WITH, COPY and PREPARE. A word INSERT,
        UPDATE, DELETE or MERGE without quotes is taken for a command even where it is the name of a column.
        """
        if self._commands is None:
            self._commands = self._first_words() or self._find_commands()
        return self._commands

    def _first_words(self) -> tuple[tuple[str, ...], ...] | None:
        """Return its only command, if one look at its beginning shows that there is no other."""
        if self._tokens is not None or CHANGE.search(self.sql, 1):
            return None
        match = FIRST_WORDS.match(self.sql)
        if match is None:
            return None
        words = tuple(match[1].upper().split())
        return None if words[0] == "EXPLAIN" else (words,)

    def _find_commands(self) -> tuple[tuple[str, ...], ...]:
        tokens = self.tokens
        at = 0
        while at < len(tokens) and tokens[at].word == "(":
            at += 1
        own = _words_at(tokens, at)
        found = [own]
        if own[:1] == ("EXPLAIN",):
            found.append(_words_at(tokens, _after_explain(tokens, at + 1)))
        if own and own[0] not in CONTAINS_NONE:
            found += (
                _words_at(tokens, index)
                for index in range(at + 1, len(tokens))
                if tokens[index].word in CHANGES and tokens[index - 1].word not in NOT_BEFORE
            )
        return tuple(found)

    def begins_with(self, words: tuple[str, ...]) -> bool:
        """Return whether it is, or contains, a command that begins with these words, which are in capitals."""
        size = len(words)
        return any(command[:size] == words for command in self.commands)


def readings(sql: str) -> list[list[Statement]]:
    """Return the statements of a text: one list, or two if backslashes are in it that would make a difference.

    Empty statements are left out. A semicolon in parentheses, as in CREATE RULE, ends nothing.
    """
    if "\\" not in sql:
        return [_statements(sql, False)]
    plain, escaped = _statements(sql, False), _statements(sql, True)
    if [statement.tokens for statement in plain] == [statement.tokens for statement in escaped]:
        return [plain]
    return [plain, escaped]


def target_of_copy(statement: Statement) -> str:
    """Return what a COPY writes to, in capitals: ``STDOUT``, ``PROGRAM``, or "?" for a file; "" if it reads."""
    depth = 0
    for token, after in pairwise(statement.tokens):
        depth += (token.word == "(") - (token.word == ")")
        if not depth and token.word == "TO":
            return after.word or "?"
    return ""


def is_readable(sql: str, encoding: str | None) -> bool:
    """Return whether a text can be split for sure.

    Args:
        sql: the text.
        encoding: the ``client_encoding`` of the session; ``None`` if it is not known.
    """
    return (encoding is not None and encoding not in UNSAFE_ENCODINGS) or not AFTER_ANY.search(sql)


def _statements(text: str, backslashes: bool) -> list[Statement]:
    """Return the statements of one reading."""
    semicolon = text.find(";")
    if (semicolon >= 0 and text[semicolon + 1 :].strip(SPACES)) or "--" in text or "/*" in text:
        return _split(text, backslashes)
    sql = (text if semicolon < 0 else text[:semicolon]).rstrip(SPACES)
    lead = len(sql) - len(sql.lstrip(SPACES))
    return [Statement(sql[lead:], lead, backslashes=backslashes)] if lead < len(sql) else []


def _split(text: str, backslashes: bool) -> list[Statement]:
    """Return the statements of a text, by its tokens."""
    found: list[Statement] = []
    current: list[Token] = []
    depth = 0
    for token in _tokens(text, backslashes):
        if token.kind == "symbol":
            if token.text == ";" and not depth:
                found += _statement(text, current, backslashes)
                current = []
                continue
            depth = max(0, depth + (token.text == "(") - (token.text == ")"))
        current.append(token)
    return found + _statement(text, current, backslashes)


def _statement(text: str, tokens: list[Token], backslashes: bool) -> list[Statement]:
    """Return the statement that some tokens of a text are, if there are any."""
    if not tokens:
        return []
    start, last = tokens[0].start, tokens[-1]
    own = tuple(Token(kind, part, at - start) for kind, part, at in tokens)
    return [Statement(text[start : last.start + len(last.text)], start, tokens=own, backslashes=backslashes)]


def _tokens(text: str, backslashes: bool) -> Iterator[Token]:
    """Yield the tokens of a text."""
    at, size = 0, len(text)
    while at < size:
        match = TOKEN.match(text, at)
        assert match is not None
        kind, start, at = str(match.lastgroup), at, match.end()
        if kind == "space":
            continue
        if kind == "comment":
            at = _after_comment(text, at)
            continue
        if kind in ("escapes", "ordinary"):
            at, kind = _after_string(text, at, backslashes or kind == "escapes"), "string"
        elif kind == "dollar":
            stop = text.find(match[0], at)
            at, kind = stop + len(match[0]) if stop >= 0 else -1, "string"
        elif kind == "plain":
            kind = "string"
        elif kind == "open":
            at = -1
        if at < 0:
            at, kind = size, "open"
        yield Token(kind, text[start:at], start)


def _after_comment(text: str, at: int) -> int:
    """Return where a comment ends. Its first two characters are read. Comments can be nested."""
    depth = 1
    while depth:
        match = END_OF_COMMENT.search(text, at)
        if match is None:
            return len(text)
        depth += 1 if match[0] == "/*" else -1
        at = match.end()
    return at


def _after_string(text: str, at: int, escapes: bool) -> int:
    """Return where a string ends, after its first quote; -1 if nothing closes it."""
    body = WITH_ESCAPES if escapes else WITHOUT_ESCAPES
    while True:
        match = body.match(text, at)
        if match is None:
            return -1
        continued = CONTINUED.match(text, match.end())
        if continued is None:
            return match.end()
        at = continued.end()


def _words_at(tokens: tuple[Token, ...], at: int) -> tuple[str, ...]:
    """Return the plain words from one token on."""
    stop = at
    while stop < min(len(tokens), at + MOST_WORDS) and tokens[stop].kind == "word":
        stop += 1
    return tuple(_capitals(token.text) for token in tokens[at:stop])


def _after_explain(tokens: tuple[Token, ...], at: int) -> int:
    """Return which token follows EXPLAIN and its options."""
    if at < len(tokens) and tokens[at].word == "(":
        depth = 0
        while at < len(tokens):
            depth += (tokens[at].word == "(") - (tokens[at].word == ")")
            at += 1
            if not depth:
                break
    while at < len(tokens) and tokens[at].word in OF_EXPLAIN:
        at += 1
    while at < len(tokens) and tokens[at].word == "(":  # of the statement
        at += 1
    return at


def _capitals(text: str) -> str:
    """Return a word in capitals. Other letters stay: the capital of one may be a letter of a keyword."""
    return text.upper() if text.isascii() else text
