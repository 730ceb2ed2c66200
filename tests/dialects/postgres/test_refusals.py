"""What a client reads when it is refused, or when its link is closed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres.codec import TO_CLIENT
from twisted_repeater.dialects.postgres.messages import ErrorResponse
from twisted_repeater.dialects.postgres.refusals import Refused, RefusedByServer, farewell, fatal, refusal
from twisted_repeater.errors import (
    CallbackFailed,
    ClientNotAllowed,
    HelloTimeout,
    InvalidHello,
    LinkError,
    ParseError,
    RepeaterClosed,
    ServerUnreachable,
    TooManyClients,
)
from twisted_repeater.model import Side

ADMITTED: Any = SimpleNamespace(details={"cancel": False})
STRANGER: Any = SimpleNamespace(details={})
CANCELS: Any = SimpleNamespace(details={"cancel": True})


def read(data: bytes | None) -> tuple[str, str, str]:
    """Return what an error says."""
    assert data is not None
    error = TO_CLIENT.decode(data)
    assert isinstance(error, ErrorResponse)
    return error.severity, error.code, error.message


class RefusalTests(SynchronousTestCase):
    """A client that cannot be linked."""

    def test_codes(self) -> None:
        """A client that has sent its startup packet reads the reason, with a SQLSTATE that its driver knows."""
        for error, code in (
            (ClientNotAllowed("no", Side.CLIENT), "28000"),
            (RepeaterClosed("no"), "57P03"),
            (ServerUnreachable("no", Side.SERVER), "08001"),
            (TooManyClients("no", Side.CLIENT), "53300"),
            (HelloTimeout("no", Side.CLIENT), "08004"),
        ):
            self.assertEqual(read(refusal(error, ADMITTED)), ("FATAL", code, "repeater: no"))

    def test_nothing(self) -> None:
        """Who may speak something else, or cancels a statement, gets no answer."""
        self.assertIsNone(refusal(InvalidHello("no", Side.CLIENT), STRANGER))
        self.assertIsNone(refusal(ServerUnreachable("no", Side.SERVER), CANCELS))

    def test_own_words(self) -> None:
        """Who certainly speaks the protocol reads why it is not served, with a hint; a zero byte cannot end it."""
        data = refusal(Refused("no\0way", code="0A000", hint="so"), STRANGER)
        self.assertEqual(read(data), ("FATAL", "0A000", "repeater: no\\0way"))
        self.assertIn(b"Hso\0", data or b"")

    def test_the_servers(self) -> None:
        """The server's refusal is the client's as it came, and the log says what it says."""
        said = TO_CLIENT.encode(ErrorResponse.of("nobody", code="28P01", severity="FATAL"))
        error = RefusedByServer(said)
        self.assertEqual(refusal(error, ADMITTED), said)
        self.assertIn("FATAL 28P01: nobody", str(error))
        for wrong in (b"E\0\0\0\x06S", b"R\0\0\0\x08\0\0\0\0"):
            self.assertIn("its error cannot be read", str(RefusedByServer(wrong)))


class FarewellTests(SynchronousTestCase):
    """A client whose link is closed."""

    def test_reasons(self) -> None:
        """It reads the reason, but not what has failed in the application."""
        for reason, code, message in (
            (None, "57P01", "repeater: the connection is closed"),
            (CallbackFailed("f", 1, ValueError("the password is 7")), "57P01", "repeater: the connection is closed"),
            (ParseError("it cannot be read"), "08P01", "repeater: it cannot be read"),
            (LinkError("the time is over"), "57P01", "repeater: the time is over"),
        ):
            self.assertEqual(read(farewell(reason, ADMITTED)), ("FATAL", code, message))
        self.assertIsNone(farewell(None, CANCELS))

    def test_fatal(self) -> None:
        """Bytes that are no text pass."""
        self.assertIn(b"M" + b"repeater: \xff\0", fatal("\udcff", "08P01"))
