"""Names of clients, from their first message."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7 import hl7
from twisted_repeater.dialects.hl7.naming import LONGEST_HEADER, sender_in
from twisted_repeater.testing import OpeningHarness

HEAD = b"\x0bMSH|^~\\&|REG^x|NORTH|"


class NamingTests(SynchronousTestCase):
    """The opening."""

    def start(self, name: Any = "application") -> OpeningHarness:
        """Connect a client to a repeater."""
        run = OpeningHarness(hl7(name=name))
        run.client_connects()
        return run

    def test_byte_by_byte(self) -> None:
        """The name is known as soon as both fields have come, however long the message is; the bytes go on."""
        run = self.start()
        for byte in HEAD[:-1]:
            run.client_sends(bytes([byte]))
            self.assertFalse(run.name)
        run.client_sends(HEAD[-1:])
        self.assertEqual(run.name, "REG")
        self.assertEqual(run.link.details, {"application": "REG", "facility": "NORTH"})
        self.assertEqual(run.client_sends(b"LAB\x1c\r").to_server, HEAD + b"LAB\x1c\r")

    def test_facility(self) -> None:
        """The facility may be the name."""
        run = self.start("facility")
        run.client_sends(b"\r\n\0" + HEAD)
        self.assertEqual(run.name, "NORTH")

    def test_address(self) -> None:
        """Without a sender in the header, or without a header, a client is named after its address."""
        for data in (
            b"\x0bMSH|^~\\&|||",
            b"\x0bMSH|^~\\&\r",
            b"\x0bPID|1\n",
            b"\x0b" + b"x" * LONGEST_HEADER,
            b"GET /",
        ):
            run = self.start()
            run.client_sends(data)
            self.assertIn("127.0.0.1", str(run.name), data)

    def test_batch(self) -> None:
        """The header of a batch has the sender in the same fields."""
        self.assertEqual(sender_in(b"\x0bBHS|^~\\&|A|B|", "utf-8"), {"application": "A", "facility": "B"})
