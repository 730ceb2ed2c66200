"""Gates between an outlet and its connection: how many of the bytes that wait may go now, and when to ask again.

The outlet keeps the bytes. A gate only counts, so removing one loses nothing, and the limits of the outlet are enough.

* Several gates stand one behind the other, in the fixed order of `GateOrder`. Bytes go when all of them let them.
* A gate may end the connection at a time, in one of the ways of `Ending`.
* A gate may hold the end of the stream for a while.

Nothing here knows a timer: whoever uses the gates asks for the time that is `due`, and then looks again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum, IntEnum

from ._registry import ActiveFault

__all__ = [
    "BandwidthGate",
    "DownGate",
    "Ending",
    "Gate",
    "GateOrder",
    "Gates",
    "LimitGate",
    "Line",
    "ResetGate",
    "SliceGate",
    "SlowCloseGate",
    "TimeoutGate",
]

TICK = 0.05
"""A line of limited rate lets pieces go as large as it carries in so many seconds, so that a timer is not set for each
byte."""

CATCH_UP = 0.1
"""How many seconds a busy line makes up for if timers are late."""

EARLY = 1e-6
"""How many seconds too early a timer may be: sums of floats are not exact."""


class Ending(Enum):
    """How a gate ends a connection."""

    CUT = "cut"
    """The bytes that wait are dropped, the stream ends in good order, and the link closes."""
    RESET = "reset"
    """Both connections of the link are reset."""


class GateOrder(IntEnum):
    """The order of gates, whatever the order in which they were set: what lets nothing pass comes first."""

    DOWN = 0
    RESET = 1
    TIMEOUT = 2
    LIMIT = 3
    SLICES = 4
    BANDWIDTH = 5
    SLOW_CLOSE = 6


class Gate:
    """Lets all bytes pass. The base of all gates."""

    __slots__ = ("ends_at",)

    order: GateOrder
    ending: Ending = Ending.CUT
    """How the connection ends at `ends_at`."""

    def __init__(self) -> None:
        self.ends_at: float = math.inf
        """When it ends the connection."""

    def allows(self, size: int, now: float) -> int:
        """Return how many of so many bytes may go now, at most."""
        return size

    def passed(self, size: int, left: int, now: float) -> None:
        """Note that so many bytes have gone, and how many still wait."""

    @property
    def opens_at(self) -> float:
        """When to ask again, if not all was allowed."""
        return math.inf

    def look(self, now: float) -> None:
        """Note that a timer has brought this time."""

    def end_allowed_at(self, now: float) -> float:
        """Return when the stream may end, now that nothing waits any more."""
        return now


class Line:
    """A line that carries so many bytes each second. Several gates may share it: they get their turns in order."""

    __slots__ = ("_free_at", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._free_at = -math.inf

    def reserve(self, size: int, now: float, busy: bool) -> float:
        """Return when the line will have carried so many bytes more; ``busy`` if the same gate has just used it."""
        begins = max(self._free_at, now - CATCH_UP if busy else now)
        self._free_at = begins + size / self.rate
        return self._free_at


class BandwidthGate(Gate):
    """Lets bytes pass as fast as a line carries them: each piece arrives when its last byte would."""

    __slots__ = ("_busy", "_line", "_opens_at", "_piece")
    order = GateOrder.BANDWIDTH

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._piece = 0
        """How many bytes are on the line, or have arrived and not gone on."""
        self._opens_at = math.inf
        self._busy = False

    def allows(self, size: int, now: float) -> int:
        """See `Gate`."""
        if not self._piece:
            self._piece = min(size, max(int(min(self._line.rate * TICK, size)), 1))
            self._opens_at = self._line.reserve(self._piece, now, self._busy)
        return min(size, self._piece) if now >= self._opens_at - EARLY else 0

    def passed(self, size: int, left: int, now: float) -> None:
        """See `Gate`."""
        self._piece -= size
        self._busy = left > 0

    @property
    def opens_at(self) -> float:
        """See `Gate`."""
        return self._opens_at


class SliceGate(Gate):
    """Lets slices of some size pass, with a pause after each. The cuts depend on the bytes only, not on the reads."""

    __slots__ = ("_draw", "_left", "_opens_at", "_pause")
    order = GateOrder.SLICES

    def __init__(self, draw: Callable[[], int], pause: float) -> None:
        super().__init__()
        self._draw = draw
        self._pause = pause
        self._left = draw()
        """How many bytes of this slice have not gone yet; 0 during the pause."""
        self._opens_at = math.inf

    def allows(self, size: int, now: float) -> int:
        """See `Gate`."""
        return min(size, self._left)

    def passed(self, size: int, left: int, now: float) -> None:
        """See `Gate`."""
        self._left -= size
        if not self._left:
            self._opens_at = now + self._pause

    @property
    def opens_at(self) -> float:
        """See `Gate`. Also a pause of 0 lasts until the next look: slices must not leave together."""
        return self._opens_at

    def look(self, now: float) -> None:
        """See `Gate`."""
        if not self._left and now >= self._opens_at - EARLY:
            self._left = self._draw()
            self._opens_at = math.inf


class LimitGate(Gate):
    """Lets so many bytes pass, and cuts the stream behind them."""

    __slots__ = ("_left",)
    order = GateOrder.LIMIT

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def allows(self, size: int, now: float) -> int:
        """See `Gate`."""
        self._check(now)
        return min(size, self._left)

    def passed(self, size: int, left: int, now: float) -> None:
        """See `Gate`."""
        self._left -= size
        self._check(now)

    def _check(self, now: float) -> None:
        if not self._left:
            self.ends_at = min(self.ends_at, now)


class ResetGate(Gate):
    """Lets nothing pass, and resets the link some time after the first bytes came."""

    __slots__ = ("_seconds",)
    order = GateOrder.RESET
    ending = Ending.RESET

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def allows(self, size: int, now: float) -> int:
        """See `Gate`."""
        self.ends_at = min(self.ends_at, now + self._seconds)
        return 0


class TimeoutGate(Gate):
    """Lets nothing pass, and cuts the stream at a time."""

    __slots__ = ()
    order = GateOrder.TIMEOUT

    def __init__(self, ends_at: float) -> None:
        super().__init__()
        self.ends_at = ends_at

    def allows(self, size: int, now: float) -> int:
        """See `Gate`."""
        return 0


class DownGate(TimeoutGate):
    """Lets nothing pass, and ends the link."""

    __slots__ = ()
    order = GateOrder.DOWN
    ending = Ending.RESET


class SlowCloseGate(Gate):
    """Holds the end of the stream for some time."""

    __slots__ = ("_end_allowed_at", "_seconds")
    order = GateOrder.SLOW_CLOSE

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._end_allowed_at = math.inf

    def end_allowed_at(self, now: float) -> float:
        """See `Gate`."""
        self._end_allowed_at = min(self._end_allowed_at, now + self._seconds)
        return self._end_allowed_at


class Gates:
    """The gates of one outlet, in their order. Each has a key, by which it is replaced and removed."""

    __slots__ = ("_closed_until", "_gates", "_holds")

    def __init__(self) -> None:
        self._gates: dict[ActiveFault, Gate] = {}
        self._closed_until = math.inf
        """When to ask again for what was not allowed."""
        self._holds = False
        """Whether bytes or the end of the stream wait for a gate."""

    def __contains__(self, key: object) -> bool:
        return key in self._gates

    def __len__(self) -> int:
        return len(self._gates)

    def set(self, key: ActiveFault, gate: Gate | None) -> None:
        """Set, replace or, with ``None``, remove a gate."""
        gates = {one: other for one, other in self._gates.items() if one is not key}
        if gate is not None:
            gates[key] = gate
        self._gates = dict(sorted(gates.items(), key=lambda item: item[1].order))

    def allows(self, size: int, now: float) -> int:
        """Return how many of so many bytes, all that wait, may go now."""
        self._holds, self._closed_until = False, math.inf
        for gate in self._gates.values():
            allowed = gate.allows(size, now)
            if not allowed:
                self._holds, self._closed_until = True, gate.opens_at
                return 0
            size = allowed
        return size

    def passed(self, size: int, left: int, now: float) -> None:
        """Note that so many bytes have gone, and how many still wait."""
        for gate in self._gates.values():
            gate.passed(size, left, now)

    def holds_end(self, now: float) -> bool:
        """Return whether the stream may not end yet, although nothing waits any more."""
        allowed_at = max((gate.end_allowed_at(now) for gate in self._gates.values()), default=now)
        self._holds = allowed_at > now + EARLY
        self._closed_until = allowed_at if self._holds else math.inf
        return self._holds

    @property
    def held_until(self) -> float | None:
        """Until when a gate holds bytes or the end, infinity if that is not known; ``None`` if none does."""
        return self.due if self._holds else None

    @property
    def due(self) -> float:
        """When to look again; infinity if only new bytes or a change can matter."""
        ends_at = min((gate.ends_at for gate in self._gates.values()), default=math.inf)
        return min(ends_at, self._closed_until)

    def look(self, now: float) -> tuple[ActiveFault, Ending] | None:
        """Look again because time has passed; return the key of the gate that ends the connection now, and how."""
        if self._closed_until <= now + EARLY:
            self._holds, self._closed_until = False, math.inf
        for key, gate in self._gates.items():
            gate.look(now)
            if gate.ends_at <= now + EARLY:
                gate.ends_at = math.inf
                return key, gate.ending
        return None
