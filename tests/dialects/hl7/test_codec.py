"""The codec of HL7 messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Side
from twisted_repeater.codecs import TextCodec
from twisted_repeater.dialects.hl7 import Batch, Filler, Hl7Codec, Message, Raw, hl7
from twisted_repeater.dialects.hl7.codec import check_codec, check_fits
from twisted_repeater.errors import MarshalingError
from twisted_repeater.testing import FilterHarness

from .texts import PATIENT

PIECES = st.sampled_from([b"MSH|^~\\&|", b"BHS|^~\\&|", b"\r", b"\n", b"\0", b" ", b"PID|1", b"MSH|", b"\xef\xbb\xbf"])
PAYLOADS = st.lists(PIECES, max_size=8).map(b"".join)


class CodecTests(SynchronousTestCase):
    """`Hl7Codec`."""

    def test_round_trip(self) -> None:
        """A message that was read is written as it came."""
        codec = Hl7Codec()
        for payload in (PATIENT, PATIENT * 2, b"what"):
            self.assertEqual(codec.encode(codec.decode(payload)), payload)

    def test_charset(self) -> None:
        """The default character set is that of the messages."""
        message = Hl7Codec("latin-1").decode(b"MSH|^~\\&|\xe9\r")
        assert isinstance(message, Message)
        self.assertEqual(message.get("MSH-3"), "é")
        with self.assertRaisesRegex(ValueError, "charset must be"):
            Hl7Codec("utf-16")

    def test_cannot_be_sent(self) -> None:
        """Bytes between frames are not in a frame, so they cannot be sent; nor can anything else."""
        for wrong in (Filler(b"\n"), b"MSH|"):
            with self.assertRaisesRegex(MarshalingError, "expected Message or Batch or Raw or Filler"):
                Hl7Codec().encode(wrong)

    @given(PAYLOADS)
    def test_selectors(self, payload: bytes) -> None:
        """A selector of a class selects every message of it."""
        codec = Hl7Codec()
        for kind in (Message, Batch, Raw, Filler):
            selector = codec.selector_for((kind,))
            assert selector is not None
            if type(codec.decode(payload)) is kind:
                self.assertTrue(selector.matches(payload, 0, len(payload)), (kind, payload))

    def test_others_are_not_decoded(self) -> None:
        """A message is not decoded for a filter of something else."""
        for kind in (Batch, Raw, Filler):
            selector = Hl7Codec().selector_for((kind,))
            assert selector is not None
            self.assertFalse(selector.matches(PATIENT, 0, len(PATIENT)), kind)

    def test_fits(self) -> None:
        """A message that is too long cannot be sent."""
        run = FilterHarness(dialect=hl7(max_frame=len(PATIENT)))
        check_fits(Message(PATIENT), run.link, Side.SERVER)
        with self.assertRaisesRegex(MarshalingError, "must have at most"):
            check_fits(Message(PATIENT + b"\r"), run.link, Side.SERVER)

    def test_check(self) -> None:
        """Filters of this dialect say so where another one is spoken."""
        check_codec(Hl7Codec(), "Mask")
        for other in (None, TextCodec("utf-8")):
            with self.assertRaisesRegex(TypeError, "Mask is for the dialect hl7"):
                check_codec(other, "Mask")
