"""Frames that have begun and not ended: how long they may stand still, how much they may hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DO_NOTHING, PASS_ON, Disconnected, FramingError, Limits, PartialFrame, Side
from twisted_repeater._lane.frame_monitor import FrameMonitor
from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater._link.link import pair_of

from ..link.memory_case import MemoryCase
from ..peers import PeerCase, StoppedTime, World, frame, turn
from .lanes import FRAMING, RecordingHost, RecordingOutlet, frames

KIB = 1024


class WatchCase(SynchronousTestCase):
    """A test case with a watch, and lanes under it."""

    timeout: Any = 60.0

    def setUp(self) -> None:
        """Make the watch."""
        self.clock = Clock()
        self.watch = FrameMonitor(self.clock, self.timeout, 100 * KIB)
        self.addCleanup(self.check_nothing_is_left)
        self.lanes: list[Lane] = []

    filter: Any = None

    def lane(self) -> tuple[Lane, RecordingHost]:
        """Make a lane that passes everything on."""
        journal: list[str] = []
        host = RecordingHost(journal)
        forward, back = (RecordingOutlet(name, journal) for name in ("forward", "back"))
        lane = Lane(LaneSetup(frame_monitor=self.watch, filter=self.filter), FRAMING, forward, back, host)
        lane.start()
        self.lanes.append(lane)
        return lane, host

    def check_nothing_is_left(self) -> None:
        """When all lanes have ended nothing is counted, listed or waited for."""
        for lane in self.lanes:
            lane.discard()
        self.assertEqual((self.watch.size, self.watch._watched, self.clock.getDelayedCalls()), (0, {}, []))

    def seconds(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.pump([1.0] * seconds)


class TotalTests(WatchCase):
    """What is added up."""

    def test_counted(self) -> None:
        """What has come of a frame counts until the frame is whole, however it comes."""
        lane, _ = self.lane()
        stream = frames(b"x" * 1000, b"y" * 10)
        for cut in (2, 3, 4, 500, 1004, 1007):
            lane.feed(stream[:cut])
            self.assertEqual(self.watch.size, lane.unfinished_size)
            self.assertEqual(self.watch.size, cut - 1004 * (cut >= 1004))
            lane.feed(stream[cut:])
            self.assertEqual(self.watch.size, 0)

    def test_byte_by_byte(self) -> None:
        """So it does if each byte comes by itself, and if a filter asks for it."""
        for answer in (None, lambda message, link: PASS_ON, lambda message, link: DO_NOTHING):
            lane, _ = self.lane()
            lane.equip(replace(lane.setup, filter=answer))
            for byte in frames(b"x" * 300) * 2:
                lane.feed(bytes([byte]))
                self.assertEqual(self.watch.size, lane.unfinished_size)
            self.assertEqual(self.watch.size, 0)

    def test_of_all_lanes(self) -> None:
        """The frames of all lanes are added up; a lane that ends takes its own away, and so does a bad length."""
        lanes = [self.lane()[0] for _ in range(3)]
        for lane in lanes:
            lane.feed(frames(b"x" * 1000)[:600])
        self.assertEqual(self.watch.size, 1800)
        lanes[0].discard()
        lanes[1].drop_unfinished()
        self.assertEqual(self.watch.size, 600)
        lanes[2].feed(b"x" * 404 + b"\xff" * 4)
        self.assertEqual(self.watch.size, 0)

    def test_busy_lane(self) -> None:
        """A lane of which each read ends inside a frame is listed once, until a look finds it without one."""
        lane, _ = self.lane()
        stream = frames(b"x" * 10) * 100
        for start in range(0, len(stream), 9):
            lane.feed(stream[start : start + 9])
        self.assertEqual(list(self.watch._watched), [lane])
        self.seconds(1)
        self.assertEqual((self.watch._watched, lane.listed, self.clock.getDelayedCalls()), ({}, False, []))
        lane.feed(stream[:9])
        self.assertTrue(lane.listed)


class TimeoutTests(WatchCase):
    """How long a frame may stand still."""

    def test_stands_still(self) -> None:
        """A frame of which nothing comes for too long costs its sender its link; the error says whose, and how long."""
        lane, host = self.lane()
        lane.feed(frames(b"x" * 1000)[:600])
        self.seconds(59)
        self.assertEqual(host.errors, [])
        self.seconds(2)
        (error,) = host.errors
        self.assertIsInstance(error, FramingError)
        self.assertEqual(
            str(error),
            "a frame of the client made no progress within 60 seconds, frame_timeout; 600 bytes of it had come",
        )
        self.assertTrue(lane.discarding)

    def test_header(self) -> None:
        """That holds for a header, too."""
        lane, host = self.lane()
        lane.feed(b"\0\0")
        self.seconds(61)
        self.assertEqual(len(host.errors), 1)

    def test_slow_but_steady(self) -> None:
        """A sender that sends a byte now and then is slow, no more; so is one that pauses between frames."""
        lane, host = self.lane()
        stream = frames(b"x" * 20)
        for byte in stream[:-1]:
            lane.feed(bytes([byte]))
            self.seconds(58)
        lane.feed(stream[-1:])
        self.seconds(600)
        lane.feed(stream)
        self.seconds(600)
        self.assertEqual(host.errors, [])

    def test_frame_after_frame(self) -> None:
        """A frame of the same size as the one before is another."""
        lane, host = self.lane()
        lane.feed(frames(b"x" * 1000)[:600])
        for _ in range(5):
            self.seconds(50)
            lane.feed(frames(b"x" * 1000)[600:] + frames(b"x" * 1000)[:600])
        self.assertEqual(host.errors, [])

    def test_not_read(self) -> None:
        """While the connection is not read, because the other side is slow, time does not count."""
        lane, host = self.lane()
        lane.feed(frames(b"x" * 1000)[:600])
        self.seconds(30)
        host.is_read = False
        self.seconds(600)
        host.is_read = True
        self.seconds(59)
        self.assertEqual(host.errors, [])
        self.seconds(2)
        self.assertEqual(len(host.errors), 1)

    def test_process_stopped(self) -> None:
        """An hour in which the process did not run, or by which the clock was set, is nobody's fault."""
        lane, host = self.lane()
        lane.feed(frames(b"x" * 1000)[:600])
        self.clock.advance(3600)
        self.assertEqual(host.errors, [])
        self.seconds(60)
        self.assertEqual(len(host.errors), 1)

    def test_ended_by_another(self) -> None:
        """A lane that ends because another was cut off, as an application may do, is not cut off itself."""
        first, host = self.lane()
        second, other = self.lane()
        for lane in (first, second):
            lane.feed(frames(b"x" * 1000)[:600])
        host.on_event = lambda event: second.discard()
        self.seconds(61)
        self.assertEqual((len(host.errors), other.errors), (1, []))

    def test_begun_while_another_is_cut_off(self) -> None:
        """A frame that begins because another was cut off is looked at as often as all, and leaves no timer behind."""
        first, host = self.lane()
        second, _ = self.lane()
        first.feed(frames(b"x" * 1000)[:10])
        host.on_event = lambda event: second.feed(frames(b"x" * 1000)[:10])
        self.seconds(60)
        self.assertEqual((len(host.errors), second.unfinished_size), (1, 10))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_the_others(self) -> None:
        """The lanes that are left are looked at as before."""
        first, host = self.lane()
        second, other = self.lane()
        first.feed(frames(b"x" * 1000)[:600])
        self.seconds(30)
        second.feed(frames(b"x" * 1000)[:600])
        self.seconds(31)
        self.assertEqual((len(host.errors), len(other.errors)), (1, 0))
        self.seconds(30)
        self.assertEqual((len(host.errors), len(other.errors)), (1, 1))


