"""A test case with repeaters in memory."""

from __future__ import annotations

from typing import Any

from ..peers import (
    SERVER_NAME,
    MemoryWorld,
    PeerCase,
    hello,
    kept_by,
)


class MemoryCase(PeerCase):
    """Tests in memory, of which nothing must be left."""

    def setUp(self) -> None:
        """Look at the end whether anything is left."""
        self.worlds: list[MemoryWorld] = []
        self.addCleanup(self.check)

    def memory(self, **settings: Any) -> MemoryWorld:
        """Make a world in memory."""
        self.worlds.append(MemoryWorld(**settings))
        return self.worlds[-1]

    def check(self) -> None:
        """Nothing is left, and nothing waits."""
        for world in self.worlds:
            self.successResultOf(world.factory.links.close_all())
            self.assertEqual((kept_by(world.factory), world.clock.getDelayedCalls()), ({}, []))

    def linked(self, world: MemoryWorld, name: str) -> tuple[Any, Any]:
        """Link a client: gives the repeater's protocols of both sides, to which nothing but hellos was written."""
        client = world.connect(hello(name))
        server = world.servers[-1]
        server.dataReceived(hello(SERVER_NAME))
        self.assertTrue(client.link.made)
        client.transport.clear()
        server.transport.clear()
        return client, server
