"""Tests of the dialect ``int32``: its hello, and the dialect as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import dialects
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects import MessageType
from twisted_repeater.dialects.int32 import MEMBERS, JSONHandshake, int32
from twisted_repeater.errors import InvalidHello
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.interfaces import IHandshake
from twisted_repeater.model import Hello, Limits

from ..peers import handshake_of, hellos_of

HANDSHAKE = JSONHandshake(64 * 1024)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)

EXTRA = st.dictionaries(st.text().filter(lambda name: name.casefold() not in MEMBERS), ANY_JSON)


class DecodeTests(SynchronousTestCase):
    """Reading a hello."""

    def refused(self, payload: bytes) -> str:
        """Return the message with which a payload is refused."""
        return str(self.assertRaises(InvalidHello, HANDSHAKE.decode, payload))

    def test_interface(self) -> None:
        """It is a handshake."""
        self.assertTrue(verifyObject(IHandshake, HANDSHAKE))

    def test_whole(self) -> None:
        """Every member is read."""
        payload = b'{"name":"a\xc3\xa9","mode":"test","send_version":3,"recv_version":2,"credentials":"edge-1"}'
        self.assertEqual(HANDSHAKE.decode(payload), Hello("aé", "test", 3, 2, "edge-1"))

    def test_name_alone(self) -> None:
        """The other members have defaults."""
        self.assertEqual(HANDSHAKE.decode(b'{"name": "alice"}'), Hello("alice"))

    def test_unknown_members(self) -> None:
        """What a newer peer says beyond that is kept, in its order; a hello with it can still be hashed."""
        said = HANDSHAKE.decode(b'{"colour": [1, 2] , "name" : "alice","size":1.5}')
        self.assertEqual(said, Hello("alice", extra={"colour": [1, 2], "size": 1.5}))
        self.assertEqual(list(said.extra), ["colour", "size"])
        self.assertEqual((len(said.extra), repr(said.extra)), (2, "<the members 'colour', 'size'>"))
        self.assertEqual(hash(said), hash(Hello("alice")))
        self.assertRaises(KeyError, lambda: said.extra["name"])

    def test_said_twice(self) -> None:
        """A member that is said twice is what it is the last time, and is forwarded once."""
        said = HANDSHAKE.decode(b'{"a": 1, "name": "ann", "a": {"b": 2, "b": 3}, "name": "bob"}')
        self.assertEqual((said.name, dict(said.extra)), ("bob", {"a": {"b": 3}}))
        self.assertIn(b'"credentials":"","a":{"b": 2, "b": 3}}', HANDSHAKE.encode(said))

    def test_almost_known(self) -> None:
        """A member that some servers would take for a known one is refused: it would change who the client is."""
        for member in ("Name", "NAME", "Credentials", "\u017fend_version"):
            payload = json.dumps({"name": "alice", member: "bob"}).encode()
            self.assertIn(f"must be written like that, not {member!r}", self.refused(payload))

    def test_numbers_without_end(self) -> None:
        """An unknown number of any length does not make a hello wrong, and stays as it is."""
        digits = b"9" * 60_000
        said = HANDSHAKE.decode(b'{"name": "alice", "n": [-%s]}' % digits)
        self.assertEqual(str(said.extra["n"][0]), f"-{digits.decode()}")
        self.assertIn(digits, HANDSHAKE.encode(said))

    def test_not_utf8(self) -> None:
        """Bytes that are no UTF-8 are no hello."""
        self.assertIn("UTF-8", self.refused(b'{"name": "\xff"}'))

    def test_half_a_surrogate_pair(self) -> None:
        """Text that JSON can say but nobody can write is refused; a whole pair is a character."""
        for member in ("name", "credentials"):
            self.assertIn(f"'{member}'", self.refused(b'{"name": "alice", "%s": "\\ud83d"}' % member.encode()))
        self.assertEqual(HANDSHAKE.decode(b'{"name": "\\ud83d\\ude00"}'), Hello("\U0001f600"))

    def test_not_json(self) -> None:
        """Neither is text that is not JSON."""
        for payload in (b"", b"GET / HTTP/1.1", b'{"name": ', b'\xef\xbb\xbf{"name": "alice"}', b'{"name": "a"} more'):
            self.assertIn("JSON object", self.refused(payload))

    def test_no_object(self) -> None:
        """Nor JSON that is not an object."""
        for payload, kind in ((b"[]", "list"), (b'"alice"', "str"), (b"5", "int"), (b"null", "NoneType")):
            self.assertIn(f"not {kind}", self.refused(payload))

    def test_no_name(self) -> None:
        """The name is what it is for."""
        self.assertIn("'name'", self.refused(b'{"mode": ""}'))

    def test_wrong_types(self) -> None:
        """A member of another type is named; a truth value is not a version."""
        for member, value in (
            ("name", 5),
            ("name", None),
            ("mode", []),
            ("send_version", "1"),
            ("recv_version", True),
            ("send_version", 1.0),
            ("credentials", {}),
        ):
            payload = json.dumps({"name": "alice", member: value}).encode()
            self.assertIn(f"'{member}'", self.refused(payload))

    def test_hostile(self) -> None:
        """Nesting without end and numbers without end are refused, not followed."""
        self.refused(b"[" * 60_000)
        self.refused(b'{"name": "alice", "send_version": ' + b"9" * 60_000 + b"}")

    @given(st.binary(max_size=100) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
    def test_garbage(self, payload: bytes) -> None:
        """Whatever a stranger sends is a hello or an `InvalidHello`, never anything else."""
        try:
            hello = HANDSHAKE.decode(payload)
        except InvalidHello:
            return
        self.assertIsInstance(hello.name, str)


class EncodeTests(SynchronousTestCase):
    """Writing a hello."""

    def test_one_frame(self) -> None:
        """A hello is one frame, with every member, so that peers which expect them all find them."""
        frame = HANDSHAKE.encode(Hello("alice", "test", 3, 2, "edge-1"))
        self.assertEqual(HANDSHAKE.framing.find(frame, 0, len(frame)), len(frame))
        members: dict[str, Any] = json.loads(frame[HANDSHAKE.framing.body :])
        expected = {"name": "alice", "mode": "test", "send_version": 3, "recv_version": 2, "credentials": "edge-1"}
        self.assertEqual(members, expected)

    def test_too_long(self) -> None:
        """A hello above the limit is refused here, before the peer does."""
        error = self.assertRaises(InvalidHello, JSONHandshake(100).encode, Hello("a" * 100))
        self.assertIn("at most 100", str(error))

    def test_at_the_limit(self) -> None:
        """A hello may be longer than the limit by what the repeater says of itself, and by no more."""
        said = HANDSHAKE.decode(b'{"name":"alice","token":"12"}')
        own = b',"mode":"","send_version":1,"recv_version":1,"credentials":"edge-1-of-many"'
        said = replace(said, credentials="edge-1-of-many")
        frame = JSONHandshake(29).encode(said)
        self.assertEqual(frame[4:], b'{"name":"alice"%s,"token":"12"}' % own)
        self.assertRaises(InvalidHello, JSONHandshake(28).encode, replace(said, credentials=""))
        self.assertRaises(InvalidHello, JSONHandshake(100).encode, replace(said, credentials="x" * 101))

    def test_characters(self) -> None:
        """Characters are written as they are, so that a name does not become longer than it was."""
        frame = HANDSHAKE.encode(Hello("\u5b57\u00e9\U0001f600"))
        self.assertIn('"name":"\u5b57\u00e9\U0001f600"'.encode(), frame)
        self.assertRaises(InvalidHello, HANDSHAKE.encode, Hello("\ud83d"))

    def test_members_of_ones_own(self) -> None:
        """Members that no peer wrote are written too, except those with the name of a known one."""
        frame = HANDSHAKE.encode(Hello("alice", extra={"token": "s", "list": [1, {"a": None}]}))
        self.assertEqual(HANDSHAKE.decode(frame[4:]).extra["list"], [1, {"a": None}])
        for member in ("name", "Mode"):
            self.assertRaises(InvalidHello, HANDSHAKE.encode, Hello("alice", extra={member: "x"}))

    def test_limit_on_what_is_read(self) -> None:
        """The framing of hellos has the hello's own limit."""
        framing = JSONHandshake(100).framing
        self.assertIsInstance(framing, Int32Framing)
        self.assertEqual(framing.max_frame, 100)

    @given(st.builds(Hello, st.text(), st.text(), st.integers(-5, 5), st.integers(), st.text(), EXTRA))
    def test_round_trip(self, hello: Hello) -> None:
        """A hello that is written is read again, whatever characters there are in it."""
        frame = HANDSHAKE.encode(hello)
        read = HANDSHAKE.decode(frame[4:])
        self.assertEqual(replace(read, extra={}), replace(hello, extra={}))
        self.assertEqual(list(read.extra), list(hello.extra))
        self.assertEqual(HANDSHAKE.encode(read), frame)


