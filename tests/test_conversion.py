"""Tests of links whose two connections speak different versions, on real sockets."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_repeater import (
    LEFT_OUT,
    PASS_ON,
    Conversion,
    ICodec,
    MessageType,
    MultipleVersionsError,
    ParseError,
    SendBack,
    Side,
    VersionMismatch,
    dialects,
)

from .peers import SERVER_NAME, PeerCase, Server, World, hello


@implementer(ICodec)
class Record:
    """A codec of records with these fields, which counts what it is asked for."""

    def __init__(self, *fields: str) -> None:
        self.fields = fields
        self.decoded = self.encoded = 0

    def decode(self, payload: bytes) -> Any:
        """Read a record."""
        self.decoded += 1
        message = json.loads(payload)
        if set(message) != set(self.fields):
            raise ParseError(f"expected the fields {self.fields}, found {sorted(message)}")
        return message

    def encode(self, message: Any) -> bytes:
        """Write a record."""
        self.encoded += 1
        assert set(message) == set(self.fields), message
        return json.dumps(message).encode()


def with_size(message: Any) -> Any:
    """Version 1 had no size: it was 1. Version 2 has no free orders."""
    return LEFT_OUT if message["symbol"] == "FREE" else {**message, "size": 1}


def without_size(message: Any) -> Any:
    """An order of another size than 1 cannot be told in version 1."""
    return LEFT_OUT if message["size"] != 1 else {"symbol": message["symbol"]}


def with_note(message: Any) -> Any:
    """Version 3 has a note."""
    return {**message, "note": ""}


def without_note(message: Any) -> Any:
    """Version 2 has none."""
    return {"symbol": message["symbol"], "size": message["size"]}


def orders(prod: int = 3) -> MessageType:
    """Make the message type: three versions of a record."""
    return MessageType(
        {1: Record("symbol"), 2: Record("symbol", "size"), 3: Record("symbol", "size", "note")},
        low=1,
        prod=prod,
        test=3,
        conversions={2: Conversion(with_size, without_size), 3: Conversion(with_note, without_note)},
    )


def payload(symbol: str, *rest: Any) -> bytes:
    """Make the payload of an order, of the version that has so many fields."""
    return json.dumps(dict(zip(("symbol", "size", "note"), (symbol, *rest), strict=False))).encode()


def versions(name: str, version: int) -> bytes:
    """Make the hello of a peer that sends and receives this version."""
    return hello(name, send_version=version, recv_version=version)


class ConversionTests(PeerCase):
    """`convert_versions`."""

    async def linked(self, client: int, server: int, **settings: Any) -> tuple[World, Any, Any]:
        """Link a client and a server that speak these versions."""
        self.types = orders(), orders()
        world = await self.world(
            server=Server(hello=versions(SERVER_NAME, server)),
            dialect=dialects.int32(to_server=self.types[0], to_client=self.types[1]),
            convert_versions=True,
            **settings,
        )
        client_peer = await world.connect(versions("alice", client))
        await client_peer.seen.reach(1)
        return world, client_peer, world.server.peers[0]

    def counts(self) -> list[int]:
        """Return how many payloads were decoded and encoded."""
        codecs = [codec for kind in self.types for codec in kind.codecs.values()]
        return [sum(codec.decoded for codec in codecs), sum(codec.encoded for codec in codecs)]  # type: ignore[attr-defined]

    def test_up_and_down(self) -> Deferred[None]:
        """Between versions 1 and 3 each message is converted step by step, and what one lacks is left out."""

        async def test() -> None:
            world, client, server = await self.linked(client=1, server=3)
            client.send(payload("A"), payload("FREE"), payload("B"))
            await server.seen.reach(3)
            self.assertEqual(server.seen[1:], [payload("A", 1, ""), payload("B", 1, "")])
            server.send(payload("A", 1, "x"), payload("A", 2, "x"), payload("B", 1, "y"))
            await client.seen.reach(3)
            self.assertEqual(client.seen[1:], [payload("A"), payload("B")])
            self.assertEqual(world.errors, [])

        return Deferred.fromCoroutine(test())

    def test_equal_versions(self) -> Deferred[None]:
        """Where both connections agree on one version, the bytes pass as they are, and nobody decodes them."""

        async def test() -> None:
            _world, client, server = await self.linked(client=2, server=2)
            client.send(b"bytes as they are")
            await server.seen.reach(2)
            self.assertEqual(server.seen[1:], [b"bytes as they are"])
            self.assertEqual(self.counts(), [0, 0])

        return Deferred.fromCoroutine(test())

    def test_filters_see_the_newest_form(self) -> Deferred[None]:
        """A filter sees and gives version 3, whatever the connections speak; equal ones still pass as bytes."""
        seen: list[Any] = []

        def look(message: Any, link: Any) -> Any:
            seen.append(message)
            return SendBack([{**message, "note": "no"}]) if message["symbol"] == "BAD" else PASS_ON

        async def test() -> None:
            _world, client, server = await self.linked(client=1, server=1, to_server_filter=look)
            client.send(payload("A") + b" ", payload("BAD"), payload("FREE"), payload("C"))
            await server.seen.reach(3)
            await client.seen.reach(2)
            self.assertEqual(server.seen[1:], [payload("A") + b" ", payload("C")])
            self.assertEqual(client.seen[1:], [payload("BAD")])
            self.assertEqual([message["symbol"] for message in seen], ["A", "BAD", "C"])
            self.assertEqual(seen[0], {"symbol": "A", "size": 1, "note": ""})

        return Deferred.fromCoroutine(test())

    def test_parse_error(self) -> Deferred[None]:
        """A message that cannot be converted because it cannot be read is reported, and the next one goes on."""

        async def test() -> None:
            world, client, server = await self.linked(client=1, server=2)
            client.send(b"{}", payload("A"))
            await server.seen.reach(2)
            self.assertEqual(server.seen[1:], [payload("A", 1)])
            ((name, side, error),) = world.errors
            self.assertEqual((name, side), ("alice", Side.CLIENT))
            self.assertIsInstance(error, ParseError)

        return Deferred.fromCoroutine(test())

    def test_broadcast(self) -> Deferred[None]:
        """A broadcast is encoded once for each version in use, and left out where it doesn't exist."""

        async def test() -> None:
            world, alice, _server = await self.linked(client=3, server=3)
            others = [
                await world.connect(versions(name, version))
                for name, version in (("bob", 3), ("carol", 1), ("dave", 1), ("eve", 2))
            ]
            for other in others:
                await other.seen.reach(1)
            world.repeater.send_to_all_clients({"symbol": "A", "size": 1, "note": "x"})
            self.assertEqual(self.counts(), [0, 3])
            world.repeater.send_to_all_clients({"symbol": "B", "size": 5, "note": "x"})
            world.repeater.send_to_all_clients({"symbol": "C", "size": 1, "note": "x"})
            expected = {3: ["A", "B", "C"], 2: ["A", "B", "C"], 1: ["A", "C"]}
            for client, version in zip((alice, *others), (3, 3, 1, 1, 2), strict=True):
                await client.seen.reach(1 + len(expected[version]))
                messages = [json.loads(message) for message in client.seen[1:]]
                self.assertEqual([message["symbol"] for message in messages], expected[version])
                self.assertEqual({len(message) for message in messages}, {version})
            self.assertEqual(world.errors, [])

        return Deferred.fromCoroutine(test())

    def test_no_common_version(self) -> Deferred[None]:
        """A peer older than the oldest version is refused: the client before the server is dialled."""

        async def test() -> None:
            world, _, _ = await self.linked(client=3, server=3)
            for name, sends, receives in (("bob", 0, 3), ("carol", 3, 0)):
                client = await world.connect(hello(name, send_version=sends, recv_version=receives))
                await client.lost()
            self.assertEqual(world.refusals, [("bob", VersionMismatch), ("carol", VersionMismatch)])
            self.assertEqual(len(world.server.peers), 1)

        return Deferred.fromCoroutine(test())

    def test_stated_versions(self) -> Deferred[None]:
        """The hellos state the prod versions, or the test versions outside of production."""

        async def test() -> None:
            for production, stated in ((True, 2), (False, 3)):
                world = await self.world(
                    dialect=dialects.int32(to_server=orders(2), to_client=orders(2), production=production),
                    convert_versions=True,
                )
                client = await world.connect(versions("alice", 3))
                await client.seen.reach(1)
                for seen in (client.seen[0], world.server.peers[0].seen[0]):
                    self.assertEqual((seen["send_version"], seen["recv_version"]), (stated, stated))

        return Deferred.fromCoroutine(test())

    def test_not_asked_for(self) -> Deferred[None]:
        """Without the flag, several versions are refused before anything is bound."""

        async def test() -> None:
            with self.assertRaisesRegex(MultipleVersionsError, r"1 \(low\), 3 \(prod\) and 3 \(test\)"):
                await self.world(dialect=dialects.int32(to_client=orders()))

        return Deferred.fromCoroutine(test())

    def test_missing_step(self) -> Deferred[None]:
        """A step that is missing is told when the repeater is created."""

        async def test() -> None:
            kind = MessageType({1: Record("symbol"), 2: Record("symbol")}, low=1, prod=1, test=2)
            with self.assertRaisesRegex(ValueError, "no conversion between versions 1 and 2"):
                await self.world(dialect=dialects.int32(to_client=kind), convert_versions=True)

        return Deferred.fromCoroutine(test())