class ShortTimeoutTests(WatchCase):
    """A timeout below a second."""

    timeout = 0.5

    def test_in_time(self) -> None:
        """It is kept about as exactly."""
        lane, host = self.lane()
        lane.feed(frames(b"x" * 1000)[:600])
        self.clock.pump([1 / 16] * 7)
        self.assertEqual(host.errors, [])
        self.clock.pump([1 / 16] * 2)
        self.assertEqual(len(host.errors), 1)


class NoTimeoutTests(WatchCase):
    """No timeout."""

    timeout = None

    def test_for_ever(self) -> None:
        """A frame may take as long as it likes."""
        lane, host = self.lane()
        lane.feed(frames(b"x" * 1000)[:600])
        self.seconds(10_000)
        self.assertEqual(host.errors, [])


def see(message: object, link: object) -> Any:
    """Be a filter that sees all messages, so that they are kept until they are whole."""
    return PASS_ON


class ReliefTests(WatchCase):
    """How much unfinished frames may hold."""

    filter = staticmethod(see)

    def begin(self, size: int, of: int = 0) -> tuple[Lane, RecordingHost]:
        """Make a lane of which so many bytes of a frame have come."""
        lane, host = self.lane()
        lane.feed(frames(b"x" * (of or 2 * size))[:size])
        return lane, host

    def test_largest(self) -> None:
        """Of frames that began at the same time the largest goes; the error says whose, how much, and the limit."""
        hosts = [self.begin(size * KIB)[1] for size in (20, 40, 30, 11)]
        self.assertEqual([host.errors for host in hosts], [[], [], [], []])
        self.clock.advance(0)
        self.assertEqual([len(host.errors) for host in hosts], [0, 1, 0, 0])
        self.assertIsInstance(hosts[1].errors[0], FramingError)
        self.assertEqual(
            str(hosts[1].errors[0]),
            "unfinished frames hold 103424 bytes, max_unfinished_frames is 102400; "
            "that of the client, 40960 bytes, was the largest and slowest",
        )
        self.assertEqual(self.watch.size, 61 * KIB)

    def test_slowest(self) -> None:
        """A small one that has been coming for long goes before a large one that comes fast."""
        slow = self.begin(30 * KIB)[1]
        self.seconds(10)
        fast = self.begin(60 * KIB)[1]
        last = self.begin(20 * KIB)[1]
        self.clock.advance(0)
        self.assertEqual([len(host.errors) for host in (slow, fast, last)], [1, 0, 0])

    def test_growing(self) -> None:
        """One that grows by a little all the time is slow all the same; one whose connection is not read is not."""
        slow, host = self.begin(20 * KIB)
        unread = self.begin(20 * KIB)[1]
        unread.is_read = False
        for _ in range(10):
            self.seconds(1)
            slow.feed(b"x")
        newcomer = self.begin(61 * KIB)[1]
        self.clock.advance(0)
        self.assertEqual([len(one.errors) for one in (host, unread, newcomer)], [1, 0, 0])

    def test_enough(self) -> None:
        """Not more of them go than must, and whole frames do not count."""
        hosts = [self.begin(19 * KIB)[1] for _ in range(10)]
        self.clock.advance(0)
        self.assertEqual(sum(len(host.errors) for host in hosts), 5)
        self.assertEqual(self.watch.size, 95 * KIB)
        lane, host = self.lane()
        lane.feed(frames(*[b"x" * 10 * KIB] * 50))
        self.clock.advance(0)
        self.assertEqual(host.errors, [])

    def test_finished_meanwhile(self) -> None:
        """Nobody goes if a frame was finished in the same turn."""
        lane, host = self.begin(60 * KIB, of=61 * KIB)
        other = self.begin(45 * KIB)[1]
        lane.feed(b"x" * (KIB + 4))
        self.clock.advance(0)
        self.assertEqual((host.errors, other.errors), ([], []))

    def test_ended_by_another(self) -> None:
        """A lane that ends because another was cut off is not cut off itself."""
        second = self.begin(33 * KIB)
        first = self.begin(68 * KIB)
        third = self.begin(33 * KIB)
        first[1].on_event = lambda event: second[0].discard()
        self.clock.advance(0)
        self.assertEqual([len(host.errors) for _, host in (first, second, third)], [1, 0, 0])

    def test_alone(self) -> None:
        """One frame that is above the limit by itself goes, too."""
        host = self.begin(101 * KIB)[1]
        self.clock.advance(0)
        self.assertEqual((len(host.errors), self.watch.size), (1, 0))

    def test_ended_in_between(self) -> None:
        """If that does not suffice, those that are left go on to be cut off."""
        lanes = [self.begin(size * KIB) for size in (90, 80, 70, 60)]
        lanes[0][1].on_event = lambda event: lanes[1][0].discard()
        self.clock.advance(0)
        self.assertEqual([len(host.errors) for _, host in lanes], [1, 0, 1, 0])


