"""What messages have in common."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.modbus import Area, Raw


class RawTests(SynchronousTestCase):
    """Messages without a class of their own."""

    def test_nothing_is_known(self) -> None:
        """They say of no address that it is read or written, and of no table."""
        raw = Raw(99, b"data")
        self.assertEqual((raw.area, list(raw.read), list(raw.written)), (None, [], []))
        self.assertEqual((raw.unit, raw.transaction), (1, 0))

    def test_names_of_tables(self) -> None:
        """The tables are named as in rules."""
        self.assertEqual([str(area) for area in Area], ["coils", "discrete", "holding", "input"])
