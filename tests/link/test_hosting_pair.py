"""What lanes call of their pair: on real sockets, and in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import PASS_ON, Close, Later, Limits, OnFilterError
from twisted_repeater._lane.delayed import MAX_DELAYED
from twisted_repeater._slices import SLICE
from twisted_repeater.errors import Disconnected, FilterTimeout, FramingError, ParseError

from ..peers import END, Server, turn
from .links import LinkCase, messages
from .memory_case import MemoryCase


def late(message: bytes, link: Any) -> Any:
    """Pass on after 50 ms."""
    return Later(0.05)


class LaterTests(LinkCase):
    """Messages that go out later, on sockets."""

    limits = Limits(close_timeout=20, linger=20)

    async def test_half_close(self) -> None:
        """A client that ends its stream behind delayed messages loses none, and its server then sees the end."""
        await self.link(to_server_filter=late, server=Server(half_close=True), client={"half_close": True})
        requests = [b"%d" % index for index in range(1000)]
        self.client.send(*requests)
        self.client.end_stream()
        await self.peer.seen.holds(END)
        self.assertEqual(self.peer.seen[1:-1], requests)
        self.client.close()
        self.peer.close()
        await self.over()

    async def test_shutdown(self) -> None:
        """A repeater that is shut down delivers what is delayed."""
        await self.link(to_server_filter=late)
        self.client.send(b"last")
        await self.until(lambda: self.ann.lanes[0].messages == 1)
        done = self.here.repeater.shutdown()
        await self.peer.seen.holds(b"last")
        self.client.close()
        await done

    async def test_abort(self) -> None:
        """An aborted link drops what is delayed, and leaves no timer."""
        await self.link(to_server_filter=lambda message, link: Later(1000))
        self.client.send(b"lost")
        await self.until(lambda: self.ann.lanes[0].messages == 1)
        self.assertFalse(self.ann.lanes[0].idle)
        self.ann.abort()
        await self.over()
        self.assertTrue(self.ann.lanes[0].idle)

    async def test_a_full_queue_stops_reading(self) -> None:
        """While too much is delayed, the client is not read; everything arrives in order afterwards."""
        # For so long that a busy machine does not send the first ones before the queue is full.
        await self.link(to_server_filter=lambda message, link: Later(1))
        big = [b"%d" % index + b"x" * 10_000 for index in range(150)]
        self.client.send(*big)
        await self.until(lambda: self.ann.client.valve.closed)
        self.assertLess(self.ann.lanes[0].size, 2 * MAX_DELAYED)
        await self.peer.seen.reach(151)
        self.assertEqual(messages(self.peer), big)
        await self.until(lambda: not self.ann.client.valve.closed)

    async def test_a_server_that_does_not_read(self) -> None:
        """If the target takes nothing, what is due waits in its queue, and the client is not read."""
        await self.link(to_server_filter=late)
        self.peer.transport.pauseProducing()
        big = [b"%d" % index + b"x" * 10_000 for index in range(1000)]
        self.client.send(*big)
        await self.until(lambda: self.ann.server.outlet.full and self.ann.client.valve.closed)
        for _ in range(20):
            await turn()
        self.assertLess(self.ann.server.outlet.waiting, 2 * MAX_DELAYED)
        self.peer.transport.resumeProducing()
        await self.peer.seen.reach(1001)
        self.assertEqual(messages(self.peer), big)


class HostTests(MemoryCase):
    """What else lanes report."""

    def linked(self, **options: Any) -> Any:
        """Make a link in memory."""
        self.running = self.memory(**options)
        self.client, self.server = self.running.linked("ann")
        return self.running.pair(self.client)

    def test_a_bug(self) -> None:
        """If a lane raises at its turn, or as it sends later, its connection is aborted."""

        class Broken:
            """A lane with a bug."""

            direction: Any = None

            def release(self) -> None:
                """Fail."""
                raise ZeroDivisionError

            take_turn = release

        for name in ("release", "take_turn"):
            pair = self.linked()
            lane: Any = Broken()
            lane.direction = pair.lanes[0].direction
            self.assertRaises(ZeroDivisionError, pair._go_on, lane, getattr(lane, name))
            self.assertTrue(pair.client.lost or pair.client.closes)

    def test_a_lane_that_gives_way(self) -> None:
        """A lane that has worked for long goes on in the next turn of the reactor."""

        def slow(message: bytes, link: Any) -> Any:
            self.running.clock.rightNow += SLICE * 2
            return PASS_ON

        pair = self.linked(to_server_filter=slow)
        self.client.send(b"a", b"b", b"c")
        self.running.settle()
        self.server.expect(b"a", b"b", b"c")
        self.assertTrue(pair.lanes[0].idle)

    def test_a_verdict_that_does_not_come(self) -> None:
        """A verdict is awaited for ``filter_timeout``, and its connection is not read meanwhile."""
        pair = self.linked(
            to_server_filter=lambda message, link: Deferred(),
            limits=Limits(filter_timeout=5),
            on_filter_error=OnFilterError.PASS_ON,
        )
        self.client.send(b"a")
        self.running.settle()
        self.assertTrue(pair.client.valve.closed)
        self.running.advance(5.1)
        self.server.expect(b"a")
        self.assertFalse(pair.client.valve.closed)
        self.assertEqual(len(self.flushLoggedErrors(FilterTimeout)), 1)

    def test_errors(self) -> None:
        """Errors of a stream, of a message, and verdicts that close reach the application and the link."""
        pair = self.linked(to_server_filter=lambda message, link: Close() if message == b"end" else PASS_ON)
        pair.lane_parse_error(pair.lanes[0], ParseError("odd"))
        self.assertIsInstance(self.running.errors[0], ParseError)
        self.assertTrue(pair.lane_is_read(pair.lanes[0]))
        self.client.send(b"end")
        self.running.settle()
        self.assertTrue(pair.closing)
        pair = self.linked()
        self.client.send_bytes(b"\xff\xff\xff\xff")
        self.running.settle()
        error = self.running.errors[0]
        assert isinstance(error, Disconnected)
        self.assertIsInstance(error.reason, FramingError)
