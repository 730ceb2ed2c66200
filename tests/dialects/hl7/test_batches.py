"""Several messages in one frame."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7 import Batch, Filler, Message, Raw
from twisted_repeater.dialects.hl7.batches import read_frame
from twisted_repeater.errors import MarshalingError

from .texts import PATIENT, admission

BATCH = (
    b"FHS|^~\\&|REG\rBHS|^~\\&|REG|NORTH|||||||B7\r" + PATIENT + bytes(admission("ID2", "ADT^A40")) + b"BTS|2\rFTS|1\r"
)


class BatchTests(SynchronousTestCase):
    """`Batch`."""

    def test_messages(self) -> None:
        """The messages are between the segments of the batch."""
        self.assertEqual(Batch(BATCH).messages, (Message(PATIENT), admission("ID2", "ADT^A40")))
        batch = Batch(BATCH)
        self.assertIs(batch.messages, batch.messages)
        self.assertEqual(copy.copy(batch).messages, batch.messages)
        self.assertEqual(Batch(BATCH).segments[:3], ("FHS", "BHS", "MSH"))
        self.assertEqual(Batch(BATCH).charset.name, "utf-8")
        self.assertEqual(Batch(b"BHS|^~\\&|\rBTS|0\r").messages, ())

    def test_without_a_header(self) -> None:
        """A frame with several messages is a batch, whatever ends their segments."""
        for end in (b"\r", b"\n", b"\r\n"):
            two = Batch((PATIENT.replace(b"\n", b" ") * 2).replace(b"\r", end))
            self.assertEqual([each.type for each in two.messages], ["ADT^A01", "ADT^A01"], end)

    def test_hidden(self) -> None:
        """A message is found also where the segments around it end otherwise."""
        data = b"BHS|^~\\&|\rMSH|^~\\&|||||||ADT^A01|1\nMSH|^~\\&|||||||ADT^A40|2\rBTS|2\r"
        batch = Batch(data)
        self.assertEqual([each.type for each in batch.messages], ["ADT^A01", "ADT^A40"])
        self.assertEqual(bytes(batch.changed(lambda one: one)), data)

    def test_changed(self) -> None:
        """What is between the messages stays."""
        changed = Batch(BATCH).changed(lambda one: one.replaced("PID-5.1", "X"))
        self.assertEqual(bytes(changed), BATCH.replace(b"|DOE^JOHN", b"|X^JOHN"))
        self.assertEqual(Batch(BATCH).changed(lambda one: one), Batch(BATCH))

    def test_segments(self) -> None:
        """A segment counts wherever it is."""
        batch = Batch(BATCH + b"ZPD|1\r")
        self.assertEqual([batch.has_segment(name) for name in ("PID", "ZPD", "ZZZ")], [True, True, False])
        self.assertEqual(batch.outside.count(b"\r"), 7)

    def test_not_a_batch(self) -> None:
        """Bytes without a header are not a batch."""
        with self.assertRaisesRegex(MarshalingError, "a batch must begin with FHS, BHS or MSH"):
            Batch(b"PID|1")


class ReadTests(SynchronousTestCase):
    """`read_frame`."""

    def test_kinds(self) -> None:
        """What is in a frame is told by its header."""
        for data, kind in (
            (PATIENT, Message),
            (b"\r\n" + PATIENT, Message),
            (BATCH, Batch),
            (PATIENT * 2, Batch),
            (b"PID|1\r", Raw),
            (b"", Raw),
            (b"\n", Filler),
            (b"\r", Filler),
            (b"\0", Filler),
        ):
            self.assertIs(type(read_frame(data)), kind, data)

    @given(st.binary() | st.lists(st.sampled_from([b"MSH", b"|", b"^~\\&", b"\r", b"\n", b"BHS", b"A"])).map(b"".join))
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever bytes come, nothing is lost, and each message can be looked at."""
        frame = read_frame(data)
        self.assertEqual(bytes(frame), data)
        if isinstance(frame, (Message, Batch)):
            self.assertEqual(frame.changed(lambda one: one), frame)
            for message in frame.messages:
                self.assertEqual(message.without("ZZZ"), message)
                self.assertIsInstance(message.type + message.control_id + message.get("PID-5.1"), str)
