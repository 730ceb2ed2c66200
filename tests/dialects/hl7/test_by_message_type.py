"""The selector of messages by their types."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Link, Verdict, chain
from twisted_repeater.dialects.hl7 import Message, Messages, hl7, in_turn, of_type
from twisted_repeater.dialects.hl7.batches import read_frame
from twisted_repeater.dialects.hl7.by_message_type import Again, ByMessageType, split_type
from twisted_repeater.filters import FilterPair, wants
from twisted_repeater.testing import FilterHarness

from .texts import PATIENT, admission

TYPES = st.sampled_from(
    [
        "ADT^A01",
        "ADT^A40",
        "ADT",
        "ORU^R01",
        "adt^a01 ",
        " ADT ^A40",
        "ADT^",
        "ADT^A01^ADT_A01",
        "ACK",
        "",
        "ADT^A40~X",
        "ADT^A40&X",
        "ADT~X^A40",
    ]
)
HEADS = st.sampled_from(
    ["MSH|^~\\&|", "MSH|", "MSH", "\nMSH|^~\\&|", "BHS|^~\\&|", "PID|", "", "MSH||", "MSH|^~\\&\r|"]
)
TAILS = st.sampled_from(
    [
        "|1\r",
        "\r",
        "",
        "|1\rEVN|A40\r",
        "|1\rMSH|^~\\&|||||||ADT^A40|2\r",
        "|1\nMSH|x",
        "|1\r MSH|^~\\&|||||||ADT^A40|2\r",
    ]
)


def selects(selector: Any, data: bytes) -> bool:
    """Return whether a payload is selected; there are bytes around it."""
    around = b"\rMSH|" + data + b"\rMSH|"
    return bool(selector.matches(around, 5, 5 + len(data)))


class SelectorTests(SynchronousTestCase):
    """`of_type`."""

    def test_types(self) -> None:
        """A type with an event selects these; one without, all events; case and blanks do not matter."""
        selector = of_type("ADT^A40", "oru")
        for kind, expected in (
            ("ADT^A40", True),
            ("ADT^A40^ADT_A39", True),
            ("adt^ a40 ", True),
            ("ORU^R01", True),
            ("ADT^A01", False),
            ("ADT^A400", False),
            ("ADTX^A40", False),
            ("ORM^O01", False),
            ("ADT^A01~X", True),  # the header decides nothing
            ("ADT&X^A01", True),
        ):
            self.assertEqual(selects(selector, bytes(admission("1", kind))), expected, kind)

    @given(HEADS, TYPES, TAILS, st.booleans())
    def test_never_misses(self, head: str, kind: str, tail: str, others: bool) -> None:
        """What is not selected is a single message whose type decides."""
        data = f"{head}||||||{kind}{tail}".encode()
        if not selects(ByMessageType(["ADT^A40", "ORU"], others=others), data):
            message = read_frame(data)
            assert isinstance(message, Message)
            self.assertEqual(message.type in ("ADT^A40", "ORU^R01"), others)

    def test_header_decides_nothing(self) -> None:
        """What is no header, or has no event, is always selected."""
        for data in (b"PID|1|1|1", b"MSH", b"MSH|||||||||ADT^A01|1\r", b"MSH|^~\\&|\r|", b"MSH|^~\\&|||||||ADT|1\r"):
            self.assertTrue(selects(of_type("ORU"), data), data)
        for data in (b"MSH|^~\\&|||||||ADT^ |1\r", b"MSH|^~\\&|||||", b"MSH|^~\\&|||||||ADT"):
            self.assertTrue(selects(of_type("ORU"), data), data)

    def test_large_message(self) -> None:
        """A second message far behind in the frame is found."""
        far = PATIENT + b"NTE|" + b"x" * 100_000 + b"\r"
        self.assertFalse(selects(of_type("ORU"), far))
        self.assertTrue(selects(of_type("ORU"), far + b"MSH|^~\\&|"))

    def test_among_others(self) -> None:
        """A filter that selects with it may stand beside filters that look at all messages."""
        seen: list[object] = []

        @wants(of_type("ADT^A40"))
        def note(message: object, link: Link) -> Verdict:
            seen.append(message)
            return PASS_ON

        rules = Messages(refuse=("ORU",))
        merge = admission("2", "ADT^A40")
        for filters in (chain(rules, FilterPair(note)), in_turn(chain(rules.rules, FilterPair(note))), in_turn(note)):
            run = FilterHarness(filters=filters, dialect=hl7())
            run.client_sends(admission("1"), merge).expect(to_server=[admission("1"), merge])
        run = FilterHarness(note, filters=rules, dialect=hl7())
        run.client_sends(admission("1"), merge).expect(to_server=[admission("1"), merge])
        self.assertEqual(seen, [merge] * 4)

    def test_repr(self) -> None:
        """It is shown as it is made."""
        self.assertEqual(repr(of_type("oru", "ADT^a01")), "of_type('ADT^A01', 'ORU')")
        self.assertEqual(repr(ByMessageType(["ADT"], others=True)), "~of_type('ADT')")
        self.assertEqual(repr(Again()), "Again()")

    def test_again(self) -> None:
        """MSH comes again only behind the beginning."""
        self.assertFalse(selects(Again(), PATIENT))
        self.assertTrue(selects(Again(), PATIENT + b" MSH"))
        for data, expected in ((b"", False), (b"MSH", False), (b"MMSH", True), (b"xMMSMSHx", True), (b"xMS", False)):
            self.assertIs(selects(Again(), data), expected, data)

    def test_wrong(self) -> None:
        """Types are texts such as ADT^A01."""
        with self.assertRaisesRegex(TypeError, "of_type needs a type"):
            of_type()
        wrong: Any = b"ADT"
        with self.assertRaisesRegex(TypeError, "must be a str such as ADT\\^A01, not b'ADT'"):
            split_type(wrong)
        for text in ("", "^A01", "ADT^", "ADT^A01^ADT_A01", "A*", "ADT^A*"):
            with self.assertRaisesRegex(ValueError, "expected a type of messages such as ADT"):
                split_type(text)

    def test_offsets(self) -> None:
        """Offsets outside of the data are an error, and so is a selector that was not initialized."""
        for start, stop in ((-1, 0), (2, 1), (0, 9)):
            with self.assertRaises(ValueError):
                of_type("ADT").matches(b"MSH", start, stop)
            with self.assertRaises(ValueError):
                Again().matches(b"MSH", start, stop)
        made: Any = ByMessageType.__new__(ByMessageType)
        with contextlib.suppress(AttributeError):  # compiled, it has nothing there, and nobody may set it
            made._codes = None
        with self.assertRaises(AttributeError):
            made.matches(PATIENT, 0, len(PATIENT))
