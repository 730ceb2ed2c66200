"""A refused message is replaced by one that fails, and the error has our words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres import messages
from twisted_repeater.dialects.postgres.failing import is_refusal, mended, refuse


class FailingTests(SynchronousTestCase):
    """The words travel in the error of the server."""

    def test_round_trip(self) -> None:
        """Any reason comes back as it was, without what the server said of the statement in its place."""
        for reason in ("no DROP here", '100 % of "é" $1$ \0\n', "\udc80"):
            (query,) = refuse(messages.Query("DROP"), reason, code="25006").forward
            assert isinstance(query, messages.Query)
            self.assertTrue(is_refusal(query.sql))
            error = messages.ErrorResponse(
                {"S": "FEHLER", "V": "ERROR", "C": "42601", "M": f"Fehler »{query.sql}«", "P": "1"}
            )
            own = messages.ErrorResponse(
                {"S": "FEHLER", "V": "ERROR", "C": "25006", "M": reason.replace("\udc80", "?")}
            )
            self.assertEqual(mended(error), own)

    def test_others(self) -> None:
        """Other errors and texts are none of ours."""
        self.assertIsNone(mended(messages.ErrorResponse.of("no")))
        self.assertFalse(is_refusal("SELECT 1"))

    def test_classes(self) -> None:
        """Each message that the server acts on gets one that fails in its place; others cannot be refused."""
        for message, kind in (
            (messages.FunctionCall(1), messages.Query),
            (messages.Parse("a", "DROP"), messages.Parse),
            (messages.Bind("", ""), messages.Parse),
            (messages.Describe("S", ""), messages.Parse),
            (messages.Execute(""), messages.Parse),
            (messages.Close("S", ""), messages.Parse),
            (messages.CopyData(b""), messages.CopyFail),
        ):
            (other,) = refuse(message, "no").forward
            self.assertIs(type(other), kind)
        self.assertRaises(TypeError, refuse, messages.Sync(), "no")
        self.assertRaises(ValueError, refuse, messages.Query(""), "no", code="4250")
