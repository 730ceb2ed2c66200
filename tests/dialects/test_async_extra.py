"""Tests of `twisted_repeater.dialects.async_extra`."""

from __future__ import annotations

import enum
import json
import struct
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import BadLength, FrameTooLong, FramingError, Hello, InvalidHello, Limits, dialects
from twisted_repeater.codecs.bin_prot import bin_int, bin_string, list_of, pair, variant
from twisted_repeater.dialects.async_extra import DONT_CARE_ABOUT_MODE

from ..drawn import examples
from ..paths import VECTORS
from ..peers import handshake_of, hellos_of

ENTRIES = json.loads((VECTORS / "async_extra.json").read_text())["entries"]
NOW = 1511308800.123456


class Mode(enum.Enum):
    """The mode type of the recordings that have one."""

    TEST = 0
    PRODUCTION = 1


MODES = {"Dont_care_about_mode": DONT_CARE_ABOUT_MODE, "test": Mode.TEST, "prod": Mode.PRODUCTION}


def recordings(kind: str) -> list[tuple[dict[str, Any], bytes]]:
    """Return what was recorded of a kind: what it says, and its bytes."""
    return [(entry["meta"], bytes.fromhex(entry["hex"])) for entry in ENTRIES if entry["kind"] == kind]


def own_framing(max_frame: int = 1 << 20) -> Any:
    """Make the framing of messages, with a clock that stands still."""
    return dialects.async_extra(clock=lambda: NOW).framing(Limits(max_frame=max_frame))


def message(header: bytes, body: bytes = b"") -> bytes:
    """Make a frame of a header, right or wrong."""
    return struct.pack("<q", len(header)) + header + body


