"""Outlets of connections that faults break by bytes: what waits goes as the gates of the faults let it.

An outlet changes its class while it has gates, and changes back when the last one is removed, so that an outlet
without faults costs nothing more. The bytes wait in the outlet as they do for a slow peer. So all that counts them is
right by itself: full and drained, the limits, closing in good order, forcing and aborting.

One timer of the link, for each outlet with gates, brings the time at which the gates want to look again.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from ..errors import InjectedFault
from ..faults import ActiveFault
from ..faults._gates import Ending, Gate, Gates
from .outlet import Outlet
from .outlets import BufferedOutlet, SocketOutlet, TLSOutlet

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["GatedBufferedOutlet", "GatedSocketOutlet", "GatedTLSOutlet", "OutletGates", "has_gate", "set_gate"]


class OutletGates(Gates):
    """The gates of an outlet, and what the outlet must know while it has any."""

    __slots__ = ("now", "paused", "timer_at")

    def __init__(self, now: Callable[[], float], *, paused: bool) -> None:
        super().__init__()
        self.now: Callable[[], float] = now
        self.paused: bool = paused
        """Whether the transport has asked for a pause."""
        self.timer_at: float = math.inf
        """When the timer ends; infinity if there is none."""


def set_gate(connection: Connection, active: ActiveFault, gate: Gate | None, now: Callable[[], float]) -> None:
    """Set the gate of a fault on the outlet of a connection; with ``None``, remove it.

    What a removed gate holds goes on in the next turn of the reactor.

    Args:
        connection: whose outlet gets it.
        active: the fault.
        gate: its gate.
        now: returns the time.
    """
    outlet = connection.outlet
    if isinstance(outlet, _GatedOutlet):
        outlet.set_gate(active, gate)
    elif gate is not None:
        GATED[type(outlet)].gate(outlet, now).set_gate(active, gate)


def has_gate(connection: Connection, active: ActiveFault) -> bool:
    """Return whether the outlet of a connection has a gate of this fault."""
    gates = connection.outlet._gates
    return gates is not None and active in gates


class _GatedOutlet(Outlet):
    """What both kinds of gated outlets do. They get along without slots of their own, as changing a class needs."""

    __slots__ = ()

    _ungated: ClassVar[type[Outlet]]
    """The class without gates."""

    @classmethod
    def gate(cls, outlet: Outlet, now: Callable[[], float]) -> _GatedOutlet:
        """Change the class of an outlet to this one."""
        outlet._gates = OutletGates(now, paused=outlet._streaming and outlet._busy)
        outlet.__class__ = cls
        return cast("_GatedOutlet", outlet)

    def set_gate(self, active: ActiveFault, gate: Gate | None) -> None:
        """Set, replace or remove the gate of a fault."""
        gates = self._own
        gates.set(active, gate)
        self._look_at(gates.now())

    def _ungate(self) -> None:
        """Change the class back."""
        self._gates = None
        self._connection.link.timers.stop(("gates", self._connection))
        self.__class__ = self._ungated  # type: ignore[assignment]  # it is of that class from here on

    @property
    def _own(self) -> OutletGates:
        assert self._gates is not None
        return self._gates

    # -- what goes out -----------------------------------------------------------------------------------

    @abstractmethod
    def _write_through(self, data: memoryview) -> int:
        """Write as the class without gates does; return how many bytes have gone."""

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        """Write as much as the gates and the transport allow; the rest waits, before all that waits already."""
        gates, rest = self._own, memoryview(data)
        while True:
            now, allowed = gates.now(), min(gates.allows(len(rest) + self.waiting, gates.now()), len(rest))
            part, rest = rest[:allowed], rest[allowed:]
            if rest:
                self._enqueue(rest, first=True)
            if not part:
                self._busy = True
                break
            gates.passed(self._write_through(part), self.waiting, now)
            if self._busy or not rest or self._queue is None:
                break
            self._queue.popleft()
            self.waiting -= len(rest)
        if self._gates is gates:
            self._look_at(gates.due)
            if self.full and not self._busy:  # it was only for a moment: nobody else would report that it is over
                self._look_at(now)

    # -- time ----------------------------------------------------------------------------------------------

    def _look_at(self, due: float) -> None:
        """Have the gates look again at this time, or before."""
        gates = self._own
        if due < gates.timer_at:  # otherwise the look that comes before sets the next one
            gates.timer_at = due
            delay = max(due - gates.now(), 0.0)
            self._connection.link.timers.call_later(("gates", self._connection), delay, self._look)

    def _look(self) -> None:
        """Time has passed, or the gates have changed."""
        gates = self._own
        gates.timer_at = math.inf
        ended = gates.look(gates.now())
        if ended is not None:
            self._break(*ended)
        else:
            if not gates:
                self._ungate()
            if not gates.paused:
                self._busy = False
                self._write_waiting()
        if self._gates is gates:
            self._look_at(gates.due)

    # -- the end -------------------------------------------------------------------------------------------

    def _break(self, active: ActiveFault, ending: Ending) -> None:
        """A fault ends the connection."""
        link = self._connection.link
        error = InjectedFault(f"the fault {active.name!r} has ended it: {active.fault}")
        if ending is Ending.CUT:
            self._cut()
            link.close(error)
            return
        both = (link.client, link.server)
        for one in both:
            one.abort()  # first: the application, when it is told, would end the stream in good order
        for one in both:
            link.break_off(one, error)
        link.abort()

    def _cut(self) -> None:
        """Drop what waits and end the stream."""
        stopped = self.full or self.crowded
        self._queue = self._behind = self._postponed = None
        self.waiting = self._relayed = 0
        self.full = self._busy = False
        if self._ending is not None:
            self._end(self._ending)
        else:
            self._connection.end_stream()
        if stopped:
            self._connection.link.connection_drained(self._connection)

    def _end(self, then: Callable[[], None]) -> None:
        """See `Outlet`."""
        gates = self._own
        if gates.holds_end(gates.now()):
            self._ending = then
            self._look_at(gates.due)
        else:
            super()._end(then)

    def discard(self) -> None:
        """See `Outlet`."""
        self._ungate()
        Outlet.discard(self)


class GatedSocketOutlet(_GatedOutlet, SocketOutlet):
    """A `SocketOutlet` with gates."""

    __slots__ = ()
    _ungated = SocketOutlet

    def _write_through(self, data: memoryview) -> int:
        before = self.progress
        SocketOutlet._write(self, data)
        return self.progress - before


class GatedBufferedOutlet(_GatedOutlet, BufferedOutlet):
    """A `BufferedOutlet` with gates."""

    __slots__ = ()
    _ungated = BufferedOutlet

    def _write_through(self, data: memoryview) -> int:
        self._ungated._write(self, data)
        self.progress += len(data)
        return len(data)

    def pauseProducing(self) -> None:
        """See `IPushProducer`."""
        self._own.paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """See `IPushProducer`."""
        self._own.paused = False
        super().resumeProducing()


class GatedTLSOutlet(GatedBufferedOutlet, TLSOutlet):
    """A `TLSOutlet` with gates."""

    __slots__ = ()
    _ungated = TLSOutlet

    def _write_soon(self, frame: bytes) -> None:
        """See `Outlet`. A small frame of the application passes the gates, too."""
        self._write(frame)


GATED: dict[type[Outlet], type[_GatedOutlet]] = {
    kind._ungated: kind for kind in (GatedSocketOutlet, GatedBufferedOutlet, GatedTLSOutlet)
}
"""The class with gates for each of those without."""
