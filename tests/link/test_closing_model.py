"""A model of how links end: every event, in every order, and the promises that hold all the same."""

from __future__ import annotations

from typing import Any
from unittest import mock

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from twisted_repeater import PASS_ON, Direction, Later, Limits, OnFilterError, Side
from twisted_repeater._link import connection
from twisted_repeater._link.ending_connection import FORCED
from twisted_repeater._link.outlets import BufferedOutlet
from twisted_repeater._link.pair import Pair
from twisted_repeater._sockets.socket_state import HangUp
from twisted_repeater.errors import Disconnected

from ..drawn import examples
from ..peers import SERVER_NAME, RecordingRepeater, frame, hello, kept_by

LIMITS = Limits(close_timeout=5, linger=10, stall_timeout=20)
WITHIN = 10 + 2 * FORCED + 1
"""How many seconds a link may take to end once it closes, whatever happens: `Limits.linger`, and the last resort."""

LATE = 0.5
"""How many seconds a message is delayed."""

SIDES = strategies.sampled_from(Side)


class HalfClosing(BufferedOutlet):
    """An outlet whose stream can be ended alone, as on a socket."""

    can_half_close = True


class Wire(StringTransport):
    """The transport of one side. The peer takes everything unless it stalls, and may take its time to close."""

    def __init__(self, protocol: Any) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "127.0.0.1", 4711))
        self.protocol = protocol
        self.gone = self.stalls = self.write_ended = False
        protocol.makeConnection(self)

    def messages(self) -> list[bytes]:
        """Return the messages behind the hello that were written."""
        data, found = self.value(), []
        while data:
            size = 4 + int.from_bytes(data[:4], "big")
            found.append(data[4:size])
            data = data[size:]
        return found[1:]

    def pauseProducing(self) -> None:
        """Read no more; `StringTransport` would not allow this while it closes."""

    def resumeProducing(self) -> None:
        """Read on."""

    def stall(self) -> None:
        """Take nothing more."""
        self.stalls = True
        if self.producer is not None and self.streaming:
            self.producer.pauseProducing()

    def flow(self) -> None:
        """Take everything again."""
        self.stalls = False
        if self.producer is not None:
            self.producer.resumeProducing()
        self.end_write()

    def write(self, data: bytes) -> None:
        """Nothing may be written behind our end of stream."""
        assert not (self.write_ended or self.disconnecting)
        super().write(data)

    def loseWriteConnection(self) -> None:
        """End the stream, when the peer takes it."""
        self.write_ended = True
        self.end_write()

    def end_write(self) -> None:
        """Say that the stream has ended."""
        if self.write_ended and not (self.stalls or self.gone):
            self.protocol.writeConnectionLost()

    def lost(self, reason: Exception) -> None:
        """The connection is gone."""
        if not self.gone:
            self.gone = True
            self.protocol.connectionLost(Failure(reason))

    def abortConnection(self) -> None:
        """Be gone at once."""
        self.lost(ConnectionAborted())


