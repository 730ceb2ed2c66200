"""Names of segments."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7.segment_names import checked_names


class NamesTests(SynchronousTestCase):
    """`checked_names`."""

    def test_names(self) -> None:
        """Names have three letters or digits, the first a letter."""
        self.assertEqual(checked_names("segments", ("PID", "Z01")), ("PID", "Z01"))
        wrong: list[Any] = ["pid", "PIDX", "1ID", b"PID"]
        for name in wrong:
            with self.assertRaisesRegex(ValueError, "segments must have names of segments such as PID"):
                checked_names("segments", (name,))
        one: Any = "PID"
        with self.assertRaisesRegex(TypeError, r"segments must be several names: write \('PID',\)"):
            checked_names("segments", one)
