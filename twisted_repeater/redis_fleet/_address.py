"""The address of the engine: ``redis://``, ``rediss://`` or ``unix://``, as Redis clients write it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from .._sockets.dialling import AtPath, OverTLS, ServerEndpoint, at_host
from .._text import text_of
from .._types import Reactor

__all__ = ["EngineAddress"]

PORT = 6379
"""The port of Redis and of Valkey."""

HINT = "; if its password has one of the characters / ? # [ ] @ : %, write %2F, %3F and so on for it"

FILES = ("ca", "cert", "key")
"""The parameters that name files for TLS; redis-cli has them as ``--cacert``, ``--cert`` and ``--key``."""


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
        ca: a file or a directory with the certificates of the authorities that are trusted; by default the system's.
        cert: a file with the certificate that this process shows to the engine; ``None`` for no certificate.
        key: a file with the key of it; by default it is in the same file.
    """

    host: str
    port: int = PORT
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    scheme: str = "redis"
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @classmethod
    def parse(cls, text: str) -> EngineAddress:
        """Read an address.

        Args:
            text: such as ``redis://user:password@host:6379/0``, ``unix:///run/redis.sock?db=1``, or
                ``rediss://:password@host/0?ca=/etc/redis/ca.pem``. In a password, write ``%2F`` for a slash, and so on.

        Raises:
            ValueError: it is not an address. The error says why, and shows no part that could be a password.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:  # its text may have the password in it
            parts, port = None, 0
        if parts is None or port == 0:
            raise ValueError(f"the address of the fleet's engine has no valid host and port{HINT}")
        if parts.scheme not in ("redis", "rediss", "unix") or "://" not in text:
            raise ValueError(
                "the address of the fleet's engine must begin with redis://, rediss:// (for TLS) or unix://"
            )
        given = _parameters(parts)
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if user is not None and password is None:
            raise ValueError("the address of the fleet's engine has a user without a password: write USER:PASSWORD@")
        if parts.scheme == "unix":
            if parts.hostname or not parts.path:
                raise ValueError("write unix:///PATH for a Unix socket: with three slashes")
            return cls(unquote(parts.path), 0, _number(given.get("db", "")), user, password, "unix")
        if not parts.hostname:
            raise ValueError(f"the address of the fleet's engine names no host{HINT}")
        database = _number(given.pop("db", "") or parts.path.strip("/"))
        return cls(parts.hostname, port or PORT, database, user, password, parts.scheme, **given)

    def endpoint(self, reactor: Reactor) -> ServerEndpoint:
        """Return the endpoint. TLS checks the certificate of the engine, and that it is for its host.

        Raises:
            ValueError: a file has no certificate or cannot be read, or the extra for TLS is missing.
        """
        if self.scheme == "unix":
            return AtPath(reactor, self.host)
        server = at_host(reactor, self.host, self.port)
        if self.scheme == "redis":
            return server
        from ..tls_options import OptionsForServer

        try:
            options = OptionsForServer(
                self.host, roots=self.ca, certificate=self.cert, key=self.key, name=f"the fleet's engine at {self}"
            )
        except OSError as error:
            raise ValueError(f"a file for TLS with the fleet's engine cannot be read: {text_of(error)}") from error
        return OverTLS(options, server)

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.host}" + (f"?db={self.database}" if self.database else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.database}"


def _parameters(parts: SplitResult) -> dict[str, str]:
    """Return the parameters after the ``?``."""
    names = ("db", *FILES) if parts.scheme == "rediss" else ("db",)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.fragment or not all(given.values()) or set(given) - set(names):
        allowed = ", ".join(f"{name}=" for name in names)
        raise ValueError(f"after a ? the address of the fleet's engine may have only {allowed} with a value{HINT}")
    if "key" in given and "cert" not in given:
        raise ValueError("in the address of the fleet's engine key= needs cert=")
    return given


def _number(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):
        raise ValueError(
            f"the database of the fleet's engine must be a number, such as the 0 in redis://host:6379/0{HINT}"
        )
    return int(text)
