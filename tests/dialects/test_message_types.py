"""Tests of dialects and message types: versions, their codecs, the steps between them."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_repeater.codecs import LEFT_OUT, RawCodec
from twisted_repeater.codecs.bin_prot import bin_int
from twisted_repeater.dialects import Conversion, Dialect, MessageType, hellos
from twisted_repeater.dialects.int32 import JSONHandshake
from twisted_repeater.dialects.message_types import agreed_version
from twisted_repeater.errors import MultipleVersionsError, ParseError, VersionMismatch
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.interfaces import ICodec

from ..peers import hellos_of


@implementer(ICodec)
class ListCodec:
    """A codec of lists of so many members."""

    def __init__(self, members: int) -> None:
        self.members = members

    def decode(self, payload: bytes) -> Any:
        """Read a list."""
        message = json.loads(payload)
        if len(message) != self.members:
            raise ParseError(f"{len(message)} members, expected {self.members}")
        return message

    def encode(self, message: Any) -> bytes:
        """Write a list."""
        assert len(message) == self.members, message
        return json.dumps(message).encode()


class UpperCodec(RawCodec):
    """A codec derived from the one that does nothing."""

    def decode(self, payload: bytes) -> Any:
        """Return the payload in capitals."""
        return payload.upper()


LONGER = Conversion(
    up=lambda message: LEFT_OUT if "old" in message else [*message, len(message)],
    down=lambda message: LEFT_OUT if "new" in message else message[:-1],
)

CODECS = {version: ListCodec(version) for version in (1, 2, 3, 4)}

VERSIONS = MessageType(CODECS, low=1, prod=2, test=3, conversions={2: LONGER, 3: LONGER})
"""Three versions, a longer list in each."""


def dialect(to_server: MessageType, to_client: MessageType, production: bool = True) -> Dialect:
    """Make a dialect of these messages."""
    return Dialect(
        name="test",
        framing=lambda limits: Int32Framing(limits.max_frame),
        opening=hellos(lambda limits: JSONHandshake(limits.max_hello), production=production),
        to_server=to_server,
        to_client=to_client,
    )


class MessageTypeTests(SynchronousTestCase):
    """The messages of one direction."""

    def test_bytes_by_default(self) -> None:
        """Where nothing is said there is one version, and a message is its payload."""
        kind = MessageType.of(None)
        self.assertEqual((kind.low, kind.prod, kind.test), (1, 1, 1))
        self.assertIs(kind.reader(1), None)
        self.assertEqual(kind.writer(1)(b"abc"), b"abc")

    def test_of_a_codec(self) -> None:
        """A codec alone is that of the one version."""
        codec = ListCodec(2)
        kind = MessageType.of(codec)
        self.assertEqual((kind.low, kind.prod, kind.test), (1, 1, 1))
        self.assertIs(kind.codec(1), codec)

    def test_of_a_type(self) -> None:
        """A message type is taken as it is."""
        self.assertIs(MessageType.of(VERSIONS), VERSIONS)

    def test_versions_in_order(self) -> None:
        """The oldest version cannot be newer than the stated one, nor that newer than the newest."""
        for low, prod, test in ((2, 1, 3), (1, 3, 2)):
            error = self.assertRaises(ValueError, MessageType, CODECS, low, prod, test)
            self.assertIn(f"{low}, {prod}, {test}", str(error))

    def test_a_codec_for_each(self) -> None:
        """A version without a codec is an error at once, not when the first message of it comes."""
        error = self.assertRaises(ValueError, MessageType, {1: ListCodec(1), 3: ListCodec(3)}, 1, 1, 3)
        self.assertIn("version 2", str(error))

    def test_per_link(self) -> None:
        """Versions of which each link has one need no conversion, and filters see each as its codec decodes it."""
        kind = MessageType(CODECS, low=1, prod=3, test=4, per_link=True)
        kind.check_single_version("to the server")
        kind.check_convertible("to the server")
        for version in CODECS:
            self.assertIs(kind.codec_of_filters(version), CODECS[version])
            message = ["x"] * version
            reader = kind.reader(version)
            assert reader is not None
            self.assertEqual(reader(kind.writer(version)(message)), message)
        error = self.assertRaises(ValueError, MessageType, CODECS, conversions={2: LONGER}, per_link=True)
        self.assertIn("conversions must be empty with per_link", str(error))

    def test_no_codec(self) -> None:
        """What has no methods to decode and encode, and a class that has, is refused when the type is made."""
        no_codec: Any
        for no_codec in (bin_int, RawCodec, object(), b"", {1: RawCodec()}):
            for given in (MessageType.of, lambda codec: MessageType({1: RawCodec(), 2: codec})):
                error = self.assertRaises(TypeError, given, no_codec)
                told = f"a codec must be an object with the methods decode and encode, not {no_codec!r} ("
                self.assertEqual(str(error), told + "bin_prot_codec makes a codec of a bin_prot type)")

    def test_order(self) -> None:
        """The parts are given by name, or with the codecs first."""
        steps = {2: LONGER, 3: LONGER}
        for kind in (
            MessageType(CODECS, 1, 2, 3, steps),
            MessageType(conversions=steps, low=1, prod=2, test=3, codecs=CODECS),
        ):
            self.assertEqual((kind.low, kind.prod, kind.test), (1, 2, 3))
            self.assertIs(kind.codecs, CODECS)
            self.assertIs(kind.conversions, steps)

    def test_parts_of_other_kinds(self) -> None:
        """A part that is not of its kind is named."""
        made: Any = MessageType
        for given, told in (
            ((RawCodec,), f"codecs must be a mapping whose keys are versions, not {RawCodec!r}"),
            ((1, 2, 3), "codecs must be a mapping whose keys are versions, not 1"),
            ((CODECS, 1, 2, 3, LONGER), f"conversions must be a mapping whose keys are versions, not {LONGER!r}"),
            ((CODECS, "1", 2, 3), "low, prod and test must be numbers of versions, not '1', 2, 3"),
        ):
            self.assertEqual(str(self.assertRaises(TypeError, made, *given)), told)

    def test_codec(self) -> None:
        """There is a codec from the oldest to the newest version, for others it is an error, whatever was given."""
        self.assertEqual([VERSIONS.codec(version) for version in (1, 2, 3)], [CODECS[1], CODECS[2], CODECS[3]])
        for version in (0, 4, -1):
            error = self.assertRaises(VersionMismatch, VERSIONS.codec, version)
            self.assertIn("1 to 3", str(error))
            self.assertRaises(VersionMismatch, VERSIONS.reader, version)
            self.assertRaises(VersionMismatch, VERSIONS.writer, version)

    def test_codec_of_filters(self) -> None:
        """Filters see what a codec decodes only if that is the newest version's."""
        self.assertEqual([VERSIONS.codec_of_filters(version) for version in (1, 2, 3)], [None, None, CODECS[3]])

    def test_derived_from_the_raw_codec(self) -> None:
        """A codec of the user's own decodes, also if it is derived from the one that does nothing."""
        reader: Any = MessageType.of(UpperCodec()).reader(1)
        self.assertEqual(reader(b"abc"), b"ABC")


