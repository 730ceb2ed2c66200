"""`Statements`: refuses statements, or writes others in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ...filters._provider import checked_function
from ...filters.by_type import ByType
from ...filters.pair import FilterPair
from ...link import Link
from ...verdicts import PASS_ON, Send, Verdict
from .failing import is_refusal, refuse
from .messages import Parse, Query
from .own_filters import settings_of
from .sql import MOST_WORDS, Statement, is_readable, readings

__all__ = ["Statements", "reason_against"]

Predicate = Callable[[Statement, Link], bool | str | None]
Rewrite = Callable[[str, Link], str | None]
Judge = Callable[[Statement, Link], str | None]
"""Returns why a statement is refused; ``None`` if it is not."""


class Statements(FilterPair):
    """A pair of filters that refuses statements, or writes others in their place.

    It looks at each statement of a `Query` and of a `Parse`. A message with a statement that is refused fails as a
    whole, before anything of it is run, as if the server had refused it: see `refuse`.

    ``Statements(refuse=["DROP", "ALTER TABLE"])`` refuses statements by the words that they begin with, in any case. A
    statement in another one counts too: ``EXPLAIN ANALYZE DELETE FROM orders`` is a DELETE.

    This looks at text. It does not see what functions, DO and triggers do. So it keeps programs and people from
    mistakes; against an attacker, take rights away in the server.

    Args:
        refuse: words that no statement may begin with, or a function of a `Statement` and the link that returns whether
            it is refused, or the reason.
        allow: words that each statement must begin with; by default any.
        rewrite: a function of the text of a statement and the link that returns the text in its place, or ``None`` to
            leave it as it is. It is not asked about statements that are refused.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: the words are not words, or nothing is given.
    """

    def __init__(
        self,
        *,
        refuse: Predicate | tuple[str, ...] | list[str] = (),
        allow: tuple[str, ...] | list[str] = (),
        rewrite: Rewrite | None = None,
    ) -> None:
        super().__init__(to_server=_Check(refuse, allow, rewrite))
        self.__qualname__ = "Statements"


class _Check(ByType):
    """The filter of messages to the server."""

    def __init__(self, refuse: Predicate | Iterable[str], allow: Iterable[str], rewrite: Rewrite | None) -> None:
        predicate = refuse if callable(refuse) else None
        self._refuse: Predicate | None = predicate and checked_function(predicate)  # type: ignore[assignment]
        self._refused = () if callable(refuse) else _rules("refuse", refuse)
        self._allowed = _rules("allow", allow)
        self._rewrite: Rewrite | None = rewrite and checked_function(rewrite)  # type: ignore[assignment]
        if not (self._refuse or self._refused or self._allowed or self._rewrite):
            raise ValueError("Statements needs something to refuse, to allow or to rewrite")

    def on_statements(self, message: Query | Parse, link: Link) -> Verdict:
        """Judge the statements of a message, then rewrite them."""
        reason = reason_against(message.sql, link, self._judge)
        if reason is not None:
            return refuse(message, reason)
        if self._rewrite is None or is_refusal(message.sql):
            return PASS_ON
        texts = [self._rewritten(message.sql, reading, link) for reading in readings(message.sql)]
        if texts[0] != texts[-1]:
            return refuse(message, "a backslash makes it unclear where the statements end")
        return PASS_ON if texts[0] == message.sql else Send(replace(message, sql=texts[0]))

    def _judge(self, statement: Statement, link: Link) -> str | None:
        """Return why a statement is refused."""
        for rule in self._refused:
            if statement.begins_with(rule):
                return f"{' '.join(rule)} is refused"
        if self._refuse is not None:
            answer = self._refuse(statement, link)
            if answer is True or isinstance(answer, str):
                return f"{_called(statement.words)} is refused" if answer is True else answer
            if answer is not False and answer is not None:
                raise TypeError(f"refuse must return a bool or the reason, not {answer!r}")
        for command in statement.commands if self._allowed else ():
            if not any(command[: len(rule)] == rule for rule in self._allowed):
                return f"{_called(command)} is not allowed"
        return None

    def _rewritten(self, sql: str, reading: list[Statement], link: Link) -> str:
        """Return a text with the statements that the application wants in it."""
        assert self._rewrite is not None
        for statement in reversed(reading):
            text = self._rewrite(statement.sql, link)
            if text is None or text == statement.sql:
                continue
            if not isinstance(text, str) or "\0" in text:
                raise TypeError(f"rewrite must return text without a NUL character, or None, not {text!r}")
            end = "\n" if "--" in text else ""  # or a comment would go on over what follows
            sql = f"{sql[: statement.start]}{text}{end}{sql[statement.start + len(statement.sql) :]}"
        return sql


def reason_against(sql: str, link: Link, judge: Judge) -> str | None:
    """Return why a text is refused: because of one of its statements, or because it cannot be read for sure.

    Args:
        sql: the text of a message.
        link: its link.
        judge: returns why a statement is refused; ``None`` if it is not.
    """
    if is_refusal(sql):
        return None  # another filter has refused it
    encoding = settings_of(link).get("client_encoding")
    if not is_readable(sql, encoding):
        return f"a backslash cannot be read for sure in the client_encoding {encoding or '(unknown)'}"
    for reading in readings(sql):
        for statement in reading:
            reason = judge(statement, link)
            if reason is not None:
                return reason
    return None


def _rules(argument: str, rules: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return words in capitals."""
    if isinstance(rules, str):
        raise TypeError(f"{argument} must be a list such as ['DROP', 'ALTER TABLE'], not {rules!r}")
    found = []
    for rule in rules:
        words = tuple(rule.upper().split()) if isinstance(rule, str) else ()
        if not words or len(words) > MOST_WORDS or not all(word.isidentifier() for word in words):
            raise ValueError(f"{argument} must be words that a statement begins with, such as 'DROP', not {rule!r}")
        found.append(words)
    return tuple(found)


def _called(words: tuple[str, ...]) -> str:
    """Return what a statement is called that begins with these words."""
    return words[0] if words else "a statement that begins with no word"
