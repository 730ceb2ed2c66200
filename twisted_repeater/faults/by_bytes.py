"""Faults by bytes: between the repeater and one of its two peers, whatever the messages are.

They begin when the link is made, so what an opening sends is not broken. ``direction`` says which peer gets the bytes
that are broken. ``clients``, ``probability``, ``every`` and ``first`` choose links, never single messages or bytes: a
link is hit or not when the fault is set or the link is made, for both directions together, and stays so.

The bytes that a fault holds back wait where those for a slow peer wait, and count as these do: if there are too many,
the sender is not read. Nobody is a `SlowConsumer` while a fault holds back what it would take, unless the
application itself sends more than ``max_waiting``. A link that closes waits for a fault within its limits,
``close_timeout`` and ``linger``. When a fault is removed, what it holds goes on at once, or in the pace of the others.
If there are several faults, bytes go when all of them let them, and what lets nothing pass comes first. Bytes count as
messages have them: inside of TLS.

If nothing waits, a fault that lets no bytes pass does not hold back the end of the stream. To delay what passes, use
`Latency`, which delays whole messages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from ..model import Direction
from ._fault import Fault, check_seconds, check_whole
from ._gates import (
    BandwidthGate,
    DownGate,
    Gate,
    LimitGate,
    Line,
    ResetGate,
    SliceGate,
    SlowCloseGate,
    TimeoutGate,
)

__all__ = ["Bandwidth", "ByteFault", "Down", "GateMaker", "LimitData", "ResetPeer", "Slicer", "SlowClose", "Timeout"]

GateMaker: TypeAlias = Callable[[Direction, Callable[[], Random], float], Gate]
"""Makes the gate of one direction of a link: with what returns its random numbers, and the time."""


@dataclass(frozen=True)
class ByteFault(Fault):
    """The base of all faults by bytes."""

    @property
    def whole(self) -> bool:
        """Whether it hits all links."""
        return self.clients is None and self.probability == 1 and self.every == 1 and self.first is None

    def gate_maker(self) -> GateMaker:
        """Return what makes the gates of a direction: asked once when the fault is set."""
        raise NotImplementedError


@dataclass(frozen=True)
class Bandwidth(ByteFault):
    """Lets bytes pass at a limited rate, as a slow line does: 100 bytes take a tenth of a second at 1000 bytes/s.

    Each link and each direction has a line of its own. With ``shared`` each direction has one line for all links of the
    repeater, on which they take turns.
    """

    rate: float
    """How many bytes pass in a second."""
    shared: bool = False
    """Whether all links of the repeater share the rate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.rate, (int, float)) or isinstance(self.rate, bool):
            raise TypeError(f"rate must be a number of bytes per second, not {self.rate!r}")
        if not (self.rate > 0 and math.isfinite(self.rate)):
            raise ValueError(f"rate must be above 0 bytes per second, and finite, not {self.rate!r}")
        if not isinstance(self.shared, bool):
            raise TypeError(f"shared must be True or False, not {self.shared!r}")

    def gate_maker(self) -> GateMaker:
        """See `ByteFault`."""
        rate = self.rate
        lines = {way: Line(rate) for way in Direction} if self.shared else {}
        return lambda way, random, now: BandwidthGate(lines.get(way) or Line(rate))


@dataclass(frozen=True)
class Slicer(ByteFault):
    """Cuts the stream into slices, and sends each of them by itself.

    The cuts depend on the seed and the bytes, and not on how they are read. The network may join slices again; a
    ``pause`` makes that unlikely. Without one, the next slice leaves in the next turn of the reactor.
    """

    size: int
    """How many bytes a slice has on average."""
    spread: int = 0
    """By how many bytes a slice may be smaller or larger, at most; below ``size``."""
    pause: float = 0.0
    """How many seconds pass after each slice."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("size", self.size, least=1)
        check_whole("spread", self.spread, least=0)
        if self.spread >= self.size:
            raise ValueError(f"spread must be below size, which is {self.size}, not {self.spread}")
        check_seconds("pause", self.pause, zero=True)

    def gate_maker(self) -> GateMaker:
        """See `ByteFault`."""
        least, most, pause = self.size - self.spread, self.size + self.spread, self.pause

        def make(way: Direction, random: Callable[[], Random], now: float) -> SliceGate:
            numbers = random()
            return SliceGate(lambda: numbers.randint(least, most), pause)

        return make


@dataclass(frozen=True)
class LimitData(ByteFault):
    """Lets so many bytes pass, then ends the stream behind them and closes the link.

    The bytes count from when the fault is set or the link is made. With 0 the link closes when the first bytes come.
    """

    size: int
    """How many bytes pass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("size", self.size, least=0)

    def gate_maker(self) -> GateMaker:
        """See `ByteFault`."""
        return lambda way, random, now: LimitGate(self.size)


@dataclass(frozen=True)
class ResetPeer(ByteFault):
    """Resets both connections of a link, so that its peers get ``ECONNRESET``: ``seconds`` after the first bytes came.

    Those bytes, and all that follow, are not sent. ``direction`` says whose first bytes count. A Unix socket cannot be
    reset, and is closed.
    """

    seconds: float = 0.0
    """How many seconds after the first bytes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds("seconds", self.seconds, zero=True)

    def gate_maker(self) -> GateMaker:
        """See `ByteFault`."""
        return lambda way, random, now: ResetGate(self.seconds)


@dataclass(frozen=True)
class Timeout(ByteFault):
    """Lets nothing pass, and closes the link after ``seconds``, also if bytes still come.

    The time counts from when the fault is set or the link is made. Unlike toxiproxy's, which drops the bytes, this
    keeps those that come: if the fault is removed before, they go on and nothing is lost. If too many wait, the sender
    is not read, as with a network that is down.
    """

    seconds: float = 0.0
    """After how many seconds the link closes; 0 never closes it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds("seconds", self.seconds, zero=True)

    def gate_maker(self) -> GateMaker:
        """See `ByteFault`."""
        seconds = self.seconds
        return lambda way, random, now: TimeoutGate(now + seconds if seconds else math.inf)


@dataclass(frozen=True)
class SlowClose(ByteFault):
    """Ends the stream to a peer later than the link would: after so many seconds, behind all bytes that wait.

    A link that closes takes ``linger`` at most, so that limits this, too.
    """

    seconds: float
    """How many seconds the end of the stream is delayed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds("seconds", self.seconds)

    def gate_maker(self) -> GateMaker:
        """See `ByteFault`."""
        return lambda way, random, now: SlowCloseGate(self.seconds)


@dataclass(frozen=True)
class Down(ByteFault):
    """Resets the links that are there, and refuses new clients, as if the program were not running.

    Without conditions the repeater stops listening meanwhile, so that connecting fails with ``ECONNREFUSED``. Its port
    stays its own. Where its port cannot do that (a Unix socket, or one that another program has opened), and if there
    are conditions, a new client is connected, and reset when its link is made.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.direction is not None:
            raise ValueError(f"direction must be both (in Python None), not {self.way}")

    def gate_maker(self) -> GateMaker:
        """See `ByteFault`."""
        return lambda way, random, now: DownGate(now)
