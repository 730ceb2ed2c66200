"""What a lane is given: its setup, which all lanes of one direction and version share, and its host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import CallbackFailed, FramingError, ParseError
from ..model import Direction, OnFilterError
from ..selectors import Selector
from ..verdicts import Verdict

if TYPE_CHECKING:
    from .lane import Lane

__all__ = ["LaneHost", "LaneSetup", "OnDecision", "UnfinishedTotal", "UnfinishedWatch"]

OnDecision = Callable[["Lane", Any, Verdict | None, bool], None]
"""Called with a lane, a message, the verdict, and whether the verdict is the filter's.

The message is what the filter saw, or the payload if no filter was asked. The verdict is ``None`` if it comes later;
then there is a second call when it is there. The verdict is not the filter's if no filter wanted the message, if the
message could not be decoded, or if the filter failed.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaneSetup:
    """All that lanes of one direction and version do alike. To change it, give the lane another: `Lane.equip`."""

    direction: Direction = Direction.TO_SERVER
    versions: tuple[int, int] = (1, 1)
    """Of the messages that come, and of those that the target gets. Where they differ, no message passes as bytes."""
    filter: Callable[[Any, Any], Any] | None = None
    """Called with a message and the link; ``None`` passes everything on."""
    selector: Selector | None = None
    """Says which payloads the filter wants to see; ``None`` means all."""
    decode: Callable[[bytes], Any] | None = None
    """Makes a message of a payload; ``None`` leaves it as it is."""
    on_read: Callable[[Lane, int, int], None] | None = None
    """Called with the lane, messages and bytes after each read, or part of a read, that brought a message."""
    on_decision: OnDecision | None = None
    """Called for each message. It must not raise. Nobody who watches costs nothing."""
    unfinished_total: UnfinishedTotal | None = None
    """Where the sizes of unfinished frames are added up; ``None`` for nowhere."""
    translates: bool = field(init=False)
    sees_all: bool = field(init=False)
    """Whether a lane decides about each message, also about those that no filter wants."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "translates", self.versions[0] != self.versions[1])
        object.__setattr__(self, "sees_all", self.translates or self.on_decision is not None)


class LaneHost(Protocol):
    """What a lane needs of its link."""

    def lane_blocked(self, lane: Lane) -> None:
        """Stop reading for this lane: it waits for a verdict (then ``lane.awaited`` is set), or is choked."""

    def lane_gave_way(self, lane: Lane) -> None:
        """Call ``lane.take_turn`` in the next turn of the reactor. Reading may go on until `lane_blocked` is called."""

    def lane_flowing(self, lane: Lane) -> None:
        """Nothing is held any more, after something was; or the lane was sealed or began to discard at its work."""

    def lane_parse_error(self, lane: Lane, error: ParseError) -> None:
        """One message was lost; the lane goes on."""

    def lane_filter_failed(self, lane: Lane, error: CallbackFailed) -> OnFilterError:
        """Report that a filter failed, and say what becomes of its message."""

    def lane_framing_failed(self, lane: Lane, error: FramingError) -> None:
        """The stream cannot be read any further."""

    def lane_closes(self, lane: Lane, error: BaseException | None) -> None:
        """A verdict asks to close the link."""

    def lane_is_read(self, lane: Lane) -> bool:
        """Return whether the connection that the lane is fed from is read now, and can bring more."""


class UnfinishedWatch(Protocol):
    """Watches the lanes that have an unfinished frame."""

    def watch(self, lane: Lane) -> None:
        """List a lane, which has begun to keep an unfinished frame."""

    def forget(self, lane: Lane) -> None:
        """Remove a lane, which has ended, from the list."""

    def exceeded(self) -> None:
        """The unfinished frames of all lanes hold more than they may."""


class UnfinishedTotal:
    """How many bytes the unfinished frames of all lanes that share this object hold, and how many they may hold."""

    def __init__(self, limit: int, watch: UnfinishedWatch) -> None:
        self.size: int = 0
        self.limit: int = limit
        self.watch: UnfinishedWatch = watch

    def add(self, lane: Lane, change: int) -> None:
        """Add a change in the size of a lane's unfinished frame."""
        self.size += change
        if change > 0:
            if not lane.listed:
                lane.listed = True
                self.watch.watch(lane)
            if self.size > self.limit:
                self.watch.exceeded()

    def forget(self, lane: Lane) -> None:
        """A listed lane has ended."""
        lane.listed = False
        self.watch.forget(lane)
