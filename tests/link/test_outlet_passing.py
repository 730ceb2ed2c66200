"""Frames that pass in pieces: what others send meanwhile, and what becomes of the receiver if the rest never comes."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    PASS_ON,
    Disconnected,
    FramingError,
    Limits,
    PartialFrame,
    PassOnAndSendBack,
    SendBack,
    Side,
    SlowConsumer,
)
from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater._link.defaults import end_link
from twisted_repeater._link.link import pair_of
from twisted_repeater._link.outlets import outlet_for
from twisted_repeater.framings import Int32Framing
from twisted_repeater.selectors import Selector, bytes_at, contains, first_byte, predicate

from ..lane.framings import FollowingResumingLines, Lines, ResumingLines
from ..lane.lanes import RecordingHost
from ..peers import frame, keep, turn
from .links import CLIENT, LinkCase
from .memory_case import MemoryCase

KIB = 1024
BIG = frame(b"B" * 100 * KIB)


class PassingCase(MemoryCase):
    """A test case with a link whose server records each byte that it gets."""

    here: Any
    pair: Any
    client: Any
    server: Any

    def make(self, **options: Any) -> None:
        """Link a client."""
        self.here = self.memory(**options)
        self.here.factory.watch_decisions(None)  # the kit's record of messages keeps each until it is whole
        self.client, self.server = self.here.linked("ann")
        self.pair = self.here.pair(self.client)
        self.link = self.pair.link
        raw = self.raw = bytearray()
        received = self.server.dataReceived

        def record(data: bytes) -> None:
            raw.extend(data)
            received(data)

        self.server.dataReceived = record

    def begin(self, **options: Any) -> None:
        """Link a client, which sends the first half of a large message."""
        self.make(**options)
        self.client.send_bytes(BIG[: 50 * KIB])
        self.here.settle()

    @property
    def passed(self) -> bytes:
        """What the server got after its hello."""
        return bytes(self.raw)


class Quiet:
    """An observer that does nothing."""

    def link_made(self, *arguments: Any) -> None:
        """See `IObserver`."""

    link_refused = link_ended = link_error = relayed = link_made


class SomeoneElseTests(PassingCase):
    """What others send to the receiver of a frame that passes in pieces."""

    def end(self) -> None:
        """The client sends the second half."""
        self.client.send_bytes(BIG[50 * KIB :])
        self.here.settle()

    def test_passes(self) -> None:
        """What has come of the message has left already; nothing of it is kept."""
        self.begin()
        self.assertTrue(self.passed == BIG[: 50 * KIB])
        self.assertEqual(self.here.factory.frame_monitor.size, 0)
        self.end()
        self.server.expect(b"B" * 100 * KIB)

    def test_application(self) -> None:
        """Messages of the application wait for its end, in order."""
        self.begin()
        self.link.send_to_server(b"one")
        self.here.repeater.send_to_server_from("ann", b"two")
        self.here.settle()
        self.link.send_to_server(b"three")
        self.assertTrue(self.passed == BIG[: 50 * KIB])
        self.end()
        self.server.expect(b"B" * 100 * KIB, b"one", b"two", b"three")

    def test_not_behind_the_next(self) -> None:
        """They come before the next large message, which begins in the same read."""
        self.begin()
        self.link.send_to_server(b"one")
        self.client.send_bytes(BIG[50 * KIB :] + BIG[: 20 * KIB])
        self.here.settle()
        self.client.send_bytes(BIG[20 * KIB :])
        self.here.settle()
        self.server.expect(b"B" * 100 * KIB, b"one", b"B" * 100 * KIB)

    def test_answers(self) -> None:
        """Answers of the other direction wait as well; what goes to the client does not."""
        self.begin(to_client_filter=lambda message, link: PassOnAndSendBack([b"re " + message]))
        self.server.send(b"one", b"two")
        self.client.expect(b"one", b"two")
        self.assertTrue(self.passed == BIG[: 50 * KIB])
        self.end()
        self.server.expect(b"B" * 100 * KIB, b"re one", b"re two")

    def test_many_answers(self) -> None:
        """If they are too many, the other direction stops until the message ends; nothing is lost."""
        self.begin(to_client_filter=lambda message, link: SendBack([message]))
        messages = [bytes([number]) * 10_000 for number in range(20)]
        for message in messages:
            self.server.send(message)
            self.here.settle()
        pair = self.here.pair(self.client)
        self.assertTrue(pair.server.outlet.crowded)
        self.assertTrue(pair.server.valve.closed)
        self.end()
        self.assertFalse(pair.server.valve.closed)
        self.server.expect(b"B" * 100 * KIB, *messages)

    def test_too_much(self) -> None:
        """An application that sends more than may wait loses the receiver, as where that does not read."""
        self.begin(limits=Limits(max_waiting=10_000))
        for _ in range(5):
            self.link.send_to_server(bytes(5000))
        ((_, side, error), *_) = self.here.calls.errors
        self.assertEqual((side, type(error.reason)), (Side.SERVER, SlowConsumer))

    def test_from_an_observer(self) -> None:
        """What the application sends while the lane is at work with the message waits, too."""
        sent: list[bytes] = []

        class Sender(Quiet):
            def relayed(self, link: Any, direction: Any, messages: int, size: int) -> None:
                if not sent:
                    sent.append(b"from an observer")
                    link.send_to_server(b"from an observer")

        self.make(observers=[Sender()])
        self.client.send_bytes(frame(b"one") + BIG[: 50 * KIB])
        self.here.settle()
        self.end()
        self.server.expect(b"one", b"B" * 100 * KIB, b"from an observer")

    def test_new_filter(self) -> None:
        """A filter that comes inside of a message sees the next one first."""
        self.begin()
        seen: list[bytes] = []

        def see(message: bytes, link: object) -> Any:
            seen.append(message)
            return PASS_ON

        self.here.repeater.replace_filters(to_server_filter=see)
        self.end()
        self.client.send(b"next")
        self.server.expect(b"B" * 100 * KIB, b"next")
        self.assertEqual(seen, [b"next"])

    def test_filter_gone(self) -> None:
        """If the filter goes while a message is kept for it, the rest passes, and so does what was kept."""
        self.begin(to_server_filter=lambda message, link: PASS_ON)
        self.assertEqual(self.passed, b"")
        self.here.repeater.replace_filters()
        self.end()
        self.server.expect(b"B" * 100 * KIB)


class SelectedTests(PassingCase):
    """Filters that see some of the messages."""

    def passes(self, selector: Selector | None, *pieces: bytes) -> int:
        """Let the beginning of a message come; return how much has left of it. The filter sees it if it is wanted."""
        seen: list[bytes] = []

        class Some:
            def __init__(self) -> None:
                self.selector = selector

            def filter(self, message: bytes, link: object) -> Any:
                seen.append(message)
                return PASS_ON

        self.make(to_server_filter=Some())
        for piece in pieces:
            self.client.send_bytes(piece)
        self.here.settle()
        passed = len(self.raw)
        self.client.send_bytes(BIG[sum(map(len, pieces)) :])
        self.server.expect(b"B" * 100 * KIB)
        wanted = selector is None or selector.matches(BIG, 4, len(BIG))
        self.assertEqual(len(seen), wanted)
        self.assertTrue(not passed or not wanted)
        return passed

    def test_decided_early(self) -> None:
        """Where the beginning of a message decides that the filter does not want it, the message passes in pieces."""
        half = BIG[: 50 * KIB]
        for selector in (
            first_byte(b"A"),
            bytes_at(3, {b"BBBA"}),
            ~first_byte(b"B"),
            first_byte(b"A") | bytes_at(1, {b"C"}),
            first_byte(b"B") & bytes_at(1, {b"C"}),
        ):
            self.assertEqual(self.passes(selector, half), len(half))
            self.assertEqual(self.passes(selector, *(half[at : at + 1] for at in range(30)), half[30:]), len(half))
        self.assertEqual(self.passes(bytes_at(60 * KIB, {b"A"}), half), 0)

    def test_wanted(self) -> None:
        """A message that it wants, or that must be seen whole for that, is kept."""
        half = BIG[: 50 * KIB]
        for selector in (
            None,
            first_byte(b"B"),
            contains({b"A"}),
            predicate(lambda payload: False),
            first_byte(b"A") | contains({b"A"}),
        ):
            self.assertEqual(self.passes(selector, half[: 20 * KIB], half[20 * KIB :]), 0)


class TornTests(PassingCase):
    """Senders that go down inside of a message that passes in pieces."""

    def begin(self, **options: Any) -> None:
        """Do so, while something waits for the end of the message."""
        super().begin(**options)
        self.pair.link.send_to_server(b"waits for the end")

    def check_torn(self) -> None:
        """The server has got the first half, then the end of the stream, and nothing else, whatever is tried."""
        self.link.send_to_server(b"too late")
        self.here.settle()
        self.assertTrue(self.passed == BIG[: 50 * KIB])
        self.assertTrue(self.pair.server.outlet.ended)

    def test_half_close(self) -> None:
        """A client that ends its stream there is told of as ever, and the server's stream ends with it."""
        self.begin(on_error=keep)
        self.client.end_stream()
        self.check_torn()
        ((_, side, error), *_) = self.here.calls.errors
        self.assertEqual((side, type(error.reason), error.reason.have), (Side.CLIENT, PartialFrame, 50 * KIB))

    def test_half_close_by_default(self) -> None:
        """By default the link ends then, and replies still arrive."""
        self.begin(on_error=end_link)
        self.server.keeps_open = True
        self.client.end_stream()
        self.check_torn()
        self.server.send(b"reply")
        self.client.expect(b"reply")
        self.server.end_stream()
        self.here.settle()
        self.assertTrue(self.pair.over)

    def test_lost(self) -> None:
        """So it is if the client's connection is lost; the server can still be heard."""
        self.begin(on_error=keep)
        self.pair.client.connectionLost()
        self.check_torn()
        self.assertFalse(self.pair.over)
        self.pair.close()
        self.here.settle()

    def test_closed(self) -> None:
        """So it is if the application closes the link there."""
        self.begin()
        self.pair.link.close()
        self.check_torn()
        self.here.advance(30)
        self.assertTrue(self.pair.over)

    def test_too_slow(self) -> None:
        """A frame that passes is watched like any other: a client that stands still is cut off."""
        self.begin(limits=Limits(frame_timeout=10), on_error=keep)
        self.here.advance(5)
        self.client.send_bytes(BIG[50 * KIB : 50 * KIB + 1])
        self.here.advance(8)
        self.assertEqual(self.here.calls.errors, [])
        self.here.advance(5)
        ((_, side, error), *_) = self.here.calls.errors
        self.assertEqual((side, type(error.reason)), (Side.CLIENT, FramingError))
        self.assertIn(f"{50 * KIB + 1} bytes of it had come", str(error.reason))
        self.assertTrue(self.pair.server.outlet.ended)
        self.pair.close()

    def test_aborted_at_work(self) -> None:
        """If the application aborts the link from an observer, nothing is written after the pieces."""

        class Aborting(Quiet):
            def relayed(self, link: Any, direction: Any, messages: int, size: int) -> None:
                pair_of(link).abort()

        self.make(observers=[Aborting()])
        self.client.send_bytes(frame(b"one") + BIG[: 50 * KIB])
        self.here.settle()
        self.assertTrue(self.pair.over)

    def test_answers_that_were_stopped(self) -> None:
        """A direction that was stopped by what waited goes on; its messages for the server have no way to go."""
        self.begin(to_client_filter=lambda message, link: PassOnAndSendBack([message]), on_error=keep)
        for number in range(20):
            self.server.send(bytes([number]) * 10_000)
        self.here.settle()
        self.assertTrue(self.pair.server.valve.closed)
        self.client.end_stream()
        self.check_torn()
        self.assertFalse(self.pair.server.valve.closed)
        self.client.expect(*(bytes([number]) * 10_000 for number in range(20)))
        self.pair.close()

    def test_small(self) -> None:
        """A sender that goes down inside of a small message costs the receiver nothing."""
        self.make()
        self.client.send_bytes(frame(b"x" * 1000)[:500])
        self.client.end_stream()
        self.link.send_to_server(b"still up")
        self.here.settle()
        self.server.expect(b"still up")