LIMITS = Limits(max_frame=16 * KIB, max_unfinished_frames=64 * KIB)


class LinkTests(MemoryCase):
    """What becomes of a link."""

    def test_cut_off(self) -> None:
        """The application hears which side of which link went down; the rest of what was said is delivered."""
        world = self.memory(limits=LIMITS)
        client, server = world.linked("ann")
        server.send_bytes(frame(b"x" * 1000)[:600])
        client.send_bytes(frame(b"one") + frame(b"x" * 1000)[:500])
        world.advance(61)
        self.assertEqual({side for _, side, _ in world.calls.errors}, set(Side))
        for _, side, error in world.calls.errors:
            self.assertIsInstance(error, Disconnected)
            self.assertFalse(error.half_closed)
            self.assertIn(f"a frame of the {side.value} made no progress", str(error.reason))
        server.expect(b"one")

    def test_held_frames(self) -> None:
        """The time does not count while the lane waits for a verdict."""
        answers: list[Deferred[Any]] = []

        def later(message: bytes, link: Any) -> Any:
            answers.append(Deferred())
            return answers[-1]

        world = self.memory(limits=LIMITS, to_server_filter=later)
        client, server = world.linked("ann")
        client.send_bytes(frame(b"one") + frame(b"two")[:5])
        world.advance(600)
        answers[0].callback(PASS_ON)
        world.advance(50)
        client.send_bytes(frame(b"two")[5:])
        answers[1].callback(PASS_ON)
        world.settle()
        self.assertEqual((world.calls.errors, server.received), ([], [b"one", b"two"]))

    def test_end_inside_a_frame(self) -> None:
        """What has come of a frame is forgotten with the end of its stream, also if the application keeps the link."""
        world = self.memory(limits=LIMITS)
        client, _ = world.linked("ann")
        client.send_bytes(frame(b"x" * 1000)[:500])
        self.assertEqual(world.factory.frame_monitor.size, 500)
        client.end_stream()
        self.assertIsInstance(world.calls.errors[0][2].reason, PartialFrame)
        self.assertEqual(world.factory.frame_monitor.size, 0)
        world.advance(100)
        self.assertEqual(len(world.calls.errors), 1)

    def test_begun_behind_a_late_verdict(self) -> None:
        """So it is if it stood behind a message whose verdict came when its side was lost."""
        verdict: Deferred[Any] = Deferred()
        world = self.memory(limits=LIMITS, to_server_filter=lambda message, link: verdict)
        client, server = world.linked("ann")
        client.send_bytes(frame(b"one") + frame(b"x" * 1000)[:500])
        world.pair(client).client.connectionLost()
        self.assertEqual(world.pair(client).down, {Side.CLIENT})
        verdict.callback(PASS_ON)
        world.settle()
        server.expect(b"one")
        self.assertEqual((world.pair(client).over, world.factory.frame_monitor.size), (False, 0))

    def test_closed_by_the_message_before(self) -> None:
        """So it is if the filter closed the link at the message before; then nobody is cut off who still reads."""
        world = self.memory(limits=LIMITS, to_server_filter=lambda message, link: link.close() or PASS_ON)
        client, server = world.linked("ann")
        link = world.pair(client)
        client.pause()
        for _ in range(20):
            link.link.send_to_client(bytes(10_000))
        client.send_bytes(frame(b"one") + frame(b"x" * 1000)[:500])
        server.expect(b"one")
        self.assertEqual((link.over, world.factory.frame_monitor.size), (False, 0))
        client.resume()
        self.assertTrue(link.over)

    def test_of_a_side_that_is_cut_off(self) -> None:
        """So it is if its sender is cut off for another reason, and the application keeps the link."""
        world = self.memory(limits=LIMITS)
        client, _ = world.linked("ann")
        client.send_bytes(frame(b"x" * 1000)[:500])
        pair = world.pair(client)
        pair.connection_overflowed(pair.client)
        self.assertFalse(world.pair(client).over)
        self.assertEqual(world.factory.frame_monitor.size, 0)


