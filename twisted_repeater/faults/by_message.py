"""The faults by message."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from ..errors import InjectedFault
from ._fault import check_seconds, check_whole
from ._link_faults import MessageFault, Unit, Work

__all__ = ["Corrupt", "Cut", "Drop", "Duplicate", "Latency", "Reorder", "Stall"]


@dataclass(frozen=True, kw_only=True)
class Drop(MessageFault):
    """Messages are lost, whole, as if the network or a broker had lost them.

    ``probability`` may be the first argument: ``Drop(0.01)`` loses one in a hundred.
    """

    probability: float = field(default=1.0, kw_only=False)

    def strike(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """See `MessageFault`."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Duplicate(MessageFault):
    """Messages come several times, one after the other."""

    copies: int = field(default=1, kw_only=False)
    """How many copies follow a message, at most 1000."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("copies", self.copies, least=1, most=1000)

    def strike(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """See `MessageFault`."""
        return (unit, *(unit.copy() for _ in range(self.copies)))


@dataclass(frozen=True, kw_only=True)
class Corrupt(MessageFault):
    """Bytes of messages are changed, to others drawn at random."""

    size: int = field(default=1, kw_only=False)
    """How many bytes of a message are changed, or fewer if it is shorter."""
    frame: bool = False
    """Whether all bytes of the frame may be changed. Otherwise only those of the payload are, so that the receiver can
    still find the end of the message. In some protocols, such as lines or FIX, the payload decides about the end, too.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("size", self.size, least=1)
        if not isinstance(self.frame, bool):
            raise TypeError(f"frame must be True or False, not {self.frame!r}")

    def strike(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """See `MessageFault`."""
        frame = bytearray(unit.frame)
        start, stop = (0, len(frame)) if self.frame else unit.payload_range(work.framing)
        for at in work.chance.random.sample(range(start, stop), min(self.size, stop - start)):
            frame[at] ^= work.chance.random.randrange(1, 256)
        return (unit.altered(bytes(frame)),) if stop > start else (unit,)


@dataclass(frozen=True, kw_only=True)
class Latency(MessageFault):
    """Messages arrive later. Each waits for its own time, and none is held up by the waiting of others.

    The order is kept: a message whose time is shorter than that of the message before it arrives with that.
    """

    seconds: float = field(kw_only=False)
    """The time, on average. It may be 0 if there is a ``jitter``."""
    jitter: float = field(default=0.0, kw_only=False)
    """How far the time differs from that: at most, or as the standard deviation of a normal distribution. It is never
    below 0."""
    distribution: Literal["uniform", "normal"] = "uniform"
    """How the times are distributed between ``seconds - jitter`` and ``seconds + jitter``, or around ``seconds``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds("seconds", self.seconds, zero=self.jitter > 0 if isinstance(self.jitter, (int, float)) else False)
        check_seconds("jitter", self.jitter, zero=True)
        if self.distribution not in ("uniform", "normal"):
            raise ValueError(f"distribution must be uniform or normal, not {self.distribution!r}")

    def strike(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """See `MessageFault`."""
        random, seconds = work.chance.random, self.seconds
        if self.jitter and self.distribution == "normal":
            seconds = random.gauss(seconds, self.jitter)
        elif self.jitter:
            seconds += random.uniform(-self.jitter, self.jitter)
        work.delay(max(seconds, 0.0))
        return (unit,)


@dataclass(frozen=True, kw_only=True)
class Stall(MessageFault):
    """A message, and everything behind it, waits. Then all of it arrives at once.

    Messages that come while others wait already are not hit again.
    """

    seconds: float | None = field(default=None, kw_only=False)
    """How long; ``None`` until the fault is removed, or ends."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seconds is not None:
            check_seconds("seconds", self.seconds)

    def strike(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """See `MessageFault`."""
        now, until = work.active.now(), work.chance.kept
        if not until or until[0] <= now:
            until[:] = [math.inf if self.seconds is None else now + self.seconds]
            work.delay(until[0] - now)
        return (unit,)


@dataclass(frozen=True, kw_only=True)
class Cut(MessageFault):
    """A message closes the link, in good order: what came before it is delivered, what comes behind it is not."""

    passes: bool = field(default=False, kw_only=False)
    """Whether the message itself is delivered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.passes, bool):
            raise TypeError(f"passes must be True or False, not {self.passes!r}")

    def strike(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """See `MessageFault`."""
        work.closes = InjectedFault(f"the fault {work.active.name!r} closes the link")
        return (unit,) if self.passes else ()


@dataclass(frozen=True, kw_only=True)
class Reorder(MessageFault):
    """Messages are overtaken by some of those behind them. No other fault changes the order."""

    window: int = field(default=3, kw_only=False)
    """By how many messages a message is overtaken at most, up to 1000. The number is drawn, from 1 on."""
    seconds: float = 1.0
    """How long a message waits for others that overtake it; then it goes on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("window", self.window, least=1, most=1000)
        check_seconds("seconds", self.seconds)

    def strike(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """See `MessageFault`."""
        count = work.chance.random.randint(1, self.window)
        entry = work.queue.set_aside(unit.frame, self.seconds, work.active)
        released = list(self._overtaken(work))
        work.chance.kept.append([count, entry, unit.copy()])
        return released

    def pass_by(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """See `MessageFault`."""
        return (unit, *self._overtaken(work)) if work.chance.kept else (unit,)

    def _overtaken(self, work: Work) -> Iterable[Unit]:
        """Count one message that overtakes, and return those that are overtaken by enough now."""
        waiting, work.chance.kept[:] = list(work.chance.kept), []
        for count, entry, unit in waiting:
            if count > 1:
                work.chance.kept.append([count - 1, entry, unit])
            elif work.queue.take(entry):
                yield unit
