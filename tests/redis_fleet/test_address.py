"""Addresses of the engine are read, and the engine is found there."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from twisted_repeater.redis_fleet._address import EngineAddress

from ..certificates import Authority
from ..peers import reactor
from .engines import Engine, EngineCase

PASSWORD = "p/a?s#s"
QUOTED = "p%2Fa%3Fs%23s"


class ParseTests(EngineCase):
    """Addresses as people write them."""

    def test_read(self) -> None:
        """An address has a scheme, a host, a port, a database, a user and a password, and files for TLS."""
        for text, expected in {
            "redis://cache": EngineAddress("cache"),
            "redis://10.0.0.7:7000/3": EngineAddress("10.0.0.7", 7000, 3),
            "redis://cache/?db=4": EngineAddress("cache", database=4),
            f"redis://ann:{QUOTED}@[::1]/": EngineAddress("::1", user="ann", password=PASSWORD),
            f"rediss://:{QUOTED}@cache/1": EngineAddress("cache", 6379, 1, None, PASSWORD, "rediss"),
            "rediss://cache?ca=/tls/ca.pem&cert=/tls/a%26b.pem&key=k": EngineAddress(
                "cache", scheme="rediss", ca="/tls/ca.pem", cert="/tls/a&b.pem", key="k"
            ),
            "unix:///run/redis.sock": EngineAddress("/run/redis.sock", 0, scheme="unix"),
            "unix://:secret@/run/r%20s?db=2": EngineAddress("/run/r s", 0, 2, None, "secret", "unix"),
        }.items():
            with self.subTest(text=text):
                self.assertEqual(EngineAddress.parse(text), expected)

    def test_printed(self) -> None:
        """An address is printed without its password."""
        for text, expected in {
            f"redis://ann:{QUOTED}@cache": "redis://cache:6379/0",
            f"rediss://:{QUOTED}@[::1]:7/2?ca=x": "rediss://[::1]:7/2",
            f"unix://:{QUOTED}@/run/redis": "unix:///run/redis",
            "unix:///run/redis?db=2": "unix:///run/redis?db=2",
        }.items():
            address = EngineAddress.parse(text)
            self.assertEqual(str(address), expected)
            self.assertNotIn(PASSWORD, repr(address))

    def test_wrong(self) -> None:
        """What is wrong with an address is told, without anything that could be a password."""
        for text, why in {
            "": "must begin with redis://",
            "secret": "must begin with redis://",
            "redis:secret": "must begin with redis://",
            "http://:secret@cache": "must begin with redis://",
            "redis://": "no host",
            "redis://:secret@:6379/0": "no host",
            "redis://cache:secret": "no valid host and port; if its password has",
            "redis://cache:0": "no valid host and port",
            "redis://cache:70000": "no valid host and port",
            "redis://[::1": "no valid host and port",
            "redis://:secret\N{CARE OF}@cache": "no valid host and port",
            "redis://:1/secret@cache": "no host; if its password has",
            "redis://ann:1/secret@cache": "must be a number",
            "redis://cache/-1": "must be a number",
            "redis://cache/123456": "must be a number",
            "redis://:1?secret@cache": "only db= with a value; if its password has",
            "redis://:1#secret@cache": "only db= with a value; if its password has",
            "redis://cache?ca=secret": "only db= with a value",
            "rediss://cache?ca=": "only db=, ca=, cert=, key= with a value",
            "rediss://cache?key=secret": "key= needs cert=",
            "redis://secret@cache": "a user without a password",
            "unix://run/redis": "three slashes",
            "unix://": "three slashes",
        }.items():
            with self.subTest(text=text):
                error = self.assertRaises(ValueError, EngineAddress.parse, text)
                self.assertIn(why, str(error))
                self.assertNotIn("secret", str(error))


class EndpointTests(EngineCase):
    """A real engine at an address."""

    async def ping(self, address: EngineAddress) -> bytes | None:
        """Ask the engine at an address; return its answer, or ``None`` if the connection is lost instead."""
        client = _Client()
        await address.endpoint(reactor).dial(client, 10)
        transport: Any = client.transport
        transport.write(b"PING\r\n")
        return await client.answered

    async def ask_unix(self, engine: Engine) -> bytes | None:
        """Ask an engine at its Unix socket."""
        return await self.ping(EngineAddress.parse(f"unix://{engine.path}"))

    async def test_plain(self) -> None:
        """An engine is found at its port, and at its Unix socket."""
        engine = self.start_engine()
        self.assertEqual(await self.ping(EngineAddress.parse(engine.url)), b"+PONG\r\n")
        self.assertEqual(await self.ask_unix(engine), b"+PONG\r\n")

    async def test_tls(self) -> None:
        """TLS checks the engine's certificate: its authority, which may be in a file, and its host."""
        authority = Authority(self.directory)
        roots = f"?ca={authority.roots}"
        engine = self.start_engine(tls=authority.issue("localhost"))
        address = f"rediss://localhost:{engine.port}"
        self.assertEqual(await self.ping(EngineAddress.parse(address + roots)), b"+PONG\r\n")
        self.assertIsNone(await self.ping(EngineAddress.parse(address)))
        self.assertIsNone(await self.ping(EngineAddress.parse(engine.url + roots)))

    async def test_own_certificate(self) -> None:
        """An engine may want a certificate from its clients."""
        self.addCleanup(self.flushWarnings)  # of pyOpenSSL
        authority = Authority(self.directory)
        wants = ("--tls-ca-cert-file", str(authority.roots), "--tls-auth-clients", "yes")
        engine = self.start_engine(*wants, tls=authority.issue("localhost"))
        own = authority.issue("ann")
        address = f"rediss://localhost:{engine.port}?ca={authority.roots}"
        self.assertIsNone(await self.ping(EngineAddress.parse(address)))
        given = EngineAddress.parse(f"{address}&cert={own.certificate}&key={own.key}")
        self.assertEqual(await self.ping(given), b"+PONG\r\n")

    def test_missing_file(self) -> None:
        """A file that cannot be read is reported at once."""
        address = EngineAddress.parse(f"rediss://localhost?ca={self.directory}/none.pem")
        error = self.assertRaises(ValueError, address.endpoint, reactor)
        self.assertRegex(str(error), "cannot be read.*none.pem")


class _Client(Protocol):
    def __init__(self) -> None:
        self.answered: Deferred[bytes | None] = Deferred()
        self._answer: bytes | None = None

    def dataReceived(self, data: bytes) -> None:
        self._answer = data
        self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.answered.callback(self._answer)
