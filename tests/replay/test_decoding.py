"""How recorded frames are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects import Dialect, fix, int32, lines, mqtt, redis
from twisted_repeater.dialects.mqtt import Connect, PubAck
from twisted_repeater.dialects.mqtt.codec import MqttCodec
from twisted_repeater.dialects.redis import Command, Reply
from twisted_repeater.framings import LengthFraming
from twisted_repeater.model import Direction
from twisted_repeater.replay.decoding import LONGEST_DATA, Decoder

if TYPE_CHECKING:
    from twisted_repeater._types import FramingObject

TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT


class Broken:
    """A message that cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no text")


class Interrupted:
    """A framing and a codec that the user interrupts."""

    body = tail = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        raise KeyboardInterrupt

    def decode(self, payload: bytes) -> object:
        """See `ICodec`."""
        raise KeyboardInterrupt

    encode = replace = decode


class DecoderTests(SynchronousTestCase):
    """Promises about `Decoder`."""

    def test_the_payload_is_what_the_framing_says(self) -> None:
        """The payload is the frame without its header; bytes that are no frame are their own payload."""
        decoder = Decoder(int32())
        self.assertEqual(b"abc", decoder.payload(b"\0\0\0\3abc", TO_SERVER))
        for bad in (b"", b"\0\0\0\3ab", b"\xff\xff\xff\xff", b"\0\0\0\3abcd"):
            self.assertEqual(bad, decoder.payload(bad, TO_SERVER))
        self.assertEqual(b"abc", Decoder(lines()).payload(b"abc\n", TO_CLIENT))

    def test_frames_are_cut(self) -> None:
        """Bytes are cut into frames; a rest that is none is the last one."""
        decoder = Decoder(int32())
        frames = [b"\0\0\0\1a", b"\0\0\0\1b"]
        self.assertEqual(frames, decoder.frames(b"".join(frames), TO_CLIENT))
        for rest in (b"\0\0", b"\xff\xff\xff\xffabc"):
            self.assertEqual([*frames, rest], decoder.frames(b"".join(frames) + rest, TO_CLIENT))

    def test_messages_are_decoded(self) -> None:
        """A message is decoded by the codec of its direction; a frame that none decodes is its payload."""
        decoder = Decoder(redis())
        self.assertEqual(Command("GET", b"x"), decoder.decoded(b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n", TO_SERVER)[0])
        self.assertEqual(Reply(3), decoder.decoded(b":3\r\n", TO_CLIENT)[0])
        self.assertEqual((b"\x10\x02ab", None), Decoder(mqtt()).decoded(b"\x10\x02ab", TO_SERVER))

    def test_the_version_of_the_link_is_tried_first(self) -> None:
        """If each link has a version of its own, the recorded one decodes its messages."""
        frame = MqttCodec(5).encode(PubAck(1, reason=16))
        self.assertEqual(PubAck(1, reason=16), Decoder(mqtt(), 5).decoded(frame, TO_CLIENT)[0])
        old = MqttCodec(4).encode(Connect("ann", version=4))
        self.assertEqual("ann", Decoder(mqtt(), 99).decoded(old, TO_SERVER)[0].client_id)

    def test_a_frame_gets_another_payload(self) -> None:
        """The new frame has the new size; a framing that makes something else is an error."""
        decoder = Decoder(int32())
        self.assertEqual(b"\0\0\0\2ab", decoder.framed(b"\0\0\0\1x", b"ab", TO_SERVER))

        class Wrong(LengthFraming):
            """Makes frames that are not whole."""

            def replace(self, frame: bytes, payload: bytes) -> bytes:
                """See `IFraming`."""
                return b"\0\0\0\3a"

        wrong = Decoder(Dialect(name="wrong", framing=lambda limits: Wrong(100, size=4)))
        self.assertRaises(ValueError, wrong.framed, b"\0\0\0\1x", b"a", TO_SERVER)

    def test_a_message_is_shown(self) -> None:
        """A report shows the decoded message, cut and escaped, and the beginning of the bytes."""
        shown = Decoder(int32()).shown(b"\0\0\x80\0" + bytes(32768), TO_SERVER)
        self.assertTrue(shown.text.startswith("b'\\x00"))
        self.assertLess(len(shown.text), 600)
        self.assertEqual((LONGEST_DATA, 32772), (len(shown.data or b""), shown.size))

    def test_secrets_are_not_shown(self) -> None:
        """If the dialect redacts a message, neither its text nor its bytes have the secret."""
        frame = b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"
        shown = Decoder(redis()).shown(frame, TO_SERVER)
        self.assertNotIn("secret", shown.text)
        self.assertIsNone(shown.data)

    def test_a_dialect_that_fails_costs_only_the_text(self) -> None:
        """Errors of a message's class, and of the function that redacts, are shown in place of the message."""

        def fails(message: Any, direction: Direction) -> Any:
            raise ValueError("no")

        def broken(message: Any, direction: Direction) -> Any:
            return Broken()

        for redact, text in ((fails, "cannot be shown"), (broken, "raised by its __repr__")):
            dialect = int32().changed(redact=redact)
            self.assertIn(text.split()[0], Decoder(dialect).shown(b"\0\0\0\1x", TO_CLIENT).text)

    def test_the_user_can_interrupt(self) -> None:
        """Ctrl-C in the code of a dialect ends the replay."""

        def interrupt(message: Any, direction: Direction) -> Any:
            raise KeyboardInterrupt

        framing = Decoder(Dialect(name="x", framing=lambda limits: cast("FramingObject", Interrupted())))
        codec = Decoder(int32().changed(to_client=Interrupted()))
        redact = Decoder(int32().changed(redact=interrupt))
        self.assertRaises(KeyboardInterrupt, framing.payload, b"x", TO_CLIENT)
        self.assertRaises(KeyboardInterrupt, framing.frames, b"x", TO_CLIENT)
        self.assertRaises(KeyboardInterrupt, codec.decoded, b"\0\0\0\1x", TO_CLIENT)
        self.assertRaises(KeyboardInterrupt, redact.shown, b"\0\0\0\1x", TO_CLIENT)

    def test_a_message_of_fix_is_shown_as_people_write_it(self) -> None:
        """Messages are shown in the way of their dialect."""
        frame = b"8=FIX.4.4\x019=5\x0135=0\x0110=163\x01"
        self.assertIn("35=0", Decoder(fix()).shown(frame, TO_CLIENT).text)
