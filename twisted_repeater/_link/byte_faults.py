"""Breaks the links of a repeater by the faults by bytes that are set: gives the outlets of each link their gates."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from .._sockets.port_switch import PortSwitch
from ..faults import ActiveFault, Faults
from ..faults.by_bytes import ByteFault, Down, GateMaker
from ..model import Direction
from .gated_outlets import has_gate, set_gate

if TYPE_CHECKING:
    from .pair import Pair

__all__ = ["ByteFaults"]


class ByteFaults:
    """The faults by bytes of a repeater. It is true while there are any.

    Args:
        faults: all faults of the repeater.
        clock: gives the gates their time.
    """

    def __init__(self, faults: Faults, clock: IReactorTime) -> None:
        self.port_switch: PortSwitch | None = None
        """Closes the port while the repeater is down; ``None`` if it cannot be closed."""
        self._faults = faults
        self._clock = clock
        self._makers: dict[ActiveFault, GateMaker] = {}

    def __bool__(self) -> bool:
        return bool(self._makers)

    def renew(self, pairs: Iterable[Pair]) -> None:
        """The faults have changed: break these links by those that are set now, and no more by others."""
        before = self._makers
        self._makers = {
            active: before.get(active) or active.fault.gate_maker()
            for active in self._faults
            if isinstance(active.fault, ByteFault)
        }
        removed = [active for active in before if active not in self._makers]
        if self._makers or removed:
            for pair in list(pairs):
                if pair.made:
                    self._unset(pair, removed)
                    self.choose(pair)
        self._switch_port()

    def stop(self) -> None:
        """The repeater is over: no timer may be left."""
        if self.port_switch is not None:
            self.port_switch.stop()

    def choose(self, pair: Pair) -> None:
        """Find out which faults break a link: it is new, it has another name, or the faults have changed."""
        now = self._clock.seconds()
        for active, make in self._makers.items():
            # One decision for both directions: whoever breaks half of the links breaks them both ways.
            decides = active.fault.direction or Direction.TO_SERVER
            hit = active.concerns(pair.link, decides) and active.hits_link(pair.link, decides)
            for way in Direction:
                connection = pair.connection(way.target)
                if not hit or not active.fault.concerns_direction(way):
                    set_gate(connection, active, None, self._clock.seconds)
                elif not (connection.gone or has_gate(connection, active)):
                    gate = make(way, partial(active.random_of, pair.link, way), now)
                    set_gate(connection, active, gate, self._clock.seconds)

    def _unset(self, pair: Pair, removed: Iterable[ActiveFault]) -> None:
        for active in removed:
            for way in Direction:
                set_gate(pair.connection(way.target), active, None, self._clock.seconds)

    def _switch_port(self) -> None:
        if self.port_switch is not None:
            down = any(isinstance(active.fault, Down) and active.fault.whole for active in self._makers)
            self.port_switch.switch(not down)
