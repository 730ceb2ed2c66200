"""TLS of both connections, as options say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres import tls

from ...certificates import Authority, without_openssl


class Case(SynchronousTestCase):
    """A test case with certificates."""

    def setUp(self) -> None:
        """Issue them. Twisted warns of its own way to load them."""
        self.addCleanup(self.flushWarnings)
        self.authority = Authority(self.mktemp())
        self.issued = self.authority.issue("localhost")

    def file(self, *parts: bytes) -> str:
        """Write a file."""
        path = Path(self.mktemp())
        path.write_bytes(b"".join(parts))
        return str(path)

    def assert_wrong(self, words: str, call: Any, *arguments: object) -> None:
        """A call raises ``ValueError``, with these words."""
        self.assertIn(words, str(self.assertRaises(ValueError, call, *arguments)))


class ClientTests(Case):
    """TLS with clients."""

    def test_files(self) -> None:
        """A certificate and a key are read from one file or two, with the certificates between it and a root."""
        certificate, key = self.issued.certificate.read_bytes(), self.issued.key.read_bytes()
        both = self.file(certificate, self.authority.roots.read_bytes(), key)
        for file, own_key in ((str(self.issued.certificate), str(self.issued.key)), (both, None)):
            made = tls.client_tls(file, own_key, "require", None)
            assert made is not None
            self.assertTrue(made.required)
            own = made.certificate
            self.assertTrue(tls.is_same(own, self.issued.load().original))
            self.assertFalse(tls.is_same(own, self.authority.load().original))
            self.assertTrue(tls.is_same(own, None))

    def test_objects(self) -> None:
        """A program can give options of its own; which certificate they have may be unknown."""
        made = tls.client_tls(None, None, "allow", object())
        assert made is not None
        self.assertIs(made.certificate, None)
        self.assertFalse(made.required)
        self.assertIsNone(tls.client_tls(None, None, "allow", None))

    def test_alpn(self) -> None:
        """The protocol is chosen if the client offers it; without, the handshake goes on."""
        made = tls.client_tls(str(self.issued.certificate), str(self.issued.key), "allow", None)
        assert made is not None
        choose = made.options._choose
        self.assertEqual(choose(None, [b"h2", b"postgresql"]), b"postgresql")
        self.assertIs(choose(None, [b"h2"]), SSL.NO_OVERLAPPING_PROTOCOLS)

    def test_wrong(self) -> None:
        """Options that contradict each other, and files without a certificate, are refused at once."""
        certificate = str(self.issued.certificate)
        self.assert_wrong("client_options must not be given together", tls.client_tls, certificate, None, "allow", 1)
        self.assert_wrong("key needs a certificate", tls.client_tls, None, "key", "allow", None)
        self.assert_wrong("client_tls=require needs a certificate", tls.client_tls, None, None, "require", None)
        self.assert_wrong("there is no certificate", tls.client_tls, self.file(), None, "allow", None)
        broken = self.file(b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----")
        self.assert_wrong("has a certificate that cannot be read", tls.client_tls, broken, None, "allow", None)
        self.assertRaises(OSError, tls.client_tls, "nowhere", None, "allow", None)

    def test_wrong_key(self) -> None:
        """So are a file without a key, and the key of another certificate."""
        certificate = str(self.issued.certificate)
        other = str(self.authority.issue("localhost", file="other").key)
        for key in (certificate, other):
            words = f"{key!r} must have the key of the certificate"
            self.assert_wrong(words, tls.client_tls, certificate, key, "allow", None)


class ServerTests(Case):
    """TLS with the server."""

    def test_modes(self) -> None:
        """Each mode says whether TLS is asked for, whether it must be, and who is trusted."""
        self.assertIsNone(tls.server_tls("no", None, None, None))
        for mode, required in (("prefer", False), ("require", True)):
            made = tls.server_tls(mode, None, None, None)  # type: ignore[arg-type]
            assert made is not None
            self.assertIs(made.required, required)
            self.assertIsInstance(made.options.clientConnectionForTLS(None), SSL.Connection)
        for roots in (None, str(self.authority.roots)):
            verified = tls.server_tls("verify", "localhost", roots, None)
            assert verified is not None
            self.assertTrue(verified.required)
        own = CertificateOptions()
        made = tls.server_tls("prefer", None, None, own)
        assert made is not None
        self.assertIs(made.options, own)

    def test_wrong(self) -> None:
        """Options that contradict each other are refused at once."""
        self.assert_wrong("server_host is for server_tls=verify", tls.server_tls, "no", "host", None, None)
        self.assert_wrong("server_roots is for server_tls=verify", tls.server_tls, "require", None, "roots", None)
        self.assert_wrong("server_options needs", tls.server_tls, "no", None, None, object())
        self.assert_wrong("server_options decides", tls.server_tls, "verify", "host", None, object())
        self.assert_wrong("needs server_host", tls.server_tls, "verify", None, None, None)

    def test_without_the_extra(self) -> None:
        """Without OpenSSL the error names the extra."""
        with without_openssl():
            self.assert_wrong("pip install 'twisted_repeater[postgres]'", tls.server_tls, "require", None, None, None)
        self.assertIn("twisted.internet.ssl", sys.modules)
