"""TLS and Unix sockets for a world of peers, and a socket that nobody can connect to."""

from __future__ import annotations

import datetime
import os
import socket
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.ssl import PrivateCertificate, optionsForClientTLS
from twisted.protocols.tls import TLSMemoryBIOFactory

from twisted_repeater import Dialect, Repeater
from twisted_repeater.dialects import Attempt

from .peers import Server, Sockets, reactor

__all__ = ["BegunTLSSockets", "FullSocket", "TLSSockets", "UnixSockets"]

PEM = serialization.Encoding.PEM


class TLSSockets(Sockets):
    """TLS on all connections, with a certificate of its own; ``directory`` is for its files."""

    def __init__(self, directory: str) -> None:
        self.trusted = Path(directory, "trusted")
        self.trusted.mkdir(parents=True)
        self.key = Path(directory, "key.pem")
        self.certificate = self.trusted / "certificate.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        self.key.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.certificate.write_bytes(certificate_for(key).public_bytes(PEM))
        self.own = PrivateCertificate.loadPEM(self.certificate.read_bytes() + self.key.read_bytes())

    def listen(self, server: Server) -> Any:
        """See `Sockets`."""
        return super().listen(TLSMemoryBIOFactory(self.own.options(), False, server))  # type: ignore[arg-type]

    def for_clients(self) -> dict[str, Any]:
        """See `Sockets`."""
        return {"listen": f"ssl:0:interface=127.0.0.1:privateKey={self.key}:certKey={self.certificate}"}

    def for_server(self, port: Any) -> dict[str, Any]:
        """See `Sockets`."""
        number = port.getHost().port
        endpoint = rf"tcp\:127.0.0.1\:{number}"
        return {"server": f"tls:localhost:{number}:trustRoots={self.trusted}:endpoint={endpoint}"}

    def to(self, repeater: Repeater) -> Any:
        """See `Sockets`."""
        options = optionsForClientTLS("localhost", trustRoot=self.own)
        return wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", repeater.port))


class BegunTLSSockets(TLSSockets):
    """The same TLS, begun by the opening of the dialect: the repeater's endpoints are TCP's."""

    def dialect(self) -> Dialect:
        """See `Sockets`."""
        dialect = super().dialect()
        opening = dialect.opening

        async def begin(attempt: Attempt) -> None:
            await attempt.client.peek_bytes(1)
            await attempt.client.start_tls(self.own.options(), unread="feed")
            await opening(_SecureDial(attempt, self))  # type: ignore[arg-type]

        dialect.opening = begin
        return dialect

    def for_clients(self) -> dict[str, Any]:
        """See `Sockets`."""
        return Sockets.for_clients(self)

    def for_server(self, port: Any) -> dict[str, Any]:
        """See `Sockets`."""
        return {"server": f"tcp:127.0.0.1:{port.getHost().port}"}


class _SecureDial:
    """An attempt that begins TLS with the server that it has dialled."""

    def __init__(self, attempt: Attempt, sockets: TLSSockets) -> None:
        self._attempt = attempt
        self._sockets = sockets

    def __getattr__(self, name: str) -> Any:
        return getattr(self._attempt, name)

    async def dial(self) -> None:
        """See `Attempt`."""
        await self._attempt.dial()
        await self._attempt.server.start_tls(optionsForClientTLS("localhost", trustRoot=self._sockets.own))


def certificate_for(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Make a certificate that the key has signed itself, for a day."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=12))
        .not_valid_after(now + datetime.timedelta(hours=12))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )


class UnixSockets(Sockets):
    """Unix sockets for all connections, in ``directory``."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)

    def listen(self, server: Server) -> Any:
        """See `Sockets`."""
        return reactor.listenUNIX(str(self.directory / "server"), server)

    def for_clients(self) -> dict[str, Any]:
        """See `Sockets`."""
        return {"listen": f"unix:{self.directory / 'repeater'}"}

    def for_server(self, port: Any) -> dict[str, Any]:
        """See `Sockets`."""
        return {"server": f"unix:{os.fsdecode(port.getHost().name)}"}

    def to(self, repeater: Repeater) -> Any:
        """See `Sockets`."""
        return UNIXClientEndpoint(reactor, repeater.address.name)


class FullSocket:
    """A listening socket whose queue is full: who connects gets no answer."""

    def __init__(self) -> None:
        self._sockets = [socket.socket()]
        self._sockets[0].bind(("127.0.0.1", 0))
        self._sockets[0].listen(0)
        self.port = self._sockets[0].getsockname()[1]
        for _ in range(3):
            self._sockets.append(filler := socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))

    def close(self) -> None:
        """Close all that belongs to it."""
        for each in self._sockets:
            each.close()
