"""Paths such as ``PID-5.1``."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.hl7.paths import Path, path_of
from twisted_repeater.dialects.hl7.structure import Delimiters

USUAL = Delimiters(b"|", b"^", b"~", b"\\", b"&", b"\r")


class PathTests(SynchronousTestCase):
    """`path_of` and `Path`."""

    def test_read(self) -> None:
        """Each part of a path is a number from 1 on, or left out."""
        self.assertEqual(path_of("PID-5"), Path(b"PID", None, 5, None, None, None))
        self.assertEqual(path_of("OBX[2]-5[3].1.4"), Path(b"OBX", 2, 5, 3, 1, 4))
        self.assertTrue(path_of("MSH-2").is_delimiters)
        self.assertFalse(path_of("MSH-3").is_delimiters)

    def test_levels(self) -> None:
        """A component is in every repetition, if none is named; the fields of a header are one piece earlier."""
        self.assertEqual(path_of("PID-5").levels(USUAL), ((b"|", 5),))
        self.assertEqual(path_of("MSH-9.2").levels(USUAL), ((b"|", 8), (b"~", None), (b"^", 1)))
        self.assertEqual(path_of("PID-5[2].1.3").levels(USUAL), ((b"|", 5), (b"~", 1), (b"^", 0), (b"&", 2)))

    def test_wrong(self) -> None:
        """Anything else is an error that shows how paths are written."""
        wrong: list[Any] = [
            "",
            "PID",
            "PID-0",
            "pid-5",
            "PID-5.0",
            "OBX[0]-1",
            "PID-5.",
            "PID-5.1.2.3",
            "PID-\u0665",
            5,
        ]
        for text in wrong:
            with self.assertRaisesRegex(ValueError, "expected a path such as PID-5", msg=str(text)):
                path_of(text)
