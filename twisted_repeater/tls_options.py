"""Options of TLS whose certificates and keys are in files, and are read again when the files change.

An opening gives them to `Peer.start_tls`; the endpoints ``ssl:`` and ``tls:`` use them, too. Connections that are there
stay as they are: new contents count for new handshakes.

Files are looked at when a handshake begins, at most every five seconds, and when you call `look_at_certificates` or
`reload_certificates`. If the new ones cannot be used, the old contents stay in use, and the log says why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from zope.interface import implementer

from ._renewal import Contents, Renewed, Reread, look_at_all, read_all
from ._text import repr_of, text_of

if TYPE_CHECKING:
    from OpenSSL.crypto import X509, PKey
    from OpenSSL.SSL import Connection, Context

__all__ = ["OptionsForClients", "OptionsForServer", "Reread", "look_at_certificates", "reload_certificates"]

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

NOT_ACCEPTED: dict[int, str] = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    26: "its certificate is not for clients",
} | dict.fromkeys((18, 19, 20, 21), "the authority of its certificate is not trusted")
"""What OpenSSL's numbers for a wrong certificate mean."""


def reload_certificates() -> list[Reread]:
    """Read all certificates and keys of this process again. Call it when an operator asks for that.

    Returns:
        For each endpoint, and for other options of TLS, what happened.
    """
    return read_all()


def look_at_certificates() -> list[Reread]:
    """Read the certificates and keys again whose files have changed. To look costs some microseconds for each file.

    Returns:
        For each endpoint, and for other options of TLS, what happened.
    """
    return look_at_all()


class _Own(NamedTuple):
    """A certificate of the repeater's own, with its key."""

    certificate: X509
    key: PKey
    chain: list[X509]
    """The certificates of the authorities between it and a root."""

    @property
    def ends(self) -> datetime:
        """When the certificate expires."""
        text = self.certificate.get_notAfter()
        assert text is not None  # a certificate without it cannot be loaded
        return datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


class _Accepting(NamedTuple):
    """What clients are accepted with."""

    context: Context
    own: _Own


class _Connecting(NamedTuple):
    """What the server is connected to with."""

    creator: Any
    own: _Own | None


@implementer(IOpenSSLServerConnectionCreator)
class OptionsForClients:
    """TLS with clients, for `Peer.start_tls` of an attempt's ``client``.

    Args:
        certificate: the file of the certificate. Others in it are those of the authorities between it and a root.
        key: the file of its key; by default that of the certificate.
        chain: a file with the certificates of the authorities, if they are not in the certificate's.
        roots: a file, or a directory of ``.pem`` files. Clients must have a certificate of one of these authorities.
            ``None`` asks for no certificate.
        dh_parameters: a file of parameters for old clients.
        alpn: names of protocols, the best first, such as ``["postgresql"]``.
        alpn_required: whether a client that offers only other protocols is refused.
        name: what the log calls these options.

    Raises:
        ValueError: a file has no certificate or no key, or the key is another one's.
        OSError: a file cannot be read.
    """

    def __init__(
        self,
        certificate: str,
        key: str | None = None,
        *,
        chain: str | None = None,
        roots: str | None = None,
        dh_parameters: str | None = None,
        alpn: Sequence[str] | None = None,
        alpn_required: bool = True,
        name: str = "",
    ) -> None:
        self._files = (certificate, certificate if key is None else key, chain)
        self._roots = roots
        self._dh_parameters = dh_parameters
        self._choose = partial(_chosen, _names(alpn), alpn_required)
        paths = [path for path in (*self._files, roots, dh_parameters) if path is not None]
        self._renewed = Renewed(name or f"TLS with {certificate}", paths, self._make, _end_of)

    @property
    def certificate(self) -> X509:
        """The certificate that clients see."""
        return self._renewed.newest().own.certificate

    def getContext(self) -> Context:
        """Return the context of the next connection. See `IOpenSSLContextFactory`."""
        return self._renewed.newest().context

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Connection:
        """See `IOpenSSLServerConnectionCreator`."""
        from OpenSSL.SSL import Connection

        return Connection(self.getContext(), None)

    def _make(self, contents: Contents) -> _Accepting:
        """Make new options, for `CertificateOptions` keeps its context for ever."""
        from twisted.python.filepath import FilePath

        ssl = _ssl()
        own = _own(contents, *self._files)
        parameters = self._dh_parameters
        roots = None if self._roots is None else _trusted(contents, self._roots)
        options = ssl.CertificateOptions(
            own.key,
            own.certificate,
            extraCertChain=own.chain,
            dhParameters=None if parameters is None else ssl.DiffieHellmanParameters.fromFile(FilePath(parameters)),
            trustRoot=roots,
        )
        # The callbacks that CertificateOptions sets do not say why they fail. Without alpn= they would also refuse a
        # client that offers protocols.
        from OpenSSL import SSL

        context: Context = options.getContext()
        context.set_alpn_select_callback(self._choose)
        if roots is not None:
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _checked)
        return _Accepting(context, own)


