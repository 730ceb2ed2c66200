"""What an opening reads from a connection, and sends on it."""

from __future__ import annotations

import gc
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import StringTransport

from twisted_repeater import Direction, InvalidHello, Side
from twisted_repeater._link.connection import ServerSideProtocol
from twisted_repeater._link.opening_peer import MAX_EARLY, OpeningPeer
from twisted_repeater.errors import ConnectingError
from twisted_repeater.framings.base import TRUSTED, Framing
from twisted_repeater.framings.length import Int32Framing

from ..drawn import examples
from ..peers import frame
from .connections import LIMITS, MemoryCase


class Stage:
    """Stands for the making of a link: its stage, and what it was told."""

    def __init__(self) -> None:
        self.admitted = self.dialled = self.connecting = self.stopped = self.relays = False
        self.left: list[tuple[Side, type[BaseException]]] = []
        self.why: ConnectingError | None = None
        self.refusal: ConnectingError | None = None
        self.notes: Any = None

    def side_left(self, side: Side, reason: BaseException) -> None:
        """See `Making`."""
        self.left.append((side, type(reason)))
        self.stopped = True

    def refuse(self, why: ConnectingError) -> None:
        """See `Making`."""
        self.refusal = why

    def stop(self, why: ConnectingError) -> None:
        """See `Making`."""
        self.why = why
        self.stopped = True


