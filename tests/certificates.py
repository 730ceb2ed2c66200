"""Certificates for tests: an authority that issues them, good and bad."""

from __future__ import annotations

import builtins
import datetime
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.ssl import Certificate, PrivateCertificate

__all__ = ["Authority", "Issued", "without_openssl"]

PEM = serialization.Encoding.PEM

DAY = datetime.timedelta(days=1)


def without_openssl() -> AbstractContextManager[Any]:
    """In this context Twisted has no TLS, as without the extra."""
    original = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "twisted.internet" and "ssl" in (more[2] or ()):
            raise ImportError("No module named 'OpenSSL'")
        return original(name, *more)

    return mock.patch.object(builtins, "__import__", without)


def name_of(common_name: str) -> x509.Name:
    """Make the name of a certificate."""
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


class Issued:
    """A certificate and its key, in files."""

    def __init__(self, directory: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey):
        self.certificate = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
        self.certificate.write_bytes(certificate.public_bytes(PEM))
        self.key.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def load(self) -> PrivateCertificate:
        """Return the certificate as Twisted has it."""
        own: PrivateCertificate = PrivateCertificate.loadPEM(self.certificate.read_bytes() + self.key.read_bytes())
        return own


class Authority:
    """Issues certificates; ``roots`` is a file with its own."""

    def __init__(self, directory: str | Path, name: str = "authority") -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._name = name_of(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._certificate(self._name, self._key, is_authority=True, days=1)
        self.roots = Issued(self.directory, name, own, self._key).certificate

    def load(self) -> Certificate:
        """Return its own certificate as Twisted has it."""
        own: Certificate = Certificate.loadPEM(self.roots.read_bytes())
        return own

    def issue(self, name: str, *, days: int = 1, file: str | None = None) -> Issued:
        """Issue a certificate for a name; it ended ``-days`` ago if that is below 0. ``file`` names its files."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Issued(
            self.directory, file or name, self._certificate(name_of(name), key, is_authority=False, days=days), key
        )

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool, days: int
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        (common_name,) = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(str(common_name.value))]), critical=False)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
