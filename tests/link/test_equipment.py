"""Tests of what lanes are equipped with: one setup for all lanes of a direction and its versions."""

from __future__ import annotations

from typing import Any

from twisted_repeater import DO_NOTHING, PASS_ON, Direction

from ..peers import frame
from .memory_case import MemoryCase


def pass_on(message: Any, link: Any) -> Any:
    """Be a filter that passes everything on."""
    return PASS_ON


class SharedTests(MemoryCase):
    """Setups that lanes share."""

    def test_shared(self) -> None:
        """All lanes of a direction have the same setup, also when filters are replaced."""
        world = self.memory(to_server_filter=pass_on)
        for name in ("ann", "bob"):
            self.linked(world, name)
        for _ in range(2):
            setups = {lane.setup for pair in world.factory.links for lane in pair.lanes or ()}
            self.assertEqual(len(setups), 2)
            self.assertEqual({setup.direction for setup in setups}, set(Direction))
            world.factory.replace_filters({"to_server_filter": None})
        self.assertEqual({setup.filter for setup in setups}, {None})

    def test_hook(self) -> None:
        """A hook hears what is decided on the links that there are and on later ones, until it is taken away."""
        told: list[tuple[str, Any, Any, bool]] = []
        world = self.memory(to_server_filter=lambda message, link: DO_NOTHING)
        ann, _ = self.linked(world, "ann")
        world.factory.watch_decisions(lambda lane, *rest: told.append((lane.link.client_name, *rest)))
        bob, _ = self.linked(world, "bob")
        for client in (ann, bob):
            client.dataReceived(frame(b"m"))
        world.factory.watch_decisions(None)
        ann.dataReceived(frame(b"n"))
        self.assertEqual(told, [(name, b"m", DO_NOTHING, True) for name in ("ann", "bob")])

    def test_wrong_filter(self) -> None:
        """An error about a filter says which one it is."""
        world = self.memory()
        error = self.assertRaises(TypeError, world.factory.equipment.check_filter, 7, Direction.TO_CLIENT)
        self.assertIn("to_client_filter: ", str(error))
        world.factory.equipment.check_filter(pass_on, Direction.TO_CLIENT)
        world.factory.equipment.check_filter(None, Direction.TO_SERVER)