class ConversionTests(SynchronousTestCase):
    """Reading and writing other versions than the newest."""

    def read(self, version: int, payload: bytes) -> Any:
        """Read a payload of a version."""
        reader: Any = VERSIONS.reader(version)
        return reader(payload)

    def test_read_newest(self) -> None:
        """The newest form is what the newest codec decodes."""
        self.assertEqual(VERSIONS.reader(3), CODECS[3].decode)

    def test_read_older(self) -> None:
        """An older version is taken up step by step."""
        self.assertEqual(self.read(2, b'["a", "b"]'), ["a", "b", 2])
        self.assertEqual(self.read(1, b'["a"]'), ["a", 1, 2])

    def test_read_what_newer_versions_lack(self) -> None:
        """What doesn't exist in a version on the way is left out, and goes no further."""
        self.assertIs(self.read(1, b'["old"]'), LEFT_OUT)

    def test_read_garbage(self) -> None:
        """What cannot be decoded is the sender's fault, in whatever version."""
        self.assertRaises(ParseError, self.read, 1, b'["a", "b"]')

    def test_write_newest(self) -> None:
        """The newest form is written by the newest codec."""
        self.assertEqual(VERSIONS.writer(3), CODECS[3].encode)

    def test_write_older(self) -> None:
        """An older version is reached step by step."""
        self.assertEqual(VERSIONS.writer(2)(["a", "b", "c"]), b'["a", "b"]')
        self.assertEqual(VERSIONS.writer(1)(["a", "b", "c"]), b'["a"]')

    def test_write_what_older_versions_lack(self) -> None:
        """What doesn't exist in a version on the way is left out, and goes no further."""
        self.assertIs(VERSIONS.writer(1)(["a", "b", "new"]), LEFT_OUT)


class DialectTests(SynchronousTestCase):
    """A protocol as a whole."""

    def test_one_version(self) -> None:
        """One version of each message type is accepted."""
        single = dialect(MessageType(), MessageType({5: ListCodec(5)}, low=5, prod=5, test=5))
        single.check_versions(convert=False)
        single.check_versions(convert=True)

    def test_several_versions(self) -> None:
        """Several need the wish to convert them; the error says which messages have them."""
        for two, direction in (
            (dialect(VERSIONS, MessageType()), "to the server"),
            (dialect(MessageType(), VERSIONS), "to the client"),
        ):
            two.check_versions(convert=True)
            error = self.assertRaises(MultipleVersionsError, two.check_versions, convert=False)
            self.assertIn(f"{direction} have versions 1 (low), 2 (prod) and 3 (test)", str(error))

    def test_missing_step(self) -> None:
        """To be converted, each version needs the step from the one before it."""
        gap = dialect(MessageType(), MessageType(CODECS, low=1, prod=1, test=3, conversions={2: LONGER}))
        error = self.assertRaises(ValueError, gap.check_versions, convert=True)
        self.assertIn("to the client: no conversion between versions 2 and 3", str(error))

    def test_stated_version(self) -> None:
        """A hello states the version of production, or the newest where that is tested."""
        self.assertEqual(hellos_of(dialect(VERSIONS, VERSIONS)).stated(VERSIONS), 2)
        self.assertEqual(hellos_of(dialect(VERSIONS, VERSIONS, production=False)).stated(VERSIONS), 3)

    def test_agreed_version(self) -> None:
        """A connection uses the newest version that both ends have."""
        self.assertEqual((agreed_version(1, 3), agreed_version(3, 2), agreed_version(2, 2)), (1, 2, 2))