class SocketTests(PeerCase):
    """The same on real connections."""

    async def test_strangers(self) -> None:
        """Strangers who begin large frames don't fill the memory, nor keep out a client that sends a smaller one."""
        time = StoppedTime()
        limits = Limits(max_frame=256 * KIB, max_unfinished_frames=1024 * KIB)
        world = await self.world(limits=limits, reactor=time, to_server_filter=see)
        watch = world.repeater._factory.frame_monitor
        strangers = [(await world.linked(f"stranger{number}"))[0] for number in range(20)]
        ann, peer = await world.linked("ann")
        message = frame(b"x" * 200 * KIB)
        most = 0
        for number, stranger in enumerate(strangers):
            stranger.write(frame(b"x" * 256 * KIB)[:-KIB])
            ann.write(message[number * 10 * KIB : (number + 1) * 10 * KIB])
            for _ in range(3):
                await turn()
                most = max(most, watch.size)
        ann.write(message[200 * KIB :])
        await peer.seen.reach(2)
        await world.calls.until(lambda: self.cut_off(world) >= 16)
        self.assertEqual(peer.seen[1:], [b"x" * 200 * KIB])
        self.assertNotIn(("ann", Side.CLIENT), world.disconnections)
        self.assertLess(most, 1024 * KIB + 256 * KIB)
        for number, stranger in enumerate(strangers):
            if (f"stranger{number}", Side.CLIENT) in world.disconnections:
                await stranger.lost()

    async def test_closing_inside_a_frame(self) -> None:
        """What has come of a frame is forgotten when the link closes, however long that takes."""
        world = await self.world()
        total = world.repeater._factory.frame_monitor
        ann, peer = await world.linked("ann")
        ann.write(frame(b"x" * 1000)[:500])
        ann_link = world.repeater.link("ann")
        assert ann_link is not None
        link: Any = pair_of(ann_link)
        ann.transport.pauseProducing()
        peer.send(*[bytes(100_000)] * 100)
        while not (link.client.outlet.full and link.lanes[0].unfinished_size):
            await turn()
        link.close()
        self.assertFalse(link.over)
        self.assertEqual(total.size - link.lanes[1].kept_size, 0)

    def cut_off(self, world: World) -> int:
        """Count the clients that were cut off."""
        return sum(
            side is Side.CLIENT and told == (FramingError, False) for (_, side), told in world.disconnections.items()
        )
