"""A scripted client or server: does as it is told, records what it sees, and says when it has waited in vain."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Hello, MarshalingError, MessageType, dialects
from twisted_repeater._text import address_text
from twisted_repeater.codecs.bin_prot import bin_int, bin_prot_codec, text
from twisted_repeater.dialects import Conversion, Dialect
from twisted_repeater.dialects.mqtt import ConnAck, Connect, Publish
from twisted_repeater.testing import Event, MemoryRepeater

NUMBERS = bin_prot_codec(bin_int)
TEXTS = bin_prot_codec(text())


class Line(bytearray):
    """A message of lines that is not ``bytes``."""

    def __init__(self, line: str) -> None:
        super().__init__(line.encode())


class PeerCase(SynchronousTestCase):
    """A repeater between a client and a server."""

    def setUp(self) -> None:
        """Link the client."""
        self.running = MemoryRepeater(dialects.int32(to_client=TEXTS))
        self.client = self.running.connect("alice")
        self.server = self.running.server["alice"]

    def complaint(self, callable: Any, *arguments: Any) -> str:  # noqa: A002
        """Return the first line of what an assertion complains about."""
        return str(self.assertRaises(AssertionError, callable, *arguments)).splitlines()[0]


class SendingTests(PeerCase):
    """What it is told to send."""

    def test_messages(self) -> None:
        """Messages are encoded by the codec of their direction, and go out in one write."""
        self.client.send(b"one", b"two")
        self.assertEqual(self.server.received, [b"one", b"two"])
        self.assertEqual(self.server.received_bytes, b"\0\0\0\3one\0\0\0\3two")
        self.server.send("three")
        self.assertEqual((self.client.received, self.client.received_bytes), (["three"], b"\0\0\0\6\5three"))

    def test_payloads(self) -> None:
        """Payloads are framed as they are; the other end has them as bytes where its codec cannot decode them."""
        self.server.send_payloads(b"\5three", b"\6three")
        self.assertEqual(self.client.received, ["three", b"\6three"])

    def test_bytes(self) -> None:
        """Bytes go out as they are."""
        self.client.send_bytes(b"\0\0\0\4ha")
        self.client.send_bytes(b"lf")
        self.assertEqual(self.server.received, [b"half"])

    def test_put_down(self) -> None:
        """All that it sends and gets is put down."""
        self.client.send(b"one")
        self.server.send_payloads(b"\3two")
        self.client.send_bytes(b"\0")
        self.assertEqual(
            [f"{entry.event.value} {entry.value!r}" for entry in self.running.transcript][1:],
            [
                "client sends b'one'",
                "server gets b'one'",
                "server sends \"payload b'\\\\x03two'\"",
                "client gets 'two'",
                "client sends \"bytes b'\\\\x00'\"",
            ],
        )

    def test_without_a_hello(self) -> None:
        """A client without a name is silent, until it says its hello."""
        silent = self.running.connect(None)
        self.assertEqual((silent.client_name, silent.heard, silent.open), ("", None, True))
        silent.say_hello(Hello("bob"))
        self.assertEqual((silent.client_name, getattr(silent.heard, "name", None)), ("bob", "server"))
        self.assertEqual(repr(silent), "<the client side of 'bob'>")

    def test_early(self) -> None:
        """Messages may be sent before the repeater has said anything."""
        early = self.running.connect(None)
        early.hello = Hello("bob")
        early.send_bytes(b'\0\0\0\x0e{"name":"bob"}')
        early.send(b"one")
        self.assertEqual(self.running.server["bob"].received, [b"one"])

    def test_slow_reader(self) -> None:
        """While it is paused it reads nothing."""
        self.client.pause()
        self.server.send("waits")
        self.assertEqual(self.client.received, [])
        self.client.resume()
        self.assertEqual(self.client.received, ["waits"])


class AskingTests(PeerCase):
    """What it is asked."""

    def test_expect(self) -> None:
        """It compares what has come since it was asked last."""
        self.client.send(b"one", b"two")
        self.server.expect(b"one", b"two")
        self.server.expect()
        self.client.send(b"three")
        self.assertEqual(self.complaint(self.server.expect, b"two"), "the server, on the link of 'alice', got:")
        self.server.send("four")
        self.assertEqual(self.complaint(self.client.expect), "client 'alice' got:")

    def test_will_get(self) -> None:
        """It waits for as many messages as are expected, then compares."""
        waiting = self.server.will_get(b"one", b"two")
        self.client.send(b"one")
        self.assertNoResult(waiting)
        self.client.send(b"two")
        self.successResultOf(waiting)
        self.client.send(b"other")
        self.failureResultOf(self.server.will_get(b"three"), AssertionError)

    def test_will_not_get(self) -> None:
        """Messages that don't come in time fail with what did come."""
        waiting = self.server.will_get(b"one", b"two", timeout=2)
        self.client.send(b"one")
        self.running.advance(2)
        self.assertIn(
            "got:\n  1. b'one'\nexpected:\n  1. b'one'\n  2. b'two'\n",
            self.failureResultOf(waiting, AssertionError).getErrorMessage(),
        )

    def test_receive(self) -> None:
        """Messages may be taken one by one."""
        self.client.send(b"one", b"two")
        self.assertEqual(self.successResultOf(self.server.receive()), b"one")
        self.server.expect(b"two")
        waiting = self.server.receive()
        self.client.send(b"three")
        self.assertEqual(self.successResultOf(waiting), b"three")

    def test_in_vain(self) -> None:
        """What doesn't come in time is an error that says what was waited for, and what happened."""
        waiting = self.client.receive(timeout=3)
        other = self.client.when(lambda: False, "a miracle", timeout=10)
        self.running.advance(3)
        told = self.failureResultOf(waiting, AssertionError).getErrorMessage()
        self.assertIn("<the client side of 'alice'> has waited 3 s in vain for a message\n\nWhat happened:\n", told)
        self.assertNoResult(other)
        self.client.close()
        told = self.failureResultOf(other, AssertionError).getErrorMessage()
        self.assertIn(
            "has lost its connection (Connection was closed cleanly: Connection done.) and waits in vain for a miracle",
            told,
        )

    def test_when_linked_and_closed(self) -> None:
        """It tells when the repeater has said hello, and when the connection is gone."""
        silent = self.running.connect(None)
        linked, closed = silent.when_linked(), silent.when_closed()
        self.assertNoResult(linked)
        silent.say_hello(Hello("bob"))
        self.successResultOf(linked)
        self.assertNoResult(closed)
        silent.close()
        self.successResultOf(closed)

    def test_answer(self) -> None:
        """A function answers the messages that come."""
        self.server.answer = lambda message, peer: [message.decode() + " of " + peer.client_name]
        self.client.send(b"one")
        self.client.expect("one of alice")
        self.server.answer = lambda message, peer: None
        self.client.send(b"one")
        self.client.expect()

    def test_one_message_for_an_answer(self) -> None:
        """A message in place of a list of them is an error."""
        self.server.answer = lambda message, peer: "yes"
        self.assertRaises(TypeError, self.client.send, b"one")


