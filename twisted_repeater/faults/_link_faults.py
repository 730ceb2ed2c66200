"""Carries out the faults by message: what they make of a verdict, on one link and in one direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

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
            if self.came and self.payload is not None and not self._lane.setup.translates:
                return where.matches(self.payload, 0, len(self.payload))
            return where.matches(self.frame, *self.payload_range(work.framing))
        message, decode = self.message, self._lane.setup.decode
        if self.came and decode is not None and message is self.payload:
            message = decode(self.payload)
        return bool(where(message, work.link))


class Work:
    """What a fault does in one direction of a link: its choices, and their effects on the present verdict.

    Args:
        active: the fault.
        link: the link.
        direction: the direction.
    """

    __slots__ = ("_chance", "_clients", "_fault", "_where", "active", "closes", "direction", "lane", "link", "reasons")

    lane: FaultyLane
    """The lane of the link."""

    def __init__(self, active: ActiveFault, link: Link, direction: Direction) -> None:
        self._fault = cast("MessageFault", active.fault)
        self._where = self._fault.where
        self._clients = self._fault.clients
        self._chance: Chance | None = None
        if active.concerns(link, direction):  # a link gets its number now, and the links of others must not count
            active.number(link)
        self.active: ActiveFault = active
        self.link: Link = link
        self.direction: Direction = direction
        self.reasons: list[tuple[object, float]] = []
        """What delays the verdict, and for how many seconds."""
        self.closes: BaseException | None = None
        """The reason, if the link is closed."""

    @property
    def chance(self) -> Chance:
        """What chooses the messages that are hit, and keeps what the fault has to remember."""
        if self._chance is None:
            self._chance = self.active.chance_of(self.link, self.direction)
        return self._chance

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

    def strike(self, lane: FaultyLane, units: list[Unit]) -> list[Unit]:
        """Return what the fault makes of messages: nearly always the same list, which costs little."""
        active = self.active
        if active.removed or (self._clients is not None and not self._fault.concerns_client(self.link.client_name)):
            return units
        self.lane = lane
        chance = self._chance or self.chance
        made: list[Unit] | None = None
        for number, unit in enumerate(units):
            if (self._where is None or self.concerns(unit)) and active.hits_next(chance):
                struck = self._fault.strike(unit, self)
            elif chance.kept:
                struck = self._fault.pass_by(unit, self)
            elif made is None:
                continue
            else:
                struck = (unit,)
            made = units[:number] if made is None else made
            made += struck
            if self.closes is not None:
                break
        return units if made is None else made

    def concerns(self, unit: Unit) -> bool:
        """Return whether a message is one of those that can be hit."""
        assert self._where is not None
        try:
            return unit.meant_by(self._where, self)
        except KeyboardInterrupt:
            raise
        except BaseException:
            self.active.log_once(log, Failure())
            return False


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
        self._works = [Work(active, link, direction) for active in faults]

    def change(self, lane: FaultyLane, verdict: Verdict, frame: bytes, payload: bytes, message: object) -> Verdict:
        """Return the verdict to carry out instead of this one."""
        units = [Unit(lane, message, frame, payload, True)] if verdict.passes else []
        if verdict.forward:
            units += [Unit(lane, made, None, None) for made in verdict.forward]
        struck = units
        for work in self._works:
            struck = work.strike(lane, struck)
        return verdict if struck is units else self._changed(verdict, units, struck)

    def _changed(self, verdict: Verdict, units: list[Unit], struck: list[Unit]) -> Verdict:
        """Return the verdict with other messages, and with the other effects of the faults."""
        reasons: list[tuple[object, float]] = []
        closes: BaseException | None = None
        for work in self._works:
            reasons += work.reasons
            closes = closes or work.closes
            work.reasons, work.closes = [], None
        if struck == units and not reasons and closes is None:
            return verdict
        return _with_effects(verdict, struck, reasons, closes)


class Struck(Mixed):
    """A verdict that faults have changed."""

    __slots__ = ("reasons",)

    def __init__(self, reasons: Sequence[tuple[object, float]], **effects: Any) -> None:
        super().__init__(**effects)
        self.reasons = reasons
        """What delays it, and for how many seconds."""
        self.delay = sum(seconds for _, seconds in reasons)


def _with_effects(
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