class SocketTests(LinkCase):
    """The same on real connections."""

    async def test_slow_reader(self) -> None:
        """A large message passes to a slow reader in pieces: no more of it is in memory than waits at any time."""
        await self.link()
        self.peer.transport.pauseProducing()
        big = bytes(range(256)) * 64 * KIB
        self.client.write(frame(big))
        outlet = self.ann.server.outlet
        await self.until(lambda: outlet.full)
        for _ in range(20):
            await turn()
        lane = self.ann.lanes[0]
        self.assertLess(lane.holding + lane.kept_size + outlet.waiting, 1024 * KIB)
        self.assertEqual(lane.messages, 0)
        self.ann.link.send_to_server(b"behind it")
        self.peer.transport.resumeProducing()
        await self.peer.seen.reach(3)
        self.assertTrue(self.peer.seen[1] == big)
        self.assertEqual(self.peer.seen[2], b"behind it")
        self.assertEqual(lane.messages, 1)

    async def test_torn(self) -> None:
        """The receiver of half a message gets the end of the stream then, also if the application keeps the link."""
        await self.link(on_error=keep)
        self.client.write(frame(bytes(200 * KIB))[: 100 * KIB])
        await self.until(lambda: self.ann.lanes[0].unfinished_size == 100 * KIB)
        self.ann.link.send_to_server(b"never sent")
        self.client.abort()
        await self.here.disconnected(CLIENT)
        await self.peer.lost()
        self.assertEqual(len(self.peer.seen), 2)
        self.ann.close()
        await self.over()
        self.assertIn(CLIENT, self.heard)
        self.assertIsInstance(self.ann.reason, Disconnected)