class VersionTests(SynchronousTestCase):
    """Peers of several versions."""

    def test_agreed(self) -> None:
        """Each speaks the version that it has agreed on with the repeater."""
        both = MessageType(
            codecs={1: NUMBERS, 2: TEXTS}, low=1, prod=2, test=2, conversions={2: Conversion(up=str, down=int)}
        )
        running = MemoryRepeater(dialects.int32(to_server=both, to_client=both), convert_versions=True)
        old = running.connect("old", send_version=1, recv_version=1)
        old.send(7)
        running.server["old"].send("8")
        new = running.connect("new")
        new.send("9")
        self.assertEqual([entry.value for entry in running.transcript if entry.event is Event.SERVER_GETS], ["7", "9"])
        self.assertEqual((old.received, old.received_bytes), ([8], b"\0\0\0\1\x08"))


class WithoutHelloTests(SynchronousTestCase):
    """A peer in a dialect without hellos."""

    def setUp(self) -> None:
        """Link the client."""
        self.running = MemoryRepeater(dialects.lines(), server_says=[b"220 ready\n"])
        self.client = self.running.connect(says=[b"one\ntw", b"o\n", Line("three")])
        self.server = self.running.server[self.client]

    def test_said_at_once(self) -> None:
        """What it says at once is sent as it is, or as a message."""
        self.server.expect(b"one", b"two", b"three")
        self.client.expect(b"220 ready")
        self.assertEqual((self.client.heard, self.server.heard), (None, None))

    def test_transcript(self) -> None:
        """The transcript shows the bytes, by the name that the repeater has for the client."""
        name = self.running.link(self.client).client_name
        lines = str(self.running.transcript)
        self.assertIn(f"{name} client sends  bytes b'one\\ntw'", lines)
        self.assertIn("-          server sends  bytes b'220 ready\\n'", lines)  # the repeater is not connected yet
        self.assertEqual((self.client.client_name, self.server.client_name), (name, name))
        self.client.close()
        self.assertEqual(self.server.client_name, name)

    def test_linked(self) -> None:
        """It is linked when its link is made."""
        self.successResultOf(self.client.when_linked())
        running = MemoryRepeater(Dialect(name="late", framing=dialects.lines().framing))
        client = running.connect()
        linked = client.when_linked()
        self.assertNoResult(linked)
        self.assertEqual((client.client_name, client._pair is None), (address_text(client.address), False))
        client.send(b"x")
        self.successResultOf(linked)
        client = running.connect()
        linked = client.when_linked()
        running.advance(5)
        self.assertIn("waited 5 s in vain for its link", self.failureResultOf(linked, AssertionError).getErrorMessage())

    def test_no_hello(self) -> None:
        """It has no hello to say."""
        error = self.assertRaises(TypeError, self.client.say_hello, Hello("ann"))
        self.assertEqual(str(error), "the dialect lines has no hellos")

    def test_no_frame(self) -> None:
        """Bytes that are no frame, such as a refusal in another form, are received as they are."""

        def refusal(error: object, attempt: object) -> bytes:
            return b"go away"

        framing = dialects.delimited(start=b"<", end=b">").framing
        dialect = Dialect(name="marks", framing=framing, refusal=refusal)
        running = MemoryRepeater(dialect, on_connect=lambda link: 1 // 0)
        client = running.connect(says=[b"<a>"])
        client.expect(b"go away")
        self.assertFalse(client.open)

    def test_unfinished(self) -> None:
        """Bytes of a frame without its end are there to see."""
        dialect = dialects.lines().changed(refusal=lambda error, attempt: b"go away")
        running = MemoryRepeater(dialect, on_connect=lambda link: 1 // 0)
        client = running.connect()
        client.expect()
        self.assertEqual(client.unfinished, b"go away")


class VersionOfLinkTests(SynchronousTestCase):
    """Peers of a dialect in which each link has its own version."""

    def test_messages(self) -> None:
        """Messages are of the version of their link; the first message of a client says which that is."""
        running = MemoryRepeater(dialects.mqtt())
        for version, size in ((3, 6), (4, 6), (5, 7)):
            client = running.connect(says=[Connect("ann", version=version)])
            server = running.server[client]
            server.expect(Connect("ann", version=version))
            for sender, receiver in ((client, server), (server, client)):
                before = len(receiver.received_bytes)
                sender.send(Publish("news"))
                receiver.expect(Publish("news"))
                self.assertEqual(len(receiver.received_bytes) - before, 2 + size)

    def test_refused(self) -> None:
        """Before a link is made, what comes is of the newest version that fits."""
        running = MemoryRepeater(dialects.mqtt(), is_client_allowed=lambda name: False)
        for version, code in ((4, 5), (5, 0x87)):
            running.connect(says=[Connect("ann", version=version)]).expect(ConnAck(reason=code))

    def test_wrong(self) -> None:
        """A message that fits no version is an error of the test."""
        running = MemoryRepeater(dialects.mqtt())
        self.assertRaises(MarshalingError, running.connect, says=[Connect("ann", version=6)])
