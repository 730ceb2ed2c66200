"""A test case that plays recordings against a server of lines on a real socket."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from twisted_repeater import Direction, dialects
from twisted_repeater.recording import RecordedLink, Recording
from twisted_repeater.replay import Comparison, Pace, Report, player, replay
from twisted_repeater.replay.conversation import Conversation

from ..peers import Seen, StoppedTime, reactor
from .recorded import BEGAN, MemoryRecording

__all__ = ["FailingComparison", "LineServer", "PlayCase", "recorded"]

SECOND = 1_000_000
"""In the unit of recordings."""


class LinePeer(LineOnlyReceiver):
    """One connection of the server."""

    delimiter = b"\n"

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        self.factory.peers.append(self)
        if self.factory.greeting:
            self.sendLine(self.factory.greeting)

    def lineReceived(self, line: bytes) -> None:
        """Answer as the server does."""
        self.factory.lines.append(line)
        answer = self.factory.answer(self, line)
        if answer is not None:
            self.sendLine(answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self.factory.peers.remove(self)
        self.factory.ended.append(self)


class LineServer(Factory):
    """A server of lines.

    Args:
        answer: returns the answer to a line of a connection; by default the line in capitals.
        greeting: what it says first.
    """

    noisy = False
    protocol = LinePeer

    def __init__(
        self, answer: Callable[[Any, bytes], bytes | None] = lambda _, line: line.upper(), greeting: bytes = b""
    ) -> None:
        self.answer = answer
        self.greeting = greeting
        self.lines = Seen()
        """The lines that came."""
        self.peers: list[LinePeer] = []
        """Its connections."""
        self.ended = Seen()
        """Those that are over."""


def recorded(*happened: tuple[int, str] | tuple[int, str, float], ends: Iterable[tuple[int, float]] = ()) -> Recording:
    """Return a recording of lines.

    Args:
        happened: links, what was said with ``>`` before a request and ``<`` before an answer, and perhaps how many
            seconds after the beginning; without that, a millisecond after the one before.
        ends: links, and when they ended, in seconds.
    """
    recording = MemoryRecording("lines")
    numbers: dict[tuple[int, Direction], int] = {}
    time = 0.0
    for link, said, *at in happened:
        time = at[0] if at else time + 0.001
        while link > len(recording.recorded_links):
            recording.add_link(
                made=BEGAN + int(time * SECOND), client_name=f"client{len(recording.recorded_links) + 1}"
            )
        direction = Direction.TO_SERVER if said[0] == ">" else Direction.TO_CLIENT
        number = numbers[link, direction] = numbers.get((link, direction), 0) + 1
        frame = said[1:].encode() + b"\n"
        when = BEGAN + int(time * SECOND)
        recording.add(link=link, time=when, direction=direction, number=number, frame=frame, passed=True)
    for link, at_end in ends:
        recording.recorded_links[link - 1].ended = BEGAN + int(at_end * SECOND)
    return recording.as_recording()


class FailingComparison(Comparison):
    """A comparison with a mistake in its second link."""

    def __init__(self) -> None:
        super().__init__(dialects.lines())

    def conversation(self, link: RecordedLink) -> Conversation:
        """See `Comparison`."""
        if link.id == 2:
            raise ZeroDivisionError
        return super().conversation(link)


class PlayCase(TestCase):
    """A test case that plays recordings."""

    timeout = 60

    def stop_time(self) -> StoppedTime:
        """Return a reactor whose time stands still, also for a replay."""
        time = StoppedTime()
        self.patch(player, "time", SimpleNamespace(monotonic=time.seconds))
        return time

    async def listen(self, server: Factory) -> str:
        """Have a server listen; return the description of its endpoint."""
        port = reactor.listenTCP(0, server, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"tcp:127.0.0.1:{port.getHost().port}"

    def start(self, recording: Recording, server: str, **options: Any) -> Deferred[Report]:
        """Begin to play a recording. Options are those of `Pace` and of `replay`."""
        names = ("speed", "links_apart", "max_pause", "timeout", "max_clients")
        pace = Pace(**{"speed": math.inf} | {name: options.pop(name) for name in names if name in options})
        options.setdefault("comparison", Comparison(dialects.lines()))
        return replay(recording, server, pace=pace, **options)

    async def play(self, recording: Recording, server: Factory, **options: Any) -> Report:
        """Play a recording against a server of the test."""
        return await self.start(recording, await self.listen(server), **options)

    async def play_same(self, recording: Recording, server: Factory, **options: Any) -> Report:
        """Play a recording, and check that there is no difference."""
        report = await self.play(recording, server, **options)
        self.assertTrue(report.same, report.text())
        return report
