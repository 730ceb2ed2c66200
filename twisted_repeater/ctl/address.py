"""Where the administration is, and how to connect to it."""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from .errors import Unusable

__all__ = ["Address", "address_of"]


class Address(NamedTuple):
    """Where the administration is."""

    text: str
    """As the user wrote it."""
    scheme: str
    """``http``, ``https`` or ``unix``."""
    host: str
    """The host, or the path of a Unix socket."""
    port: int | None = None
    """``None`` for the usual one."""
    prefix: str = ""
    """What stands before each path, where a proxy in front needs that."""

    def connection(self, timeout: float) -> HTTPConnection:
        """Return a connection that is not made yet.

        Args:
            timeout: how long it may take, and how long each answer may be silent, in seconds.
        """
        if self.scheme == "unix":
            return _UnixConnection(self.host, timeout)
        # The context of HTTPSConnection trusts the authorities of the system, or those of SSL_CERT_FILE.
        kind = HTTPSConnection if self.scheme == "https" else HTTPConnection
        return kind(self.host, self.port, timeout=timeout)


class _UnixConnection(HTTPConnection):
    """A connection on a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect. See `HTTPConnection`."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def address_of(text: str) -> Address:
    """Return the address that a user wrote.

    Raises:
        Unusable: it is none.
    """
    scheme, _, path = text.partition(":")
    if scheme == "unix" and path:
        return Address(text, scheme, path.removeprefix("//"))
    try:
        parts = urlsplit(text)
        address = Address(text, parts.scheme, parts.hostname or "", parts.port, parts.path.rstrip("/"))
    except ValueError as error:
        raise _not_an_address(text) from error
    if address.scheme not in ("http", "https") or not address.host or parts.query or parts.fragment:
        raise _not_an_address(text)
    return address


def _not_an_address(text: str) -> Unusable:
    return Unusable(f"--admin: expected http://HOST:PORT, https://HOST:PORT or unix:PATH, got {text!r}")
