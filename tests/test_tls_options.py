"""Options of TLS whose certificates are in files."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import _renewal
from twisted_repeater.tls_options import (
    OptionsForClients,
    OptionsForServer,
    _checked,
    look_at_certificates,
    reload_certificates,
)

from .certificates import Authority, Issued, without_openssl


def in_memory(client: SSL.Connection, server: SSL.Connection) -> None:
    """Let two connections shake hands, in memory."""
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))


class OptionsTests(SynchronousTestCase):
    """An authority, and files of its certificates."""

    def setUp(self) -> None:
        """Issue a certificate. Files are looked at with each handshake."""
        self.addCleanup(self.flushWarnings)  # Twisted calls pyOpenSSL in ways that are out of date
        self.patch(_renewal, "LOOK_EVERY", 0.0)
        self.authority = Authority(self.mktemp())
        self.issued = self.authority.issue("localhost")

    def renew(self, issued: Issued, *, key: bool = True) -> None:
        """Replace a certificate by a new one."""
        new = self.authority.issue("localhost", file="new")
        issued.certificate.write_bytes(new.certificate.read_bytes())
        if key:
            issued.key.write_bytes(new.key.read_bytes())

    def for_clients(self, **settings: Any) -> OptionsForClients:
        """Make the options of a server."""
        return OptionsForClients(str(self.issued.certificate), str(self.issued.key), **settings)

    def for_server(self, **settings: Any) -> OptionsForServer:
        """Make the options of a client."""
        return OptionsForServer("localhost", roots=str(self.authority.roots), **settings)

    def shake_hands(self, client: OptionsForServer, server: OptionsForClients) -> tuple[SSL.Connection, SSL.Connection]:
        """Let both options shake hands."""
        pair = client.clientConnectionForTLS(mock.Mock()), server.serverConnectionForTLS(None)
        in_memory(*pair)
        return pair

    def serial_of(self, certificate: X509 | None) -> int:
        """Return the number of a certificate."""
        assert certificate is not None
        return certificate.get_serial_number()

    def file(self, *parts: bytes) -> str:
        """Write a file."""
        path = Path(self.mktemp())
        path.write_bytes(b"".join(parts))
        return str(path)


class ForClientsTests(OptionsTests):
    """TLS with clients."""

    def test_interfaces(self) -> None:
        """The options are what Twisted takes for both sides."""
        self.assertTrue(IOpenSSLServerConnectionCreator.providedBy(self.for_clients()))
        self.assertTrue(IOpenSSLClientConnectionCreator.providedBy(self.for_server()))

    def test_renewed(self) -> None:
        """A renewed certificate counts for the next handshake; a connection that is there has the old one."""
        server, client = self.for_clients(), self.for_server()
        before, _ = self.shake_hands(client, server)
        old = self.serial_of(server.certificate)
        self.renew(self.issued)
        after, _ = self.shake_hands(client, server)
        new = self.serial_of(self.issued.load().original)
        self.assertEqual(self.serial_of(before.get_peer_certificate()), old)
        self.assertEqual(self.serial_of(after.get_peer_certificate()), new)
        self.assertEqual(self.serial_of(server.certificate), new)
        self.assertNotEqual(old, new)

    def test_contexts(self) -> None:
        """All handshakes between two changes share a context; with new contents it is another."""
        server = self.for_clients()
        first = server.getContext()
        self.assertIs(server.getContext(), first)
        self.renew(self.issued)
        self.assertIsNot(server.getContext(), first)

    def test_one_after_the_other(self) -> None:
        """A certificate whose key is not there yet, or half a file, leaves the old ones in use until both fit."""
        server = self.for_clients()
        old = self.serial_of(server.certificate)
        new = self.authority.issue("localhost", file="new")
        self.issued.certificate.write_bytes(new.certificate.read_bytes())
        (found,) = self.found(server)
        self.assertIn("must have the key of the certificate in", str(found.error))
        for key in (b"", new.key.read_bytes()[:100]):
            self.issued.key.write_bytes(key)
            self.assertEqual(self.serial_of(server.certificate), old)
        self.issued.certificate.write_bytes(new.certificate.read_bytes()[:-30])
        self.issued.key.write_bytes(new.key.read_bytes())
        self.assertEqual(self.serial_of(server.certificate), old)
        (found,) = self.found(server)
        self.assertIn("localhost.pem ends within a certificate", str(found.error))
        self.issued.certificate.write_bytes(new.certificate.read_bytes())
        self.assertEqual(self.serial_of(server.certificate), self.serial_of(new.load().original))

    def found(self, options: Any) -> list[Any]:
        """Return what happened to the files of some options when all were read again."""
        return [each for each in reload_certificates() if each.name == options._renewed.name]

    def test_when_asked(self) -> None:
        """Files are read when that is asked for, or looked at."""
        self.patch(_renewal, "LOOK_EVERY", 1000.0)
        server = self.for_clients(name="edge")
        for read in (reload_certificates, look_at_certificates):
            self.renew(self.issued)
            (found,) = [each for each in read() if each.name == "edge"]
            self.assertEqual((found.changed, found.error), (True, None))
            self.assertEqual(self.serial_of(server.certificate), self.serial_of(self.issued.load().original))

    def test_chain(self) -> None:
        """The certificates of authorities are in the certificate's own file, or in one of their own."""
        roots = self.authority.roots.read_bytes()
        both = self.file(self.issued.certificate.read_bytes(), roots, self.issued.key.read_bytes())
        for server in (OptionsForClients(both), self.for_clients(chain=str(self.authority.roots))):
            client, _ = self.shake_hands(self.for_server(), server)
            self.assertEqual(len(client.get_peer_cert_chain() or ()), 2)

    def test_roots(self) -> None:
        """Clients must have a certificate of the authorities; these are read again, too."""
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "one.pem").write_bytes(self.authority.roots.read_bytes() * 2)
        (directory / "no.txt").write_bytes(b"no certificate")
        server = self.for_clients(roots=str(directory))
        own = {"certificate": str(self.issued.certificate), "key": str(self.issued.key)}
        _, connection = self.shake_hands(self.for_server(**own), server)
        self.assertIsNotNone(connection.get_peer_certificate())
        with self.assertRaisesRegex(SSL.Error, "peer did not return a certificate"):
            self.shake_hands(self.for_server(), server)
        (directory / "one.pem").write_bytes(Authority(self.mktemp(), "other").roots.read_bytes())
        with self.assertRaisesRegex(SSL.Error, "the authority of its certificate is not trusted"):
            self.shake_hands(self.for_server(**own), server)

    def test_others_errors(self) -> None:
        """An error of OpenSSL that has no words here is told by its number."""
        with self.assertRaisesRegex(SSL.Error, "its certificate is not accepted, error 7 of OpenSSL"):
            _checked(None, None, 7, 0, 0)  # type: ignore[arg-type]

    def test_alpn(self) -> None:
        """The best protocol that both know is agreed on. Without one, a client is refused, unless that is allowed."""
        client = self.for_server(alpn=["unknown", "two", "one"])
        for settings, agreed in (
            ({"alpn": ["one", "two"]}, b"one"),
            ({"alpn": ["three"], "alpn_required": False}, b""),
            ({}, b""),
        ):
            connection, _ = self.shake_hands(client, self.for_clients(**settings))
            self.assertEqual(connection.get_alpn_proto_negotiated(), agreed)
        with self.assertRaisesRegex(SSL.Error, "it must offer the protocol three, four by ALPN, not"):
            self.shake_hands(client, self.for_clients(alpn=["three", "four"]))
        for names in ([], ["\u00e4"], [""], ["x" * 256]):
            with self.assertRaisesRegex(ValueError, "alpn must have names of 1 to 255 ASCII characters"):
                self.for_clients(alpn=names)

    def test_wrong_files(self) -> None:
        """Files that are missing, or have no certificate, no key or another key, are told with their names."""
        certificate = str(self.issued.certificate)
        other = str(self.authority.issue("other").key)
        secret = self.issued.load().privateKey.original.to_cryptography_key()
        locked = self.file(
            secret.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"password"),
            )
        )
        for key in (certificate, other, locked):
            with self.assertRaisesRegex(ValueError, f"'{key}' must have the key of the certificate"):
                OptionsForClients(certificate, key)
        broken = self.file(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        with self.assertRaisesRegex(ValueError, f"{broken} has a certificate that cannot be read"):
            OptionsForClients(broken)
        with self.assertRaisesRegex(ValueError, "there is no certificate in"):
            OptionsForClients(self.file())
        self.assertRaises(OSError, OptionsForClients, "nowhere")

    def test_without_the_extra(self) -> None:
        """Without OpenSSL the error names the extra."""
        told = r"pip install 'twisted_repeater\[tls\]'"
        with without_openssl(), self.assertRaisesRegex(ValueError, told):
            self.for_clients()


class ForServerTests(OptionsTests):
    """TLS with the server."""

    def test_renewed(self) -> None:
        """The certificate for the server, and the authorities that are trusted, are read again."""
        server = self.for_clients(roots=str(self.authority.roots))
        issued = self.authority.issue("ann")
        both = Path(self.file(issued.certificate.read_bytes(), issued.key.read_bytes()))
        client = self.for_server(certificate=str(both))
        for name in ("ann", "bob"):
            issued = self.authority.issue(name)
            both.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
            _, connection = self.shake_hands(client, server)
            self.assertEqual(self.serial_of(connection.get_peer_certificate()), self.serial_of(issued.load().original))
        self.authority.roots.write_bytes(Authority(self.mktemp(), "other").roots.read_bytes())
        with self.assertRaises(SSL.Error):
            self.shake_hands(client, server)

    def test_ends(self) -> None:
        """The log is told when the certificate ends, if there is one."""
        own = {"certificate": str(self.issued.certificate), "key": str(self.issued.key)}
        for options in (self.for_server(**own), self.for_clients()):
            ends: Any = options._renewed._ends(options._renewed.newest())  # type: ignore[arg-type]
            self.assertLess(abs(ends - datetime.now(UTC) - timedelta(days=1)), timedelta(hours=1))
        plain = OptionsForServer("localhost", name="plain")
        self.assertIsNone(plain._renewed._ends(plain._renewed.newest()))
        self.assertNotIn("plain", [each.name for each in reload_certificates()])
