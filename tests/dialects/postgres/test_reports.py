"""The errors and notices of PostgreSQL."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres.reports import ErrorResponse, NoticeResponse


class ReportTests(SynchronousTestCase):
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
        self.assertNotEqual(NoticeResponse({}), ErrorResponse({}))
