"""Tests of two lanes at once, against a simple model of what each outlet must get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.protocols.basic import Int32StringReceiver
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.frame_monitor import FrameMonitor
from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater._slices import SLICE
from twisted_repeater.model import Direction, OnFilterError
from twisted_repeater.verdicts import DO_NOTHING, PASS_ON, Later, PassOnAndSendBack, Send, SendBack

from .lanes import FRAMING, LIMIT, RecordingHost, RecordingOutlet, frames


class Judge(Int32StringReceiver):
    """Twisted's receiver, which keeps what it receives."""

    MAX_LENGTH = LIMIT

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def stringReceived(self, string: bytes) -> None:
        """See `Int32StringReceiver`."""
        self.received.append(string)


VERDICTS = st.sampled_from(["pass", "pass", "say", "drop", "send", "back", "both", "raise", "nonsense"])
TIMES = st.sampled_from(["now", "now", "fired", "coroutine", "later"])
DELAYS = st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.5])
PLANS = st.lists(st.tuples(VERDICTS, TIMES, st.sampled_from([0, 0, 5, 3000]), DELAYS), max_size=24)
Plans: TypeAlias = list[tuple[str, str, int, float]]
COSTS = st.sampled_from([0.0, 0.0, SLICE / 4, 2 * SLICE])
"""How long, in seconds, a filter takes for a message: lanes give way where that is long."""


class Host(RecordingHost):
    """Lets both lanes go on when one has sent what was delayed."""

    lanes: tuple[Lane, ...] = ()

    def lane_released(self, lane: Lane) -> None:
        """See `LaneHost`."""
        for each in self.lanes:
            each.unchoke()


class Way:
    """One of the two lanes of a link, with what it receives and what its filter will say about that."""

    def __init__(self, name: str, direction: Direction, forward: RecordingOutlet, back: RecordingOutlet) -> None:
        self.name = name
        self.forward, self.back = forward, back
        self.journal: list[str] = []
        self.host = Host(self.journal)
        self.host.policy = OnFilterError.DROP
        self.time = 0.0
        self.cost = 0.0
        self.watch = FrameMonitor(Clock(), 60.0, LIMIT)
        setup = LaneSetup(direction=direction, filter=self.judge, frame_monitor=self.watch)
        self.lane = Lane(setup, FRAMING, forward, back, self.host, lambda: self.time, self.host)
        self.reads: list[bytes] = []
        self.arrived = 0
        self.plans: dict[bytes, tuple[str, str, float]] = {}
        self.decided: list[tuple[bytes, float]] = []
        """What the target gets, and when at the earliest."""
        self.asked: list[bytes] = []
        self.due: Callable[[], None] | None = None
        """Fires the verdict that is waited for."""
        self.expected: tuple[list[bytes], list[bytes]] = ([], [])

    def plan(self, plans: Plans, cuts: list[int]) -> None:
        """Make the messages, and what each outlet must get for them."""
        for number, (verdict, time, filler, delay) in enumerate(plans):
            message = f"{self.name}{number}".encode() + b"." * filler
            self.plans[message] = (verdict, time, delay)
            forward, back = self.expected
            forward += [b"own " + message] if verdict in ("send", "say") else []
            forward += [message] if verdict in ("pass", "both", "say") else []
            back += [b"reply " + message] if verdict in ("back", "both") else []
        stream = frames(*self.plans)
        places = sorted({0, len(stream), *(place % len(stream) for place in cuts)} if stream else [])
        self.reads = [stream[start:stop] for start, stop in pairwise(places)]

    def judge(self, message: bytes, link: Any) -> Any:
        """Say what was planned."""
        self.asked.append(message)
        self.time += self.cost
        verdict, time, _ = self.plans[message]
        if time == "coroutine":
            return self.coroutine(message, verdict)
        if time == "fired":
            return fail(ValueError("no")) if verdict == "raise" else succeed(self.made(message, verdict))
        if time == "now":
            return self.made(message, verdict)
        later: Deferred[Any] = Deferred()
        self.due = lambda: (
            later.errback(ValueError("no")) if verdict == "raise" else later.callback(self.made(message, verdict))
        )
        return later

    def made(self, message: bytes, verdict: str) -> Any:
        """Make a verdict, or raise."""
        if verdict == "raise":
            raise ValueError("no")
        if verdict == "say":
            self.say(b"own " + message)
        made: Any = {
            "say": PASS_ON,
            "pass": PASS_ON,
            "drop": DO_NOTHING,
            "send": Send(b"own " + message),
            "back": SendBack([b"reply " + message]),
            "both": PassOnAndSendBack([b"reply " + message]),
            "nonsense": 5,
        }[verdict]
        delay = self.plans[message][2]
        if verdict in ("pass", "say", "both"):
            self.decided.append((message, self.time + delay))
        return Later(delay, made) if delay and verdict != "nonsense" else made

    def say(self, message: bytes) -> None:
        """Send a message from within the filter."""
        frame = frames(message)
        if not self.lane.send_between(self.forward, frame):
            self.forward.push([frame])

    async def coroutine(self, message: bytes, verdict: str) -> Any:
        """Make a verdict, or raise, a little later or at once."""
        if len(message) % 2:
            wait: Deferred[None] = Deferred()
            self.due = lambda: wait.callback(None)
            await wait
        return self.made(message, verdict)

    def steps(self) -> list[Callable[[], None]]:
        """Return what may happen next to this lane."""
        steps: list[Callable[[], None]] = []
        if self.reads:
            steps.append(lambda: self.lane.feed(self.reads.pop(0)))
        if self.due is not None:
            steps.append(self.fire)
        if self.lane.gave_way:
            steps.append(self.lane.take_turn)
        if self.host.wakes is not None:
            steps.append(self.wake)
        return steps

    def wake(self) -> None:
        """The time of something that is delayed has come."""
        seconds, self.host.wakes = self.host.wakes, None
        assert seconds is not None
        self.time += seconds
        self.lane.release()

    def check_times(self) -> None:
        """Check that nothing arrives before its time."""
        for message in of(self, self.forward)[self.arrived :]:
            self.arrived += 1
            due = dict(self.decided).get(message)
            assert due is None or self.time >= due - 1e-6, (message, self.time, due)

    def fire(self) -> None:
        """The verdict that is waited for comes."""
        due, self.due = self.due, None
        assert due is not None
        due()

    def check(self, case: SynchronousTestCase) -> None:
        """Check what must hold at any time: the host knows whether the lane is stopped, and unfinished frames count."""
        told = [entry for entry in self.journal if entry.startswith(("blocked", "gave way", "flowing"))]
        case.assertEqual(self.lane.idle, told[-1] == "flowing" and not self.lane.delays, told)
        self.check_times()
        case.assertEqual(self.due is not None, self.lane.awaited is not None)
        case.assertEqual(self.watch.size, self.lane.unfinished_size)
        case.assertTrue(self.lane.listed or not self.lane.unfinished_size)


