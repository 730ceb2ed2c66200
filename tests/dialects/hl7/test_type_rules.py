"""`Messages`: refuses messages by their types and segments."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7 import Batch, Filler, Mask, Message, Messages, Raw, hl7, in_turn
from twisted_repeater.dialects.int32 import int32
from twisted_repeater.filters import chain
from twisted_repeater.testing import FilterHarness

from .texts import ack, admission, written


class RulesTests(SynchronousTestCase):
    """Which messages are refused."""

    def refused(self, rules: Messages, *kinds: str) -> list[str]:
        """Return the types that are refused."""
        return [kind for kind in kinds if rules.refusal(admission("1", kind))]

    def test_refuse(self) -> None:
        """Types are refused with their event, or with all."""
        kinds = ("ADT^A01", "ADT^A40", "adt^a40^ADT_A39", "ORU^R01", "ORU", "ORM^O01", "ACK")
        self.assertEqual(
            self.refused(Messages(refuse=("ADT^A40", "oru")), *kinds), ["ADT^A40", "adt^a40^ADT_A39", "ORU^R01", "ORU"]
        )

    def test_allow(self) -> None:
        """Where some types are allowed, all others are refused, but acknowledgements."""
        rules = Messages(allow=("ADT", "ORU^R01"), refuse=("ADT^A40",))
        kinds = ("ADT^A01", "ADT^A40", "ORU^R01", "ORU^R30", "ORM^O01", "", "ACK^A01")
        self.assertEqual(self.refused(rules, *kinds), ["ADT^A40", "ORU^R30", "ORM^O01", ""])

    def test_segments(self) -> None:
        """A message with a segment is refused."""
        rules = Messages(refuse_segments=("ZPD", "PID"))
        self.assertEqual(rules.refusal(admission("1")), "messages with the segment PID are not accepted here")
        rules = Messages(refuse_segments=("ZPD",))
        self.assertIsNone(rules.refusal(admission("1")))
        plain = bytes(admission("1"))
        for hidden in (b"\r ZPD|1\r", b"\r\nZPD\r", b"NTE|1||x\nZPD|1\r", b"\xa0ZPD|"):
            self.assertIsNotNone(rules.refusal(Message(plain + hidden)), hidden)
        for hidden in (b"BHS|^~\\&|\rZPD|1\r" + plain, b"BHS|^~\\&|\r" + plain + b"BTS|1\rZPD|1\r"):
            self.assertIsNotNone(rules.refusal(Batch(hidden)), hidden)
        self.assertIsNone(rules.refusal(Batch(plain * 2)))

    def test_hidden_types(self) -> None:
        """Neither repetitions, subcomponents and escapes nor other delimiters hide a type."""
        for field in ("ADT^A40~X", "ADT^A40&X", "ADT~X", "ADT^\\X4134\\0", " ADT\t^ a40"):
            message = admission("1", field, "\rEVN|A40")
            self.assertIsNotNone(Messages(refuse=("ADT^A40",)).refusal(message), field)
        for marks in ("", "~^\\&", "$"):
            message = Message(f"MSH|{marks}|||||||ADT^A40|1\rEVN|A01\r".encode())
            self.assertIsNotNone(Messages(refuse=("ADT^A40",)).refusal(message), marks)
            self.assertIsNotNone(Messages(allow=("ADT^A01",)).refusal(message), marks)
        self.assertIsNone(Messages(refuse=("ADT^A40",)).refusal(Message(b"MSH|$|||||||ADT|1\r")))

    def test_batches(self) -> None:
        """One message that is not allowed refuses the batch; no message at all does, where some are allowed."""
        both = Batch(bytes(admission("1")) + bytes(admission("2", "ADT^A40")))
        self.assertIn("ADT^A40", str(Messages(refuse=("ADT^A40",)).refusal(both)))
        self.assertIsNone(Messages(allow=("ADT",)).refusal(both))
        empty = Batch(b"BHS|^~\\&|\r")
        self.assertEqual(Messages(allow=("ADT",)).refusal(empty), "the batch has no message")
        self.assertIsNone(Messages(refuse=("ADT",)).refusal(empty))

    def test_no_message(self) -> None:
        """What has no header is refused where some types are allowed; what is between frames never is."""
        self.assertEqual(Messages(allow=("ADT",)).refusal(Raw(b"x")), "this is not a message")
        self.assertIsNone(Messages(refuse=("ADT",)).refusal(Raw(b"x")))
        for hidden in (b"x\rMSH|^~\\&|\r", "MSH|^~\\&|\r".encode("utf-16-le")):
            self.assertEqual(Messages(refuse=("ADT",)).refusal(Raw(hidden)), "this is not a message")
        self.assertIsNone(Messages(allow=("ADT",)).refusal(Filler(b"\n")))

    def test_long_type(self) -> None:
        """A refusal repeats only the beginning of a type, which the sender has chosen."""
        self.assertLess(len(str(Messages(allow=("ADT",)).refusal(admission("1", "X" * 5000)))), 100)

    def test_wrong(self) -> None:
        """Rules must say something, in the form that they have."""
        text: Any = "ADT"
        for error, pattern, options in (
            (ValueError, "needs types to allow or to refuse", {}),
            (ValueError, "code must be AE or AR, not 'AA'", {"allow": ("ADT",), "code": "AA"}),
            (TypeError, r"allow must be several types: write \('ADT',\)", {"allow": text}),
            (ValueError, "expected a type of messages", {"refuse": ("A*",)}),
            (ValueError, "refuse_segments must have names", {"refuse_segments": ("pid",)}),
        ):
            with self.assertRaisesRegex(error, pattern):
                Messages(**options)


class LinkTests(SynchronousTestCase):
    """On a link."""

    def test_refused_in_turn(self) -> None:
        """A refusal comes in its turn, with the code that was chosen."""
        run = FilterHarness(filters=Messages(refuse=("ADT^A40",), code="AE"), dialect=hl7())
        run.client_sends(admission("1"), admission("2", "ADT^A40"))
        done = run.server_sends(ack("1"))
        self.assertEqual(written(*done.to_client), ["AA 1", "AE 2"])
        refusal: Any = done.to_client[1]
        self.assertEqual(refusal.get("MSA-3"), "messages of the type ADT^A40 are not accepted here")

    def test_with_others(self) -> None:
        """Filters that answer nothing may stand beside it; with others, its rules are put into one `in_turn`."""
        masked = chain(Messages(refuse=("ADT^A40",)), Mask(fields=("PID-5",)))
        rules = in_turn(chain(Messages(refuse=("ADT^A40",)).rules, Messages(refuse=("ORU",)).rules))
        for filters in (masked, rules):
            run = FilterHarness(filters=filters, dialect=hl7())
            run.client_sends(admission("1"), admission("2", "ADT^A40"))
            self.assertEqual(written(*run.server_sends(ack("1")).to_client), ["AA 1", "AR 2"])

    def test_other_dialect(self) -> None:
        """With another dialect it does not start."""
        with self.assertRaisesRegex(TypeError, "is for the dialect hl7"):
            FilterHarness(filters=Messages(refuse=("ADT",)), dialect=int32())
