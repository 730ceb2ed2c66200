"""The service of a process as its fleet sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..fleet import Call
from ..model import SameName

__all__ = ["SERVICE", "ServiceEntrant"]

SERVICE = "service"
"""The name under which the service of a process takes part in its fleet."""

LONGEST = 86_400.0
"""How many seconds a drain may take at most."""


class ServiceEntrant:
    """The service of a process as its fleet sees it: an `Entrant` without names.

    Its call ``drain`` does what SIGTERM does. The argument ``over`` says for how many seconds links may go on; without
    it the process decides.

    Args:
        drain: begins to drain the process.
    """

    same_name: SameName = SameName.SHARE
    """See `Entrant`."""

    def __init__(self, drain: Callable[[float | None], object]) -> None:
        self._drain = drain

    def info(self) -> Mapping[str, Any]:
        """See `Entrant`."""
        return {}

    def has_name(self, name: str) -> bool:
        """See `Entrant`."""
        return False

    async def carry_out(self, call: Call) -> None:
        """See `Entrant`.

        Raises:
            ValueError: there is no such call, or its time is wrong.
        """
        if call.what != "drain":
            raise ValueError(f"this version of twisted_repeater knows no call {call.what!r} of the service")
        over = call.arguments.get("over")
        if over is not None and not 0 <= over <= LONGEST:
            raise ValueError(f"over must be from 0 to {LONGEST:g} seconds, not {over!r}")
        self._drain(over)

    async def contest(self, name: str, timeout: float) -> None:
        """See `Entrant`."""

    def name_lost(self, name: str) -> None:
        """See `Entrant`."""

    def lease_endangered(self) -> None:
        """See `Entrant`."""

    def lease_lost(self) -> None:
        """See `Entrant`."""
