"""Tests of the setups of lanes: one for all lanes of a direction and its versions."""

from __future__ import annotations

from typing import Any

from twisted_repeater import DO_NOTHING, PASS_ON, Direction

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
            world.linked(name)
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
        ann, _ = world.linked("ann")
        world.factory.watch_decisions(lambda lane, *rest: told.append((lane.link.client_name, *rest)))
        bob, _ = world.linked("bob")
        for client in (ann, bob):
            client.send(b"m")
        world.factory.watch_decisions(None)
        ann.send(b"n")
        self.assertEqual(told, [(name, b"m", DO_NOTHING, True) for name in ("ann", "bob")])

    def test_wrong_filter(self) -> None:
        """A wrong filter is an error at once, which says which one it is; ``None`` and a function are filters."""
        check = self.memory().factory.equipment.check_filter
        for direction in Direction:
            error = self.assertRaises(TypeError, check, 7, direction)
            self.assertIn(f"{direction.value}_filter: ", str(error))
            check(pass_on, direction)
            check(None, direction)
