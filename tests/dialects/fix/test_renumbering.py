"""Messages with another number."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.codec import decode
from twisted_repeater.dialects.fix.renumbering import renumbered
from twisted_repeater.dialects.fix.values import Value

from .numbers_rig import frame, order


class RenumberingTests(SynchronousTestCase):
    """A number in the bytes."""

    def test_renumbered(self) -> None:
        """Only the number, the length and the sum differ; data before the number is not mistaken for it."""
        message = frame(order(), 9)
        self.assertEqual(renumbered(renumbered(message, 1000), 9), message)
        self.assertEqual(renumbered(message, 8), frame(order(), 8))
        header: list[tuple[int, Value]] = [
            (49, "A"),
            (56, "B"),
            (213, b"\x0134=7\x01"),
            (34, 9),
            (52, "20261126-12:00:00"),
        ]
        data = decode(order().with_header("FIX.4.4", header).frame)
        self.assertEqual(renumbered(data, 12).sequence_number, 12)
