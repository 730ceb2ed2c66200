"""The setup of a lane, which all lanes of one direction and version share, and the host that a lane reports to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import CallbackFailed, FramingError, ParseError
from ..model import Direction, OnFilterError
from ..selectors import Selector
from ..verdicts import Verdict

if TYPE_CHECKING:
    from .account import LaneWatch
    from .frame_monitor import FrameMonitor
    from .lane import Lane

__all__ = ["FLUSH_SIZE", "LaneHost", "LaneSetup", "OnDecision"]

FLUSH_SIZE = 256 * 1024
"""The number of bytes made by the repeater that a lane collects before it pushes them and looks whether the target is
full."""

OnDecision = Callable[["Lane", object, Verdict | None, bool], None]
"""The type of `LaneSetup.on_decision`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaneSetup:
    """How lanes of one direction and version work. To change that, give a lane another setup: see `Lane.equip`.

    ``on_decision`` is a hook for those who watch. A lane calls it for each message with four arguments:

    * the lane;
    * the message, as the filter saw it; if the filter was not asked, the message or the payload;
    * the verdict, or ``None`` if the filter gives it later. When the verdict is there, the hook is called again;
    * whether the verdict is the filter's. It is not if the filter did not want the message, if the message could not be
      decoded, or if the filter failed.

    The hook is called before the verdict is carried out. It must not raise. Without a hook nothing is spent on this.
    """

    direction: Direction = Direction.TO_SERVER
    versions: tuple[int, int] = (1, 1)
    """The version of the received messages, and of those that the target gets. If they differ, no bytes pass."""
    filter: Callable[[Any, Any], object] | None = None
    """Called with a message and the link; without a filter everything passes."""
    selector: Selector | None = None
    """Selects the payloads that the filter wants to see; ``None`` selects all."""
    decode: Callable[[bytes], object] | None = None
    """Makes a message of a payload; without it, the payload is the message."""
    on_read: Callable[[Lane, int, int], None] | None = None
    """Called with the lane, messages and bytes after each read, or part of a read, that brought a message."""
    on_decision: OnDecision | None = None
    watch: LaneWatch | None = None
    """Told of each message when its verdict was carried out. Without it nothing is spent on this."""
    faults: Callable[[Lane, Verdict, bytes, bytes, object], Verdict] | None = None
    """Called with the lane, the verdict on each message, its frame, its payload and the message, as far as it is
    decoded; returns the verdict to carry out. It must not raise. Without it nothing is spent on this."""
    after_failure: Callable[[Verdict, Any], Verdict] | None = None
    """Called with a verdict and the link, if the filter has failed; returns the verdict to carry out. It must not
    raise, and return no verdict of a class of the application's."""
    frame_monitor: FrameMonitor | None = None
    """Counts the bytes of unfinished frames."""
    translates: bool = field(init=False)
    """Whether the target gets another version."""
    sees_all: bool = field(init=False)
    """Whether a lane must decide about each message, also about one that the filter does not want."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "translates", self.versions[0] != self.versions[1])
        hooks = (self.on_decision, self.watch, self.faults)
        object.__setattr__(self, "sees_all", self.translates or any(hook is not None for hook in hooks))

    def replaced(self, **changes: Any) -> LaneSetup:
        """Return what `dataclasses.replace` does, in half of the time: one call may equip thousands of lanes."""
        return LaneSetup(**(dict(zip(_NAMES, _values(self), strict=True)) | changes))


_NAMES = tuple(each.name for each in fields(LaneSetup) if each.init)
_values: Callable[[LaneSetup], tuple[Any, ...]] = attrgetter(*_NAMES)


class LaneHost(Protocol):
    """The part of a link that its lanes call."""

    def lane_blocked(self, lane: Lane) -> None:
        """Stop reading for this lane: it waits for a verdict (then ``lane.awaited`` is set), or is choked."""

    def lane_gave_way(self, lane: Lane) -> None:
        """Call ``lane.take_turn`` in the next turn of the reactor. Reading may go on until `lane_blocked` is called."""

    def lane_flowing(self, lane: Lane) -> None:
        """The lane holds nothing any more; or, at its work, it was sealed or began to discard."""

    def lane_delayed(self, lane: Lane, seconds: float) -> None:
        """Call ``lane.release`` once after so many seconds. A call that is still to come is given up."""

    def lane_released(self, lane: Lane) -> None:
        """The lane has sent what it had delayed: both lanes may have room again."""

    def lane_parse_error(self, lane: Lane, error: ParseError) -> None:
        """One message was lost; the lane goes on."""

    def lane_filter_failed(self, lane: Lane, error: CallbackFailed) -> OnFilterError:
        """Report that a filter failed; return the policy for its message."""

    def lane_framing_failed(self, lane: Lane, error: FramingError) -> None:
        """The stream cannot be read any further."""

    def lane_closes(self, lane: Lane, error: BaseException | None) -> None:
        """A verdict asks to close the link."""

    def lane_is_read(self, lane: Lane) -> bool:
        """Return whether the connection that the lane is fed from is read now, and can bring more."""
