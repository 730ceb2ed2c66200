"""The messages of PostgreSQL's protocol."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres.messages import BackendKeyData, CopyDone, ErrorResponse, NoticeResponse, Query
from twisted_repeater.dialects.postgres.messages import Sync as Synchronize


class MessagesTests(SynchronousTestCase):
    """What users see of them."""

    def test_errors(self) -> None:
        """An error has a code, a severity in English and a message; one of your own needs only the message."""
        error = ErrorResponse.of("no", H="a hint")
        self.assertEqual(
            (error.severity, error.code, error.message, error.fields["H"]), ("ERROR", "42501", "no", "a hint")
        )
        self.assertEqual(ErrorResponse({"S": "FEHLER", "V": "ERROR"}).severity, "ERROR")
        empty = ErrorResponse({})
        self.assertEqual((empty.severity, empty.code, empty.message), ("", "", ""))

    def test_notices(self) -> None:
        """So has a notice."""
        notice = NoticeResponse({"S": "HINWEIS", "C": "01000", "M": "so"})
        self.assertEqual((notice.severity, notice.code, notice.message), ("HINWEIS", "01000", "so"))
        self.assertEqual(NoticeResponse({}).message, "")

    def test_secrets(self) -> None:
        """The key by which statements are cancelled is not shown."""
        self.assertEqual(repr(BackendKeyData(7, b"abcd")), "BackendKeyData(process=7, key=<4 bytes>)")

    def test_values(self) -> None:
        """Messages are values: equal by class and content, and changed by making others."""
        query = Query("SELECT 1")
        with self.assertRaises(FrozenInstanceError):
            query.sql = ""  # type: ignore[misc]
        self.assertEqual(replace(query, sql="x"), Query("x"))
        self.assertNotEqual(CopyDone(), Synchronize())
        self.assertEqual(len({Query("x"), Query("x")}), 1)
