"""Tests of the hello of ``int32``."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.errors import InvalidHello
from twisted_repeater.framing import Int32Framing
from twisted_repeater.hello import JSONHandshake, agreed_version
from twisted_repeater.interfaces import IHandshake
from twisted_repeater.model import Hello

HANDSHAKE = JSONHandshake(64 * 1024)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class DecodeTests(SynchronousTestCase):
    """Reading a hello."""

    def refused(self, payload: bytes) -> str:
        """Give the message with which a payload is refused."""
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
        """What a newer peer says beyond that is ignored."""
        self.assertEqual(HANDSHAKE.decode(b'{"name": "alice", "colour": [1, 2]}'), Hello("alice"))

    def test_not_utf8(self) -> None:
        """Bytes that are no UTF-8 are no hello."""
        self.assertIn("UTF-8", self.refused(b'{"name": "\xff"}'))

    def test_half_a_surrogate_pair(self) -> None:
        """Text that JSON can say but nobody can write is refused; a whole pair is a character."""
        for member in ("name", "credentials"):
            self.assertIn(f"'{member}'", self.refused(b'{"name": "alice", "%s": "\\ud83d"}' % member.encode()))
        self.assertEqual(HANDSHAKE.decode(b'{"name": "\\ud83d\\ude00"}'), Hello("\U0001f600"))

    def test_not_json(self) -> None:
        """Neither is text that is no JSON."""
        for payload in (b"", b"GET / HTTP/1.1", b'{"name": ', b'\xef\xbb\xbf{"name": "alice"}', b'{"name": "a"} more'):
            self.assertIn("JSON object", self.refused(payload))

    def test_no_object(self) -> None:
        """Nor JSON that is no object."""
        for payload, kind in ((b"[]", "list"), (b'"alice"', "str"), (b"5", "int"), (b"null", "NoneType")):
            self.assertIn(f"not {kind}", self.refused(payload))

    def test_no_name(self) -> None:
        """The name is what it is for."""
        self.assertIn("'name'", self.refused(b'{"mode": ""}'))

    def test_wrong_types(self) -> None:
        """A member of another type is named; a truth value is no version."""
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
        """A hello of just the size that is allowed is sent."""
        frame = HANDSHAKE.encode(Hello("alice"))
        self.assertEqual(JSONHandshake(len(frame) - 4).encode(Hello("alice")), frame)
        self.assertRaises(InvalidHello, JSONHandshake(len(frame) - 5).encode, Hello("alice"))

    def test_limit_on_what_is_read(self) -> None:
        """The framing of hellos has the hello's own limit."""
        framing = JSONHandshake(100).framing
        self.assertIsInstance(framing, Int32Framing)
        self.assertEqual(framing.max_frame, 100)

    @given(st.builds(Hello, st.text(), st.text(), st.integers(-5, 5), st.integers(), st.text(st.characters())))
    def test_round_trip(self, hello: Hello) -> None:
        """What is written is read again, whatever characters there are in it."""
        frame = HANDSHAKE.encode(hello)
        self.assertEqual(HANDSHAKE.decode(frame[4:]), hello)


class AgreedVersionTests(SynchronousTestCase):
    """The agreement on a version."""

    def test_the_smaller(self) -> None:
        """The newest version that both ends have is the smaller of what they say."""
        self.assertEqual([agreed_version(1, 1), agreed_version(3, 2), agreed_version(2, 5)], [1, 2, 2])
