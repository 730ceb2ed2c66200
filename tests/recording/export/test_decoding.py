"""Recorded frames, decoded."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, ParseError
from twisted_repeater.codecs import text
from twisted_repeater.dialects import Dialect, MessageType, length, lines, mqtt
from twisted_repeater.dialects.mqtt import Publish
from twisted_repeater.errors import FramingError
from twisted_repeater.framings import LengthFraming
from twisted_repeater.recording.export import Decoder

from ...fuzz.recording import recordings
from .made import made_message


class CountingFraming:
    """A framing whose frames depend on those before: each begins with its number, and ends with a mark."""

    def __init__(self) -> None:
        self.body = 1
        self.tail = 1
        self.number = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if data[start] != self.number:
            raise FramingError(f"expected frame {self.number}")
        return data.index(b";", start) + 1

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`."""
        self.number += 1

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        raise NotImplementedError

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        raise NotImplementedError


class DecoderTests(SynchronousTestCase):
    """Messages in frames."""

    def test_payloads(self) -> None:
        """Where messages are payloads, the payload of a frame is its message, without the mark that ends it."""
        decoder = Decoder(length(size=2))
        self.assertEqual(decoder.decode(made_message(1, b"\x00\x03abc")), b"abc")
        self.assertEqual(Decoder(lines()).decode(made_message(1, b"abc\n")), b"abc")

    def test_codecs(self) -> None:
        """Each direction has its own codec, whose errors are raised."""
        dialect = Dialect(
            name="texts", framing=lambda limits: LengthFraming(limits.max_frame, size=4), to_client=text()
        )
        decoder = Decoder(dialect)
        self.assertEqual(decoder.decode(made_message(1, b"\x00\x00\x00\x01a")), b"a")
        self.assertEqual(decoder.decode(made_message(1, b"\x00\x00\x00\x01a", to_client=True)), "a")
        self.assertRaises(ParseError, decoder.decode, made_message(1, b"\x00\x00\x00\x01\xff", to_client=True))

    def test_not_a_frame(self) -> None:
        """Bytes that are less or more than one frame are an error that says so."""
        decoder = Decoder(length(size=1))
        for frame in (b"\x02a", b"\x01ab", b""):
            error = self.assertRaises(FramingError, decoder.decode, made_message(1, frame))
            self.assertEqual(str(error), "the bytes are not one message of the dialect length")

    def test_following_framings(self) -> None:
        """A framing that follows the frames is told of each, apart for each link, until the link has ended."""
        decoder = Decoder(Dialect(name="counting", framing=lambda limits: CountingFraming()))
        for number in range(3):
            self.assertEqual(decoder.decode(made_message(1, b"%cabc;" % number)), b"abc")
        self.assertEqual(decoder.decode(made_message(1, b"\x00abc;", link=2)), b"abc")
        self.assertRaises(FramingError, decoder.decode, made_message(1, b"\x00abc;"))
        decoder.forget(1)
        self.assertEqual(decoder.decode(made_message(1, b"\x00abc;")), b"abc")
        decoder.forget(9)

    def test_versions_of_links(self) -> None:
        """Where each link has its own version, both directions of a link are decoded in that which can read it."""
        decoder = Decoder(mqtt())
        versions = set()
        for number, recording in enumerate(recordings("mqtt")):
            if "programs" not in recording.name:
                continue
            for direction, frame in recording.messages:
                message = made_message(1, frame, link=number, to_client=direction is Direction.TO_CLIENT)
                decoded = decoder.decode(message)
                versions.add(getattr(decoded, "version", None))
                if isinstance(decoded, Publish):
                    self.assertIn(decoded.payload, frame)
        self.assertEqual(versions, {None, 4, 5})

    def test_version_of_one_direction(self) -> None:
        """If only the messages of one direction have versions, those of the other are read as always."""
        versions = MessageType({2: text("latin-1"), 3: text()}, low=2, prod=3, test=3, per_link=True)
        decoder = Decoder(length(size=1).changed(to_server=versions))
        self.assertEqual(decoder.decode(made_message(1, b"\x01\xe9")), "é")
        self.assertEqual(decoder.decode(made_message(1, b"\x02\xc3\xa9")), "Ã©")
        self.assertEqual(decoder.decode(made_message(1, b"\x01\xe9", to_client=True)), b"\xe9")

    def test_no_version(self) -> None:
        """A frame that no version can read is the error of the newest one."""
        decoder = Decoder(mqtt())
        error = self.assertRaises(ParseError, decoder.decode, made_message(1, b"\x30\x02\x00\x09"))
        self.assertIn("PUBLISH", str(error))
