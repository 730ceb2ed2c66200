"""Endpoints for TLS that do more than Twisted's: they demand clients' certificates, and agree on protocols by ALPN.

* ``ssl:`` of a listener may have ``clientRoots=`` and ``alpn=``. Twisted's own refuses every client that offers
  protocols by ALPN.
* With ``haproxy:`` before it, the PROXY header comes before TLS, as balancers send it. Twisted's own expects it inside.
* ``tls:`` of a server may have ``alpn=``. Without it, the description is left to Twisted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
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
from twisted.python.filepath import FilePath

from .._text import repr_of
from .._types import Reactor

if TYPE_CHECKING:
    from OpenSSL.crypto import X509
    from OpenSSL.SSL import Connection
    from twisted.internet.ssl import Certificate

__all__ = ["MAX_POSITIONAL", "tls_listener", "tls_server"]

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

MAX_POSITIONAL: int = 4
"""With so many arguments without names, an ``ssl:`` description has a method, which is left to Twisted."""

LISTENER = (
    "port",
    "privateKey",
    "certKey",
    "interface",
    "backlog",
    "extraCertChain",
    "dhParameters",
    "clientRoots",
    "alpn",
)
"""The arguments of ``ssl:``. Those up to ``dhParameters`` are Twisted's, in its order, without its ``sslmethod``."""

SERVER = ("host", "port", "timeout", "bindAddress", "certificate", "privateKey", "trustRoots", "endpoint", "alpn")
"""The arguments of ``tls:``. All but the last are Twisted's, in its order."""

NOT_ACCEPTED: dict[int, str] = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    26: "its certificate is not for clients",
} | dict.fromkeys((18, 19, 20, 21), "the authority of its certificate is not trusted")
"""What OpenSSL's numbers for a wrong certificate mean."""


def tls_listener(
    reactor: Reactor, wrappers: int, positional: list[str], named: Mapping[str, str], backlog: int
) -> IStreamServerEndpoint:
    """Make the endpoint of an ``ssl:`` description.

    Args:
        reactor: the reactor that it listens with.
        wrappers: how many times ``haproxy:`` stands before it.
        positional: the arguments without a name.
        named: the arguments with a name.
        backlog: the length of the listen queue, unless the description says another.

    Raises:
        ValueError: an argument is wrong.
        OSError: a file cannot be read.
    """
    given = _arguments("ssl:", LISTENER, positional, named)
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
        dhParameters=None if parameters is None else ssl.DiffieHellmanParameters.fromFile(FilePath(parameters)),
        trustRoot=None if roots is None else ssl.trustRootFromCertificates(certificates_in(roots)),
    )
    # The callbacks that CertificateOptions sets do not say why they fail. Without alpn= they would also refuse a client
    # that offers protocols.
    from OpenSSL import SSL

    context = options.getContext()
    context.set_alpn_select_callback(partial(_chosen, _protocols(given)))
    if roots is not None:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _checked)
    return options


def _chosen(known: list[bytes] | None, connection: Connection, offered: list[bytes]) -> Any:
    """Return the first known protocol that the client offers. Without one, fail the handshake, and say why."""
    from OpenSSL import SSL

    if known is None:
        return SSL.NO_OVERLAPPING_PROTOCOLS  # go on without
    for name in known:
        if name in offered:
            return name
    raise SSL.Error([("SSL routines", "", f"it must offer a protocol of alpn=, not {repr_of(offered)}")])


def _checked(connection: Connection, certificate: X509, number: int, depth: int, ok: int) -> bool:
    """Fail the handshake if the client's certificate is not accepted, and say why; OpenSSL's own texts do not."""
    if ok:
        return True
    from OpenSSL import SSL

    text = NOT_ACCEPTED.get(number, f"its certificate is not accepted, error {number} of OpenSSL")
    raise SSL.Error([("SSL routines", "", text)])


def tls_server(
    reactor: Reactor,
    positional: list[str],
    named: Mapping[str, str],
    inner: Callable[[str], IStreamClientEndpoint],
) -> IStreamClientEndpoint:
    """Make the endpoint of a ``tls:`` description.

    Args:
        reactor: what it connects with.
        positional: the arguments without a name.
        named: those with one.
        inner: makes the endpoint that ``endpoint=`` describes.

    Raises:
        ValueError: an argument is wrong.
        OSError: a file cannot be read.
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
        ValueError: there is no certificate, or one cannot be read.
        OSError: the file or directory cannot be read.
    """
    from twisted.internet import ssl

    if not path:
        raise ValueError("clientRoots= must be a file or a directory")
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
    protocols = given["alpn"].split(",")
    if not all(0 < len(name) < 256 and name.isascii() for name in protocols):
        raise ValueError(f"alpn= must have names of 1 to 255 characters with commas between, not {given['alpn']!r}")
    return [name.encode("ascii") for name in protocols]