class ModelTests(SynchronousTestCase):
    """Two lanes between two outlets, against a simple model of what each outlet must get."""

    @given(
        PLANS,
        PLANS,
        st.lists(st.integers(0, 5000), max_size=12),
        st.lists(st.integers(0, 7), max_size=60),
        st.booleans(),
        COSTS,
    )
    def test_whatever_happens(
        self,
        to_server: Plans,
        to_client: Plans,
        cuts: list[int],
        choices: list[int],
        filtered: bool,
        cost: float,
    ) -> None:
        """However streams are cut, verdicts come late, outlets are full: each gets all, whole, in order and in time."""
        client, server = RecordingOutlet("client", []), RecordingOutlet("server", [])
        ways = [Way("a", Direction.TO_SERVER, server, client), Way("b", Direction.TO_CLIENT, client, server)]
        ways[0].plan(to_server, cuts)
        ways[1].plan(to_client, cuts[::2])
        if not filtered:
            ways[1].lane.equip(replace(ways[1].lane.setup, filter=None))
            ways[1].expected = (list(ways[1].plans), [])
        ways[0].lane.face(ways[1].lane)
        for way in ways:
            way.cost = cost
            way.host.lanes = (ways[0].lane, ways[1].lane)
            way.lane.start()

        def flip(outlet: RecordingOutlet) -> None:
            outlet.full = not outlet.full
            if not outlet.full:
                for way in ways:
                    way.lane.unchoke()

        def happen(choice: int) -> None:
            steps = [step for way in ways for step in way.steps()]
            steps += [lambda: flip(client), lambda: flip(server)]
            steps[choice % len(steps)]()
            for way in ways:
                way.check(self)

        for choice in choices:
            happen(choice)
        for outlet in (client, server):
            if outlet.full:
                flip(outlet)
        while any(way.steps() for way in ways):
            happen(0)

        for way in ways:
            self.assertTrue(way.lane.idle)
            self.assertEqual(way.lane.messages, len(way.plans))
            self.assertEqual(way.asked, list(way.plans) if way.lane.setup.filter is not None else [])
            self.assertEqual(of(way, way.forward), way.expected[0])
            self.assertEqual(of(way, way.back), way.expected[1])


def of(way: Way, outlet: RecordingOutlet) -> list[bytes]:
    """Return what an outlet got from a lane, as Twisted reads it."""
    judge = Judge()
    judge.dataReceived(outlet.stream)
    going = outlet is way.forward
    return [
        message
        for message in judge.received
        if message.startswith(b"reply ") != going and message.split()[-1].startswith(way.name.encode())
    ]
