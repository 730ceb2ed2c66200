"""What people see of messages."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Close, Dialect, Direction, Send, SendBack, dialects
from twisted_repeater.codecs import LEFT_OUT
from twisted_repeater.dialects.fix.messages import Logon, NewOrderSingle
from twisted_repeater.dialects.redis.messages import Command, Reply
from twisted_repeater.holding import HeldMessage
from twisted_repeater.service.admin import shown as module
from twisted_repeater.service.admin.answers import json_of
from twisted_repeater.service.admin.described import Space
from twisted_repeater.service.admin.shapes import ShownMessage
from twisted_repeater.service.admin.shown import FULL, LARGEST, Room, Shower, payload_of
from twisted_repeater.service.admin.wire import Wire
from twisted_repeater.testing import MemoryRepeater
from twisted_repeater.watching import WatchedMessage

from .debugged import fix_message

TO_SERVER, TO_CLIENT = Direction


class Evil:
    """A message that cannot be compared."""

    DESCRIPTOR = SimpleNamespace(fields=[])

    def __eq__(self, other: object) -> bool:
        raise RuntimeError


class Interrupting:
    """A message whose type is being asked for when somebody types Ctrl-C."""

    @property
    def DESCRIPTOR(self) -> None:
        """See above."""
        raise KeyboardInterrupt


def interrupt(*arguments: object) -> Any:
    """Be interrupted."""
    raise KeyboardInterrupt


class ShownCase(SynchronousTestCase):
    """A repeater whose messages are watched and held."""

    def begin(self, dialect: Dialect | None = None, **options: Any) -> None:
        """Start it."""
        self.watched: list[WatchedMessage] = []
        self.world = MemoryRepeater(dialect, **options)
        self.world.repeater.watch(self.watched.append)
        self.client = self.world.connect("ann")
        self.link = self.world.repeater.links()[0]
        self.shower = Shower("edge", Wire(self.world.dialect, self.world.repeater.limits))

    def show(self, index: int = -1, **room: Any) -> ShownMessage:
        """Return what is shown of a message."""
        shown = self.shower.watched(7, self.watched[index], **room)
        self.assertEqual(msgspec.json.decode(json_of(shown))["n"], 7)
        return shown

    def held(self, message: Any, **more: Any) -> HeldMessage:
        """Return a message as it is held."""
        encode = self.world.dialect.to_server.writer(1)
        given = {"payload": None, "decode": None, "encode": encode, "behind": lambda: 0} | more
        return HeldMessage(self.link, TO_SERVER, 5.0, message, **given)


def data_of(shown: Any) -> bytes:
    """Return the bytes that are shown."""
    return base64.b64decode(shown.bytes.base64)


class WatchedTests(ShownCase):
    """Messages as they pass."""

    def test_message(self) -> None:
        """A message has its link, its place, its verdict, its fields and its bytes."""
        self.begin(to_server_filter=lambda message, link: PASS_ON)
        self.client.send(b'{"a":1}')
        shown = self.show()
        expected = ("edge", self.link.id, "ann", "to_server", "message", 1, None, '{"a":1}', [("a", "1", None)])
        got = (shown.repeater, shown.link, shown.client, shown.direction, shown.origin, shown.number, shown.type)
        self.assertEqual((*got, shown.summary, shown.fields), expected)
        self.assertEqual((shown.verdict, shown.by_filter, shown.passed, shown.size), ("PASS_ON", True, True, 11))
        self.assertEqual((data_of(shown), shown.bytes.cut), (b'\0\0\0\7{"a":1}', False))  # type: ignore[union-attr]
        self.assertEqual((shown.payload_at, shown.payload_size), (4, 7))
        self.assertIsNone(shown.decoded)
        self.assertEqual(msgspec.json.decode(json_of(self.show(room=FULL)))["decoded"], '{"a":1}')
        self.assertEqual((shown.forward, shown.back, shown.redacted), (None, None, False))

    def test_verdicts(self) -> None:
        """A verdict has a name, and a reason if it closes the link; what went out is shown with it."""
        verdicts = [Send(b"other"), SendBack([b"one", b"two"]), DROP, Close(ValueError("no"))]
        self.begin(to_server_filter=lambda message, link: verdicts.pop(0))
        self.client.send(b"a", b"b", b"c", b"d")
        found = [self.show(index) for index in range(-4, 0)]
        self.assertEqual([shown.verdict for shown in found], ["Send", "SendBack", "DROP", "Close: no"])
        self.assertEqual(found[0].forward.summary, "other")  # type: ignore[union-attr]
        self.assertEqual((found[1].back.summary, found[1].back.size), ("one; two", 14))  # type: ignore[union-attr]
        self.assertEqual(data_of(found[1].back), b"\0\0\0\3one\0\0\0\3two")

    def test_own(self) -> None:
        """A message of the application is shown as others are."""
        self.begin(dialects.redis())
        self.link.send_to_client(Reply.status("OK"))
        self.world.settle()
        shown = self.show()
        self.assertEqual((shown.origin, shown.summary, shown.type), ("own", "status OK", "status"))
        self.assertEqual((data_of(shown), shown.size, shown.forward, shown.verdict), (b"+OK\r\n", 5, None, ""))
        self.assertEqual((shown.payload_at, shown.payload_size), (0, 5))

    def test_opening(self) -> None:
        """Of an opening nothing is shown but how many bytes it has: there may be a password in them."""
        self.begin()
        received, sent = self.show(0), self.show(1)
        self.assertRegex(received.summary, r"^opening: \d+ bytes were received$")
        self.assertRegex(sent.summary, r"^opening: \d+ bytes were sent$")
        self.assertEqual(
            (received.bytes, received.fields, received.decoded, received.redacted), (None, None, None, True)
        )
        self.assertEqual(received.size, len(self.watched[0].frame))

    def test_cut(self) -> None:
        """Large messages are cut, unless somebody asks for one; too large ones are not decoded."""
        self.begin()
        self.client.send(b"x" * 10_000, b"y" * (LARGEST + 1))
        cut, full, large = self.show(-2), self.show(-2, room=FULL), self.show(-1, room=FULL)
        self.assertEqual((cut.bytes.cut, len(data_of(cut)), cut.decoded), (True, 4096, None))  # type: ignore[union-attr]
        self.assertEqual((len(data_of(full)), full.size), (10_004, 10_004))
        self.assertEqual(large.summary, f"{LARGEST + 5} bytes, too many to be decoded here")
        self.assertEqual((len(data_of(large)), large.bytes.cut), (LARGEST, True))  # type: ignore[union-attr]

    def test_undecodable(self) -> None:
        """Bytes that are not a message are shown only if the dialect has no secrets."""
        self.begin()
        broken = WatchedMessage(self.link, TO_CLIENT, 1.0, frame=b"1234", forward=b"\0\0\0\1", back=b"\0\0\0\1x")
        shown = self.shower.watched(1, broken)
        self.assertEqual((shown.summary, data_of(shown)), ("4 bytes, which cannot be decoded", b"1234"))
        self.assertEqual(data_of(shown.forward), b"\0\0\0\1")
        huge = WatchedMessage(self.link, TO_CLIENT, 1.0, back=bytes(LARGEST + 1))
        self.assertIn("too many to be decoded", self.shower.watched(1, huge).back.summary)  # type: ignore[union-attr]
        self.begin(dialects.redis())
        shown = self.shower.watched(1, WatchedMessage(self.link, TO_CLIENT, 1.0, frame=b"?", forward=b"?"))
        self.assertEqual((shown.bytes, shown.redacted, shown.forward.bytes), (None, True, None))  # type: ignore[union-attr]


class SecretTests(ShownCase):
    """What is not shown."""

    def test_redacted(self) -> None:
        """What the dialect redacts is shown redacted, and without its bytes; all others with them."""
        self.begin(dialects.redis())
        self.client.send(Command("AUTH", "geheim"), Command("GET", "k"))
        secret, other = self.show(-2), self.show(-1)
        self.assertEqual((secret.summary, secret.bytes, secret.redacted), ("AUTH (redacted)", None, True))
        self.assertNotIn(b"geheim", json_of(secret) + json_of(self.show(-2, room=FULL)))
        self.assertEqual((other.redacted, data_of(other)), (False, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"))
        self.assertTrue(self.shower.is_secret(Command("AUTH", "geheim"), TO_SERVER))

    def test_made(self) -> None:
        """A secret that a filter has put into a message is not shown either."""
        self.begin(dialects.redis(), to_server_filter=lambda message, link: Send(Command("AUTH", "geheim")))
        self.client.send(Command("PING"))
        shown = self.show()
        self.assertIn("AUTH (redacted)", shown.forward.summary)  # type: ignore[union-attr]
        self.assertIsNone(shown.forward.bytes)  # type: ignore[union-attr]
        self.assertNotIn(b"geheim", json_of(shown))

    def test_logon(self) -> None:
        """The password of a Logon is not shown, the other fields are."""
        self.begin(dialects.redis())
        shower = Shower("edge", Wire(dialects.fix(), self.world.repeater.limits))
        logon = fix_message(Logon({98: 0, 108: 30, 553: "me", 554: "geheim"}), 1)
        shown, settable = shower.held(self.held(logon, payload=logon.data))
        self.assertIn(("554", "***", "Password"), [tuple(field) for field in shown.fields or ()])
        self.assertEqual((shown.bytes, shown.redacted, shown.type), (None, True, "Logon (A)"))
        self.assertEqual(settable, [])  # it belongs to the session
        self.assertNotIn("geheim", shower.text(self.held(logon)))

    def test_failing(self) -> None:
        """If it cannot be found out what is secret, nothing is shown."""
        self.begin(dialects.int32().changed(redact=lambda message, direction: Evil()))
        self.client.send(b"geheim")
        self.assertEqual((self.show().bytes, self.show().redacted), (None, True))
        broken = WatchedMessage(self.link, TO_CLIENT, 1.0, back=b"x")
        self.patch(self.shower._wire, "messages", interrupt)
        self.assertRaises(KeyboardInterrupt, self.shower.watched, 1, broken)
        self.begin(dialects.int32().changed(redact=interrupt))
        self.assertRaises(KeyboardInterrupt, self.shower.is_secret, b"x", TO_SERVER)


class HeldTests(ShownCase):
    """Messages that are held."""

    def test_held(self) -> None:
        """A held message has its payload, and the names of the fields that can be set."""
        self.begin()
        shown, settable = self.shower.held(self.held(b'{"a":1}', payload=b'{"a":1}'))
        self.assertEqual((shown.n, shown.time, shown.size, data_of(shown)), (0, 5.0, 7, b'{"a":1}'))
        self.assertEqual(settable, ["a"])
        cut, settable = self.shower.held(self.held(b'{"a":"xxxx"}'), Room(Space(2, 10, 100), 4, 4))
        self.assertEqual((settable, cut.decoded, data_of(cut)), ([], None, b'{"a"'))

    def test_large(self) -> None:
        """A message that is too large to be shown still has its type."""
        self.begin(dialects.redis())
        shown, settable = self.shower.held(self.held(Command("SET", "k", "x" * LARGEST)))
        self.assertEqual((shown.type, settable, shown.bytes), ("SET", [], None))
        self.assertIn("too many to be decoded", shown.summary)
        evil: Any = Evil()
        self.assertEqual(self.shower.held(self.held(evil, payload=b"x" * (LARGEST + 1)))[0].type, "Evil")

    def test_without_payload(self) -> None:
        """A message that cannot be encoded is shown without bytes."""
        self.begin()
        self.assertIsNone(payload_of(self.held(5)))
        self.assertIsNone(payload_of(self.held(5, encode=lambda message: "text")))
        self.assertRaises(KeyboardInterrupt, payload_of, self.held(5, encode=interrupt))
        shown, _ = self.shower.held(self.held(NewOrderSingle({11: "1"})))
        self.assertEqual((shown.size, shown.type), (0, "NewOrderSingle (D)"))

    def test_failing(self) -> None:
        """Nothing that a message does can break the debugger."""
        self.begin()
        self.assertIsNone(self.shower.held(self.held(LEFT_OUT), FULL)[0].decoded)
        self.patch(module, "plain", interrupt)
        self.assertRaises(KeyboardInterrupt, self.shower.held, self.held(b"x"), FULL)
        self.patch(module, "plain", lambda value: {b"no": "json"})
        self.assertIsNone(self.shower.held(self.held(b"x"), FULL)[0].decoded)

        class Unreadable(Command):
            """A command without a name."""

            name = property(lambda self: 1 // 0)

        broken = Unreadable.__new__(Unreadable)
        shown, _ = self.shower.held(self.held(broken, payload=b"x" * (LARGEST + 1)))
        self.assertIsNone(shown.type)
        shown, _ = self.shower.held(self.held(broken, payload=b"x"))
        self.assertEqual((shown.decoded, shown.fields), (None, None))
        broken.__class__ = type("Interrupting", (Unreadable,), {"__slots__": (), "name": property(interrupt)})
        self.assertRaises(KeyboardInterrupt, self.shower.held, self.held(broken, payload=b"x" * (LARGEST + 1)))