class Int32Tests(SynchronousTestCase):
    """What the dialect is put together of."""

    def test_public(self) -> None:
        """It is found under its name."""
        self.assertIs(dialects.int32, int32)
        self.assertIn("int32", dialects.__all__)

    def test_defaults(self) -> None:
        """Without a word it carries plain bytes, in one version, in no particular mode."""
        dialect = int32()
        self.assertEqual((dialect.name, hellos_of(dialect).mode), ("int32", ""))
        for kind in (dialect.to_server, dialect.to_client):
            self.assertIs(kind.reader(1), None)
            self.assertEqual(hellos_of(dialect).stated(kind), 1)
        dialect.check_versions(convert=False)

    def test_limits(self) -> None:
        """The limits of the repeater hold for messages and hellos."""
        dialect = int32()
        limits = Limits(max_frame=1000, max_hello=100)
        framing, handshake = dialect.framing(limits), handshake_of(dialect, limits)
        assert isinstance(framing, Int32Framing)
        assert isinstance(handshake, JSONHandshake)
        self.assertEqual((framing.max_frame, handshake.framing.max_frame), (1000, 100))

    def test_messages(self) -> None:
        """Each direction has its own messages: a codec, or a type with several versions."""
        codec = RawCodec()
        versions = MessageType({1: codec, 2: codec}, low=1, prod=1, test=2)
        dialect = int32(to_server=codec, to_client=versions, mode="test", production=False)
        self.assertIs(dialect.to_server.codec(1), codec)
        self.assertIs(dialect.to_client, versions)
        self.assertEqual((hellos_of(dialect).mode, hellos_of(dialect).stated(versions)), ("test", 2))

    def test_no_codec(self) -> None:
        """Something else than a codec is an error when the dialect is made."""
        no_codec: Any = RawCodec
        for direction in ("to_server", "to_client"):
            with self.assertRaisesRegex(TypeError, "a codec must be an object with"):
                int32(**{direction: no_codec})