class Closing(RuleBasedStateMachine):
    """One link. Its messages say what their filter does: pass on, wait, or fail after a while."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.sent: dict[Direction, list[bytes]] = {direction: [] for direction in Direction}
        """What must arrive, in order, unless something stands in the way."""
        self.own: dict[Side, list[bytes]] = {side: [] for side in Side}
        """The same for the application's own messages."""
        self.cut: set[Side] = set()
        """The sides that need not get everything."""
        self.ended: set[Side] = set()
        self.verdicts: list[tuple[Direction, bytes, Deferred[Any]]] = []
        self.failed: set[Direction] = set()
        self.closes_since: float | None = None
        self.left = False
        """Whether the link has begun to leave, so that the client hears nothing more."""
        self.calm = True
        """Whether nobody breaks anything."""

    @initialize(
        calm=strategies.booleans(),
        half_close=strategies.booleans(),
        made=strategies.sampled_from([True, True, False]),
        ends=strategies.booleans(),
        policy=strategies.sampled_from([OnFilterError.STOP, OnFilterError.DROP]),
    )
    def connect(self, calm: bool, half_close: bool, made: bool, ends: bool, policy: OnFilterError) -> None:
        """A client connects, and says hello; the server is reached."""
        kind = HalfClosing if half_close else BufferedOutlet

        def outlet_for(transport: Any, connection: Any, framing: Any, max_waiting: int) -> BufferedOutlet:
            return kind(transport, connection, framing, max_waiting)

        self.patch = mock.patch.object(connection, "outlet_for", outlet_for)
        self.patch.start()
        self.calm, self.policy = calm, policy

        def on_error(link: Any, side: Side, error: Any) -> None:
            if ends:
                self.pair.end_by_default(error)

        self.world = RecordingRepeater(
            limits=LIMITS,
            on_error=on_error,
            to_server_filter=lambda message, link: self.judge(Direction.TO_SERVER, message),
            to_client_filter=lambda message, link: self.judge(Direction.TO_CLIENT, message),
            on_filter_error=policy,
        )
        self.world.factory.links.dial = self.dial
        client: Any = self.world.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4711))
        self.pair: Pair = client.link
        self.wires = {Side.CLIENT: Wire(client)}
        client.dataReceived(hello("ann"))
        if made:
            self.server_says_hello()

    def dial(self, link: Pair) -> Deferred[Any]:
        """Reach the server."""
        self.wires[Side.SERVER] = Wire(link.server)
        return succeed(link.server)

    def judge(self, direction: Direction, message: bytes) -> Any:
        """Be the filter of a direction."""
        if message.startswith(b"pass"):
            return PASS_ON
        if message.startswith(b"late"):
            return Later(LATE)
        verdict: Deferred[Any] = Deferred()
        self.verdicts.append((direction, message, verdict))
        return verdict

    # -- what happens ------------------------------------------------------------------------------------------

    @rule()
    def server_says_hello(self) -> None:
        """The server answers, which makes the link."""
        wire = self.wires[Side.SERVER]
        if not (self.pair.made or wire.gone or Side.SERVER in self.ended or self.pair.closing):
            wire.protocol.dataReceived(hello(SERVER_NAME))

    @rule(
        side=SIDES, kinds=strategies.lists(strategies.sampled_from([b"pass", b"wait", b"late"]), min_size=1, max_size=3)
    )
    def data(self, side: Side, kinds: list[bytes]) -> None:
        """A peer sends messages, in one read."""
        wire = self.wires[side]
        if wire.gone or side in self.ended or (side is Side.SERVER and not self.pair.made):
            return
        direction = Direction.TO_SERVER if side is Side.CLIENT else Direction.TO_CLIENT
        heard = side is Side.CLIENT or not self.left
        messages = []
        for kind in kinds:
            self.number += 1
            messages.append(b"%s %d" % (kind, self.number))
        if heard and not self.pair.closing and not (direction in self.failed and self.policy is OnFilterError.STOP):
            self.sent[direction] += messages
        wire.protocol.dataReceived(b"".join(map(frame, messages)))

    @rule(side=SIDES)
    def half_close(self, side: Side) -> None:
        """A peer ends its stream."""
        if not self.wires[side].gone and side not in self.ended:
            self.ended.add(side)
            self.wires[side].protocol.readConnectionLost()

    @precondition(lambda self: not self.calm)
    @rule(side=SIDES)
    def hang_up_unread(self, side: Side) -> None:
        """The system knows that a peer has ended its stream, behind bytes that are not read."""
        if not self.wires[side].gone:
            self.wires[side].protocol.hang_up(HangUp.ENDED)

    @precondition(lambda self: not self.calm)
    @rule(side=SIDES)
    def lose(self, side: Side) -> None:
        """A connection is lost."""
        self.cut.add(side)
        self.wires[side].lost(ConnectionLost())

    @rule(side=SIDES)
    def closes(self, side: Side) -> None:
        """A transport that was told to close does so."""
        if self.wires[side].disconnecting and not self.wires[side].stalls:
            self.wires[side].lost(ConnectionDone())

    @precondition(lambda self: not self.calm)
    @rule(side=SIDES)
    def stall(self, side: Side) -> None:
        """A peer takes nothing more."""
        if not self.wires[side].gone:
            self.wires[side].stall()

    @rule(side=SIDES)
    def flow(self, side: Side) -> None:
        """A peer takes everything again."""
        if not self.wires[side].gone:
            self.wires[side].flow()

    @precondition(lambda self: self.verdicts)
    @rule(fails=strategies.booleans())
    def verdict(self, fails: bool) -> None:
        """A verdict comes, or its filter fails."""
        direction, message, verdict = self.verdicts.pop(0)
        if not fails or verdict.called:
            verdict.callback(PASS_ON)
            return
        waiting = self.sent[direction]
        if message in waiting:
            at = waiting.index(message)
            waiting[at:] = [] if self.policy is OnFilterError.STOP else waiting[at + 1 :]
        self.failed.add(direction)
        verdict.errback(ValueError("no"))

    @rule(side=SIDES)
    def application_sends(self, side: Side) -> None:
        """The application sends a message."""
        end = self.pair.connection(side)
        self.number += 1
        message = b"own %d" % self.number
        if self.pair.can_send(end):
            self.own[side].append(message)
        self.pair.send(end, message)

    @rule(seconds=strategies.sampled_from([0.1, 1, 6, 30]))
    def time(self, seconds: float) -> None:
        """Time passes."""
        for _ in range(1 if self.calm else max(int(seconds), 1)):
            self.world.clock.advance(min(seconds, 1))
            self.ends_in_time()

    @rule()
    def finish(self) -> None:
        """The application finishes the link."""
        self.pair.finish()

    @precondition(lambda self: self.pair.relaying and self.pair.idle)
    @rule()
    def leave(self) -> None:
        """The repeater is drained."""
        self.left = True
        self.pair.leave()

    @rule()
    def close(self) -> None:
        """The application closes it."""
        self.pair.close()

    @precondition(lambda self: not self.calm)
    @rule()
    def newcomer(self) -> None:
        """A client of the same name waits for a link that ends."""
        if self.pair.finishing or self.pair.closing:
            self.pair.give_way()

    @precondition(lambda self: not self.calm and self.number > 10)
    @rule()
    def shut_down(self) -> None:
        """The repeater is shut down."""
        self.world.factory.links.close_all()

    @precondition(lambda self: not self.calm and self.number > 10)
    @rule()
    def abort(self) -> None:
        """The repeater is aborted."""
        self.cut |= set(Side)
        self.world.factory.links.abort_all()

    # -- what is promised --------------------------------------------------------------------------------------

    @invariant()
    def ends_in_time(self) -> None:
        """A link that closes is over within its deadlines."""
        now = self.world.clock.seconds()
        if self.pair.closing and self.closes_since is None:
            self.closes_since = now
        assert self.closes_since is None or self.pair.over or now - self.closes_since <= WITHIN

    @invariant()
    def told_once(self) -> None:
        """``on_error`` hears once of each side that is gone, ``on_connecting_error`` of a link that never was."""
        told = [call[2] for call in self.world.calls if call[0] == "on_error" and isinstance(call[3], Disconnected)]
        assert len(told) == len(set(told))
        if self.pair.over:
            assert set(told) == (set(Side) if self.pair.made else set())
            assert len(self.world.calls.refusals) == (not self.pair.made)

    @invariant()
    def in_order(self) -> None:
        """Messages arrive as they were sent, in order."""
        for direction in Direction:
            got = self.wires[direction.target].messages()
            relayed = [message for message in got if not message.startswith(b"own")]
            own = [message for message in got if message.startswith(b"own")]
            assert relayed == self.sent[direction][: len(relayed)]
            assert own == self.own[direction.target][: len(own)]

    @invariant()
    def name_is_free(self) -> None:
        """When it is over the name is free, nothing is kept, and no timer runs."""
        if self.pair.over:
            assert kept_by(self.world.factory) == {}
            self.world.clock.advance(0)  # an attempt gives up what it waits for in the next turn of the reactor
            assert not [call for call in self.world.clock.getDelayedCalls() if call.active()]

    def teardown(self) -> None:
        """Both peers take everything and close: then all accepted messages arrive, and the link ends when it closes."""
        if not hasattr(self, "pair"):
            return
        try:
            self.settle()
        finally:
            self.patch.stop()

    def settle(self) -> None:
        """Take everything, judge everything, close, and see."""
        forced = self.closes_since is not None and self.world.clock.seconds() - self.closes_since >= 5 - LATE
        open_sides = {side for side in Side if not (self.wires[side].gone or self.wires[side].stalls)}
        for side in Side:
            self.flow(side)
        while self.verdicts:
            self.verdict(False)
        self.world.clock.advance(LATE)
        if self.pair.made and not forced:
            for side in open_sides - self.cut:
                got = self.wires[side].messages()
                missing = [message for message in self.expected(side) if message not in got]
                assert not missing, missing
        self.pair.close()
        self.ends_in_time()
        for _ in range(int(WITHIN) + 2):
            self.world.clock.advance(1)
            for side in Side:
                self.closes(side)
        assert self.pair.over
        for check in (self.told_once, self.in_order, self.name_is_free):
            check()

    def expected(self, side: Side) -> list[bytes]:
        """Return the messages that a side must get."""
        direction = Direction.TO_CLIENT if side is Side.CLIENT else Direction.TO_SERVER
        return self.sent[direction] + self.own[side]


Closing.TestCase.settings = settings(max_examples=examples(300), stateful_step_count=30, deadline=None, database=None)
ClosingModelTests = Closing.TestCase
