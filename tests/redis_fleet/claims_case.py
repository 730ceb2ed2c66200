"""A test case with nodes that hold names; see `simulated`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted_repeater.redis_fleet._scripts import CLAIMS

from .simulated import Site
from .world_case import WorldCase

__all__ = ["ANN", "ClaimsCase"]

ANN = "name:t:ann"


class ClaimsCase(WorldCase):
    """A test case with nodes that hold names."""

    def holder(self, key: str = ANN) -> str | None:
        """Return the incarnation that has a name."""
        holders = self.world.holders(key)
        return holders.pop() if holders else None

    def comes_and_goes(self, site: Site) -> None:
        """Have a name claimed and released, so that the engine knows the script."""
        site.claim("name:t:bob", 5)
        self.world.flow()
        site.release("name:t:bob")
        self.world.tick(0.1)

    def all_free(self, *sites: Site) -> None:
        """Nobody has a name, and nodes remember nothing."""
        self.world.tick(0.1)
        self.assertEqual(self.world.names(), [])
        self.assertEqual([site.claims._names for site in sites], [{}] * len(sites))

    def calls_of(self, site: Site) -> list[Sequence[Any]]:
        """Return a list of what a node asks for from now on, for each call the words."""
        calls: list[Sequence[Any]] = []
        run = site.node.run

        def recorded(script: Any, keys: Any, *words: Any) -> Any:
            if script is CLAIMS:
                calls.append([word.decode() if isinstance(word, bytes) else word for word in words[2:]])
            return run(script, keys, *words)

        self.patch(site.node, "run", recorded)
        return calls
