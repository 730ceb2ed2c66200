"""A message, its parts and its edits."""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import hl7
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7 import Message
from twisted_repeater.errors import MarshalingError

from .texts import PATIENT, admission

PATHS = ["PID-3", "PID-3.1", "PID-5.3.2", "PID-5[1].1", "NK1[2]-2.2", "MSH-3", "NTE-3", "PID-19", "ZZZ-1", "PID-3[2].1"]


class ReadTests(SynchronousTestCase):
    """What a message says."""

    def setUp(self) -> None:
        """Make a message."""
        self.message = Message(PATIENT)

    def test_get(self) -> None:
        """A path without numbers reads the first; what is missing is empty."""
        expected = {
            "PID-5": "DOE^JOHN^Q&R",
            "PID-5.2": "JOHN",
            "PID-5.3.2": "R",
            "PID-3.1": "123",
            "PID-3[2].1": "456",
            "NK1-2.2": "JANE",
            "NK1[2]-2.2": "JIM",
            "NTE-3": "two\nlines",
            "MSH-1": "|",
            "MSH-2": "^~\\&",
            "MSH-10": "ID1",
            "PID-5.9": "",
            "PID-99": "",
            "NK1[3]-2": "",
            "OBX-5": "",
        }
        self.assertEqual({path: self.message.get(path) for path in expected}, expected)

    def test_all(self) -> None:
        """All segments and repetitions are read."""
        self.assertEqual(self.message.all("PID-3.1"), ["123", "456"])
        self.assertEqual(self.message.all("NK1-2.2"), ["JANE", "JIM"])
        self.assertEqual(self.message.all("OBX-5"), [])

    def test_part(self) -> None:
        """A part as it is written keeps its escape sequences; a text has them resolved."""
        message = Message(b"MSH|^~\\&|\rNTE|1||a\\T\\b\r")
        self.assertEqual(message.part("NTE-3"), b"a\\T\\b")
        self.assertEqual(message.get("NTE-3"), "a&b")

    def test_type(self) -> None:
        """The type is the same whatever the delimiters, the case and the blanks are; EVN-1 stands in for the event."""
        for data, expected in (
            (PATIENT, "ADT^A01"),
            (b"MSH$%!?#$$$$$$$adt%a01 $1\r", "ADT^A01"),
            (b"MSH|^~\\&|||||||ACK|1\rEVN|A01\r", "ACK"),
            (b"MSH|^~\\&|||||||ADT|1\rEVN|A40\r", "ADT^A40"),
            (b"MSH|^~\\&|||||||ADT^^ADT_A01|1\rEVN|A40\r", "ADT^A40"),
            (b"MSH|^~\\&|||||||ADT|1\r", "ADT"),
            (b"MSH||||||||ADT^A01|1\r", "ADT^A01"),
            (b"MSH|^~\\&\r", ""),
        ):
            for _ in range(2):  # the second time it is known
                self.assertEqual(Message(data).type, expected, data)

    def test_is_acknowledgement(self) -> None:
        """A message of the type ACK, with whatever event, is an acknowledgement."""
        for kind, expected in (("ACK", True), ("ack^A01", True), ("ACKS", False), ("ADT^A01", False)):
            self.assertIs(admission("1", kind).is_acknowledgement, expected, kind)

    def test_control_id(self) -> None:
        """The control id is MSH-10."""
        self.assertEqual(self.message.control_id, "ID1")

    def test_has_segment(self) -> None:
        """A name in a text is no segment."""
        message = Message(b"MSH|^~\\&|\rNTE|PID\r")
        self.assertEqual([message.has_segment(name) for name in ("NTE", "PID", "OBX")], [True, False, False])

    def test_of_a_batch(self) -> None:
        """A message stands for itself where a batch has several."""
        self.assertEqual(self.message.messages, (self.message,))
        self.assertEqual(self.message.changed(lambda one: one.without("NK1")).segments, ("MSH", "PID", "NTE"))

    def test_not_a_message(self) -> None:
        """Bytes without MSH, or with two, are not a message."""
        for data in (b"", b"PID|1", b"BHS|^~\\&|\rMSH|\r", PATIENT + PATIENT):
            with self.assertRaisesRegex(MarshalingError, "a message must begin with MSH, and have it once"):
                Message(data)


class ParsedTests(SynchronousTestCase):
    """The library ``hl7``."""

    def test_library(self) -> None:
        """The library parses the message, whatever ends its segments."""
        parsed = Message(PATIENT).parsed()
        self.assertIsInstance(parsed, hl7.Message)
        self.assertEqual(str(parsed["PID.F5.R1.C2"]), "JOHN")
        lines = Message(PATIENT.replace(b"\n", b" ").replace(b"\r", b"\n")).parsed()
        self.assertEqual(len(lines.segments("NK1")), 2)

    def test_reads_the_same(self) -> None:
        """Parts are those that the library finds."""
        message = Message(PATIENT)
        parsed = message.parsed()
        for path, key in (
            ("PID-5.1", "PID.F5.R1.C1"),
            ("PID-3[2].4", "PID.F3.R2.C4"),
            ("PID-5.3.2", "PID.F5.R1.C3.S2"),
        ):
            self.assertEqual(message.get(path), parsed[key], path)

    def test_missing(self) -> None:
        """Without the library, the error names the extra."""
        with (
            mock.patch.dict(sys.modules, {"hl7": None}),
            self.assertRaisesRegex(ImportError, r"pip install 'twisted_repeater\[hl7\]'"),
        ):
            Message(PATIENT).parsed()


