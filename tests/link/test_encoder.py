"""Messages into frames."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._link.encoder import Encoder
from twisted_repeater.codecs import LEFT_OUT, RawCodec
from twisted_repeater.errors import MarshalingError
from twisted_repeater.framings.base import Framing
from twisted_repeater.framings.length import Int32Framing

from ..unprintable import UNPRINTABLE


class NumberedFraming(Int32Framing):
    """Frames whose payloads begin with a letter that stays when a payload is replaced."""

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.encode(frame[4:5] + payload)


class EncodeTests(SynchronousTestCase):
    """Messages into frames."""

    def encoder(self, writer: Callable[[Any], Any], framing: Framing | None = None) -> Encoder:
        """Make an encoder with this writer; ``told`` has what it reports."""
        self.told: list[Any] = []
        link = SimpleNamespace(marshaling_error=lambda connection, error: self.told.append(error))
        connection: Any = SimpleNamespace(link=link)
        encoder = Encoder(framing or NumberedFraming(10), connection)
        encoder.use(1, writer)
        return encoder

    def test_encode(self) -> None:
        """A message becomes a frame."""
        self.assertEqual(self.encoder(str.encode).encode("one"), b"\0\0\0\3one")

    def test_bytes_without_a_codec(self) -> None:
        """Without a codec whatever holds bytes becomes a frame; other messages are reported."""
        encoder = self.encoder(RawCodec().encode)
        for message in (b"one", bytearray(b"one"), memoryview(b"one")):
            self.assertEqual(encoder.encode(message), b"\0\0\0\3one")
        self.assertIsNone(encoder.encode("one"))
        self.assertEqual(len(self.told), 1)

    def test_instead_of(self) -> None:
        """A message that stands for another keeps what the framing knows to keep of it."""
        self.assertEqual(self.encoder(str.encode).encode("one", b"\0\0\0\2ab"), b"\0\0\0\4aone")

    def test_left_out(self) -> None:
        """A message that does not exist in the version is none, which is no error."""
        self.assertEqual(self.encoder(lambda message: LEFT_OUT).encode("one"), b"")
        self.assertEqual(self.told, [])

    def test_marshaling_error(self) -> None:
        """What a codec cannot encode is reported, and none."""
        error = MarshalingError("no")

        def refuse(message: Any) -> Any:
            raise error

        self.assertIsNone(self.encoder(refuse).encode("one"))
        self.assertEqual(self.told, [error])

    def test_too_long(self) -> None:
        """So is what the framing cannot send."""
        self.assertIsNone(self.encoder(str.encode).encode("far too long"))
        self.assertIsInstance(self.told[0], MarshalingError)

    def test_broken_codec(self) -> None:
        """Whatever else a codec raises is taken for one."""
        self.assertIsNone(self.encoder(str.encode).encode(b"no text"))
        (error,) = self.told
        self.assertIsInstance(error, MarshalingError)
        self.assertIn("TypeError in the codec: ", str(error))
        self.assertIsInstance(error.__cause__, TypeError)

    def test_codec_that_exits(self) -> None:
        """So is a codec that would end the process."""
        self.assertIsNone(self.encoder(sys.exit).encode("one"))
        self.assertIn("SystemExit in the codec: one", str(self.told[0]))

    def test_unprintable_errors(self) -> None:
        """So is a codec whose exception cannot be printed."""
        for kind in UNPRINTABLE:

            def refuse(message: Any, kind: type[BaseException] = kind) -> Any:
                raise kind

            self.assertIsNone(self.encoder(refuse).encode("one"))
            (error,) = self.told
            self.assertIn(f"{kind.__name__} in the codec: ", str(error))

    def test_interrupted(self) -> None:
        """Ctrl-C in a codec goes through."""

        def interrupted(message: Any) -> Any:
            raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, self.encoder(interrupted).encode, "one")

    def test_frames_that_are_no_bytes(self) -> None:
        """A framing must make bytes, or something that can be taken for bytes; else the message is not sent."""

        class Odd(Int32Framing):
            frame: Any = None

            def encode(self, payload: bytes) -> Any:
                return self.frame

        framing = Odd(10)
        for framing.frame in (None, "text", 5):
            encoder = self.encoder(str.encode)
            encoder.framing = framing
            self.assertIsNone(encoder.encode("one"))
            self.assertIn("TypeError in the codec: ", str(self.told[0]))
        for framing.frame in (bytearray(b"frame"), memoryview(b"frame")):
            encoder = self.encoder(str.encode)
            encoder.framing = framing
            frame = encoder.encode("one")
            self.assertEqual((frame, type(frame)), (b"frame", bytes))
