"""The page that says whether a protocol fits: its framings cut the messages of the protocols."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, framings
from twisted_repeater.service.tap import Options

from .paths import DOCS

PAGE = DOCS / "howto" / "does-it-fit.md"
TEXT = PAGE.read_text()

SAMPLES = {
    "AMQP 0-9-1": "01 0000 00000005 000a000a00 ce",
    "DICOM": "05 00 00000004 00000000",
    "DNS over TCP": "0011 1234 0100 0001 0000 0000 0000 00 0001 0001",
    "FIX": b"8=FIX.4.4|9=41|35=0|49=A|56=B|34=2|52=20261126-12:00:00|10=126|".replace(b"|", b"\1").hex(),
    "HL7 (MLLP)": "0b 4d53487c5e7e5c267c0d 1c0d",
    "IRC": b"NICK ann\r\n".hex(),
    "JSON lines": b'{"name": "ann"}\n'.hex(),
    "Kafka": "0000000e 0012 0003 00000007 0004 61626364",
    "Modbus/TCP": "0001 0000 0006 01 03 0000 0001",
    "MQTT": "30 07 0003 612f62 6869",
    "MySQL, MariaDB": "010000 00 0e",
    "PostgreSQL": "51 0000000d 53454c4543542031 00",
    "SMTP": b"EHLO client.example\r\n".hex(),
    "protobuf, with lengths": "03 08 96 01",
}
"""A message of each protocol for which the page has a framing, as the descriptions of these protocols have it."""


def rows() -> dict[str, str]:
    """Return the framings of the table of protocols."""
    table = TEXT.partition("## Known protocols")[2]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line[:2] == "| "]
    return {row[0]: row[1].strip("`") for row in cells[1:]}


class FitTests(SynchronousTestCase):
    """``docs/howto/does-it-fit.md``."""

    def test_framings(self) -> None:
        """Each framing of the table finds the end of a message of its protocol, and of no more."""
        found = {name: text for name, text in rows().items() if "Framing(" in text}
        self.assertEqual(sorted(found), sorted(SAMPLES))
        for name, text in found.items():
            message = bytes.fromhex(SAMPLES[name])
            for cut in range(len(message) + 1):
                framing = eval(text, vars(framings) | {"limits": Limits(max_frame=65536)})
                stop = framing.find(message * 2, 0, cut)
                self.assertIn(stop, (0, len(message)) if cut < len(message) else (len(message),), name)

    def test_protocols(self) -> None:
        """Every other row has a framing of one's own, or says that the protocol does not fit."""
        for name, text in rows().items():
            if name not in SAMPLES:
                self.assertTrue(text.startswith("own") or text == "-", name)
                if text == "-":
                    self.assertRegex(TEXT, rf"\| {re.escape(name)} \| - \| - \| - \| it does not fit")

    def test_descriptions(self) -> None:
        """The dialects that it describes for the command line are read."""
        described = re.findall(r"`--dialect ([^`]+)`", TEXT)
        self.assertTrue(described)
        for description in described:
            options = Options()
            options.parseOptions(["--dialect", description, "--listen", "tcp:0", "--server", "tcp:127.0.0.1:1"])

    def test_examples(self) -> None:
        """The examples that it links to exist."""
        examples = re.findall(r"\]\(\.\./(examples/\w+\.py)\)", TEXT)
        self.assertTrue(examples)
        self.assertEqual([example for example in examples if not (DOCS / example).exists()], [])
