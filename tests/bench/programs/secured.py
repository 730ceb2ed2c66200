"""TLS of the load's two ends, so that no proxy may choose a cheaper cipher than another."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..loads import Load

__all__ = ["agreed", "client_side", "server_side"]

_EXPECTED = ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
"""What OpenSSL, which all of them use, chooses by itself."""

Secured = Callable[[socket.socket], socket.socket]
"""Makes of a connection one that speaks TLS, after the handshake; or returns the same if the load is without TLS."""


def client_side(load: Load, directory: str) -> Secured:
    """Return what the near end does with a connection."""
    if not load.tls:
        return _as_it_is
    context = ssl.create_default_context(cafile=Path(directory, "authority.pem"))
    return partial(agreed, partial(context.wrap_socket, server_hostname="localhost"))


def server_side(load: Load, directory: str) -> Secured:
    """Return what the far end does with a connection."""
    if not load.tls:
        return _as_it_is
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(directory, "localhost.pem"), Path(directory, "localhost.key"))
    return partial(agreed, partial(context.wrap_socket, server_side=True))


def _as_it_is(connection: socket.socket) -> socket.socket:
    return connection


def agreed(wrap: Callable[[socket.socket], ssl.SSLSocket], connection: socket.socket) -> socket.socket:
    """Begin TLS on a connection; end this process if the other side agrees on another cipher than all others."""
    secured = wrap(connection)
    cipher = secured.cipher()
    if (secured.version(), cipher and cipher[0]) != _EXPECTED:
        raise SystemExit(f"the proxy speaks {secured.version()} with {cipher}, not {_EXPECTED}")
    return secured
