"""Statements are refused by words and functions, and rewritten."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Send
from twisted_repeater.dialects.postgres.failing import mended
from twisted_repeater.dialects.postgres.messages import ErrorResponse, ParameterStatus, Parse, Query
from twisted_repeater.dialects.postgres.own_filters import OwnFilter
from twisted_repeater.dialects.postgres.statements import Statements


class Named:
    """Stands for a link."""


LINK: Any = Named()
OwnFilter().filter(ParameterStatus("client_encoding", "UTF8"), LINK)


def verdict_on(pair: Statements, message: object, link: Any = LINK) -> Any:
    """Return the verdict on a message to the server: the reason, if it is refused."""
    to_server: Any = pair.for_link(link)[0]
    verdict = to_server.filter(message, link)
    error = mended(ErrorResponse({"M": verdict.forward[0].sql})) if verdict.forward else None
    return verdict if error is None else error.message


class StatementsTests(SynchronousTestCase):
    """The verdicts on texts."""

    def test_words(self) -> None:
        """Words refuse and allow."""
        pair = Statements(refuse=["drop"], allow=["SELECT", "ALTER TABLE"])
        self.assertIs(verdict_on(pair, Query("SELECT 1; alter table x")), PASS_ON)
        self.assertEqual(verdict_on(pair, Query("SELECT 1; drop x")), "DROP is refused")
        self.assertEqual(verdict_on(pair, Parse("", "ALTER x")), "ALTER is not allowed")
        self.assertEqual(verdict_on(pair, Query("'x'")), "a statement that begins with no word is not allowed")

    def test_functions(self) -> None:
        """A function says whether, or why; anything else is an error of it."""
        for answer, reason in ((True, "X is refused"), ("why", "why"), (False, PASS_ON), (None, PASS_ON)):
            answers: Any = lambda statement, link, a=answer: a  # noqa: E731
            self.assertEqual(verdict_on(Statements(refuse=answers), Query("x")), reason)
        wrong: Any = lambda statement, link: 3  # noqa: E731
        self.assertRaises(TypeError, verdict_on, Statements(refuse=wrong), Query("x"))

    def test_rewrite(self) -> None:
        """What the function returns is put in the place of the statement alone."""
        pair = Statements(rewrite=lambda sql, link: "b --" if sql == "a" else None)
        self.assertEqual(verdict_on(pair, Query("x; a ;y")), Send(Query("x; b --\n ;y")))
        self.assertIs(verdict_on(pair, Parse("", "x")), PASS_ON)
        ambiguous = Query("a;'\\'; a; --'")
        self.assertIn("backslash", verdict_on(pair, ambiguous))
        for wrong in (3, "\0"):
            bad: Any = lambda sql, link, w=wrong: w  # noqa: E731
            self.assertRaises(TypeError, verdict_on, Statements(rewrite=bad), Query("x"))

    def test_refused_by_another(self) -> None:
        """What another filter has refused is left alone."""
        to_server: Any = Statements(refuse=["DROP"]).for_link(LINK)[0]
        (refused,) = to_server.filter(Query("DROP"), LINK).forward
        other: Any = Statements(allow=["SELECT"], rewrite=lambda sql, link: "x").for_link(LINK)[0]
        self.assertIs(other.filter(refused, LINK), PASS_ON)

    def test_unreadable(self) -> None:
        """A text that cannot be read for sure is refused."""
        self.assertIn("(unknown)", verdict_on(Statements(refuse=["DROP"]), Query("E'é\\''"), Named()))

    def test_wrong_arguments(self) -> None:
        """Wrong arguments raise errors that say what is expected."""
        self.assertRaises(ValueError, Statements)
        self.assertRaises(TypeError, Statements, refuse="DROP")
        for words in (["DROP;"], [""], [3], ["a " * 9]):
            self.assertRaises(ValueError, Statements, refuse=words)
