"""Endpoints for TLS that say more than Twisted's: whose certificates clients must have, and the protocols of ALPN.

Twisted's ``ssl:`` of a server knows nothing of its clients' certificates. Here it may have ``clientRoots=`` and
``alpn=``, and with ``haproxy:`` before it, the PROXY header comes before TLS, as balancers send it. Twisted's ``tls:``
of a client may have ``alpn=``. Descriptions with none of these are left to Twisted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ServerEndpoint,
    wrapClientTLS,
    wrapServerTLS,
)
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.protocols.haproxy import proxyEndpoint

from .._types import Reactor

if TYPE_CHECKING:
    from OpenSSL.crypto import X509
    from OpenSSL.SSL import Connection
    from twisted.internet.ssl import Certificate

__all__ = ["tls_listener", "tls_server"]

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

LISTENER = (
    "port",
    "privateKey",
    "certKey",
    "sslmethod",
    "interface",
    "backlog",
    "extraCertChain",
    "dhParameters",
    "clientRoots",
    "alpn",
)
"""The arguments of ``ssl:``. Those up to ``dhParameters`` are Twisted's, in its order."""

SERVER = ("host", "port", "timeout", "bindAddress", "certificate", "privateKey", "trustRoots", "endpoint", "alpn")
"""The arguments of ``tls:``. All but the last are Twisted's, in its order."""

NOT_ACCEPTED = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "its authority is not in clientRoots: it is self-signed",
    19: "its authority is not in clientRoots",
    20: "its authority is not in clientRoots",
    21: "its authority is not in clientRoots",
    26: "it is not for clients",
}
"""What OpenSSL's numbers for a wrong certificate mean."""


def tls_listener(
    reactor: Reactor, wrappers: int, positional: list[str], named: Mapping[str, str], backlog: int
) -> IStreamServerEndpoint:
    """Make the endpoint of an ``ssl:`` description.

    Args:
        reactor: What it listens with.
        wrappers: How many times ``haproxy:`` stands before it.
        positional: The arguments without a name.
        named: Those with one.
        backlog: The length of the listen queue, if the description has none.

    Raises:
        ValueError: An argument is wrong.
        OSError: A file cannot be read.
    """
    given = _arguments("ssl:", LISTENER, positional, named)
    if "sslmethod" in given:
        raise ValueError("sslmethod= does not go with clientRoots=, alpn= and haproxy:")
    port = _required("ssl:", given, "port")
    options = _listener_options(given)
    endpoint: IStreamServerEndpoint = TCP4ServerEndpoint(
        reactor, int(port), int(given.get("backlog", backlog)), given.get("interface", "")
    )
    for _ in range(wrappers):
        endpoint = proxyEndpoint(endpoint)
    wrapped: IStreamServerEndpoint = wrapServerTLS(options, endpoint)
    return wrapped


def _listener_options(given: Mapping[str, str]) -> Any:
    from twisted.internet import ssl

    key = given.get("privateKey", "server.pem")
    own = ssl.PrivateCertificate.loadPEM(Path(given.get("certKey", key)).read_bytes() + b"\n" + Path(key).read_bytes())
    chain, roots = given.get("extraCertChain"), given.get("clientRoots")
    parameters = given.get("dhParameters")
    options = ssl.CertificateOptions(
        own.privateKey.original,
        own.original,
        extraCertChain=None if chain is None else [one.original for one in certificates_in(chain)],
        dhParameters=None if parameters is None else ssl.DiffieHellmanParameters.fromFile(_file_path(parameters)),
        trustRoot=None if roots is None else ssl.trustRootFromCertificates(certificates_in(roots)),
        acceptableProtocols=_protocols(given),
    )
    context = options.getContext()
    if roots is not None:
        from OpenSSL import SSL

        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _checked)
    return options


