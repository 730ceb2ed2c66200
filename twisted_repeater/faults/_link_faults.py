"""Carries out the faults by message: what they make of a verdict, on one link and in one direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from twisted.logger import Logger
from twisted.python.failure import Failure

from .._text import repr_of
from ..link import Link
from ..model import Direction
from ..selectors import Selector
from ..verdicts import DO_NOTHING, Frame, Mixed, Verdict
from ._fault import Chance, Fault

if TYPE_CHECKING:
    from ._registry import ActiveFault

__all__ = ["FaultyLane", "LinkFaults", "MessageFault", "Unit", "Where", "Work"]

log: Logger = Logger()

Where: TypeAlias = Selector | Callable[[Any, Link], object]
"""Chooses messages: a selector of payloads, or a function of a message and its link."""


class _Queue(Protocol):
    """What a lane sends later."""

    def set_aside(self, frame: bytes, seconds: float, reason: object) -> Any: ...

    def take(self, entry: Any) -> bool: ...


class FaultyLane(Protocol):
    """The part of a lane that faults use."""

    setup: Any

    def delayed(self) -> _Queue: ...

    def encode(self, message: object, instead_of: bytes | None = None) -> bytes | None: ...


class Unit:
    """One message on its way forward: the one that came, or one that a filter has made.

    Args:
        lane: encodes it, if a fault needs its frame.
        message: the message that a filter made; for the one that came, as far as it is decoded.
        frame: its frame, if that is known.
        payload: its payload, if that is known.
        came: whether it is the message that came, and still goes on as it came.
    """

    __slots__ = ("_frame", "_lane", "came", "message", "payload")

    def __init__(
        self, lane: FaultyLane, message: object, frame: bytes | None, payload: bytes | None, came: bool = False
    ) -> None:
        self._lane = lane
        self._frame = frame
        self.message: object = message
        self.payload: bytes | None = payload
        self.came: bool = came

    @property
    def frame(self) -> bytes:
        """Its frame, as it would be sent; empty if it cannot be encoded."""
        if self.came and self._lane.setup.translates:
            return self._lane.encode(self.message, self._frame) or b""
        if self._frame is None:
            made = self.message.data if isinstance(self.message, Frame) else self._lane.encode(self.message)
            self._frame = made or b""
        return self._frame

    def payload_range(self, framing: Any) -> tuple[int, int]:
        """Return the offsets of the payload in the frame; those of the whole frame if it cannot be told."""
        frame, payload = self.frame, self.payload
        start = -1 if payload is None or self._lane.setup.translates else frame.rfind(payload)
        if payload is not None and start >= 0:
            return start, start + len(payload)
        try:
            # A framing that follows its messages would take this one for the next of its stream.
            if frame and not framing.follows and framing.find(frame, 0, len(frame)) == len(frame):
                return framing.body, len(frame) - framing.tail
        except Exception:
            pass  # made by a filter as the framing does not read it
        return 0, len(frame)

    def altered(self, frame: bytes) -> Unit:
        """Return the unit with another frame."""
        return Unit(self._lane, Frame(frame), frame, None)

    def copy(self) -> Unit:
        """Return another one like it."""
        return self.altered(self.frame)

    def to_send(self) -> object:
        """Return what a verdict sends for it: its frame, if there is one, so that it is not encoded again."""
        return self.message if self._frame is None else Frame(self.frame)

    def meant_by(self, where: Where, work: Work) -> bool:
        """Return whether it is one of the messages that a fault is for."""
        if isinstance(where, Selector):
            return where.matches(self.frame, *self.payload_range(work.framing))
        message, decode = self.message, self._lane.setup.decode
        if self.came and decode is not None and message is self.payload:
            message = decode(self.payload)
        return bool(where(message, work.link))


class Work:
    """What a fault does to one verdict of a link: its choices, and their effects.

    Args:
        active: the fault.
        link: the link.
        direction: the direction.
        lane: the lane of the link.
        chance: chooses the messages that are hit, and keeps what the fault has to remember.
    """

    __slots__ = ("active", "chance", "closes", "direction", "lane", "link", "reasons")

    def __init__(self, active: ActiveFault, link: Link, direction: Direction, lane: FaultyLane, chance: Chance) -> None:
        self.active: ActiveFault = active
        self.link: Link = link
        self.direction: Direction = direction
        self.lane: FaultyLane = lane
        self.chance: Chance = chance
        self.reasons: list[tuple[object, float]] = []
        """What delays the verdict, and for how many seconds."""
        self.closes: BaseException | None = None
        """The reason, if the link is closed."""

    def delay(self, seconds: float) -> None:
        """Delay the verdict."""
        self.reasons.append((self.active, seconds))

    @property
    def framing(self) -> Any:
        """The framing of the messages that go forward."""
        return self.link._pair.framing_to(self.direction.target)

    @property
    def queue(self) -> _Queue:
        """What the lane sends later."""
        return self.lane.delayed()

    def hits(self, unit: Unit) -> bool:
        """Return whether a message is hit."""
        fault = self.active.fault
        where = getattr(fault, "where", None)
        try:
            if where is not None and not unit.meant_by(where, self):
                return False
        except KeyboardInterrupt:
            raise
        except BaseException:
            self.active.log_once(log, Failure())
            return False
        return self.active.hits_message(self.link, self.direction)


@dataclass(frozen=True, kw_only=True)
class MessageFault(Fault):
    """The base of faults by message.

    They see what the filters of the application and of the dialect let through: whole messages, one by one. Answers
    that a filter sends back, and messages that the application sends by itself, are not hit.
    """

    where: Where | None = None
    """The messages that can be hit: a selector of payloads (`twisted_repeater.selectors`), or a function of a message
    and its link; ``None`` means all. If the function fails, the message is not hit, and the log says so once."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.where is not None and not isinstance(self.where, Selector) and not callable(self.where):
            raise TypeError(
                f"where must be a selector, or a function of a message and its link, not {repr_of(self.where)}"
            )

    def strike(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """Hit a message; return what goes on in its place."""
        raise NotImplementedError

    def pass_by(self, unit: Unit, work: Work) -> Iterable[Unit]:
        """Let a message pass that is not hit; return what goes on."""
        return (unit,)


class LinkFaults:
    """Changes the verdicts of one lane by the faults that are set: `LaneSetup.faults`."""

    def __init__(self, link: Link, direction: Direction, faults: Sequence[ActiveFault]) -> None:
        self._link = link
        self._direction = direction
        # A link gets its number among those of a fault now, and the links of others must not count.
        self._faults = [
            (active, active.chance_of(link, direction) if active.concerns(link, direction) else None)
            for active in faults
        ]

    def __call__(self, lane: FaultyLane, verdict: Verdict, frame: bytes, payload: bytes, message: object) -> Verdict:
        """Return the verdict to carry out instead of this one."""
        units = [Unit(lane, message, frame, payload, came=True)] if verdict.passes else []
        units += [Unit(lane, made, None, None) for made in verdict.forward]
        before = list(units)
        reasons: list[tuple[object, float]] = []
        closes: BaseException | None = None
        for active, chance in self._faults:
            fault = active.fault
            if isinstance(fault, MessageFault) and not active.removed and fault.concerns_client(self._link.client_name):
                chance = chance or active.chance_of(self._link, self._direction)
                work = Work(active, self._link, self._direction, lane, chance)
                units = _struck(units, fault, work)
                reasons += work.reasons
                closes = closes or work.closes
        if units == before and not reasons and closes is None:
            return verdict
        return _changed(verdict, units, reasons, closes)


def _struck(units: list[Unit], fault: MessageFault, work: Work) -> list[Unit]:
    """Return what one fault makes of messages."""
    made: list[Unit] = []
    for unit in units:
        made += fault.strike(unit, work) if work.hits(unit) else fault.pass_by(unit, work)
        if work.closes is not None:
            break
    return made


class Struck(Mixed):
    """A verdict that faults have changed."""

    __slots__ = ("reasons",)

    def __init__(self, reasons: Sequence[tuple[object, float]], **effects: Any) -> None:
        super().__init__(**effects)
        self.reasons = reasons
        """What delays it, and for how many seconds."""
        self.delay = sum(seconds for _, seconds in reasons)


def _changed(
    verdict: Verdict, units: list[Unit], reasons: list[tuple[object, float]], closes: BaseException | None
) -> Verdict:
    """Return a verdict that sends these messages forward."""
    passes = bool(units) and units[0].came
    if not units and not verdict.back and not verdict.closes and closes is None:
        return DO_NOTHING
    return Struck(
        [*reasons, (None, verdict.delay)] if units or verdict.delay else [],
        passes=passes,
        forward=[unit.to_send() for unit in units[passes:]],
        back=verdict.back,
        closes=verdict.closes or closes is not None,
        error=verdict.error if verdict.closes else closes,
    )