class HelloTests(SynchronousTestCase):
    """The first frame each way."""

    def test_recordings(self) -> None:
        """Every recorded hello is read to what it says, and written to the same bytes."""
        found = recordings("hello")
        self.assertGreaterEqual(len(found), 9)
        for meta, raw in found:
            handshake = handshake_of(dialects.async_extra(mode=MODES[meta["mode"]]))
            stop = handshake.framing.find(raw, 0, len(raw))
            hello = handshake.decode(raw[handshake.framing.body : stop])
            self.assertEqual(stop, len(raw))
            self.assertEqual(
                hello,
                Hello(
                    meta["name"],
                    MODES[meta["mode"]],
                    meta["send_version"],
                    meta["recv_version"],
                    meta["credentials"],
                ),
            )
            self.assertEqual(handshake.encode(hello), raw)

    def test_name_that_is_no_utf8(self) -> None:
        """A name of any bytes survives."""
        handshake = handshake_of(dialects.async_extra())
        raw = b"\x03a\xff\xfe\x00\x01\x01\x00"
        hello = handshake.decode(raw)
        self.assertEqual(hello.name, "a\udcff\udcfe")
        self.assertEqual(handshake.encode(hello)[8:], raw)

    def test_mode_of_any_type(self) -> None:
        """A mode may be a value of any type that is described."""
        kind = variant("Off", ("On", pair(bin_int, bin_string)), name="mode")
        dialect = dialects.async_extra(mode=("On", (7, b"x")), mode_type=kind)
        handshake = handshake_of(dialect)
        raw = handshake.encode(Hello("alice", hellos_of(dialect).mode))[8:]
        self.assertEqual(raw, b"\x05alice\x01\x07\x01x\x01\x01\x00")
        self.assertEqual(handshake.decode(raw).mode, hellos_of(dialect).mode)

    def test_mode_that_needs_its_type(self) -> None:
        """What type a mode has is only guessed where it can be nothing else."""
        for mode in ([1], 1, True, None, b"x", ("On", 1), bin_int):
            with self.assertRaisesRegex(
                TypeError, "^mode must be a string or a member of an enum, or come with its mode_type, not .*$"
            ):
                dialects.async_extra(mode=mode)

    def test_mode_that_its_type_does_not_have(self) -> None:
        """A mode that no hello could carry is refused when the dialect is made."""
        for mode, mode_type, told in (
            ("x", bin_int, "^mode: expected int, got 'x'$"),
            ((1, 2), list_of(bin_int), r"^mode must be equal when it is read again, \(1, 2\) would be \[1, 2\]$"),
        ):
            with self.assertRaisesRegex(ValueError, told):
                dialects.async_extra(mode=mode, mode_type=mode_type)
        no_type: Any = int
        with self.assertRaisesRegex(TypeError, "must be a bin_prot type"):
            dialects.async_extra(mode=1, mode_type=no_type)

    def test_messages_without_a_codec(self) -> None:
        """A type in the place of its codec is an error when the dialect is made."""
        no_codec: Any = bin_int
        for direction in ("to_server", "to_client"):
            with self.assertRaisesRegex(TypeError, "^a codec must .*, not <bin_prot type: int> .*bin_prot_codec makes"):
                dialects.async_extra(**{direction: no_codec})

    def test_wrong_hello(self) -> None:
        """A frame that is not a hello is refused with the field and the byte."""
        handshake = handshake_of(dialects.async_extra())
        with self.assertRaisesRegex(InvalidHello, r"mode: expected .* at byte 2"):
            handshake.decode(b"\x01a\x07\x01\x01\x00")
        with self.assertRaisesRegex(InvalidHello, "left over"):
            handshake.decode(b"\x01a\x00\x01\x01\x00\x00")

    def test_unwritable_hello(self) -> None:
        """A hello that this wire cannot carry is an error of its own, not of the wire."""
        handshake = handshake_of(dialects.async_extra(), Limits(max_hello=20))
        for hello in (
            Hello("x" * 21, DONT_CARE_ABOUT_MODE),
            Hello("\ud800", DONT_CARE_ABOUT_MODE),
            Hello("x", "another mode"),
            Hello("x", DONT_CARE_ABOUT_MODE, 1 << 62),
        ):
            with self.assertRaises(InvalidHello):
                handshake.encode(hello)

    def test_longer_by_credentials(self) -> None:
        """A hello may be longer than the limit by its credentials, and by no more."""
        handshake = handshake_of(dialects.async_extra(), Limits(max_hello=20))
        said = Hello("x" * 15, DONT_CARE_ABOUT_MODE, credentials="y" * 19)
        frame = handshake.encode(said)
        self.assertEqual(frame[:8], (39).to_bytes(8, "little"))
        self.assertEqual(handshake_of(dialects.async_extra()).decode(frame[8:]), said)
        for hello in (replace(said, name="x" * 16), replace(said, credentials="y" * 21)):
            self.assertRaises(InvalidHello, handshake.encode, hello)

    def test_lengths(self) -> None:
        """A negative length, and one above the limit, are refused at the length."""
        framing = handshake_of(dialects.async_extra(), Limits(max_hello=100)).framing
        for length in (-1, -(1 << 63)):
            with self.assertRaises(BadLength):
                framing.find(struct.pack("<q", length), 0, 8)
        for length in (101, (1 << 63) - 1):
            with self.assertRaises(FrameTooLong):
                framing.find(struct.pack("<q", length), 0, 8)
        self.assertEqual(framing.find(struct.pack("<q", 100), 0, 8), 108)
        self.assertEqual(framing.find(b"\0" * 7, 0, 7), 0)

    @settings(max_examples=examples(2000))
    @given(st.binary(max_size=60))
    def test_fuzz(self, raw: bytes) -> None:
        """Whatever bytes come as a hello end in a hello or in `InvalidHello`."""
        handshake = handshake_of(dialects.async_extra(mode=Mode.TEST))
        try:
            hello = handshake.decode(raw)
        except InvalidHello:
            return
        again = handshake.encode(hello)[8:]
        self.assertEqual(handshake.decode(again), hello)


