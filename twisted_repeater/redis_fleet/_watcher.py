"""What hears what becomes of a node's membership."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Watcher"]


class Watcher(Protocol):
    """Hears what becomes of a node's membership."""

    async def joined(self, last: bytes) -> None:
        """The node has become a member, with a new incarnation: it holds no name yet.

        Args:
            last: the identifier of the last order to all nodes.

        Raises:
            EngineError: it could not be done what is to be done then. The node joins again.
        """

    def usable(self) -> None:
        """The engine can be asked: the node has joined, or its membership goes on."""

    def unusable(self, why: str) -> None:
        """The engine cannot be asked; also called when the reason changes. The lease goes on as long as it goes."""

    def endangered(self) -> None:
        """The lease was not renewed for half of its time."""

    def lost(self) -> None:
        """The lease has ended, or may have ended."""

    def info(self) -> Mapping[str, Any]:
        """Return what the node says of itself, for JSON."""
