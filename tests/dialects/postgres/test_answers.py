"""Each answer of the server is matched with what asked for it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres import answers, messages
from twisted_repeater.dialects.postgres.answers import Answers
from twisted_repeater.dialects.postgres.messages import (
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    Column,
    CommandComplete,
    CopyData,
    CopyDone,
    CopyInResponse,
    Describe,
    ErrorResponse,
    Execute,
    NoData,
    Parse,
    ParseComplete,
    Query,
    ReadyForQuery,
    RowDescription,
    Sync,
)

A, B = ((Column(name, 0, 0, 25, -1, -1, 0),) for name in "ab")
DONE, READY = CommandComplete("X"), ReadyForQuery("I")
COPY = CopyInResponse(0, ())


class AnswersTests(SynchronousTestCase):
    """Conversations, and what is known after them."""

    def talk(self, asks: list[object], says: list[object], known: Answers | None = None) -> Answers:
        """Ask and answer."""
        known = known or Answers(begins=False)
        for ask in asks:
            known.ask(ask)
        for say in says:
            known.answer(say)
        return known

    def test_session(self) -> None:
        """The first ReadyForQuery answers nothing; a second one is lost."""
        known = self.talk([], [READY], Answers())
        self.assertFalse(known.is_lost)
        self.assertTrue(self.talk([], [READY], known).is_lost)
        self.assertIsNone(known.columns())

    def test_query(self) -> None:
        """The rows of a Query follow their description."""
        known = self.talk([Query(""), Query("")], [RowDescription(A)])
        self.assertEqual(known.columns(), A)
        known = self.talk([], [DONE], known)
        self.assertIsNone(known.columns())
        self.talk([], [ErrorResponse.of("x"), READY, RowDescription(B)], known)
        self.assertEqual(known.columns(), B)

    def test_names(self) -> None:
        """A statement and its portals have the columns that were described for either, until they are closed."""
        known = self.talk(
            [Parse("s" * 70, ""), Describe("S", "s" * 63), Bind("p", "s" * 64), Execute("p")],
            [ParseComplete(), RowDescription(A), BindComplete()],
        )
        self.assertEqual(known.columns(), A)
        self.talk([Close("P", "p"), Close("S", "é"), Execute("p")], [DONE, CloseComplete(), CloseComplete()], known)
        self.assertIsNone(known.columns())
        self.talk([Describe("P", "q"), Execute("q"), Sync()], [DONE, NoData()], known)
        self.assertEqual(known.columns(), ())
        self.talk([], [DONE], known)
        self.assertIsNone(known.columns())

    def test_replaced(self) -> None:
        """After PREPARE and the like nothing is known of statements."""
        for replaces in (True, False):
            known = self.talk([Parse("a", ""), Describe("S", "a")], [ParseComplete(), RowDescription(A)])
            if replaces:
                known.ask(Query(""), replaces=True)
                known.answer(READY)
            else:
                known.ask(Parse("b", ""), replaces=True)
                self.talk([Bind("", "b"), Execute("")], [ParseComplete(), BindComplete(), DONE], known)
            self.talk([Bind("", "a"), Execute("")], [BindComplete()], known)
            self.assertIsNone(known.columns())

    def test_error(self) -> None:
        """After an error all is discarded up to the next Sync, whether that has been sent or not."""
        known = self.talk(
            [Parse("", ""), Query(""), Sync(), Query("")], [ErrorResponse.of("x"), READY, RowDescription(A)]
        )
        self.assertEqual(known.columns(), A)
        known = self.talk([Parse("", "")], [ErrorResponse.of("x")])
        self.talk([Parse("", ""), Sync(), Query("")], [READY, RowDescription(A)], known)
        self.assertEqual(known.columns(), A)

    def test_copy(self) -> None:
        """Sync is swallowed while data are read, wherever the server is; the end of a COPY that there is not, too."""
        data: list[object] = [CopyData(b""), CopyDone(), Sync()]
        known = self.talk([Execute(""), Sync(), *data], [COPY, DONE, READY])
        self.talk([CopyDone(), Execute(""), Sync()], [COPY], known)
        self.talk([Sync(), *data, Query("")], [DONE, READY, RowDescription(A)], known)
        self.assertEqual(known.columns(), A)
        self.assertFalse(known.is_lost)

    def test_lost(self) -> None:
        """What does not fit is lost."""
        for asks, says in (
            ([Execute(""), Query("")], [COPY]),
            ([Sync()], [RowDescription(A)]),
            ([], [RowDescription(A)]),
            ([Query("")], [ParseComplete()]),
        ):
            self.assertTrue(self.talk(list(asks), list(says)).is_lost)
        known = self.talk([Query("")], [COPY])
        known.ask(Query(""))
        self.assertTrue(known.is_lost)

    def test_bounded(self) -> None:
        """The oldest statements are forgotten."""
        self.patch(answers, "MOST_NAMES", 1)
        known = self.talk(
            [Parse("a", ""), Describe("S", "a"), Parse("b", ""), Bind("", "a"), Execute("")],
            [ParseComplete(), RowDescription(A), ParseComplete(), BindComplete()],
        )
        self.assertIsNone(known.columns())
        known.ask(messages.Flush())
        known.answer(messages.NoticeResponse({}))
        self.assertFalse(known.is_lost)
