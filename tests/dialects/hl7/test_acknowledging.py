"""Answers to messages."""

from __future__ import annotations

from typing import Any

import hl7
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, SendBack
from twisted_repeater.dialects.hl7 import Batch, Filler, Message, Raw, acknowledgement, refuse
from twisted_repeater.dialects.hl7.acknowledging import is_answered

from .texts import PATIENT, admission, written


class AcknowledgementTests(SynchronousTestCase):
    """`acknowledgement`."""

    def test_fields(self) -> None:
        """It goes back to the sender, with the control id, the version, and the event of the message."""
        answer = acknowledgement(Message(PATIENT), "AE", "no | here")
        expected = {
            "MSH-2": "^~\\&",
            "MSH-3": "LAB",
            "MSH-4": "SOUTH",
            "MSH-5": "REG",
            "MSH-6": "NORTH",
            "MSH-9": "ACK^A01^ACK",
            "MSH-11": "P",
            "MSH-12": "2.5",
            "MSA-1": "AE",
            "MSA-2": "ID1",
            "MSA-3": "no | here",
        }
        self.assertEqual({path: answer.get(path) for path in expected}, expected)
        self.assertRegex(answer.get("MSH-7"), r"^\d{14}\+0000$")
        self.assertRegex(answer.control_id, "^[0-9A-F]{20}$")
        self.assertNotEqual(answer.control_id, acknowledgement(Message(PATIENT), "AE").control_id)

    def test_library(self) -> None:
        """A library understands it, and makes an answer with the same fields itself."""
        answer = hl7.parse(bytes(acknowledgement(Message(PATIENT), "AR", "no")).decode())
        judge = hl7.parse(PATIENT.decode().replace("\n", " ")).create_ack("AR")
        for key in (
            "MSA.F1",
            "MSA.F2",
            "MSH.F3",
            "MSH.F4",
            "MSH.F5",
            "MSH.F6",
            "MSH.F9.R1.C1",
            "MSH.F9.R1.C3",
            "MSH.F12",
        ):
            self.assertEqual(answer[key], judge[key], key)

    def test_versions(self) -> None:
        """The structure of the answer is named from version 2.4 on."""
        for version, expected in (
            ("2.3", "ACK^A01"),
            ("2.4", "ACK^A01^ACK"),
            ("2.5.1^DEU", "ACK^A01^ACK"),
            ("", "ACK^A01"),
        ):
            message = Message(f"MSH|^~\\&|||||||ADT^A01|1|P|{version}\r".encode())
            self.assertEqual(acknowledgement(message, "AA").get("MSH-9"), expected, version)
        self.assertEqual(acknowledgement(Message(b"MSH|^~\\&|||||||QRY|1|P|2.1\r"), "AA").get("MSH-9"), "ACK")

    def test_as_the_sender_writes(self) -> None:
        """Delimiters, ends of segments and the character set are those of the sender."""
        message = Message(b"MSH$%!?#$A$$$$$$ADT%A01$7$P$2.5$$$$$$8859/1\nPID$1\n")
        answer = acknowledgement(message, "AR", "é#$王")
        self.assertEqual(bytes(answer).count(b"\n"), 2)
        self.assertIn(b"MSA$AR$7$\xe9?T??F??\n", bytes(answer))
        self.assertEqual(answer.get("MSA-3"), "é#$?")
        self.assertEqual(answer.get("MSH-18"), "8859/1")

    def test_no_escape_character(self) -> None:
        """If the sender has no escape character, what cannot be written is a blank."""
        answer = acknowledgement(Message(b"MSH|^|||||||ADT^A01|7\r"), "AR", "a|b\r")
        self.assertEqual(answer.get("MSA-3"), "a b ")

    def test_nobody(self) -> None:
        """What has no header is answered, too."""
        answer = acknowledgement(Raw(b"hello"), "AR", "what")
        self.assertEqual(
            [answer.get(path) for path in ("MSA-1", "MSA-2", "MSA-3", "MSH-12")], ["AR", "", "what", "2.3"]
        )