class Receiver:
    """Stands for a connection and its link: an outlet in memory, which can be paused."""

    def __init__(self) -> None:
        self.link = self
        self.transport = StringTransport()
        whole: Any = SimpleNamespace(encode=lambda payload: payload)
        self.outlet: Any = outlet_for(self.transport, self, whole, 1 << 30)  # type: ignore[arg-type]
        self.outlet.use(0, lambda message: message)
        self.lanes: list[Lane] = []
        self.paused = False

    def connection_full(self, connection: object) -> None:
        """See `Pair`."""

    def connection_drained(self, connection: object) -> None:
        """See `Pair`."""
        for lane in self.lanes:
            lane.unchoke()

    def end_stream(self) -> None:
        """See `EndingConnection`."""
        self.outlet.when_empty(lambda: None)

    def flip(self) -> None:
        """Pause, or go on."""
        self.paused = not self.paused
        if self.paused:
            self.outlet.pauseProducing()
        else:
            self.outlet.resumeProducing()


ITEMS = st.lists(st.sampled_from([0, 5, 3000, 16 * KIB - 5, 16 * KIB, 50_000]), max_size=6)
CUTS = st.lists(st.integers(0, 150_000), max_size=8)
KINDS = st.sampled_from(["int32", Lines, ResumingLines, FollowingResumingLines])
MODES = st.sampled_from(["none", "none", "some", "all"])


