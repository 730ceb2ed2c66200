"""The errors about offsets that are outside of the data."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._offsets import FARTHEST, outside


class OutsideTests(SynchronousTestCase):
    """The error for a start and an end."""

    def test_outside(self) -> None:
        """Offsets that are not within the data are a ``ValueError``, up to the farthest there can be."""
        for start, end in ((0, 4), (-1, 2), (FARTHEST, -FARTHEST)):
            self.assertIsInstance(outside(start, end), ValueError)

    def test_too_large(self) -> None:
        """Offsets that do not fit into C integers are an ``OverflowError``, as in compiled code."""
        for start, end in ((FARTHEST + 1, 0), (0, -FARTHEST - 1)):
            self.assertIsInstance(outside(start, end), OverflowError)