@implementer(IOpenSSLClientConnectionCreator)
class OptionsForServer:
    """TLS with the server, for `Peer.start_tls` of an attempt's ``server``. Its certificate is checked.

    Args:
        host: the name that the server's certificate must have.
        roots: a file, or a directory of ``.pem`` files, with the certificates of the authorities that are trusted;
            ``None`` for those of the system.
        certificate: the file of a certificate for the server to check. Others in it are those of the authorities.
        key: the file of its key; by default that of the certificate.
        alpn: names of protocols, the best first, such as ``["postgresql"]``.
        name: what the log calls these options.

    Raises:
        ValueError: a file has no certificate or no key, or the key is another one's.
        OSError: a file cannot be read.
    """

    def __init__(
        self,
        host: str,
        *,
        roots: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        alpn: Sequence[str] | None = None,
        name: str = "",
    ) -> None:
        self._host = host
        self._roots = roots
        self._certificate = certificate
        self._key = certificate if key is None else key
        self._alpn = _names(alpn)
        paths = [path for path in (certificate, self._key, roots) if path is not None]
        self._renewed = Renewed(name or f"TLS with the server {host}", paths, self._make, _end_of)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Connection:
        """See `IOpenSSLClientConnectionCreator`."""
        connection: Connection = self._renewed.newest().creator.clientConnectionForTLS(tlsProtocol)
        return connection

    def _make(self, contents: Contents) -> _Connecting:
        own, extra = None, {}
        if self._certificate is not None and self._key is not None:
            own = _own(contents, self._certificate, self._key, None)
            extra = {"certificate": own.certificate, "privateKey": own.key, "extraCertChain": own.chain}
        creator = _ssl().optionsForClientTLS(
            self._host,
            trustRoot=None if self._roots is None else _trusted(contents, self._roots),
            acceptableProtocols=self._alpn,
            extraCertificateOptions=extra,
        )
        return _Connecting(creator, own)


def _end_of(made: _Accepting | _Connecting) -> datetime | None:
    return None if made.own is None else made.own.ends


def _ssl() -> Any:
    """Return Twisted's module for TLS."""
    try:
        from twisted.internet import ssl
    except ImportError as error:
        raise ValueError(f"TLS needs an extra: pip install 'twisted_repeater[tls]' ({error})") from error
    return ssl


# -- files -------------------------------------------------------------------------------------------------------


def _own(contents: Contents, certificate: str, key: str, chain: str | None) -> _Own:
    """Return a certificate with its key; it may be in the file of the certificate."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from OpenSSL.crypto import PKey

    own, *others = _certificates(contents, certificate)
    try:  # OpenSSL would ask the terminal for a password, and wait
        made = PKey.from_cryptography_key(load_pem_private_key(_bytes(contents, key), None))  # type: ignore[arg-type]
    except Exception as error:  # ValueError, TypeError and others of cryptography
        raise ValueError(
            f"{key!r} must have the key of the certificate, without a password: {text_of(error)}"
        ) from error
    if _public(made) != _public(own.get_pubkey()):
        raise ValueError(f"{key!r} must have the key of the certificate in {certificate!r}, not another")
    return _Own(own, made, others if chain is None else _certificates(contents, chain))


def _public(key: PKey) -> bytes:
    """Return the public part of a key."""
    from OpenSSL.crypto import FILETYPE_ASN1, dump_publickey

    return dump_publickey(FILETYPE_ASN1, key)


def _trusted(contents: Contents, roots: str) -> Any:
    ssl = _ssl()
    return ssl.trustRootFromCertificates([ssl.Certificate(each) for each in _certificates(contents, roots)])


def _bytes(contents: Contents, path: str) -> bytes:
    return b"\n".join(contents[path].values())


def _certificates(contents: Contents, path: str) -> list[X509]:
    """Return the certificates of a file, or of the ``.pem`` files of a directory."""
    found = [each for file, content in contents[path].items() for each in _certificates_in(file, content)]
    if not found:
        raise ValueError(f"there is no certificate in {path!r}")
    return found


def _certificates_in(file: Path, content: bytes) -> list[X509]:
    from OpenSSL.crypto import FILETYPE_PEM, load_certificate

    texts = CERTIFICATE.findall(content)
    if len(texts) != content.count(b"-----BEGIN CERTIFICATE-----"):
        raise ValueError(f"{file} ends within a certificate")
    try:
        return [load_certificate(FILETYPE_PEM, text + b"\n") for text in texts]
    except Exception as error:  # of OpenSSL, or of cryptography
        raise ValueError(f"{file} has a certificate that cannot be read: {text_of(error)}") from error


# -- handshakes --------------------------------------------------------------------------------------------------


def _names(alpn: Sequence[str] | None) -> list[bytes] | None:
    """Return the protocols for ALPN."""
    if alpn is None:
        return None
    if not alpn or not all(0 < len(name) < 256 and name.isascii() for name in alpn):
        raise ValueError(f"alpn must have names of 1 to 255 ASCII characters, not {list(alpn)!r}")
    return [name.encode("ascii") for name in alpn]


def _chosen(known: list[bytes] | None, required: bool, connection: Connection, offered: list[bytes]) -> Any:
    """Return the first known protocol that the client offers. Without one, go on, or fail the handshake and say why."""
    from OpenSSL import SSL

    for name in known or ():
        if name in offered:
            return name
    if known is None or not required:
        return SSL.NO_OVERLAPPING_PROTOCOLS  # go on without
    names = b", ".join(known).decode("ascii")
    raise SSL.Error([("SSL routines", "", f"it must offer the protocol {names} by ALPN, not {repr_of(offered)}")])


def _checked(connection: Connection, certificate: X509, number: int, depth: int, ok: int) -> bool:
    """Fail the handshake if the client's certificate is not accepted, and say why; OpenSSL's own texts do not."""
    if ok:
        return True
    from OpenSSL import SSL

    text = NOT_ACCEPTED.get(number, f"its certificate is not accepted, error {number} of OpenSSL")
    raise SSL.Error([("SSL routines", "", text)])