def _checked(connection: Connection, certificate: X509, number: int, depth: int, ok: int) -> bool:
    """Have the handshake fail with words if the client's certificate is not accepted; OpenSSL's own say nothing."""
    if ok:
        return True
    from OpenSSL import SSL

    text = NOT_ACCEPTED.get(number, f"error {number} of OpenSSL")
    raise SSL.Error([("SSL routines", "", f"the client's certificate is not accepted: {text}")])


def tls_server(
    reactor: Reactor,
    positional: list[str],
    named: Mapping[str, str],
    inner: Callable[[str], IStreamClientEndpoint],
) -> IStreamClientEndpoint:
    """Make the endpoint of a ``tls:`` description.

    Args:
        reactor: What it connects with.
        positional: The arguments without a name.
        named: Those with one.
        inner: Makes the endpoint that ``endpoint=`` describes.

    Raises:
        ValueError: An argument is wrong.
        OSError: A file cannot be read.
    """
    from twisted.internet import ssl

    given = _arguments("tls:", SERVER, positional, named)
    host, port = _required("tls:", given, "host"), _required("tls:", given, "port")
    roots, certificate = given.get("trustRoots"), given.get("certificate")
    own = None
    if certificate is not None:
        key = given.get("privateKey", certificate)
        own = ssl.PrivateCertificate.loadPEM(Path(certificate).read_bytes() + b"\n" + Path(key).read_bytes())
    options = ssl.optionsForClientTLS(
        host,
        trustRoot=None if roots is None else ssl.trustRootFromCertificates(certificates_in(roots)),
        clientCertificate=own,
        acceptableProtocols=_protocols(given),
    )
    if "endpoint" in given:
        endpoint = inner(given["endpoint"])
    else:
        bind = (given["bindAddress"], 0) if "bindAddress" in given else None
        endpoint = HostnameEndpoint(reactor, host.encode("idna"), int(port), int(given.get("timeout", 30)), bind)
    wrapped: IStreamClientEndpoint = wrapClientTLS(options, endpoint)
    return wrapped


def certificates_in(path: str) -> list[Certificate]:
    """Return the certificates in a file, or in the ``.pem`` files of a directory.

    Raises:
        ValueError: There is none, or one cannot be read.
        OSError: The file or directory cannot be read.
    """
    from twisted.internet import ssl

    files = sorted(Path(path).glob("*.pem")) if Path(path).is_dir() else [Path(path)]
    found = []
    for file in files:
        for text in CERTIFICATE.findall(file.read_bytes()):
            try:
                found.append(ssl.Certificate.loadPEM(text + b"\n"))
            except Exception as error:  # of OpenSSL, or of cryptography
                raise ValueError(f"{file} has a certificate that cannot be read: {error}") from error
    if not found:
        raise ValueError(f"there is no certificate in {path!r}")
    return found


def _arguments(kind: str, names: tuple[str, ...], positional: list[str], named: Mapping[str, str]) -> dict[str, str]:
    """Return the arguments of a description by their names."""
    free = [name for name in names if name not in named]
    unknown = [name for name in named if name not in names]
    if unknown or len(positional) > len(free):
        what = f"{unknown[0]}=" if unknown else repr(positional[-1])
        raise ValueError(f"{kind} has no argument {what}; it has {', '.join(names)}")
    return dict(zip(free, positional, strict=False)) | dict(named)


def _required(kind: str, given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise ValueError(f"the {name} of {kind} is missing")
    return given[name]


def _protocols(given: Mapping[str, str]) -> list[bytes] | None:
    """Return the protocols for ALPN, ``None`` without ``alpn=``."""
    if "alpn" not in given:
        return None
    protocols = [name.encode("ascii") for name in given["alpn"].split(",")]
    if not all(0 < len(name) < 256 for name in protocols):
        raise ValueError(f"alpn= must have names of 1 to 255 characters with commas between, not {given['alpn']!r}")
    return protocols


def _file_path(path: str) -> Any:
    from twisted.python.filepath import FilePath

    return FilePath(path)
