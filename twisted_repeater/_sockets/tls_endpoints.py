"""Endpoints for TLS that do more than Twisted's: they demand clients' certificates, and agree on protocols by ALPN.

* ``ssl:`` of a listener may have ``clientRoots=`` and ``alpn=``. Twisted's own refuses every client that offers
  protocols by ALPN.
* With ``haproxy:`` before it, the PROXY header comes before TLS, as balancers send it. Twisted's own expects it inside.
* ``tls:`` of a server may have ``alpn=``, and tries each address of a host name.
* Both read their certificates again when the files change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.protocols.haproxy import proxyEndpoint

from .._types import Reactor
from ..tls_options import OptionsForClients, OptionsForServer
from .dialling import TIMEOUT, OverTLS, ServerEndpoint, at_host

__all__ = ["MAX_POSITIONAL", "tls_listener", "tls_server"]

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


def tls_listener(
    reactor: Reactor, wrappers: int, positional: list[str], named: Mapping[str, str], backlog: int, description: str
) -> IStreamServerEndpoint:
    """Make the endpoint of an ``ssl:`` description.

    Args:
        reactor: the reactor that it listens with.
        wrappers: how many times ``haproxy:`` stands before it.
        positional: the arguments without a name.
        named: the arguments with a name.
        backlog: the length of the listen queue, unless the description says another.
        description: the name of the endpoint in the log.

    Raises:
        ValueError: an argument is wrong.
        OSError: a file cannot be read.
    """
    given = _arguments("ssl:", LISTENER, positional, named)
    port = _required("ssl:", given, "port")
    key = given.get("privateKey", "server.pem")
    if given.get("clientRoots") == "":
        raise ValueError("clientRoots= must be a file or a directory")
    options = OptionsForClients(
        given.get("certKey", key),
        key,
        chain=given.get("extraCertChain"),
        roots=given.get("clientRoots"),
        dh_parameters=given.get("dhParameters"),
        alpn=_protocols(given),
        name=description,
    )
    endpoint: IStreamServerEndpoint = TCP4ServerEndpoint(
        reactor, int(port), int(given.get("backlog", backlog)), given.get("interface", "")
    )
    for _ in range(wrappers):
        endpoint = proxyEndpoint(endpoint)
    from .tls_transport import ListeningOverTLS  # needs pyOpenSSL, which only TLS needs

    wrapped: IStreamServerEndpoint = ListeningOverTLS(options, endpoint)
    return wrapped


def tls_server(
    reactor: Reactor,
    positional: list[str],
    named: Mapping[str, str],
    inner: Callable[[str], ServerEndpoint],
    description: str,
) -> ServerEndpoint:
    """Make the endpoint of a ``tls:`` description.

    Args:
        reactor: what it connects with.
        positional: the arguments without a name.
        named: those with one.
        inner: makes the endpoint that ``endpoint=`` describes.
        description: the name of the endpoint in the log.

    Raises:
        ValueError: an argument is wrong.
        OSError: a file cannot be read.
    """
    given = _arguments("tls:", SERVER, positional, named)
    host, port = _required("tls:", given, "host"), _required("tls:", given, "port")
    if "privateKey" in given and "certificate" not in given:
        raise ValueError("privateKey= needs certificate=")
    options = OptionsForServer(
        host,
        roots=given.get("trustRoots"),
        certificate=given.get("certificate"),
        key=given.get("privateKey"),
        alpn=_protocols(given),
        name=description,
    )
    if "endpoint" in given:
        return OverTLS(options, inner(given["endpoint"]))
    bind = (given["bindAddress"], 0) if "bindAddress" in given else None
    return OverTLS(options, at_host(reactor, host, int(port), int(given.get("timeout", TIMEOUT)), bind))


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


def _protocols(given: Mapping[str, str]) -> list[str] | None:
    """Return the protocols for ALPN, ``None`` without ``alpn=``."""
    if "alpn" not in given:
        return None
    protocols = given["alpn"].split(",")
    if not all(0 < len(name) < 256 and name.isascii() for name in protocols):
        raise ValueError(f"alpn= must have names of 1 to 255 characters with commas between, not {given['alpn']!r}")
    return protocols