class RefuseTests(SynchronousTestCase):
    """`refuse`."""

    def refused(self, message: Any, **more: Any) -> list[str]:
        """Return the answers to a message that is refused."""
        verdict = refuse(message, "no", **more)
        self.assertIn(type(verdict), (SendBack, type(DROP)))
        return written(*verdict.back)

    def test_original_mode(self) -> None:
        """The sender gets AR, or AE."""
        self.assertEqual(self.refused(admission("7")), ["AR 7"])
        self.assertEqual(self.refused(admission("7"), code="AE"), ["AE 7"])
        self.assertEqual(self.refused(Raw(b"x")), ["AR "])

    def test_enhanced_mode(self) -> None:
        """The sender gets the kind of answer that it wants to hear, if any."""
        for accept, application, expected in (
            ("AL", "AL", ["CR 7"]),
            ("AL", "NE", ["CR 7"]),
            ("ER", "NE", ["CR 7"]),
            ("NE", "AL", ["AR 7"]),
            ("", "ER", ["AR 7"]),
            ("SU", "AL", ["AR 7"]),
            ("NE", "NE", []),
            ("SU", "SU", []),
            ("al", "", ["CR 7"]),
            ('""', '""', ["AR 7"]),
            ("Y", "", ["AR 7"]),
            ("AL^Always", "", ["CR 7"]),
        ):
            message = admission("7", more=f"|||{accept}|{application}")
            self.assertEqual(self.refused(message), expected, (accept, application))

    def test_no_answer(self) -> None:
        """An acknowledgement, and what is between frames, is dropped."""
        self.assertEqual(self.refused(admission("7", "ACK^A01")), [])
        self.assertEqual(self.refused(Filler(b"\n")), [])

    def test_batch(self) -> None:
        """Each message of a batch is refused, in one frame."""
        two = b"".join(map(bytes, (admission("1"), admission("2", more="|||NE|NE"), admission("3"))))
        (answer,) = refuse(Batch(b"BHS|^~\\&|\r" + two + b"BTS|3\r"), "no").back
        assert isinstance(answer, Batch)
        self.assertEqual(written(*answer.messages), ["AR 1", "AR 3"])
        self.assertEqual(self.refused(Batch(b"BHS|^~\\&|\r" + bytes(admission("1")))), ["AR 1"])
        self.assertEqual(self.refused(Batch(b"BHS|^~\\&|\r")), ["AR "])
        self.assertEqual(self.refused(Batch(b"BHS|^~\\&|\r" + bytes(admission("1", more="|||NE|NE")))), [])

    def test_wrong_code(self) -> None:
        """Only AE and AR refuse."""
        with self.assertRaisesRegex(ValueError, "code must be AE or AR, not 'AA'"):
            self.refused(admission("7"), code="AA")


class IsAnsweredTests(SynchronousTestCase):
    """`is_answered`."""

    def test_modes(self) -> None:
        """An answer is sure in the original mode, and in enhanced mode where one is always wanted."""
        for more, expected in (
            ("", True),
            ("|||AL|NE", True),
            ("|||NE|AL", True),
            ("|||ER|ER", False),
            ("|||NE|NE", False),
            ('|||""|Y', True),
        ):
            self.assertEqual(is_answered(admission("7", more=more)), expected, more)

    def test_others(self) -> None:
        """A batch is answered if one of its messages is; acknowledgements and the rest are not."""
        self.assertTrue(is_answered(Batch(PATIENT * 2)))
        self.assertFalse(is_answered(Batch(b"BHS|^~\\&|\r")))
        reply = Message(bytes(admission("7", "RSP^K21")) + b"MSA|AA|1\r")
        for message in (admission("7", "ACK"), reply, Raw(b"x"), Filler(b"\0")):
            self.assertFalse(is_answered(message))
