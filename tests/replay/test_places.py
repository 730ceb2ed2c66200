"""The place where bytes differ."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.replay.places import first_difference, marked

from ..drawn import examples


class PlaceTests(SynchronousTestCase):
    """Promises about the place."""

    def test_equal_bytes_have_no_place(self) -> None:
        """Nothing is marked if nothing differs."""
        self.assertEqual([], marked(b"abc", b"abc"))

    def test_the_place_is_marked(self) -> None:
        """Both are shown from a little before the place on, with a mark below it; unusual bytes are escaped."""
        self.assertEqual(["byte 1: a\\n", "        ab", "         ^"], marked(b"a\n", b"ab"))
        lines = marked(bytes(100) + b"x" * 100, bytes(100) + b"y")
        self.assertEqual("byte 100: ..." + "\\x00" * 16 + "x" * 24 + "...", lines[0])
        self.assertEqual(lines[2].index("^"), lines[0].index("x" * 24))
        self.assertEqual(["byte 1: a(end)", "        ab", "         ^"], marked(b"a", b"ab"))

    @settings(max_examples=examples(100), deadline=None, derandomize=True)
    @given(st.binary(max_size=20), st.binary(max_size=20))
    def test_the_place_is_the_first_one(self, one: bytes, other: bytes) -> None:
        """Bytes are equal before the place, and differ there."""
        at = first_difference(one, other)
        self.assertEqual(one[:at], other[:at])
        self.assertTrue(one == other or one[at : at + 1] != other[at : at + 1])