class ReplacedTests(SynchronousTestCase):
    """Edits."""

    def check(self, path: str, value: Any, old: bytes, new: bytes, count: int = 1) -> None:
        """An edit replaces these bytes by those, and no others."""
        self.assertEqual(PATIENT.count(old), count)
        self.assertEqual(bytes(Message(PATIENT).replaced(path, value)), PATIENT.replace(old, new))

    def test_one_field(self) -> None:
        """All other bytes stay equal."""
        self.check("PID-5", "X", b"|DOE^JOHN^Q&R|", b"|X|")
        self.check("PID-5.2", "X", b"|DOE^JOHN^Q&R|", b"|DOE^X^Q&R|")
        self.check("PID-5.3.2", "X", b"Q&R", b"Q&X")
        self.check("PID-3.1", "X", b"|123^^^MR~456^^^SS|", b"|X^^^MR~X^^^SS|")
        self.check("PID-3[2].1", "X", b"456", b"X")
        self.check("PID-3[3]", "X", b"~456^^^SS|", b"~456^^^SS~X|")
        self.check("NK1-2.1", "X", b"|DOE^JANE\rNK1|2|DOE^", b"|X^JANE\rNK1|2|X^")
        self.check("NK1[2]-2", "X", b"DOE^JIM", b"X")
        self.check("MSH-3", "X", b"|REG|", b"|X|")
        self.check("PID-11.2", "X", b"|M||\r", b"|M|||^X\r")

    def test_missing(self) -> None:
        """An empty value adds nothing, and a segment that is missing is not added."""
        message = Message(PATIENT)
        self.assertEqual(message.replaced("PID-19", ""), message)
        self.assertIs(message.replaced("OBX-5", "x"), message)
        self.assertEqual(message.replaced("NK1[3]-2", "x"), message)

    def test_values(self) -> None:
        """A text is escaped, bytes are written as they are, and a function gets the old text."""
        self.check("PID-5", "a|b^c&d~e\\f\r", b"|DOE^JOHN^Q&R|", rb"|a\F\b\S\c\T\d\R\e\E\f\X0D\|")
        self.check("PID-5", b"A^B&C~D", b"|DOE^JOHN^Q&R|", b"|A^B&C~D|")
        self.check("PID-5.2", lambda old: old.lower() + "&", b"^JOHN^", b"^john\\T\\^")

    def test_wrong(self) -> None:
        """What would break the message is refused."""
        message = Message(PATIENT)
        for value in (b"a|b", b"a\rb", b"a\nb", b"\x1c"):
            with self.assertRaisesRegex(MarshalingError, "the value of PID must be within a field"):
                message.replaced("PID-5", value)
        wrong: Any = 5
        with self.assertRaisesRegex(MarshalingError, "a value must be a str or bytes, not 5"):
            message.replaced("PID-5", wrong)
        with self.assertRaisesRegex(ValueError, "MSH-2 has the delimiters of the message"):
            message.replaced("MSH-2", "x")

    def test_character_sets(self) -> None:
        """A text is written in the character set of the message, and bytes that are not in it stay."""
        header = b"MSH|^~\\&|||||||ADT^A01|1|P|2.5||||||%s\r"
        latin = Message(header % b"8859/1" + b"PID|1||||M\xfcller^\xe9\r")
        self.assertEqual(latin.get("PID-5.1"), "Müller")
        self.assertEqual(bytes(latin.replaced("PID-5.1", "Gößl")), header % b"8859/1" + b"PID|1||||G\xf6\xdfl^\xe9\r")
        default = Message(header % b"" + b"PID|1||||\xfc^x\r")
        self.assertEqual(bytes(default.replaced("PID-5.2", "ü")), header % b"" + b"PID|1||||\xfc^\xc3\xbc\r")
        chinese = "王|国".encode("gb18030").replace(b"|", b"") + b"\xaa|"
        gb = Message(header % b"GB 18030-2000" + b"PID|1||||" + chinese + b"^x|\r")
        self.assertEqual(gb.get("PID-5.2"), "x")

    @given(st.sampled_from(PATHS), st.sampled_from([b"\r", b"\n", b"\r\n"]), st.booleans())
    def test_nothing_changes(self, path: str, end: bytes, ends: bool) -> None:
        """A part that is replaced by itself leaves all bytes as they came, also the end of the last segment."""
        data = PATIENT.replace(b"\n", b" ").replace(b"\r", end)
        message = Message(data if ends else data.removesuffix(end))
        self.assertEqual(message.replaced(path, lambda old: old), message)
        self.assertEqual(message.without("ZZZ"), message)

    @given(st.sampled_from(PATHS), st.text(max_size=20))
    def test_is_read_again(self, path: str, text: str) -> None:
        """What was written is read again, and the message has the segments that it had."""
        edited = Message(PATIENT).replaced(path, text)
        self.assertEqual(edited.segments, Message(PATIENT).segments)
        if not path.startswith("ZZZ"):
            self.assertEqual(edited.get(path), text)
            self.assertLessEqual(set(edited.all(path)), {text})


class WithoutTests(SynchronousTestCase):
    """Segments that are removed."""

    def test_without(self) -> None:
        """A segment goes with its end; the header stays."""
        for end in (b"\r", b"\n", b"\r\n"):
            data = PATIENT.replace(b"\n", b" ").replace(b"\r", end)
            left = b"".join(part for part in data.splitlines(keepends=True) if not part.startswith((b"NK1", b"NTE")))
            self.assertEqual(bytes(Message(data).without("NK1", "NTE", "MSH")), left)
        last = Message(PATIENT.removesuffix(b"\r")).without("NTE")
        self.assertEqual(bytes(last), PATIENT[: PATIENT.index(b"NTE")])
