"""What the repeater says to a client itself."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, ClientNotAllowed, Direction, Link, SameName, Verdict, dialects
from twisted_repeater.dialects.mqtt import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    Properties,
    Property,
    Publish,
    Reason,
    Will,
)
from twisted_repeater.dialects.mqtt.answers import redacted
from twisted_repeater.testing import FilterHarness, MemoryRepeater

from .packets import packet, text

SECRET = Properties([(Property.AUTHENTICATION_METHOD, "X"), (Property.AUTHENTICATION_DATA, b"secret")])
STARS = Properties([(Property.AUTHENTICATION_METHOD, "X"), (Property.AUTHENTICATION_DATA, b"***")])


class RefusalTests(SynchronousTestCase):
    """A client that cannot be linked."""

    def refused(self, said: Any, **options: Any) -> list[Any]:
        """Return what a client gets that begins with this."""
        dialect = options.pop("dialect", None) or dialects.mqtt()
        self.running = MemoryRepeater(dialect, **options)
        return self.running.connect(says=[said]).received

    def test_codes(self) -> None:
        """It gets a CONNACK of its version that says why."""

        def raises(link: object) -> None:
            raise ValueError

        cases: list[tuple[dict[str, Any], int, int]] = [
            ({"is_client_allowed": lambda name: False}, 5, 0x87),
            ({"on_connect": raises}, 5, 0x87),
        ]
        for options, old, new in cases:
            for version in (3, 4, 5):
                said = Connect("ann", version=version)
                self.assertEqual(self.refused(said, **options), [ConnAck(reason=new if version == 5 else old)])

    def test_same_name(self) -> None:
        """Where the first client of an id keeps it, the second is told that its id is wrong."""
        running = MemoryRepeater(dialects.mqtt().changed(same_name=SameName.REFUSE))
        for version, code in ((4, 2), (5, 0x85)):
            first = running.connect(says=[Connect("ann", version=version)])
            second = running.connect(says=[Connect("ann", version=version)])
            running.advance(60)
            self.assertEqual(second.received, [ConnAck(reason=code)])
            first.close()
            running.server[first].close()

    def test_no_broker(self) -> None:
        """Without a broker the server is not available."""
        running = MemoryRepeater(dialects.mqtt())
        running.stop_listening()
        for version, code in ((4, 3), (5, 0x88)):
            client = running.connect(says=[Connect("ann", version=version)])
            self.assertEqual(client.received, [ConnAck(reason=code)])

    def test_invalid(self) -> None:
        """A CONNECT that is not valid is answered if its level can be read, and its version has an answer."""
        for level, answer in ((6, ConnAck(reason=0x84)), (2, ConnAck(reason=1))):
            self.assertEqual(self.refused(packet(0x10, text(b"MQTT") + bytes([level, 2]))), [answer])
        for level, answers in ((5, [ConnAck(reason=0x81)]), (4, [])):
            self.assertEqual(self.refused(packet(0x10, text(b"MQTT") + bytes([level, 1]))), answers)
        self.assertEqual(self.refused(b"GET / HTTP/1.1\r\n\r\n"), [])
        self.assertEqual(self.refused(packet(0x10, text(b"HTTP") + b"\4")), [])


class FarewellTests(SynchronousTestCase):
    """A client whose link is closed."""

    def linked(self, version: int, *, answered: bool = True) -> FilterHarness:
        """Return a link."""

        def look(message: Packet, link: Link) -> Verdict:
            return PASS_ON

        run = FilterHarness(look, look, dialect=dialects.mqtt(), says=[Connect("ann", version=version)])
        if answered:
            run.server_sends(ConnAck())
        return run

    def test_versions(self) -> None:
        """Only version 5 has a DISCONNECT, and only behind the CONNACK."""
        for version, answered, words in (
            (4, True, []),
            (5, False, []),
            (5, True, [Disconnect(Reason.ADMINISTRATIVE_ACTION)]),
        ):
            run = self.linked(version, answered=answered)
            run.link.close()
            run.outcome()
            self.assertEqual(run.client.received, [ConnAck()] * answered + words)

    def test_shutdown(self) -> None:
        """When the repeater is shut down, clients are told."""
        run = self.linked(5)
        run.running.shutdown()
        self.assertEqual(run.client.received[-1], Disconnect(Reason.SERVER_SHUTTING_DOWN))

    def test_replaced(self) -> None:
        """A client whose id another one takes over is told."""
        run = self.linked(5)
        run.running.connect(says=[Connect("ann", version=5)])
        self.assertEqual(run.client.received[-1], Disconnect(Reason.SESSION_TAKEN_OVER))

    def test_refused_late(self) -> None:
        """A client that may not have the name that it has been assigned has been told so by its CONNACK."""
        run = self.linked(5)
        run.link.close(ClientNotAllowed("no"))
        run.outcome()
        self.assertEqual(run.client.received, [ConnAck()])

    def test_wrong_packets(self) -> None:
        """A client that has sent a wrong packet is told what was wrong; one whose broker has is not blamed."""
        run = self.linked(5)
        run.client_sends_payloads(packet(0x30, text(b"a/#") + b"\0"))
        self.assertEqual(run.client.received[-1], Disconnect(Reason.TOPIC_NAME_INVALID))
        run = self.linked(5)
        run.server_sends_payloads(packet(0x30, text(b"a/#") + b"\0"))
        self.assertEqual(run.client.received[-1], Disconnect(Reason.ADMINISTRATIVE_ACTION))


class RedactTests(SynchronousTestCase):
    """What logs may show."""

    def test_messages(self) -> None:
        """Passwords and the data of logins are left out; wills and topics are not."""
        will = Will("gone", b"bye")
        shown = redacted(Connect("ann", username="u", password=b"p", will=will, properties=SECRET), Direction.TO_SERVER)
        self.assertEqual(shown, Connect("ann", username="u", password=b"***", will=will, properties=STARS))
        self.assertEqual(redacted(Connect("ann"), Direction.TO_SERVER), Connect("ann"))
        for kind in (ConnAck, Auth):
            self.assertEqual(redacted(kind(properties=SECRET), Direction.TO_CLIENT), kind(properties=STARS))
        message = Publish("a", b"secret")
        self.assertIs(redacted(message, Direction.TO_SERVER), message)

    def test_bytes(self) -> None:
        """Of a packet that was not decoded, only the type is shown where secrets may be."""
        self.assertEqual(redacted(b"\x10\x0csecret", Direction.TO_SERVER), b"\x10***")
        self.assertEqual(redacted(b"\x30\x0csecret", Direction.TO_SERVER), b"\x30\x0csecret")
        self.assertEqual(redacted(b"", Direction.TO_SERVER), b"")
