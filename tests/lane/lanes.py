"""A lane between two outlets and a host that record every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater._slices import SLICE
from twisted_repeater.codecs import LEFT_OUT
from twisted_repeater.errors import CallbackFailed, FramingError, ParseError
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.interfaces import IFraming
from twisted_repeater.model import OnFilterError
from twisted_repeater.selectors import Selector
from twisted_repeater.verdicts import PASS_ON, Verdict

LIMIT = 1 << 20

LARGE = 200_000
"""The size of a message that comes in several reads."""

FRAMING = Int32Framing(LIMIT)


def frames(*messages: bytes) -> bytes:
    """Make a stream of messages."""
    return b"".join(map(FRAMING.encode, messages))


def messages_in(stream: bytes) -> list[bytes]:
    """Read a stream of whole messages."""
    found = []
    at = 0
    while at < len(stream):
        stop = FRAMING.find(stream, at, len(stream))
        assert 0 < stop <= len(stream), "an outlet got a part of a frame"
        found.append(stream[FRAMING.body : stop])
        at = stop
    return found


class RecordingOutlet:
    """Where a lane writes to.

    ``on_push`` is called at each push, ``on_refusal`` at each message that cannot be encoded, behind what is written
    down.
    """

    def __init__(self, name: str, journal: list[str]) -> None:
        self.name = name
        self.full = self.crowded = False
        self.part = False
        """Whether the last push ended inside of a frame."""
        self.torn = False
        """Whether the rest of that frame will not come."""
        self.behind: list[bytes] = []
        """What waits for the end of that frame."""
        self.pushes: list[list[bytes]] = []
        self.replaced: list[bytes] = []
        """The frames that messages stood for which were translated."""
        self.on_push: Callable[[], object] = lambda: None
        self.on_refusal: Callable[[], object] = lambda: None
        self._journal = journal

    @property
    def stream(self) -> bytes:
        """All that was pushed."""
        return b"".join(map(b"".join, self.pushes))

    def push(self, pieces: list[bytes]) -> None:
        """See `LaneOutlet`."""
        if self.part:
            self.behind += pieces
            return
        assert not self.torn, "written after a torso"
        self.pushes.append(pieces)
        self._journal.append(f"{self.name}: {b' '.join(messages_in(b''.join(pieces))).decode()}")
        self.on_push()

    def push_part(self, pieces: list[bytes], goes_on: bool) -> None:
        """See `LaneOutlet`."""
        assert not self.torn, "written after a torso"
        self.pushes.append(pieces)
        self._journal.append(f"{self.name}: {sum(map(len, pieces))} bytes, {'goes on' if goes_on else 'ends'}")
        self.part = goes_on
        self.on_push()
        if not self.part and self.behind:
            behind, self.behind = self.behind, []
            self.push(behind)

    def send(self, frame: bytes) -> None:
        """See `LaneOutlet`."""
        self.push([frame])

    def tear(self) -> None:
        """See `LaneOutlet`."""
        self.torn = True
        self.part = False
        self.behind.clear()
        self._journal.append(f"{self.name}: torn")

    @property
    def someone_waits(self) -> bool:
        """See `LaneOutlet`."""
        return bool(self.behind)

    def encode(self, message: Any, instead_of: bytes | None = None) -> bytes | None:
        """See `LaneOutlet`."""
        if message is LEFT_OUT:
            return None
        if not isinstance(message, bytes):
            self._journal.append(f"{self.name}: cannot encode {message!r}")
            self.on_refusal()
            return None
        if instead_of is not None:
            self.replaced.append(instead_of)
        return FRAMING.encode(message)


class Outlet(RecordingOutlet):
    """Keeps what it gets, of whatever framing."""

    def push(self, pieces: list[bytes]) -> None:
        """See `LaneOutlet`."""
        self.pushes.append(pieces)


class RecordingHost:
    """What a lane reports to. ``on_event`` is called at each report, behind what is written down."""

    def __init__(self, journal: list[str]) -> None:
        self.policy = OnFilterError.STOP
        self.is_read = True
        self.wakes: float | None = None
        """After how many seconds the lane wants to be called."""
        self.errors: list[BaseException | None] = []
        self.on_event: Callable[[str], object] = lambda event: None
        self._journal = journal

    def _tell(self, event: str) -> None:
        self._journal.append(event)
        self.on_event(event)

    def lane_blocked(self, lane: Lane) -> None:
        """See `LaneHost`."""
        self._tell("blocked, waits for a verdict" if lane.awaited is not None else "blocked")

    def lane_gave_way(self, lane: Lane) -> None:
        """See `LaneHost`."""
        self._tell("gave way")

    def lane_delayed(self, lane: Lane, seconds: float) -> None:
        """See `LaneHost`."""
        self.wakes = seconds

    def lane_released(self, lane: Lane) -> None:
        """See `LaneHost`."""
        lane.unchoke()

    def lane_flowing(self, lane: Lane) -> None:
        """See `LaneHost`."""
        self._tell("flowing")

    def lane_parse_error(self, lane: Lane, error: ParseError) -> None:
        """See `LaneHost`."""
        self.errors.append(error)
        self._tell(f"parse error: {error}")

    def lane_filter_failed(self, lane: Lane, error: CallbackFailed) -> OnFilterError:
        """See `LaneHost`."""
        self.errors.append(error)
        self._tell(f"failed: {type(error.reason).__name__} on message {error.number}")
        return self.policy

    def lane_framing_failed(self, lane: Lane, error: FramingError) -> None:
        """See `LaneHost`."""
        self.errors.append(error)
        self._tell(f"framing failed: {error}")

    def lane_closes(self, lane: Lane, error: BaseException | None) -> None:
        """See `LaneHost`."""
        self.errors.append(error)
        self._tell("closes")

    def lane_is_read(self, lane: Lane) -> bool:
        """See `LaneHost`."""
        return self.is_read


class Run:
    """A lane with a framing, and what came of it."""

    def __init__(self, framing: Any, **setup: Any) -> None:
        self.framing = framing
        self.journal: list[str] = []
        self.outlet = Outlet("forward", self.journal)
        self.host = RecordingHost(self.journal)
        self.asked: list[bytes] = []
        if "selector" in setup:
            setup["filter"] = self.see
        back = Outlet("back", self.journal)
        # With a clock that stands still it never gives way.
        self.lane = Lane(LaneSetup(**setup), framing, self.outlet, back, self.host, lambda: 0.0)
        self.lane.start()

    def see(self, message: bytes, link: object) -> Any:
        """Be a filter."""
        self.asked.append(message)
        return PASS_ON

    def feed(self, stream: bytes, size: int) -> None:
        """Feed a stream in reads of this size."""
        for read in reads_of(stream, size):
            self.lane.feed(read)


class LaneCase(SynchronousTestCase):
    """Tests of one lane.

    The filter looks a message up in ``answers``: there is the verdict, or a function that gives one, or an exception
    to raise; what isn't there is passed on. ``time`` is what the lane's clock shows, ``looks`` how often it looked.
    """

    framing: IFraming = FRAMING

    def setUp(self) -> None:
        """Make the lane."""
        self.journal: list[str] = []
        self.asked: list[Any] = []
        self.answers: dict[Any, Any] = {}
        self.forward = RecordingOutlet("forward", self.journal)
        self.back = RecordingOutlet("back", self.journal)
        self.host = RecordingHost(self.journal)
        self.time = 0.0
        self.looks = 0
        setup = LaneSetup(filter=self.answer)
        self.lane = Lane(setup, self.framing, self.forward, self.back, self.host, self.now, self.host)

    def equip(self, **changes: Any) -> None:
        """Change the setup of the lane."""
        self.lane.equip(replace(self.lane.setup, **changes))

    def now(self) -> float:
        """Look at the clock."""
        self.looks += 1
        return self.time

    def answer(self, message: Any, link: Any) -> Any:
        """Return the verdict that the test wants."""
        assert link is self.host
        self.asked.append(message)
        answer = self.answers.get(message, PASS_ON)
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) and not isinstance(answer, Verdict) else answer

    def start(self) -> None:
        """Start the lane; what comes of that is forgotten."""
        self.lane.start()
        self.journal.clear()

    def assert_journal(self, *expected: str) -> None:
        """Check what was told since the last time."""
        self.assertEqual(self.journal, list(expected))
        self.journal.clear()


class FirstByte(Selector):
    """Wants the payloads that begin with this byte; counts the payloads that it is asked about."""

    def __init__(self, wanted: bytes) -> None:
        self.wanted = wanted
        self.asked = 0

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        self.asked += 1
        return data[start : min(start + 1, stop)] == self.wanted


def reads_of(stream: bytes, size: int = 65536) -> Iterator[bytes]:
    """Cut a stream into reads of this size."""
    return (stream[at : at + size] for at in range(0, len(stream), size))


class StartedLaneCase(LaneCase):
    """Tests of a lane that runs."""

    def setUp(self) -> None:
        """Start."""
        super().setUp()
        self.start()

    def feed(self, stream: bytes, size: int = 65536) -> None:
        """Feed a stream in reads of this size."""
        for read in reads_of(stream, size):
            self.lane.feed(read)

    def send_between(self, message: bytes, outlet: RecordingOutlet | None = None) -> bool:
        """Send a message as a link does."""
        return self.lane.send_between(outlet or self.forward, frames(message))


def numbered(count: int, start: int = 0) -> list[bytes]:
    """Make so many messages, all different."""
    return [b"%d" % number for number in range(start, start + count)]


class SlowFilterCase(LaneCase):
    """Tests of a lane whose filter takes its time: ``cost`` seconds for each message."""

    cost = SLICE / 5

    def setUp(self) -> None:
        """Start, with a filter that takes its time."""
        super().setUp()
        self.equip(filter=self.take_time)
        self.start()

    def take_time(self, message: Any, link: Any) -> Any:
        """Be a filter for which time passes."""
        self.time += self.cost
        return self.answer(message, link)

    def feed(self, *messages: bytes) -> None:
        """Let messages come in one read."""
        self.lane.feed(frames(*messages))

    def turns(self, at_most: int = 10_000) -> list[int]:
        """Let the lane go on in one turn after the other; gives how many messages it looked at in each."""
        judged: list[int] = []
        while self.lane.gave_way and len(judged) < at_most:
            before = len(self.asked)
            self.lane.take_turn()
            judged.append(len(self.asked) - before)
        return judged

    def told(self) -> list[str]:
        """Return what the host was told since the last time."""
        told = [entry for entry in self.journal if not entry.startswith(("forward", "back"))]
        self.journal.clear()
        return told
