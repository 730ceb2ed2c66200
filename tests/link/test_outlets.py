"""Outlets on real sockets, with every reactor, and on transports that push back."""

from __future__ import annotations

import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.protocol import Factory
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater._link.outlet import HIGH_WATER, SMALL
from twisted_repeater._link.outlets import BufferedOutlet, SocketOutlet, TLSOutlet, outlet_for
from twisted_repeater.framings.length import Int32Framing

from ..paths import ROOT
from ..peers import END, LOST, turn
from ..programs import LONGEST
from . import test_outlet
from .test_outlet import MAX_WAITING, SocketCase, new_host

reactor: Any = installed_reactor

REACTORS = ("select", "poll", "epoll", "kqueue", "asyncio")


class WritingTests(SocketCase):
    """What goes out, and when."""

    def test_interfaces(self) -> None:
        """An outlet is a producer of either kind."""
        verifyObject(IPushProducer, self.outlet)
        verifyObject(IPullProducer, self.outlet)

    async def test_ends_at_once(self) -> None:
        """Our stream ends, and the connection closes, without waiting for a turn of the reactor."""
        self.outlet.when_empty(self.outlet.end_stream)
        self.assertFalse(self.own.transport in reactor.getWriters())
        await self.peer.seen.holds(END)
        self.outlet.close_connection()
        self.assertFalse(self.own.transport.connected)
        self.peer.transport.loseConnection()
        await self.peer.seen.holds(LOST)

    async def test_at_once(self) -> None:
        """What a connection takes is written before `push` returns, in order."""
        self.outlet.push([b"one"])
        self.outlet.push([b"two", b"three"])
        self.assertEqual((self.outlet.waiting, self.outlet.progress), (0, 11))
        await self.peer.has(11)
        self.assertEqual(self.peer.received, b"onetwothree")

    async def test_burst(self) -> None:
        """Small messages of the application's own leave together, in the next turn, behind nothing that comes later."""
        for index in range(100):
            self.outlet.send(b"%03d," % index)
        self.outlet.push([b"pushed"])
        self.assertEqual(self.outlet.waiting, 406)
        await self.peer.has(406)
        self.assertEqual(self.peer.received, b"".join(b"%03d," % index for index in range(100)) + b"pushed")
        self.assertLessEqual(len(self.peer.seen), 2)
        self.assertEqual((self.outlet.waiting, self.outlet.full), (0, False))

    async def test_send_at_once(self) -> None:
        """One that is to go at once is written before `send` returns."""
        self.outlet.send(b"one", at_once=True)
        self.assertEqual((self.outlet.waiting, self.outlet.progress), (0, 3))
        await self.peer.has(3)

    async def test_large_frame(self) -> None:
        """A frame far larger than all buffers arrives whole."""
        for write in (lambda data: self.outlet.push([data]), self.outlet.send):
            data = random.randbytes(3_000_000)
            self.peer.received.clear()
            write(data)
            await self.peer.has(len(data))
            self.assertEqual(self.peer.received, data)
            await self.peer.seen.until(lambda: True)

    async def test_order(self) -> None:
        """Bytes leave in the order in which they were written, whichever way, however the peer reads."""
        generator = random.Random(42)
        written = bytearray()
        for step in range(600):
            size = generator.choice((5, 50, SMALL, 20_000, 70_000, 200_000 if step % 50 == 0 else 1))
            piece = generator.randbytes(size)
            if generator.random() < 0.5:
                written += piece
                self.outlet.push([piece[: size // 2], piece[size // 2 :]])
            elif self.outlet.waiting < MAX_WAITING // 2:
                written += piece
                self.outlet.send(piece)
            if generator.random() < 0.3:
                await turn()
            if generator.random() < 0.2:
                self.peer.transport.pauseProducing()
            elif generator.random() < 0.5:
                self.peer.transport.resumeProducing()
        self.peer.transport.resumeProducing()
        await self.peer.has(len(written))
        self.assertEqual(self.peer.received, written)
        await self.host.told.until(lambda: self.host.told[-1] == "drained")
        self.assertEqual((self.outlet.waiting, self.outlet.full), (0, False))
        self.assertEqual(self.host.told, ["full", "drained"] * (len(self.host.told) // 2))

    async def test_full_and_drained(self) -> None:
        """The host hears when more waits than should, and when nothing waits any more."""
        pushed = await self.fill()
        self.assertEqual(self.host.told, ["full"])
        self.assertTrue(HIGH_WATER < self.outlet.waiting <= HIGH_WATER + 10_000, self.outlet.waiting)
        seen: list[Any] = []
        self.host.when_drained = lambda: seen.append((self.outlet.full, self.outlet.waiting))
        self.peer.transport.resumeProducing()
        await self.host.told.holds("drained")
        self.assertEqual((self.host.told, seen), (["full", "drained"], [(False, 0)]))
        await self.peer.has(len(pushed))
        self.assertEqual(self.peer.received, pushed)

    async def test_does_not_spin(self) -> None:
        """A transport that waits for its peer, or has nothing to send, is left alone by the reactor."""
        await self.fill()
        in_vain: list[int] = []
        write = self.own.transport.doWrite

        def counted() -> Any:
            before = self.outlet.progress
            result = write()
            if self.outlet.progress == before:  # the system's buffers may grow
                in_vain.append(before)
            return result

        self.own.transport.doWrite = counted
        await turn(20)
        self.assertEqual(in_vain, [])
        self.peer.transport.resumeProducing()
        await self.host.told.holds("drained")
        in_vain.clear()
        await turn(20)
        self.assertEqual(in_vain, [])

    async def test_pushed_when_drained(self) -> None:
        """What the host pushes as soon as it hears that nothing waits any more goes out as well."""
        pushed = await self.fill()
        self.host.when_drained = lambda: self.outlet.push([b"the rest"])
        self.peer.transport.resumeProducing()
        await self.peer.has(len(pushed) + 8)
        self.assertTrue(self.peer.received.endswith(b"the rest"))

    async def test_tiny_messages(self) -> None:
        """Many tiny messages that wait are kept as a few large pieces."""
        pushed = await self.fill()
        for index in range(100_000):
            self.outlet.send(b"%05d" % index)
        assert self.outlet._queue is not None
        self.assertLess(len(self.outlet._queue), 20)
        self.peer.transport.resumeProducing()
        await self.peer.has(len(pushed) + 500_000)
        self.assertEqual(self.peer.received[len(pushed) :], b"".join(b"%05d" % index for index in range(100_000)))


class UnknownSocketTests(SocketCase):
    """Where the transport does not say which socket it has, it writes itself."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Have an outlet without a socket."""
        await super().setUp()
        self.outlet.socket = None

    test_order = WritingTests.test_order
    test_full_and_drained = WritingTests.test_full_and_drained
    test_reset = test_outlet.EndTests.test_reset


class LostTests(SocketCase):
    """Writing to a connection that is lost."""

    test_reset = test_outlet.EndTests.test_reset


class UnixTests(SocketCase):
    """The same on Unix sockets, as far as they differ."""

    unix = True
    test_order = WritingTests.test_order
    test_full_and_drained = WritingTests.test_full_and_drained
    test_does_not_spin = WritingTests.test_does_not_spin
    test_when_empty = test_outlet.EndTests.test_when_empty
    test_unacknowledged = test_outlet.TakenTests.test_unacknowledged
    test_acknowledged = test_outlet.TakenTests.test_acknowledged
    test_lost = test_outlet.TakenTests.test_lost


def is_here(name: str) -> bool:
    """Whether Twisted has this reactor on this system."""
    try:
        import_module(f"twisted.internet.{name}reactor")
    except (ImportError, AttributeError):
        return False
    return True


class ReactorTests(SynchronousTestCase):
    """The private way to write works with every reactor that Twisted has here."""

    def test_each(self) -> None:
        """Bytes leave in order, the host hears of full and of drained, and nothing spins."""
        command = [sys.executable, "-m", "twisted.trial", "--temp-directory", str(Path(self.mktemp()).absolute())]
        for name in filter(is_here, REACTORS):
            done = subprocess.run(
                [*command, f"--reactor={name}", WritingTests.__module__ + ".WritingTests"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=LONGEST,
                check=False,
            )
            self.assertEqual(done.returncode, 0, f"{name}: {done.stdout}{done.stderr}")


class ChoiceTests(SocketCase):
    """Which outlet a transport gets."""

    async def test_plain_socket(self) -> None:
        """A plain socket is written to past the transport's buffer."""
        self.assertIsInstance(self.outlet, SocketOutlet)

    async def test_others(self) -> None:
        """TLS, wrappers and transports that lack one of the private names are written to as usual."""
        self.outlet.when_empty(lambda: None)
        wrapper = ProtocolWrapper(WrappingFactory(Factory()), self.own)
        wrapper.transport = self.own.transport
        encrypted = Plain()
        encrypted.TLS = True  # type: ignore[attr-defined]
        lacking = Plain()
        lacking.startWriting = None  # type: ignore[assignment, method-assign]
        for transport in (wrapper, StringTransport(), encrypted, lacking):
            outlet = outlet_for(transport, self.host, Int32Framing(100), MAX_WAITING)
            self.assertIsInstance(outlet, BufferedOutlet, repr(transport))
        self.assertTrue(SocketOutlet.fits(Plain()))

    async def test_fallback(self) -> None:
        """On a socket whose transport lacks the private names everything arrives all the same, with back-pressure."""
        self.own.transport.unregisterProducer()
        self.patch(SocketOutlet, "fits", lambda transport: False)
        self.outlet = outlet_for(self.own.transport, self.host, Int32Framing(100), MAX_WAITING)
        pushed = await self.fill()
        self.outlet.push([b"one", b"two"])
        self.outlet.send(b"three")
        self.peer.transport.resumeProducing()
        await self.host.told.holds("drained")
        await self.peer.has(len(pushed) + 11)
        self.assertEqual(self.peer.received, pushed + b"onetwothree")

    async def test_read_at_once(self) -> None:
        """How much is read at once is set on a plain socket only: elsewhere it would be another thing, or nothing."""
        self.outlet.read_at_once(1000)
        self.peer.transport.write(bytes(3000))
        await self.own.has(3000)
        self.assertEqual(max(self.own.seen), 1000)
        transport = StringTransport()
        outlet_for(transport, self.host, Int32Framing(100), MAX_WAITING).read_at_once(1000)
        self.assertFalse(hasattr(transport, "bufferSize"))

    async def test_tls(self) -> None:
        """TLS that can write at once is written to so, if it is on a plain socket; small frames are collected."""
        transport: Any = OverPlain()
        outlet = outlet_for(transport, self.host, Int32Framing(100), MAX_WAITING)
        self.assertIsInstance(outlet, TLSOutlet)
        outlet.push([b"one", b"two"])
        outlet.send(b"three")
        self.assertEqual(transport.calls, [("at once", b"onetwo"), ("soon", b"three")])
        outlet.read_at_once(1000)
        self.assertEqual(transport.transport.bufferSize, 1000)
        transport.transport = StringTransport()
        other: Any = outlet_for(transport, self.host, Int32Framing(100), MAX_WAITING)
        self.assertIs(type(other), BufferedOutlet)


class OverPlain:
    """TLS that can write at once, on a plain socket."""

    def __init__(self) -> None:
        self.transport: Any = Plain()
        self.calls: list[tuple[str, bytes]] = []
        self.write = lambda data: self.calls.append(("soon", data))
        self.write_at_once = lambda data: self.calls.append(("at once", data))

    def can_write_at_once(self) -> bool:
        """See `RelayingTLS`."""
        return True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See `IConsumer`."""


class Plain(FileDescriptor):
    """A transport that could be a plain socket."""

    def __init__(self) -> None:
        super().__init__(reactor)


class PushTests(SynchronousTestCase):
    """On a transport that asks its producer to pause and to go on, as TLS does."""

    def setUp(self) -> None:
        """Make an outlet on a transport that only keeps what is written."""
        self.host = new_host()
        self.transport = StringTransport()
        self.outlet = outlet_for(self.transport, self.host, Int32Framing(100), MAX_WAITING)

    def test_registered(self) -> None:
        """It is registered as a push producer, and can end the stream only with the connection."""
        self.assertIs(self.transport.producer, self.outlet)
        self.assertTrue(self.transport.streaming)
        self.assertFalse(self.outlet.can_half_close)

    def test_written_at_once(self) -> None:
        """Everything is written as it comes, until the transport asks for a pause."""
        self.outlet.push([b"one", b"two"])
        self.outlet.send(b"three")
        self.outlet.send(bytes(HIGH_WATER))
        self.assertEqual(self.transport.value(), b"onetwothree" + bytes(HIGH_WATER))
        self.assertEqual((self.outlet.waiting, self.host.told), (0, []))

    def test_paused(self) -> None:
        """During a pause everything waits, in order; then it goes out."""
        self.outlet.pauseProducing()
        self.outlet.pauseProducing()
        self.outlet.push([b"one"])
        self.outlet.send(b"two")
        self.assertEqual((self.transport.value(), self.outlet.waiting), (b"", 6))
        self.assertTrue(self.outlet.full)
        self.outlet.resumeProducing()
        self.assertEqual((self.transport.value(), self.outlet.waiting), (b"onetwo", 0))
        self.assertEqual(self.host.told, ["full", "drained"])

    def test_paused_again(self) -> None:
        """A pause in the middle of what waited holds the rest."""
        self.outlet.pauseProducing()
        for _ in range(3):
            self.outlet.push([bytes(SMALL)])
        write = self.transport.write

        def write_and_pause(data: bytes) -> None:
            write(data)
            self.outlet.pauseProducing()

        self.transport.write = write_and_pause  # type: ignore[method-assign]
        for left in (2, 1, 0):
            progress = self.outlet.progress
            self.outlet.resumeProducing()
            self.assertEqual(self.outlet.waiting, left * SMALL)
            self.assertGreater(self.outlet.progress, progress)
        self.assertEqual(self.host.told, ["full"])
        self.outlet.resumeProducing()
        self.assertEqual(self.host.told, ["full", "drained"])

    def test_overflow(self) -> None:
        """What the application sends during a pause is limited."""
        self.outlet.pauseProducing()
        for _ in range(MAX_WAITING // HIGH_WATER + 1):
            self.outlet.send(bytes(HIGH_WATER))
        self.assertEqual(self.host.told, ["full"])
        self.outlet.send(b"one more")
        self.assertEqual(self.host.told, ["full", "overflowed"])

    def test_when_empty(self) -> None:
        """The end waits for the pause to be over."""
        self.outlet.pauseProducing()
        self.outlet.push([b"last"])
        self.outlet.when_empty(self.transport.loseConnection)
        self.assertEqual((self.transport.value(), self.transport.disconnecting), (b"", False))
        self.outlet.resumeProducing()
        self.assertEqual((self.transport.value(), self.transport.disconnecting), (b"last", True))
        self.assertIsNone(self.transport.producer)

    def test_transport_ends_by_itself(self) -> None:
        """A transport that is closing, and waits for its producer only, is set free."""
        self.outlet.pauseProducing()
        self.outlet.push([b"nobody takes this"])
        self.transport.loseConnection()
        self.outlet.resumeProducing()
        self.assertIsNone(self.transport.producer)
        self.assertEqual((self.outlet.ended, self.transport.value()), (True, b""))

    def test_lost(self) -> None:
        """The host hears of a loss; nothing goes out any more."""
        self.outlet.stopProducing()
        self.outlet.push([b"one"])
        self.outlet.send(b"two")
        self.outlet.when_empty(lambda: self.fail("it has ended already"))
        self.assertEqual((self.host.told, self.transport.value()), (["lost"], b""))

    def test_nothing_is_known(self) -> None:
        """Without a socket nothing is known of what the peer has taken."""
        self.assertEqual((self.outlet.unacknowledged(), self.outlet.socket), (None, None))
