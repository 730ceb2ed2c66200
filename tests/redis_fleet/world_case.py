"""A test case with a world of nodes; see `simulated`."""

from __future__ import annotations

from typing import Any

from twisted_repeater.model import SameName

from .engines import EngineCase
from .simulated import LEASE, Site, World

__all__ = ["WorldCase"]


class WorldCase(EngineCase):
    """A test case with a world of nodes."""

    world: World

    def start_nodes(self, count: int = 2, same_name: SameName = SameName.REFUSE, **settings: Any) -> list[Site]:
        """Start nodes that are members."""
        self.world = World(self.start_engine().path, same_name, **settings)
        self.addCleanup(self.world.close)
        sites = [self.world.add(f"node {number}") for number in range(count)]
        self.world.tick(2 * LEASE)
        self.assertEqual([site.is_well for site in sites], [True] * count)
        return sites
