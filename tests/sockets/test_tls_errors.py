"""The texts for failures of TLS."""

from __future__ import annotations

import sys
from typing import Any

from OpenSSL.SSL import Error, SysCallError
from service_identity import CertificateError, VerificationError
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._sockets.tls_errors import tls_trouble


class TroubleTests(SynchronousTestCase):
    """Why a connection was lost, if that was TLS."""

    def test_texts(self) -> None:
        """Errors of OpenSSL are told with its words; a lost connection is none."""
        cases: list[tuple[BaseException, str | None]] = [
            (
                Error([("SSL routines", "", "wrong version number")]),
                "the client does not speak TLS: wrong version number",
            ),
            (Error([("SSL routines", "", "http request")]), "the client does not speak TLS: http request"),
            (Error([("SSL routines", "", "unknown ca")]), "the client's TLS handshake failed: unknown ca"),
            (Error([("", "", "one"), ("", "", "two")]), "the client's TLS handshake failed: one, two"),
            (Error([]), None),
            (SysCallError(-1, "Unexpected EOF"), None),
            (ConnectionLost(), None),
        ]
        for reason, text in cases:
            self.assertEqual(tls_trouble("client", reason), text)

    def test_other_host(self) -> None:
        """A certificate for another host is told with the name that was expected."""
        error = VerificationError(errors=["db.example.org"])  # type: ignore[list-item]
        text: Any = tls_trouble("server", error)
        self.assertTrue(text.startswith("the server's certificate is for another host: "), text)
        self.assertIn("db.example.org", text)
        self.assertIsNone(tls_trouble("server", CertificateError()))

    def test_without_pyopenssl(self) -> None:
        """Nothing is imported to find that out."""
        modules = {
            name: module for name, module in sys.modules.items() if name not in ("OpenSSL.SSL", "service_identity")
        }
        self.patch(sys, "modules", modules)
        self.assertIsNone(tls_trouble("client", Error([("", "", "unknown ca")])))