class MessageTests(SynchronousTestCase):
    """Every later frame."""

    def test_recordings(self) -> None:
        """Every recorded message is found, whole and from any cut on, and made again of its body."""
        found = recordings("data")
        self.assertGreaterEqual(len(found), 10)
        for meta, raw in found:
            framing = own_framing()
            for end in range(len(raw)):
                self.assertIn(framing.find(raw, 0, end), (0, len(raw)))
            self.assertEqual(framing.find(raw, 0, len(raw)), len(raw))
            body = raw[framing.body :]
            self.assertEqual(framing.replace(raw, body), raw)
            if meta["time_stamp"] == NOW:
                self.assertEqual(framing.encode(body), raw)

    def test_length_longer_than_needed(self) -> None:
        """A body length in a longer form than needed is understood."""
        stamp = struct.pack("<d", NOW)
        for length in (b"\x03", b"\xfe\x03\0", b"\xfd\x03\0\0\0", b"\xfc\x03\0\0\0\0\0\0\0"):
            framing = own_framing()
            raw = message(stamp + length, b"abc")
            self.assertEqual(framing.find(raw, 0, len(raw)), len(raw))
            self.assertEqual(raw[framing.body :], b"abc")

    def test_every_length_form(self) -> None:
        """Bodies at the borders of each form of the length are written in the shortest, and read again."""
        framing = own_framing(max_frame=70000)
        for size in (0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 70000):
            raw = framing.encode(bytes(size))
            used = 1 if size < 128 else 3 if size < 32768 else 5
            self.assertEqual(raw[0], 8 + used)
            self.assertEqual(framing.find(raw, 0, len(raw)), len(raw))
            self.assertEqual(len(raw) - framing.body, size)

    def test_bad_header_lengths(self) -> None:
        """A header length that is negative, huge, below 9 or above 17 is a framing error at once."""
        framing = own_framing()
        for length in (-1, -9, 0, 8, 18, 255, 256, 9 + (1 << 8), 9 + (1 << 32), 9 + (1 << 40), 1 << 62, -(1 << 63)):
            with self.assertRaisesRegex(BadLength, f"must have 9 to 17 bytes, not {length}"):
                framing.find(struct.pack("<q", length), 0, 8)

    def test_bad_bodies(self) -> None:
        """A body length below 0 or above the limit, and a header not fully used, are framing errors."""
        stamp = bytes(8)
        too_long = (b"\xfe\xff\x7f", b"\xfd\xff\xff\xff\x7f", b"\xfc" + struct.pack("<q", (1 << 62) - 1))
        bad = (
            b"\xff\xff",
            b"\xff\x80",
            b"\xff\x01",
            b"\xfe\xff\xff",
            b"\xfd\xff\xff\xff\xff",
            b"\xfc" + struct.pack("<q", -(1 << 62)),
            b"\x80",
            b"\xfb\0",
            b"\x01\0",
            b"\xfe\x01",
            b"\xfe\x01\0\0",
            b"\xfd\x01\0\0",
            b"\xfc\x01\0\0\0\0\0\0",
        )
        for lengths, error in ((too_long, FrameTooLong), (bad, BadLength)):
            for length in lengths:
                raw = message(stamp + length)
                with self.assertRaises(error, msg=length.hex()):
                    own_framing(max_frame=1000).find(raw, 0, len(raw))

    @settings(max_examples=examples(4000))
    @given(st.binary(max_size=40), st.integers(0, 3), st.booleans())
    def test_fuzz(self, noise: bytes, offset: int, like_a_header: bool) -> None:
        """Whatever bytes come end in a frame inside the limits, a wish for more, or a framing error."""
        raw = bytes(offset) + (struct.pack("<q", 9 + len(noise) % 9) if like_a_header else b"") + noise
        framing = own_framing(max_frame=1000)
        try:
            stop = framing.find(raw, offset, len(raw))
        except FramingError:
            return
        if stop:
            self.assertTrue(offset + 17 <= framing.body <= stop <= framing.body + 1000)
        else:
            self.assertLess(len(raw) - offset, 25)

    def test_offsets_outside(self) -> None:
        """Offsets that lie outside of the data are refused, since compiled code would read there."""
        for start, end in ((-1, 8), (0, 9)):
            with self.assertRaises(ValueError):
                own_framing().find(bytes(8), start, end)

    def test_too_long_to_send(self) -> None:
        """A body above the limit is not sent."""
        from twisted_repeater import MarshalingError

        with self.assertRaises(MarshalingError):
            own_framing(max_frame=10).encode(bytes(11))
