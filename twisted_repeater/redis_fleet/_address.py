"""The address of the engine: ``redis://``, ``rediss://`` or ``unix://``, as Redis clients write it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from .._sockets.dialling import AtPath, OverTLS, ServerEndpoint, at_host
from .._types import Reactor

__all__ = ["EngineAddress"]

PORT = 6379
"""The port of Redis and of Valkey."""


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where the engine is, and how to log in.

    Attributes:
        host: a name or an address; a path if ``scheme`` is ``"unix"``.
        port: its TCP port.
        database: the number of the database.
        user: the name of the user; ``None`` for the default one.
        password: ``None`` if none is needed. It is left out of ``str()`` and ``repr()``.
        scheme: ``"redis"``, ``"rediss"`` for TLS, or ``"unix"``.
    """

    host: str
    port: int = PORT
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    scheme: str = "redis"

    @classmethod
    def parse(cls, text: str) -> EngineAddress:
        """Read an address such as ``redis://user:password@host:6379/0`` or ``unix:///run/redis.sock?db=1``.

        Raises:
            ValueError: it is none; the error says why, without the password.
        """
        parts = urlsplit(text)
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port of the fleet's engine must be a number from 1 to 65535") from None
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError(
                "the address of the fleet's engine begins with redis://, rediss:// (for TLS) or unix://, "
                f"not {parts.scheme + '://' if '://' in text else 'with what was given'}"
            )
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if parts.scheme == "unix":
            path, database = unquote(parts.path), _parameter(parts.query)
            if not path or parts.hostname:
                raise ValueError("write unix:///PATH for a Unix socket: with three slashes")
            return cls(path, 0, _number(database), user, password, "unix")
        if parts.query:
            raise ValueError(f"the address of the fleet's engine takes nothing after a ?, but has {parts.query!r}")
        if not parts.hostname:
            raise ValueError("the address of the fleet's engine names no host")
        return cls(parts.hostname, port or PORT, _number(parts.path.strip("/")), user, password, parts.scheme)

    def endpoint(self, reactor: Reactor) -> ServerEndpoint:
        """Return the endpoint; TLS checks the certificate against the system's authorities."""
        if self.scheme == "unix":
            return AtPath(reactor, self.host)
        server = at_host(reactor, self.host, self.port)
        if self.scheme == "redis":
            return server
        from twisted.internet.ssl import optionsForClientTLS

        return OverTLS(optionsForClientTLS(self.host), server)

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.database}"


def _parameter(query: str) -> str:
    """Return the number of the database of ``?db=NUMBER``."""
    name, _, value = query.partition("=")
    if query and name != "db":
        raise ValueError(f"the address of the fleet's engine takes db=NUMBER after the ?, not {query!r}")
    return value


def _number(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 5:
        raise ValueError(f"the database of the fleet's engine must be a number, not {text!r}")
    return int(text)
