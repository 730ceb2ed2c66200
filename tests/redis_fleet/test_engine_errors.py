"""Why the engine cannot be used, in words for an operator."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.redis_fleet._engine_errors import advised, reason_of


class VerificationError(Exception):
    """As that of service_identity."""


class AdviceTests(SynchronousTestCase):
    """Errors that the engine answers with."""

    def test_advised(self) -> None:
        """A known error comes with advice; any other as it is."""
        self.assertEqual(advised("LOADING its data"), "it is loading its data (LOADING its data)")
        self.assertEqual(advised("ERR odd"), "ERR odd")

    def test_where(self) -> None:
        """Which script has met the error is left out, whatever the version of the engine."""
        hash_ = "56fa30abfaaab612285f548ae5bc21a0899ff75b"
        for error in (
            f"ERR odd script: {hash_}, on @user_script:8.",
            f"ERR Error running script (call to f_{hash_}): @user_script:8: ERR odd",
            f"ERR Error running script (call to f_{hash_}): @user_script: 8: ERR odd",
        ):
            self.assertEqual(advised(error), "ERR odd")


class ReasonTests(SynchronousTestCase):
    """Why a connection has ended."""

    def test_reasons(self) -> None:
        """The reason says what an operator can do, if there is something."""
        for error, reason in (
            (ConnectionDone(), "it has closed the connection"),
            (Exception([("SSL routines", "", "certificate verify failed")]), "TLS.*: certificate verify failed; .*ca="),
            (VerificationError(), "its certificate is for another host"),
            (ConnectionLost("odd"), "odd"),
            (None, "None"),
        ):
            self.assertRegex(reason_of(error), reason)
