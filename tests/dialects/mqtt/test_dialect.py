"""The dialect as a whole, and its opening."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, InvalidHello, Link, Send, Verdict, dialects
from twisted_repeater.dialects.mqtt import ConnAck, Connect, MqttCodec, Packet, Publish, Raw
from twisted_repeater.filters import ByType
from twisted_repeater.testing import FilterHarness, MemoryRepeater, OpeningHarness, Step, check_framing

from .packets import packet, text

PING = b"\xc0\0"


class OpeningTests(SynchronousTestCase):
    """How a link begins."""

    def connect(self, version: int = 4, **fields: Any) -> bytes:
        """Return a CONNECT."""
        return MqttCodec(version).encode(Connect("ann", version=version, **fields))

    def test_steps(self) -> None:
        """The CONNECT is looked at, the broker dialled, and both get what the other has said."""
        for version in (3, 4, 5):
            for cut in (1, 1000):
                hello = self.connect(version, username="user")
                run = OpeningHarness(dialects.mqtt())
                run.client_connects()
                for at in range(0, len(hello), cut):
                    run.client_sends(hello[at : at + cut])
                self.assertEqual((run.step, run.name), (Step.LINKED, "ann"))
                self.assertEqual(dict(run.link.details), {"version": version, "username": "user", "bridge": False})
                self.assertEqual(run.link.client_hello, Connect("ann", username="user", version=version))
                self.assertEqual(run.client_sends(PING).to_server, PING)
                self.assertEqual(run.server_sends(b"\x20\2\0\0").to_client, b"\x20\2\0\0")

    def test_nothing_before_it(self) -> None:
        """The broker is not dialled before the CONNECT is whole."""
        run = OpeningHarness(dialects.mqtt())
        run.client_connects()
        run.client_sends(self.connect()[:-1])
        self.assertEqual(run.step, Step.BEGUN)

    def test_others(self) -> None:
        """Another protocol is refused at its first byte."""
        for said in (b"G", b"\x16", PING, b"\x11"):
            running = MemoryRepeater(dialects.mqtt())
            client = running.connect(says=[said])
            self.assertEqual([type(error) for error in running.refusals], [InvalidHello])
            self.assertIn("expected a CONNECT", str(running.refusals[0]))
            self.assertIsNotNone(client.lost)

    def test_too_long(self) -> None:
        """A CONNECT that is too long is refused at its header."""
        hello = self.connect(username="u" * 200)
        for limit, refused in ((len(hello), False), (len(hello) - 1, True)):
            running = MemoryRepeater(dialects.mqtt(max_connect=limit))
            running.connect(says=[hello[:3]])
            self.assertEqual([type(error) for error in running.refusals], [InvalidHello] * refused)

    def test_options(self) -> None:
        """The longest CONNECT is a number above 0, and so is the longest packet."""
        for wrong in (0, -1):
            self.assertRaises(ValueError, dialects.mqtt, max_connect=wrong)
        self.assertRaises(TypeError, dialects.mqtt, max_connect="1000")
        self.assertEqual(dialects.mqtt(max_frame=1000).max_frame, 1000)


class FilterTests(SynchronousTestCase):
    """Filters on messages, in every version."""

    def linked(self, *filters: Any, version: int) -> FilterHarness:
        """Return a link with filters."""
        run = FilterHarness(*filters, dialect=dialects.mqtt(), says=[Connect("ann", version=version)])
        run.server_sends(ConnAck())
        return run

    def test_by_type(self) -> None:
        """A method for a class sees the messages of that class."""

        class Loud(ByType):
            def on_publish(self, message: Publish, link: Link) -> Verdict:
                if message.topic.startswith("secret/"):
                    return DROP
                return Send(replace(message, payload=message.payload.upper()))

        for version in (3, 4, 5):
            run = self.linked(Loud(), version=version)
            run.client_sends(Publish("a", b"hi"), Publish("secret/a"), Raw(PING)).expect(
                to_server=[Publish("a", b"HI"), Raw(PING)]
            )
            run.server_sends(Publish("a", b"hi")).expect(to_client=[Publish("a", b"hi")])

    def test_untouched(self) -> None:
        """What passes are the bytes that came, also if they could be fewer."""

        def look(message: Packet, link: Link) -> Verdict:
            return PASS_ON

        run = self.linked(look, look, version=5)
        data = b"\x40\x84\x00\0\7\0\0"
        run.client_sends_payloads(data)
        self.assertTrue(run.server.received_bytes.endswith(data))

    def test_only_where_a_filter_looks(self) -> None:
        """A packet that is not valid passes if no filter looks at its type; otherwise it ends the link."""
        wrong = packet(0x30, text(b"\xff") + b"\0")

        class Pings(ByType):
            def on_ping(self, message: Raw, link: Link) -> Verdict:
                return PASS_ON

        run = self.linked(Pings(), version=5)
        outcome = run.client_sends_payloads(wrong)
        self.assertEqual((outcome.to_server, outcome.closed), ([wrong], False))
        self.assertTrue(run.client_sends_payloads(b"\xc0\1x").closed)


class FramingTests(SynchronousTestCase):
    """The framing."""

    def test_conformance(self) -> None:
        """It keeps the rules for framings."""
        payloads = [PING, MqttCodec(4).encode(Publish("a", b"hi")), MqttCodec(5).encode(Publish("a", bytes(20000)))]
        check_framing(
            lambda limits: dialects.mqtt().framings(limits).to_server,
            payloads,
            grow=lambda size: packet(0x30, b"\0\1a" + bytes(size)),
        )
