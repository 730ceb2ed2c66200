"""Plays recorded sessions through a repeater in memory, and judges what became of them."""

from __future__ import annotations

import gc
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from twisted_repeater import (
    CallbackFailed,
    ConnectingError,
    Dialect,
    Direction,
    Disconnected,
    FramingError,
    ParseError,
    Side,
)
from twisted_repeater._link.defaults import end_link
from twisted_repeater.errors import MarshalingError, OpeningFailed
from twisted_repeater.testing import MemoryRepeater

from ..peers import kept_by

__all__ = [
    "END",
    "End",
    "Fault",
    "FuzzedRepeater",
    "Outcome",
    "Pieces",
    "Script",
    "Step",
    "at_random",
    "bytewise",
    "whole",
]

END = None
"""Stands for the end of a stream in a script."""

Step = tuple[Direction, bytes | None]
"""What one side does: it sends bytes, or ends its stream."""

Pieces = Callable[[bytes], Iterable[bytes]]
"""Cuts what is sent into what one read gets."""

EDGE = 40
"""How far from the ends of a message every byte comes alone; in the middle they come in larger pieces."""


def whole(data: bytes) -> Iterable[bytes]:
    """Send a message in one piece."""
    return (data,)


def bytewise(data: bytes) -> Iterator[bytes]:
    """Send every byte alone, but for the middle of a long message."""
    inside = range(EDGE, len(data) - EDGE)
    at = 0
    while at < len(data):
        size = len(inside) // 2 + 1 if at in inside else 1
        yield data[at : at + size]
        at += size


def at_random(random: Random) -> Pieces:
    """Return what cuts a message at a few places."""

    def cut(data: bytes) -> Iterator[bytes]:
        places = sorted({0, len(data), *(random.randint(0, len(data)) for _ in range(random.randint(0, 4)))})
        for start, stop in itertools.pairwise(places):
            yield data[start:stop]

    return cut


class Fault(AssertionError):
    """The repeater did what it must not do."""


