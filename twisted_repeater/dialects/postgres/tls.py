"""TLS of both connections, as options say: what the repeater accepts of clients, and what it asks the server for.

The certificates are read when the dialect is made, and again when their files change. TLS itself needs the extra
``tls``, which ``postgres`` includes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from ...tls_options import OptionsForClients, OptionsForServer

if TYPE_CHECKING:
    from OpenSSL.crypto import X509
    from OpenSSL.SSL import Connection, Context

__all__ = ["ALPN", "ClientTLS", "ServerTLS", "ServerTLSMode", "client_tls", "is_same", "server_tls"]

ALPN: bytes = b"postgresql"
"""The name of the protocol in a handshake."""

ServerTLSMode: TypeAlias = Literal["no", "prefer", "require", "verify"]


@dataclass(frozen=True, slots=True)
class ClientTLS:
    """TLS with clients."""

    options: Any
    """What `Peer.start_tls` takes for a client."""
    required: bool
    """Whether sessions without TLS are refused."""

    @property
    def certificate(self) -> X509 | None:
        """The certificate that clients see; ``None`` if the options do not tell."""
        return getattr(self.options, "certificate", None)


@dataclass(frozen=True, slots=True)
class ServerTLS:
    """TLS with the server."""

    options: Any
    """What `Peer.start_tls` takes for a server."""
    required: bool
    """Whether a server that declines is not connected to."""


def client_tls(
    certificate: str | None, key: str | None, mode: Literal["allow", "require"], options: object | None
) -> ClientTLS | None:
    """Return the TLS with clients; ``None`` for none.

    Args:
        certificate: the file with the certificate, and those of the authorities between it and a root.
        key: the file with the key; by default it is the certificate's.
        mode: whether clients may do without.
        options: an object in place of the files.

    Raises:
        ValueError: the arguments contradict each other, or a file has no certificate or key.
        OSError: a file cannot be read.
    """
    if options is not None and (certificate is not None or key is not None):
        raise ValueError("client_options must not be given together with certificate or key")
    if options is None:
        if certificate is None:
            if key is not None or mode == "require":
                raise ValueError(f"{'key' if key is not None else 'client_tls=require'} needs a certificate")
            return None
        options = _client_options(certificate, certificate if key is None else key)
    return ClientTLS(options, mode == "require")


def server_tls(mode: ServerTLSMode, host: str | None, roots: str | None, options: object | None) -> ServerTLS | None:
    """Return the TLS with the server; ``None`` for none.

    Args:
        mode: whether it is asked for, and whether the server's certificate is checked.
        host: the name in the server's certificate.
        roots: the file with the certificates of the authorities that are trusted; by default the system's.
        options: an object in place of what the others say.

    Raises:
        ValueError: the arguments contradict each other, or a file has no certificate.
        OSError: the file cannot be read.
    """
    if mode != "verify":
        if host is not None or roots is not None:
            raise ValueError(f"server_{'host' if host is not None else 'roots'} is for server_tls=verify, not {mode}")
        if options is not None and mode == "no":
            raise ValueError("server_options needs server_tls=require or prefer")
        return None if mode == "no" else ServerTLS(options or _unverified(), mode == "require")
    if options is not None:
        raise ValueError("server_options decides what is verified: it is for server_tls=require or prefer, not verify")
    if host is None:
        raise ValueError("server_tls=verify needs server_host, the name in the server's certificate")
    return ServerTLS(_verified(host, roots), True)


def is_same(one: X509 | None, other: X509 | None) -> bool:
    """Return whether two certificates are the same; a certificate that is not known may be."""
    if one is None or other is None:
        return True
    from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

    return dump_certificate(FILETYPE_ASN1, one) == dump_certificate(FILETYPE_ASN1, other)


def _ssl() -> Any:
    """Return Twisted's module for TLS."""
    try:
        from twisted.internet import ssl
    except ImportError as error:
        raise ValueError(f"TLS needs an extra: pip install 'twisted_repeater[postgres]' ({error})") from error
    return ssl


def _client_options(certificate: str, key: str) -> OptionsForClients:
    _ssl()
    return OptionsForClients(certificate, key, alpn=[ALPN.decode()], alpn_required=False, name="postgres")


def _verified(host: str, roots: str | None) -> OptionsForServer:
    _ssl()
    return OptionsForServer(host, roots=roots, alpn=[ALPN.decode()], name="postgres")


def _unverified() -> Any:
    return _Unverified(_ssl().CertificateOptions(acceptableProtocols=[ALPN]).getContext())


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """TLS with a server whose certificate is not checked: it keeps out those who only listen."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Connection:
        """See `IOpenSSLClientConnectionCreator`."""
        from OpenSSL.SSL import Connection

        return Connection(self._context, None)
