"""The interface by which a node reports changes of its membership."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Watcher"]


class Watcher(Protocol):
    """Is told when a node joins, loses its engine, or loses its lease."""

    async def joined(self, last: bytes) -> None:
        """The node has become a member, with a new incarnation: it holds no name yet.

        Args:
            last: the identifier of the last order to all nodes.

        Raises:
            EngineError: the engine was lost before all names were claimed again. The node joins again.
        """

    def usable(self) -> None:
        """The engine can be asked: the node has joined, or its membership goes on."""

    def unusable(self, why: str) -> None:
        """The engine cannot be asked; also called when the reason changes. The lease holds until it runs out."""

    def endangered(self) -> None:
        """The lease was not renewed for half of its time."""

    def lost(self) -> None:
        """The lease has ended, or may have ended."""

    def info(self) -> Mapping[str, Any]:
        """Return the facts about this node that other nodes can read, for JSON."""