class Lines(Framing):
    """Lines of text; it notes what it was asked, and goes on where it stopped."""

    def __init__(self, max_frame: int) -> None:
        super().__init__(max_frame)
        self.goes_on = self.follows = True
        self.shown = 0
        self.lines: list[bytes] = []

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.body = start
        return self._search(data, start, end)

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        self.body = 0
        return self._search(data, start, end)

    def _search(self, data: bytes, start: int, end: int) -> int:
        self.shown += end - start
        self.seen = end
        return data.find(b"\n", start, end) + 1

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`."""
        self.lines.append(data[start:stop])


class Patient(Framing):
    """A framing that knows how many bytes it needs at least: frames of a hundred bytes that begin with X."""

    asked = 0
    wants = 100

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.asked += 1
        self.body = start
        self.least = self.wants
        return 0 if end - start < self.wants else start + self.wants


class Broken(Framing):
    """A framing that raises what none should."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        raise LookupError("broken")


class PeerCase(MemoryCase):
    """A test case with a connection whose link is being made."""

    def setUp(self) -> None:
        """Connect it."""
        super().setUp()
        TRUSTED.update({Lines, Patient})
        self.addCleanup(TRUSTED.difference_update, {Lines, Patient})
        self.connect()
        self.stage: Any = Stage()
        making: Any = self.stage
        self.peer.making = making

    @property
    def peer(self) -> OpeningPeer:
        """What the opening reads from."""
        assert self.connection.opening is not None
        return self.connection.opening

    def end_stream(self) -> None:
        """Let the client end its stream."""
        self.connection.readConnectionLost()

    def invalid(self, asked: Deferred[Any]) -> InvalidHello:
        """Return the error with which something that was asked for has failed."""
        error: InvalidHello = self.failureResultOf(asked, InvalidHello).value
        return error


class ReadingTests(PeerCase):
    """Frames and bytes for the opening."""

    def test_byte_by_byte(self) -> None:
        """A frame is there with its last byte, and not before."""
        reading = self.peer.read(None)
        for byte in frame(b"hello"):
            self.assertNoResult(reading)
            self.assertTrue(self.peer.waits)
            self.connection.dataReceived(bytes([byte]))
        self.assertEqual(self.successResultOf(reading), (frame(b"hello"), b"hello"))
        self.assertEqual((self.peer.waits, self.peer.size), (False, 0))

    def test_read_and_peek(self) -> None:
        """A frame that is read is gone; one that is peeked at stays, and is the same when asked for again."""
        self.connection.dataReceived(frame(b"one") + frame(b"two") + b"rest")
        self.assertEqual(self.successResultOf(self.peer.read(None)).payload, b"one")
        for _ in range(2):
            self.assertEqual(self.successResultOf(self.peer.peek(None)).payload, b"two")
        self.assertEqual(self.peer.take_rest(), frame(b"two") + b"rest")
        self.assertEqual(self.peer.size, 0)

    def test_bytes(self) -> None:
        """Bytes can be peeked at, as many as were asked for, as soon as they are there."""
        peeking = self.peer.peek_bytes(3)
        self.connection.dataReceived(b"ab")
        self.assertNoResult(peeking)
        self.connection.dataReceived(b"cd")
        self.assertEqual(self.successResultOf(peeking), b"abc")
        self.assertEqual(self.peer.size, 4)

    def test_how_many_bytes(self) -> None:
        """At least one and at most as many as a hello may have can be asked for."""
        for count in (0, -1, LIMITS.max_hello + 1, 2**70, 1.5, None, "3"):
            error = self.assertRaises(ValueError, self.peer.peek_bytes, count)
            self.assertEqual(str(error), f"count must be 1 to 65536, the limit max_hello, not {count!r}")
        self.peer.peek_bytes(LIMITS.max_hello)

    def test_other_framing(self) -> None:
        """A frame may be cut by a framing of the opening's own."""
        self.connection.dataReceived(b"EHLO x\r\n" + frame(b"then"))
        self.assertEqual(self.successResultOf(self.peer.read(Lines(100))).payload, b"EHLO x\r\n")
        self.assertEqual(self.successResultOf(self.peer.read(None)).payload, b"then")

    @settings(max_examples=examples(50))
    @given(st.lists(st.binary(max_size=30), max_size=8), st.lists(st.integers(1, 40)))
    def test_cuts(self, payloads: list[bytes], cuts: list[int]) -> None:
        """The frames are the same however the bytes are cut."""
        self.setUp()
        wire = b"".join(map(frame, payloads))
        found: list[bytes] = []

        async def opening() -> None:
            while len(found) < len(payloads):
                if len(found) % 2:
                    await self.peer.peek(None)
                found.append((await self.peer.read(None)).payload)

        done = Deferred.fromCoroutine(opening())
        for size in [*cuts, len(wire)]:
            piece, wire = wire[:size], wire[size:]
            if piece:
                self.connection.dataReceived(piece)
        self.successResultOf(done)
        self.assertEqual(found, payloads)

    def test_one_at_a_time(self) -> None:
        """An opening that waits for two things of one peer at once is wrong."""
        self.peer.peek(None)
        error = self.assertRaises(RuntimeError, self.peer.read, None)
        self.assertEqual(str(error), "the opening waits for bytes of the client already")

    def test_given_up(self) -> None:
        """An opening may give up waiting, and ask for something else."""
        asked = self.peer.peek_bytes(5)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        again = self.peer.peek_bytes(1)
        asked.cancel()
        self.connection.dataReceived(b"x")
        self.assertEqual(self.successResultOf(again), b"x")

    def test_linear(self) -> None:
        """A framing that goes on where it stopped is shown each byte once, however the frame is cut."""
        lines = Lines(10_000)
        self.stage.admitted = True
        reading = self.peer.read(lines)
        for byte in b"x" * 5000 + b"\n":
            self.connection.dataReceived(bytes([byte]))
        self.assertEqual(len(self.successResultOf(reading).payload), 5001)
        self.assertEqual(lines.shown, 5001)

    def test_known_size(self) -> None:
        """A framing that goes on, and knows the size of a frame, is asked again when the frame is whole."""

        class Counted(Lines):
            """The size in one byte, and so many bytes."""

            def find(self, data: bytes, start: int, end: int) -> int:
                """See `IFraming`."""
                self.body = start + 1
                return start + 1 + data[start]

            def more(self, data: bytes, start: int, end: int) -> int:
                """See `IResumingFraming`."""
                raise AssertionError("the size is known")

        TRUSTED.add(Counted)
        self.addCleanup(TRUSTED.discard, Counted)
        reading = self.peer.read(Counted(100))
        for byte in b"\x05hello":
            self.connection.dataReceived(bytes([byte]))
        self.assertEqual(self.successResultOf(reading).payload, b"hello")

    def test_least(self) -> None:
        """A framing that says how many bytes it needs is not asked before they are there."""
        patient = Patient(1000)
        reading = self.peer.read(patient)
        for _ in range(100):
            self.connection.dataReceived(b"x")
        self.successResultOf(reading)
        self.assertEqual(patient.asked, 2)

    def test_taken(self) -> None:
        """A framing with state is told of the frames that are read, not of those that are peeked at."""
        lines = Lines(100)
        self.connection.dataReceived(b"one\ntwo\n")
        self.peer.read(lines)
        self.peer.peek(lines)
        self.assertEqual(lines.lines, [b"one\n"])

    def test_much_that_is_not_asked_for(self) -> None:
        """No more is read than may wait, until it is asked for."""
        self.connection.dataReceived(bytes(MAX_EARLY))
        self.assertFalse(self.paused())
        self.connection.dataReceived(b"x")
        self.assertTrue(self.paused())

    def test_long_and_early(self) -> None:
        """A frame as long as a hello may be is read though it came before it was asked for, with more after it."""
        wire = frame(bytes(LIMITS.max_hello))
        self.connection.dataReceived(wire[:-1])
        self.assertTrue(self.paused())
        reading = self.peer.read(None)
        self.assertFalse(self.paused())
        self.connection.dataReceived(wire[-1:] + bytes(MAX_EARLY + 1))
        self.assertEqual(len(self.successResultOf(reading).payload), LIMITS.max_hello)
        self.assertTrue(self.paused())


class WrongBytesTests(PeerCase):
    """Bytes that are not frames."""

    def test_too_long(self) -> None:
        """Before the client is admitted a payload above the limit of hellos is refused with its header."""
        reading = self.peer.read(None)
        self.connection.dataReceived(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
        error = self.invalid(reading)
        self.assertEqual(
            str(error),
            "the client does not speak int32: frame of 1195725856 bytes, at most 16777216 are allowed: "
            "b'GET / HTTP/1.1\\r\\nHost: example.or'",
        )
        self.assertIs(error.side, Side.CLIENT)
        self.setUp()
        reading = self.peer.read(None)
        self.connection.dataReceived((LIMITS.max_hello + 1).to_bytes(4, "big"))
        self.assertIn("frame of 65537 bytes, at most 65536 are allowed", str(self.invalid(reading)))

    def test_admitted(self) -> None:
        """Once the client is admitted the limit is that of messages."""
        self.stage.admitted = True
        reading = self.peer.read(None)
        self.connection.dataReceived(frame(bytes(LIMITS.max_hello + 1)))
        self.assertEqual(len(self.successResultOf(reading).payload), LIMITS.max_hello + 1)

    def test_endless(self) -> None:
        """A frame without an end is refused once it is too long to be a hello."""
        reading = self.peer.read(Lines(10**9))
        self.connection.dataReceived(bytes(LIMITS.max_hello))
        self.assertNoResult(reading)
        self.connection.dataReceived(bytes(65))
        self.assertIn("at most 65536 are allowed", str(self.invalid(reading)))

    def test_patient_without_end(self) -> None:
        """A framing that waits for more bytes than a hello may have gets no more of them."""
        patient = Patient(1000)
        patient.wants = 10**9
        reading = self.peer.read(patient)
        self.connection.dataReceived(b"x")
        self.connection.dataReceived(bytes(LIMITS.max_hello + 63))
        self.assertNoResult(reading)
        self.connection.dataReceived(b"x")
        self.assertIn("at most 65536 are allowed", str(self.invalid(reading)))

    def test_broken_framing(self) -> None:
        """Whatever a framing raises costs only the stranger who brought it out."""
        reading = self.peer.read(Broken(100))
        self.connection.dataReceived(b"x")
        self.assertEqual(
            str(self.invalid(reading)), "the client does not speak int32: LookupError in the framing: broken: b'x'"
        )

    def test_interrupted(self) -> None:
        """Ctrl-C goes through."""

        class Interrupted(Framing):
            def find(self, data: bytes, start: int, end: int) -> int:
                raise KeyboardInterrupt

        self.connection.dataReceived(b"x")
        self.assertRaises(KeyboardInterrupt, self.peer.read, Interrupted(100))

    def test_lying_framing(self) -> None:
        """A framing of the application's that answers with a wrong offset loses no bytes silently: it is an error."""

        class Lying:
            body = 0

            def find(self, data: bytes, start: int, end: int) -> int:
                return -1

        reading = self.peer.read(Lying())  # type: ignore[arg-type]
        self.connection.dataReceived(b"x")
        self.assertIn("found a frame from 0 to -1", str(self.invalid(reading)))

    def test_nothing_more(self) -> None:
        """After wrong bytes all others are dropped; an opening that asks again ends its attempt, and waits for ever."""
        reading = self.peer.read(Broken(100))
        self.connection.dataReceived(b"x")
        error = self.invalid(reading)
        self.connection.dataReceived(b"more")
        self.assertEqual(self.peer.size, 0)
        self.assertIsNone(self.stage.why)
        self.assertIs(self.stage.refusal, error)
        self.assertNoResult(self.peer.read(None))
        self.assertIs(self.stage.why, error)
        self.assertNoResult(self.peer.peek_bytes(1))


class StageTests(PeerCase):
    """What may be asked for when."""

    def test_server_before_the_dial(self) -> None:
        """The server can do nothing before it is dialled."""
        connection: Any = ServerSideProtocol(self.host, self.links)
        server = OpeningPeer(connection, Int32Framing(100))
        for making in (None, self.stage):
            server.making = making
            for ask in (
                lambda: server.address,
                lambda: server.certificate,
                lambda: server.alpn,
                lambda: server.peek(None),
                lambda: server.read(None),
                lambda: server.peek_bytes(1),
                lambda: server.send(b"x"),
                lambda: server.start_tls(None, "feed"),
            ):
                error = self.assertRaises(RuntimeError, ask)
                self.assertEqual(str(error), "the server must be dialled first: await attempt.dial()")

    def test_after_the_attempt(self) -> None:
        """When the link relays, an opening that lingers on cannot send bytes inside of a message."""
        self.stage.connecting = self.stage.relays = True
        error = self.assertRaises(RuntimeError, self.peer.send, b"late")
        self.assertEqual(str(error), "the attempt is over: send messages by the link")
        self.assertEqual(self.transport.value(), b"")

    def test_after_connect(self) -> None:
        """After ``connect`` only ``send`` is left."""
        self.stage.connecting = True
        for ask in (
            lambda: self.peer.peek(None),
            lambda: self.peer.read(None),
            lambda: self.peer.peek_bytes(1),
            lambda: self.peer.start_tls(None, "feed"),
        ):
            self.assertIn("can only send", str(self.assertRaises(RuntimeError, ask)))
        self.peer.send(b"welcome")
        self.assertEqual(self.transport.value(), b"welcome")

    def test_send(self) -> None:
        """Bytes leave as they are; nothing leaves to a peer that is gone; anything but bytes is an error."""
        self.peer.send(b"one")
        self.peer.send(b"")
        self.assertEqual(self.transport.value(), b"one")
        self.assertRaises(TypeError, self.peer.send, "text")
        self.connection.connectionLost()
        self.peer.send(b"two")
        self.assertEqual(self.transport.value(), b"one")

    def test_attributes(self) -> None:
        """The opening sees the peer's side, address, certificate and protocol of TLS."""
        self.assertEqual((self.peer.side, self.peer.address), (Side.CLIENT, self.transport.getPeer()))
        self.assertEqual((self.peer.certificate, self.peer.alpn), (None, None))

    def test_stopped(self) -> None:
        """After the attempt was stopped nothing that is asked for comes, and no error either."""
        self.connection.dataReceived(frame(b"one"))
        self.stage.stopped = True
        self.assertNoResult(self.peer.read(None))
        self.assertNoResult(self.peer.start_tls(None, "feed"))


class EndTests(PeerCase):
    """A peer that ends its stream."""

    def test_inside_a_frame(self) -> None:
        """What is asked for and can no longer come ends the attempt, and keeps its promise of no answer."""
        reading = self.peer.read(None)
        self.connection.dataReceived(frame(b"hello")[:-1])
        self.end_stream()
        self.assertFalse(self.peer.survives)
        self.assertNoResult(reading)

    def test_asked_for_after_the_end(self) -> None:
        """So does a request after the end; one for bytes that came before it is answered."""
        self.connection.dataReceived(frame(b"hello") + b"x")
        self.end_stream()
        self.assertTrue(self.peer.survives)
        self.assertEqual(self.successResultOf(self.peer.read(None)).payload, b"hello")
        self.assertEqual(self.stage.left, [])
        self.assertNoResult(self.peer.read(None))
        self.assertEqual([side for side, _ in self.stage.left], [Side.CLIENT])

    def test_silent_client(self) -> None:
        """A client that only listens may end its stream once it is admitted; before that it has left."""
        self.end_stream()
        self.assertFalse(self.peer.survives)
        self.stage.admitted = True
        self.assertTrue(self.peer.survives)

    def test_nothing_left(self) -> None:
        """A client whose bytes were all read has left with its stream."""
        self.stage.admitted = True
        self.connection.dataReceived(frame(b"hello"))
        self.peer.read(None)
        self.end_stream()
        self.assertFalse(self.peer.survives)

    def test_lost(self) -> None:
        """A lost client is gone, whatever it has sent."""
        self.connection.dataReceived(frame(b"hello"))
        self.connection.connectionLost()
        self.assertFalse(self.peer.survives)

    def test_last_word_of_a_server(self) -> None:
        """What a server has said before it was lost is still to be relayed."""
        connection: Any = ServerSideProtocol(self.host, self.links)
        self.host.connecting = Deferred()
        connection.makeConnection(StringTransport())
        server: Any = connection.opening
        server.making = self.stage
        self.stage.dialled = True
        connection.dataReceived(b"too many connections")
        connection.connectionLost()
        self.assertTrue(server.survives)
        self.assertEqual(self.successResultOf(server.peek_bytes(3)), b"too")

    def test_early_end(self) -> None:
        """An end that comes before the opening has begun is no end of an attempt."""
        self.peer.making = None
        self.connection.dataReceived(b"x")
        self.end_stream()
        self.assertTrue(self.peer.survives)


class TLSTests(PeerCase):
    """TLS that begins inside the protocol."""

    def setUp(self) -> None:
        """Note how TLS is started."""
        super().setUp()
        self.started: list[tuple[object, bytes]] = []

        def start_tls(options: object, unread: bytes) -> Deferred[None]:
            self.started.append((options, unread))
            return Deferred()

        self.patch(type(self.connection), "start_tls", lambda connection, *arguments: start_tls(*arguments))

    def test_nothing_unread(self) -> None:
        """It begins with the connection as it is."""
        self.assertNoResult(self.peer.start_tls("options", "refuse"))
        self.assertEqual(self.started, [("options", b"")])

    def test_refuse(self) -> None:
        """Bytes that came unencrypted end the attempt."""
        self.connection.dataReceived(b"EHLO attacker\r\n")
        error = self.invalid(self.peer.start_tls("options", "refuse"))
        self.assertEqual(
            str(error),
            "the client sent bytes before TLS began, which anybody may have put there: b'EHLO attacker\\r\\n'",
        )
        self.assertEqual((self.started, self.peer.size), ([], 0))

    def test_feed(self) -> None:
        """They are the beginning of the handshake, where the protocol says so."""
        self.connection.dataReceived(b"\x16\x03\x01")
        self.peer.start_tls("options", "feed")
        self.assertEqual(self.started, [("options", b"\x16\x03\x01")])

    def test_other_word(self) -> None:
        """What becomes of unread bytes is one of two words."""
        error = self.assertRaises(ValueError, self.peer.start_tls, None, "keep")
        self.assertEqual(str(error), "unread must be 'refuse' or 'feed', not 'keep'")


class CancelledTests(PeerCase):
    """What an opening cancels too late."""

    def test_after_the_end(self) -> None:
        """It changes nothing."""
        asked = self.peer.peek_bytes(1)
        self.peer.end()
        asked.cancel()
        self.assertFalse(self.peer.waits)
        again = self.peer.peek_bytes(1)
        self.connection.dataReceived(b"x")
        self.assertEqual(self.successResultOf(again), b"x")


class DoneTests(PeerCase):
    """The end of the opening."""

    def test_end(self) -> None:
        """What the opening has asked for never comes, and nobody hears of what has failed."""
        waiting = self.peer.peek_bytes(2)
        self.connection.dataReceived(b"x")
        self.peer.end()
        self.connection.dataReceived(b"x")
        self.assertNoResult(waiting)
        self.peer.read(Broken(100))
        self.peer.end()
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])


class NoteTests(PeerCase):
    """What is noted for watchers."""

    def test_noted(self) -> None:
        """Frames that the opening reads, and bytes that it sends, are noted with their direction; peeks are not."""
        notes: list[Any] = []
        self.stage.notes = self.stage
        self.stage.add = lambda time, way, received, sent: notes.append((time, way, received, sent))
        self.stage.now = lambda: 3.0
        self.peer.peek(None)
        self.peer.received(frame(b"hello"))
        self.peer.read(None)
        self.peer.send(b"answer")
        self.assertEqual(
            notes,
            [(3.0, Direction.TO_SERVER, frame(b"hello"), b""), (3.0, Direction.TO_CLIENT, b"", b"answer")],
        )
