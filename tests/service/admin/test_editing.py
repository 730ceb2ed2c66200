"""Messages that people write."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, ClassVar

from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Dialect, Direction, Limits, Link, dialects
from twisted_repeater.dialects.fix.messages import Logon, NewOrderSingle
from twisted_repeater.dialects.redis.messages import Command, Reply
from twisted_repeater.holding import HeldMessage
from twisted_repeater.service.admin.described import Field, described
from twisted_repeater.service.admin.editing import Editor, InputError
from twisted_repeater.service.admin.setting import settable
from twisted_repeater.service.admin.shapes import Input
from twisted_repeater.service.admin.shown import IN_STREAM
from twisted_repeater.service.admin.wire import Wire
from twisted_repeater.testing import MemoryRepeater

from ...fuzz.protocols import PROTOCOLS
from .debugged import fix_message

TO_SERVER, TO_CLIENT = Direction


class EditingCase(SynchronousTestCase):
    """A link of a dialect."""

    def begin(self, dialect: Dialect, *says: object) -> None:
        """Make a link."""
        world = MemoryRepeater(dialect)
        world.connect("ann", says=says)
        (self.link,) = world.repeater.links()
        self.wire = Wire(dialect, world.repeater.limits)
        self.editor = Editor(self.wire)

    def held(self, message: Any, direction: Direction = TO_SERVER) -> HeldMessage:
        """Return a message as it is held."""
        return HeldMessage(self.link, direction, 0.0, message, payload=None, decode=None, encode=None, behind=lambda: 0)

    def changed(self, message: Any, **given: Any) -> Any:
        """Return a held message with what is given in its place."""
        return self.editor.change(self.held(message), Input(**given))

    def assert_wrong(self, expected: str, message: Any = b"x", **given: Any) -> None:
        """Check that a message cannot be changed so."""
        error = self.assertRaises(InputError, self.changed, message, **given)
        self.assertIn(expected, str(error))


class InputTests(EditingCase):
    """How a message is given."""

    def test_ways(self) -> None:
        """A message is text with escapes, hexadecimal digits, or base64; a bar is a bar."""
        self.begin(dialects.int32())
        ways: tuple[dict[str, Any], ...] = ({"text": r"a|\x00\n"}, {"hex": "61 7c 00 0a"}, {"base64": "YXwACg=="})
        for given in ways:
            self.assertEqual(self.changed(b"x", **given), b"a|\0\n")
            self.assertEqual(self.editor.send(self.link, TO_SERVER, Input(**given)), b"a|\0\n")
        self.assertEqual(self.changed(b'{"a":1}', set={"a": 2}), b'{"a":2}')

    def test_wrong(self) -> None:
        """Whatever is wrong is said, with what was expected."""
        self.begin(dialects.int32())
        self.assert_wrong("exactly one of text, hex, base64 and set")
        self.assert_wrong("exactly one of", text="a", hex="61")
        self.assert_wrong("exactly one of", text="a", set={"a": 1})
        self.assert_wrong("hex must be pairs of digits from 0 to f", hex="6")
        self.assert_wrong("base64 must be letters, digits", base64="*")
        self.assert_wrong("a backslash must be followed by", text="\\q")
        self.assert_wrong("the message has no fields", set={"a": 1})
        error = self.assertRaises(InputError, self.editor.send, self.link, TO_SERVER, Input(set={"a": 1}))
        self.assertIn("set is for a message that is held", str(error))
        self.assertIs(Input().text, UNSET)

    def test_many_links(self) -> None:
        """A message for many links is read once for each version, and may not be too large for so many."""
        self.begin(dialects.int32())
        reads: list[bytes] = []
        read: Any = self.editor._read

        def reading(link: Any, direction: Direction, payload: bytes, instead_of: Any) -> Any:
            reads.append(payload)
            return read(link, direction, payload, instead_of)

        self.patch(self.editor, "_read", reading)
        self.assertEqual(self.editor.send_each([self.link] * 3, TO_SERVER, Input(text="one")), [b"one"] * 3)
        self.assertEqual(reads, [b"one"])
        large = Input(text="x" * 1_000_000)
        self.assertEqual(len(self.editor.send_each([self.link] * 16, TO_SERVER, large)), 16)
        error = self.assertRaises(InputError, self.editor.send_each, [self.link] * 17, TO_SERVER, large)
        self.assertIn("on 17 links at once a message may have at most 986895 bytes", str(error))

    def test_not_a_message(self) -> None:
        """Bytes that the codec or the framing refuses are an error of whoever wrote them."""
        self.begin(dialects.lines(), b"x")
        self.assert_wrong("the message cannot be sent: MarshalingError", text=r"one\ntwo")
        self.begin(
            dialects.mqtt(),
            dialects.mqtt().to_server.codec(4).decode(bytes.fromhex("100e00044d5154540400000000026d65")),
        )
        self.assert_wrong("the bytes are not a message: MalformedPacket", text="hello")


class RecordedTests(SynchronousTestCase):
    """Messages of recorded sessions, with values that no protocol has room for."""

    wrong: ClassVar[list[Any]] = [
        *(r"\x00", r"\xff", "\ud800", "", "#", -1, 256, 2**16, 2**32, 2**64, 10**400, 1.5, True, None, {"a": 1}),
        *("x" * 300, "x" * 2000, "x" * 70_000, [], [1] * 130, [True] * 2100, [-1], [2**70], ["x"], [[1]], "1, 2, 3"),
    ]
    """New values of fields."""

    def messages(self, name: str, wire: Wire, link: Link) -> Iterator[HeldMessage]:
        """Return one message of each kind, as it is held."""
        seen = set()
        for recording in PROTOCOLS[name].recordings:
            for direction, data in recording.messages:
                try:
                    (message,) = wire.messages(link, direction, data)
                except Exception:  # of another version, or of the opening, or not well-formed
                    continue
                kind = (direction, type(message), *(field.name for field in _fields(message)))
                if kind not in seen:
                    seen.add(kind)
                    yield HeldMessage(
                        link, direction, 0.0, message, payload=data, decode=None, encode=None, behind=lambda: 0
                    )

    def attacked(self, name: str) -> tuple[int, int]:
        """Set each field of each kind of messages to each value; return how many of these were sent, and refused."""
        sent = refused = 0
        repeater = PROTOCOLS[name].repeater(limits=Limits(max_frame=1000))
        self.addCleanup(repeater.close)
        (link,) = repeater.repeater.links()
        wire = Wire(repeater.dialect, repeater.repeater.limits)
        editor = Editor(wire)
        for held in self.messages(name, wire, link):
            for field, new in product(_fields(held.message), self.wrong):
                try:
                    made = editor.change(held, Input(set={field.name: new}))
                except InputError as error:
                    self.assertLess(len(str(error)), 600)
                    refused += 1
                    continue
                encoded = wire.kind(held.direction).writer(wire.version(link, held.direction))(made)
                self.assertLessEqual(len(encoded), 1000)
                wire.read(link, held.direction, encoded)
                sent += 1
            about = described(held.message, IN_STREAM.space)
            values = {field.name: field.value for field in about.fields or ()}
            for shown in settable(held.message, about):
                if values[shown]:  # null is shown as nothing
                    made = editor.change(held, Input(set={shown: values[shown]}))
                    self.assertEqual(made, held.message, shown)
        return sent, refused

    def test_fields(self) -> None:
        """Whatever a field is set to, it is either refused, in few words, or one message that its reader can read.

        Each field that can be set can have the value that is shown.
        """
        for name in ("modbus", "mqtt", "postgres"):
            sent, refused = self.attacked(name)
            self.assertGreater(min(sent, refused), 50, name)


def _fields(message: Any) -> list[Field]:
    return described(message, IN_STREAM.space).fields or []


class FixTests(EditingCase):
    """FIX, as people write it."""

    def setUp(self) -> None:
        self.begin(dialects.fix(), fix_message(Logon({98: 0, 108: 30}), 1))
        self.order = fix_message(NewOrderSingle({11: "1", 55: "MSFT", 38: 1000}), 7)

    def test_text(self) -> None:
        """Fields are enough: the header of the held message is kept, with its number, and length and sum are right."""
        changed = self.changed(self.order, text=r"35=D\x0111=1\x0155=IBM\x0138=500")
        expected = fix_message(NewOrderSingle({11: "1", 55: "IBM", 38: 500}), 7)
        self.assertEqual(changed.data, expected.data)
        self.assertIs(type(changed), NewOrderSingle)

    def test_too_many_fields(self) -> None:
        """A message that is written by hand has not so many fields that reading it keeps links waiting."""
        text = r"35=D\x01" + r"55=a\x01" * 10_000
        error = self.assertRaises(InputError, self.editor.send, self.link, TO_SERVER, Input(text=text))
        self.assertIn("may have 10000 fields; use set", str(error))

    def test_whole(self) -> None:
        """A whole message may have a wrong length and sum, and gets the number of the held one."""
        text = self.order.data.replace(b"38=1000", b"38=5").replace(b"34=7", b"34=99")
        changed = self.changed(self.order, hex=text.hex())
        self.assertEqual((changed[38], changed[34]), (b"5", b"7"))

    def test_set(self) -> None:
        """A field that is set leaves all others as they were."""
        changed = self.changed(self.order, set={"OrderQty": "500"})
        self.assertEqual(changed.data, fix_message(NewOrderSingle({11: "1", 55: "MSFT", 38: 500}), 7).data)

    def test_without_header(self) -> None:
        """A message that a filter has made has no header yet, nor has what takes its place."""
        changed = self.changed(NewOrderSingle({11: "1"}), text="35=D\\x0111=2")
        self.assertEqual((changed.is_whole, changed[11]), (False, b"2"))

    def test_send(self) -> None:
        """A message of one's own needs no header; one that only engines may send is refused."""
        sent = self.editor.send(self.link, TO_CLIENT, Input(text=r"35=8\x0155=IBM\x01"))
        self.assertEqual((sent.is_whole, sent[55]), (False, b"IBM"))
        self.assertEqual(self.editor.send(self.link, TO_CLIENT, Input(text="35=U7")).type, "U7")
        whole = self.editor.answer(self.held(self.order), Input(hex=self.order.data.hex()))
        self.assertEqual(whole, self.order)
        error = self.assertRaises(InputError, self.editor.send, self.link, TO_CLIENT, Input(text=r"35=A\x0198=0"))
        self.assertIn("only an engine may send", str(error))

    def test_session(self) -> None:
        """What belongs to the session can only be released."""
        logon = fix_message(Logon({98: 0, 108: 30}), 1)
        self.assert_wrong("a Logon belongs to the session of FIX, and cannot be changed", logon, text="35=0")
        error = self.assertRaises(InputError, self.editor.answer, self.held(logon), Input(text="35=0"))
        self.assertIn("cannot be answered, only released", str(error))

    def test_wrong(self) -> None:
        """What is not FIX is refused in plain words."""
        self.assert_wrong("must have its type once, such as 35=D", self.order, text="55=IBM")
        self.assert_wrong("must be fields such as 55=ABC", self.order, text="hello")
        self.assert_wrong("cannot be sent", self.order, text=r"35=D\x018=\x019=5")
        self.assert_wrong("the bytes are not a message", self.order, text=r"8=FIX.4.4\x0135=D\x0195=5\x0196=a")


class RedisTests(EditingCase):
    """Redis, as people write it."""

    def test_command(self) -> None:
        """A command may be words with quotes, or a whole frame."""
        self.begin(dialects.redis())
        for text in (r"SET k \"a b\"".replace("\\", ""), r"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na b\r\n"):
            self.assertEqual(self.changed(Command("PING"), text=text), Command("SET", "k", "a b"))
        self.assertEqual(self.changed(Command("SET", "k", "v"), set={"argument 2": "w"}), Command("SET", "k", "w"))
        self.assert_wrong("a command must be words such as SET key value", Command("PING"), text="'a")
        self.assert_wrong("the bytes are not a message", Command("PING"), text="*2\\r\\n$1\\r\\na\\r\\n")

    def test_reply(self) -> None:
        """A short reply needs no end."""
        self.begin(dialects.redis())
        answer = self.editor.answer(self.held(Command("GET", "k")), Input(text="-ERR no"))
        self.assertEqual(answer, Reply.failure("ERR no"))
        self.assertEqual(self.editor.send(self.link, TO_CLIENT, Input(text=r"$1\r\nx\r\n")), Reply(b"x"))