class ModelTests(SynchronousTestCase):
    """Two lanes and two outlets, whatever is sent, answered and paused meanwhile."""

    @given(KINDS, ITEMS, ITEMS, CUTS, MODES, MODES, st.lists(st.integers(0, 9), max_size=60), st.booleans())
    def test_whole_and_in_order(
        self,
        kind: Any,
        to_server: list[int],
        to_client: list[int],
        cuts: list[int],
        mode_a: str,
        mode_b: str,
        choices: list[int],
        ends: bool,
    ) -> None:
        """Each side gets whole frames: those of its sender, answers and sends, each in order; or ends in a torso."""
        client, server = Receiver(), Receiver()
        made = self.framing(kind)
        plans = []
        for name, sizes, mode, forward, back in (
            ("a", to_server, mode_a, server, client),
            ("b", to_client, mode_b, client, server),
        ):
            messages = [b"%s%d" % (b"?!"[number % 2 :][:1], number) + b"." * size for number, size in enumerate(sizes)]
            frames = [made.encode(name.encode() + message) for message in messages]
            setup = LaneSetup(
                filter=None if mode == "none" else self.answering(made, mode == "all"),
                selector=first_byte(b"c") if mode == "some" else None,
            )
            host = RecordingHost([])
            lane = Lane(setup, self.framing(kind), forward.outlet, back.outlet, host)
            lane.start()
            client.lanes.append(lane)
            server.lanes.append(lane)
            stream = b"".join(frames)
            places = sorted({0, len(stream), *(place % len(stream) for place in cuts)} if stream else [])
            reads = [stream[start:stop] for start, stop in pairwise(places)]
            if ends and name == "a":
                reads = reads[:-1]
            plans.append((lane, reads, frames, mode, host))
        sent: dict[int, list[bytes]] = {0: [], 1: []}

        def send(side: int) -> None:
            message = made.encode(b"s%d" % len(sent[side]) + b"," * 100)
            sent[side].append(message)
            (client, server)[side].outlet.send(message)

        def happen(choice: int) -> None:
            steps: list[Any] = [lambda plan=plan: plan[0].feed(plan[1].pop(0)) for plan in plans if plan[1]]
            steps += [lane.take_turn for lane, *_ in plans if lane.gave_way]
            steps += [client.flip, server.flip, lambda: send(0), lambda: send(1)]
            steps[choice % len(steps)]()

        for choice in choices:
            happen(choice)
        for receiver in (client, server):
            if receiver.paused:
                receiver.flip()
        while any(plan[1] or plan[0].gave_way for plan in plans):
            happen(0)
        for lane, _, _, _, host in plans:
            self.assertTrue(lane.idle)
            self.assertEqual(host.errors, [])
            lane.drop_unfinished()
        for side, receiver, (_, _, frames, _, _), (_, _, others, mode, _) in (
            (1, server, plans[0], plans[1]),
            (0, client, plans[1], plans[0]),
        ):
            del mode
            found, torso = self.read(made, receiver.transport.value())
            mine = [one for one in found if self.name_of(one, kind) == b"ba"[side : side + 1]]
            if torso:
                self.assertTrue(receiver.outlet.ended)
                self.assertTrue(frames[len(mine)].startswith(torso))
            self.assertTrue(frames[: len(mine)] == mine)
            if not ends or side == 0:
                self.assertEqual(len(mine), len(frames))
            own = [one for one in found if self.name_of(one, kind) == b"s"]
            self.assertTrue(own == sent[side][: len(own)])
            answers = [one for one in found if self.name_of(one, kind) == b"r"]
            asked = [
                made.encode(b"r" + self.payload(one, kind)[:3])
                for one in others
                if self.payload(one, kind)[1:2] == b"?"
            ]
            self.assertTrue(answers == asked[: len(answers)])
            if not torso:
                self.assertEqual(own, sent[side])
            self.assertEqual(len(found), len(mine) + len(own) + len(answers))

    def framing(self, kind: Any) -> Any:
        """Make a framing."""
        return Int32Framing(1 << 30) if kind == "int32" else kind()

    def payload(self, one: bytes, kind: Any) -> bytes:
        """Return the payload of a frame."""
        return one[4:] if kind == "int32" else one

    def name_of(self, one: bytes, kind: Any) -> bytes:
        """Return who has sent a frame."""
        return self.payload(one, kind)[:1]

    def answering(self, made: Any, answers: bool) -> Any:
        """Make a filter that answers questions, if it should."""

        def answer(message: bytes, link: object) -> Any:
            if answers and message[1:2] == b"?":
                return PassOnAndSendBack([made.encode(b"r" + message[:3])])
            return PASS_ON

        return answer

    def read(self, framing: Any, stream: bytes) -> tuple[list[bytes], bytes]:
        """Return the whole frames of a stream, and what follows them."""
        found = []
        at = 0
        while at < len(stream):
            stop = framing.find(stream, at, len(stream))
            if not 0 < stop <= len(stream):
                break
            found.append(stream[at:stop])
            at = stop
        return found, stream[at:]
