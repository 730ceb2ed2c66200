"""How scripted peers read, and how a test waits for them."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import FramingError, Hello, Limits, Side, dialects
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects import Dialect, MessageType
from twisted_repeater.framings import Framings, Int32Framing
from twisted_repeater.testing import Transcript
from twisted_repeater.testing._setting import Inbox, Setting, Waiting, stated_version

from ..peers import handshake_of, hellos_of


class InboxTests(SynchronousTestCase):
    """The inbox of a peer, which cuts received bytes into a hello and payloads."""

    def test_any_cut(self) -> None:
        """The hello and the payloads come out with their frames, however the bytes are cut."""
        for dialect in (dialects.int32(), dialects.async_extra()):
            hello = handshake_of(dialect).encode(Hello("alice", hellos_of(dialect).mode))
            frames = [dialect.framings(Limits()).to_client.encode(payload) for payload in (b"", b"hello", b"x" * 300)]
            data = hello + b"".join(frames)
            for size in (1, 7, 100, len(data)):
                inbox = Inbox(dialect, Side.CLIENT)
                pieces = [data[at : at + size] for at in range(0, len(data), size)]
                found = [each for piece in pieces for each in inbox.feed(piece)]
                self.assertEqual([frame for frame, _ in found], [hello, *frames])
                self.assertEqual([payload for _, payload in found[1:]], [b"", b"hello", b"x" * 300])
                assert inbox.handshake is not None
                self.assertEqual(inbox.handshake.decode(found[0][1]).name, "alice")

    def test_no_hellos(self) -> None:
        """In a dialect without hellos every frame has a payload, without its end mark, and the rest stays."""
        inbox = Inbox(dialects.lines(), Side.SERVER)
        self.assertIsNone(inbox.handshake)
        self.assertEqual(list(inbox.feed(b"one\ntwo\r\nthr")), [(b"one\n", b"one"), (b"two\r\n", b"two\r")])
        self.assertEqual(inbox.unfinished, b"thr")
        self.assertEqual(list(inbox.feed(b"ee\n")), [(b"three\n", b"three")])
        self.assertEqual((inbox.unfinished, inbox.frame(b"four")), (b"", b"four\n"))

    def test_no_frame(self) -> None:
        """In a dialect without hellos bytes that are no frame stay as they are; otherwise they are an error."""
        inbox = Inbox(dialects.delimited(start=b"<", end=b">"), Side.CLIENT)
        self.assertEqual(list(inbox.feed(b"<a>bye")), [(b"<a>", b"a"), (b"bye", b"bye")])
        self.assertEqual(list(inbox.feed(b"<b>")), [(b"<b>", b"b")])
        self.assertRaises(FramingError, list, Inbox(dialects.int32(), Side.CLIENT).feed(b"\xff\xff\xff\xff"))

    def test_state(self) -> None:
        """Framings that keep state hear of every frame, sent or received, in order."""
        taken: list[tuple[str, bytes]] = []

        class Noting(Int32Framing):
            def __init__(self, name: str) -> None:
                super().__init__(1000)
                self.name = name

            def taken(self, data: bytes, start: int, stop: int) -> None:
                taken.append((self.name, data[start:stop]))

        noting = Dialect(name="noting", framing=lambda limits: Framings(Noting("up"), Noting("down")))
        inbox = Inbox(noting, Side.CLIENT)
        frames = [inbox.frame(b"1"), inbox.frame(b"2")]
        received = b"\0\0\0\1a\0\0\0\0"
        self.assertEqual([payload for _, payload in inbox.feed(received)], [b"a", b""])
        expected = [("up", frames[0]), ("up", frames[1]), ("down", received[:5]), ("down", received[5:])]
        self.assertEqual(taken, expected)

    def test_framing_of_ones_own(self) -> None:
        """A framing need not have what is optional."""

        class Bytes:
            body = 0

            def find(self, data: bytes, start: int, end: int) -> int:
                self.body = start
                return min(start + 1, end)

            def encode(self, payload: bytes) -> bytes:
                return payload

            def replace(self, frame: bytes, payload: bytes) -> bytes:
                return payload

        inbox = Inbox(Dialect(name="bytes", framing=lambda limits: Bytes()), Side.CLIENT)
        self.assertEqual((inbox.frame(b"a"), list(inbox.feed(b"bc"))), (b"a", [(b"b", b"b"), (b"c", b"c")]))


class VersionTests(SynchronousTestCase):
    """The versions that peers speak."""

    def test_stated(self) -> None:
        """They are those that hellos state, and those of production in a dialect without hellos."""
        kind = MessageType({1: RawCodec(), 2: RawCodec()}, prod=1, test=2)
        self.assertEqual(stated_version(dialects.int32(to_server=kind), kind), 1)
        self.assertEqual(stated_version(dialects.int32(to_server=kind, production=False), kind), 2)
        self.assertEqual(stated_version(dialects.lines(to_server=kind), kind), 1)


class WaitingTests(SynchronousTestCase):
    """The Deferreds by which a test waits."""

    def setUp(self) -> None:
        """Wait for two things."""
        self.clock = Clock()
        self.waiting = Waiting("ann", Setting(dialects.int32(), Transcript(), self.clock, lambda: None))
        self.came: list[str] = []
        self.one, self.two = [
            self.waiting.until(lambda what=what: what in self.came, what, 5)  # type: ignore[misc]
            for what in ("one", "two")
        ]

    def test_comes(self) -> None:
        """Each fires when its condition holds, and not before."""
        self.came.append("two")
        self.waiting.look()
        self.successResultOf(self.two)
        self.assertNoResult(self.one)
        self.came.append("one")
        self.waiting.look()
        self.successResultOf(self.one)

    def test_in_vain(self) -> None:
        """Each fails after its time, and is not fired any more."""
        self.clock.advance(5)
        self.waiting.look()
        error = self.failureResultOf(self.one, AssertionError).getErrorMessage()
        self.assertIn("ann has waited 5 s in vain for one\n\nWhat happened:", error)
        self.failureResultOf(self.two, AssertionError)

    def test_lost(self) -> None:
        """When the connection is lost, those whose conditions do not hold fail."""
        self.came.append("one")
        self.waiting.look(ConnectionError("reset"))
        self.successResultOf(self.one)
        error = self.failureResultOf(self.two, AssertionError).getErrorMessage()
        self.assertIn("ann has lost its connection (reset) and waits in vain for two", error)
