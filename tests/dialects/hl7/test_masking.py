"""`Mask`: takes fields and segments out of messages."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7 import Batch, Hl7Codec, Mask, Message, Raw, hl7
from twisted_repeater.dialects.int32 import int32
from twisted_repeater.testing import FilterHarness

from .texts import PATIENT, ack, admission


class MaskedTests(SynchronousTestCase):
    """What is masked."""

    def test_fields(self) -> None:
        """Fields are replaced in all segments and repetitions, and nothing else is."""
        mask = Mask(fields=("PID-5", "PID-3.1", "NK1-2", "PID-19"), text="X")
        expected = PATIENT.replace(b"123^", b"X^").replace(b"456^", b"X^").replace(b"DOE^JOHN^Q&R", b"X")
        expected = expected.replace(b"DOE^JANE", b"X").replace(b"DOE^JIM", b"X")
        self.assertEqual(bytes(mask.masked(Message(PATIENT))), expected)

    def test_blank(self) -> None:
        """Without a text they are empty; a value that is to be deleted stays so."""
        message = Message(b'MSH|^~\\&|\rPID|1||2|""|DOE^JOHN|\r')
        masked = Mask(fields=("PID-3", "PID-4", "PID-5")).masked(message)
        self.assertEqual(bytes(masked), b'MSH|^~\\&|\rPID|1|||""||\r')

    def test_segments(self) -> None:
        """Segments are removed."""
        self.assertEqual(Mask(segments=("NK1",)).masked(Message(PATIENT)).segments, ("MSH", "PID", "NTE"))

    def test_places(self) -> None:
        """Neither blanks before a segment, nor another kind of line ends, nor a line feed in a header hide anything."""
        mask = Mask(fields=("PID-5",), segments=("NK1",))
        head = b"MSH|^~\\&|REG|NORTH|||||ADT^A01|1|P|2.5"
        for first in (b"\r", b"\n", b"\r\n", b"\n\r", b"|\nLAB\r", b"\r \t", b"\r\xc2\xa0", b"\rNTE|1||text\n"):
            for second in (b"\r", b"\n", b"\r\n", b"\n\r", b"\r  "):
                data = head + first + b"PID|1||7||DOE^JOHN" + second + b"NK1|1|JANE" + second + b"PV1|1" + second
                masked = bytes(mask.masked(Message(data)))
                for secret in (b"DOE", b"JOHN", b"JANE"):
                    self.assertNotIn(secret, masked, data)
                self.assertIn(b"PID|1||7|", masked)

    def test_lines_in_a_field(self) -> None:
        """A field with a line feed is masked as a whole, also if a line of it looks like a segment."""
        for name in (b"DOE\nJOHN", b"DOE\nJOE|JOHN"):
            data = b"MSH|^~\\&|\rPID|1||7||" + name + b"\r"
            masked = bytes(Mask(fields=("PID-5", "PID-6")).masked(Message(data)))
            for secret in (b"DOE", b"JOE", b"JOHN"):
                self.assertNotIn(secret, masked)

    def test_japanese(self) -> None:
        """Characters with delimiters among their bytes are no way out of a field."""
        name = "万".encode("iso2022_jp")
        self.assertIn(b"|", name)
        data = b"MSH|^~\\&" + b"|" * 16 + b"~ISO IR87\rPID|1||7||" + name + b"^x|19700101\r"
        masked = bytes(Mask(fields=("PID-5",)).masked(Message(data)))
        self.assertTrue(masked.endswith(b"PID|1||7|||19700101\r"))

    def test_nothing(self) -> None:
        """A message without them is the same."""
        message = admission("1")
        self.assertEqual(Mask(fields=("OBX-5",), segments=("NK1",)).masked(message), message)

    @given(st.sampled_from(["|", "~", "^", "&", "\\"]))
    def test_text_is_escaped(self, char: str) -> None:
        """A text with a delimiter does not make more fields."""
        masked = Mask(fields=("PID-5",), text=f"a{char}b").masked(Message(PATIENT))
        self.assertEqual((masked.get("PID-5"), masked.get("PID-7")), (f"a{char}b", "19700101"))

    def test_wrong(self) -> None:
        """Paths and names must be those of what can be masked."""
        text: Any = "PID-5"
        for error, pattern, options in (
            (ValueError, "Mask needs fields, or segments", {}),
            (TypeError, r"fields must be several paths: write \('PID-5',\)", {"fields": text}),
            (ValueError, "expected a path such as PID-5", {"fields": ("PID",)}),
            (ValueError, "fields must not have MSH-1 or MSH-2", {"fields": ("MSH-2",)}),
            (ValueError, "segments must not have MSH", {"segments": ("MSH",)}),
            (ValueError, "segments must have names", {"segments": ("pid",)}),
            (
                ValueError,
                "direction must be both, to-server or to-client, not 'up'",
                {"segments": ("PID",), "direction": "up"},
            ),
        ):
            with self.assertRaisesRegex(error, pattern):
                Mask(**options)


class LinkTests(SynchronousTestCase):
    """On a link."""

    def start(self, **options: Any) -> FilterHarness:
        """Start a link with a mask."""
        return FilterHarness(filters=Mask(**options), dialect=hl7())

    def test_both_directions(self) -> None:
        """Both directions are masked, or one."""
        plain, masked = admission("1"), admission("1").replaced("PID-5", "")
        for direction, up, down in (
            ("both", masked, masked),
            ("to-server", masked, plain),
            ("to-client", plain, masked),
        ):
            run = self.start(fields=("PID-5",), direction=direction)
            run.client_sends(plain).expect(to_server=[up])
            run.server_sends(plain).expect(to_client=[down])

    def test_what_passes(self) -> None:
        """Batches are masked; what is no message passes."""
        run = self.start(fields=("PID-5",))
        done = run.client_sends(Batch(PATIENT * 2), Raw(b" DOE"))
        self.assertNotIn(b"JOHN", done.to_server_bytes)
        self.assertEqual(done.to_server[1], Raw(b" DOE"))
        empty = admission("1").replaced("PID-5", "")
        run.client_sends(empty).expect(to_server=[empty])

    def test_outside_of_a_message(self) -> None:
        """If there is something to mask where no message is, nothing passes, and the link of the sender is closed."""
        batch = b"BHS|^~\\&|\r"
        for frame in (
            Batch(batch + b"PID|1||7||DOE\r" + PATIENT),
            Batch(batch + PATIENT + b"BTS|1\rPID|1||7||DOE\r"),
            Raw(b"x\rMSH|^~\\&|\rPID|1||7||DOE"),
            Raw("\ufeffMSH|^~\\&|\rPID|1||7||DOE".encode("utf-16")),
        ):
            done = self.start(fields=("PID-5", "MSH-3")).client_sends(frame)
            self.assertEqual((done.to_server, done.closed), ([], True), frame)

    def test_too_long(self) -> None:
        """A message that is too long when it is masked is not dropped in silence: the link is closed."""
        dialect = hl7(max_frame=len(bytes(admission("1"))))
        run = FilterHarness(filters=Mask(fields=("PID-5",), text="X" * 50), dialect=dialect)
        done = run.client_sends(admission("1"))
        self.assertEqual((done.to_server, done.closed), ([], True))
        self.assertRegex(str(done.errors[0]), "a message cannot be sent when it is masked: a message must have at most")

    def test_undecoded(self) -> None:
        """Messages without the segments are not looked at, unless their header is masked."""
        payload = bytes(ack("1"))
        for mask, expected in ((Mask(fields=("PID-5",), segments=("NK1",)), False), (Mask(segments=("MSA",)), True)):
            filter_: Any = mask.for_link(self.start(fields=("PID-5",)).link)[0]
            self.assertEqual(filter_.selector_for(Hl7Codec()).matches(payload, 0, len(payload)), expected)
        filter_ = Mask(fields=("MSH-3",)).for_link(self.start(fields=("PID-5",)).link)[0]
        self.assertIsNone(filter_.selector_for(Hl7Codec()))

    def test_other_dialect(self) -> None:
        """With another dialect it does not start."""
        with self.assertRaisesRegex(TypeError, "Mask is for the dialect hl7"):
            FilterHarness(filters=Mask(fields=("PID-5",)), dialect=int32())