class End(Protocol):
    """A client or one connection of a server: it keeps what comes, as bytes."""

    transport: Any

    def __init__(self, answer: Callable[[bytearray], bytes] | None = None) -> None:
        self.received = bytearray()
        self.lost: BaseException | None = None
        self._answer = answer

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        self.received += data
        if self._answer is not None and (answer := self._answer(self.received)):
            self.transport.write(answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self.lost = reason.value

    @property
    def open(self) -> bool:
        """Whether something can be sent."""
        return self.transport is not None and self.lost is None


@dataclass
class Outcome:
    """What became of a session."""

    errors: list[tuple[Side, Exception]] = field(default_factory=list)
    """The calls of ``on_error``."""
    refusals: list[ConnectingError] = field(default_factory=list)
    """The calls of ``on_connecting_error``."""

    def __str__(self) -> str:
        found: list[Any] = [*self.refusals, *(error for _, error in self.errors)]
        for error in found:
            reason = error.reason if isinstance(error, Disconnected) else error
            if isinstance(reason, ConnectingError | FramingError | ParseError):
                return type(reason).__name__
        return "passed"


class FuzzedRepeater(MemoryRepeater):
    """A repeater in memory whose peers know no protocol, with an honest link beside those that are played.

    Args:
        dialect: the dialect.
        greeting: what makes the honest link.
        ping: what passes on it afterwards, again and again.
        answer: answers what only the repeater has asked the server, and takes it out of what the server got.
        relayed: returns the part of what the peer on a side got that no opening has made.
        options: arguments of `Repeater.create` and of `Repeater.start`.
    """

    def __init__(
        self,
        dialect: Dialect,
        greeting: Iterable[Step],
        ping: Iterable[Step],
        answer: Callable[[], Callable[[bytearray], bytes]] | None = None,
        relayed: Callable[[Side, bytes], bytes] = lambda side, received: received,
        **options: Any,
    ) -> None:
        self.outcome = Outcome()
        self.servers: list[End] = []
        self.logged: list[LogEvent] = []
        self._make_answer = answer
        self.relayed = relayed
        self.excused = ""
        """What is in the error of a server whose recorded answer is wrong for what a client was made to ask for."""
        self.untouched = not any("filter" in name for name in options)
        self._ping = list(ping)
        super().__init__(
            dialect,
            on_error=self._failed,
            on_connecting_error=lambda name, server, error: self.outcome.refusals.append(error),
            **options,
        )
        self._observer = cast("ILogObserver", self._log)
        globalLogPublisher.addObserver(self._observer)
        self.factory = self.repeater._factory
        self._honest = Script(self, honest=True)
        self._honest.play(greeting)
        self._kept = self._counted()

    def listen(self) -> None:
        """Let a server listen that knows no protocol."""
        factory = Factory.forProtocol(self._new_server)
        factory.noisy = False
        self.server_endpoint.listen(factory)

    def _new_server(self) -> End:
        self.servers.append(End(self._make_answer() if self._make_answer else None))
        return self.servers[-1]

    def _failed(self, link: Any, side: Side, error: Any) -> None:
        self.outcome.errors.append((side, error))
        end_link(link, side, error)

    def _log(self, event: LogEvent) -> None:
        if "log_failure" in event or event.get("log_level", LogLevel.info) >= LogLevel.error:
            self.logged.append(event)

    def _counted(self) -> dict[str, int]:
        return {name: len(kept) for name, kept in kept_by(self.factory).items()}

    def close(self) -> None:
        """End the honest link and the repeater."""
        globalLogPublisher.removeObserver(self._observer)
        self._honest.end()
        self.shutdown()

    def attack(self, steps: Iterable[Step], pieces: Pieces, culprit: Side, *, refused: bool = False) -> Outcome:
        """Play a session in which one side may do what it must not, and check all that must hold whatever it does.

        Args:
            steps: what both sides do.
            pieces: cuts what they send.
            culprit: the side that may do wrong.
            refused: whether the repeater may answer in place of the server, whose recorded answers make no sense then.

        Raises:
            Fault: something does not hold.
        """
        self.outcome = outcome = Outcome()
        script = Script(self)
        script.play(steps, pieces)
        self._honest.play(self._ping)
        if not refused and not outcome.refusals and not outcome.errors:
            script.check_untouched()
        if script.ended or outcome.refusals or any(isinstance(error, Disconnected) for _, error in outcome.errors):
            self._expect_end("after it has lost a side or was refused")
        script.end()
        self._expect_end("after both peers have gone")
        self._honest.play(self._ping)
        self._judge(outcome, None if refused else culprit)
        return outcome

    def _expect_end(self, when: str) -> None:
        """Let as much time pass as the limits allow for the end of a link."""
        for seconds in (0, 1, 60, 60, 60):
            if self._counted() == self._kept:
                return
            self.advance(seconds)
        if self._counted() != self._kept:
            raise Fault(f"the link is still there {when}: {kept_by(self.factory)}")

    def _judge(self, outcome: Outcome, culprit: Side | None) -> None:
        if self.logged:
            event = self.logged[0]
            trace = event["log_failure"].getTraceback() if "log_failure" in event else event
            raise Fault(f"this was logged: {trace}")
        for refusal in outcome.refusals:
            if isinstance(refusal, OpeningFailed):
                raise Fault(f"the opening failed: {refusal!r}") from refusal.__cause__
        for side, error in outcome.errors:
            if isinstance(error, CallbackFailed):
                raise Fault(f"a filter failed: {error}") from error.reason
            if isinstance(error, MarshalingError):
                raise Fault(f"a message could not be encoded: {error}") from error
            reason = error.reason if isinstance(error, Disconnected) else error
            excused = culprit is None or side is culprit or (self.excused and self.excused in str(reason))
            if not excused and isinstance(reason, FramingError | ParseError):
                raise Fault(f"the {side.value} is blamed for what the other one did: {error!r}") from error


class Script:
    """A session that is played through a repeater."""

    def __init__(self, repeater: FuzzedRepeater, *, honest: bool = False) -> None:
        self._repeater = repeater
        self._honest = honest
        self.client = End()
        self.server: End | None = None
        self.ended = False
        self._sent = {direction: bytearray() for direction in Direction}
        with repeater.network.unsettled():
            self._before = len(repeater.servers)
            repeater.listening.connect(Factory.forProtocol(lambda: self.client))
        repeater.settle()

    def end_of(self, side: Side) -> End | None:
        """Return the end on a side, ``None`` if it is not there yet."""
        if self.server is None and len(self._repeater.servers) > self._before:
            self.server = self._repeater.servers.pop()
        return self.client if side is Side.CLIENT else self.server

    def play(self, steps: Iterable[Step], pieces: Pieces = whole, own: frozenset[int] = frozenset()) -> None:
        """Let both sides send what they have to.

        Args:
            steps: what they send.
            pieces: cuts it.
            own: the numbers of the steps that are between the client and the repeater only.
        """
        for number, (direction, data) in enumerate(steps):
            to_server = direction is Direction.TO_SERVER
            if number in own and not to_server:
                self._check(self.client, data, "the client")
                continue
            sender = self.end_of(Side.CLIENT if to_server else Side.SERVER)
            if sender is None or not sender.open:
                if self._honest:
                    raise Fault(f"an honest link was lost before step {number}: {self._repeater.outcome}")
                continue
            if data is END:
                sender.transport.loseConnection()
                self.ended = True
                self._repeater.settle()
                continue
            for piece in pieces(data):
                if sender.open:
                    self._sent[direction] += piece
                    sender.transport.write(piece)
                    self._repeater.settle()
            if self._honest and number not in own:
                other = self.end_of(Side.SERVER if to_server else Side.CLIENT)
                self._check(other, data, "the server" if to_server else "the client")

    def _check(self, end: End | None, data: bytes | None, who: str) -> None:
        """Check that an end has received exactly this, and forget it."""
        received = b"" if end is None else bytes(end.received)
        if received != data:
            raise Fault(f"{who} got {received!r} for {data!r}; {self._repeater.outcome}")
        if end is not None:
            end.received.clear()

    def check_untouched(self) -> None:
        """Check that what came out is what went in, if there is no filter. The opening may have taken some of it."""
        if self._repeater.untouched:
            for side, direction in ((Side.CLIENT, Direction.TO_CLIENT), (Side.SERVER, Direction.TO_SERVER)):
                end = self.end_of(side)
                received = b"" if end is None else self._repeater.relayed(side, bytes(end.received))
                if received not in self._sent[direction]:
                    raise Fault(f"the {side.value} got {received!r} for {bytes(self._sent[direction])!r}")

    def end(self) -> None:
        """Close both ends."""
        for side in Side:
            end = self.end_of(side)
            if end is not None and end.open:
                end.transport.loseConnection()
                self._repeater.settle()


def collected() -> None:
    """Collect garbage: a Deferred whose failure nobody has seen is logged then."""
    gc.collect()


def counted(outcomes: Iterable[Outcome]) -> Counter[str]:
    """Return how often there was each outcome."""
    return Counter(map(str, outcomes))
