"""Rows of results, read from their bytes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres.messages import DataRow
from twisted_repeater.dialects.postgres.rows import data_row


def row(body: bytes) -> DataRow:
    """Read a row."""
    return data_row(b"D" + (len(body) + 4).to_bytes(4, "big") + body)


class RowTests(SynchronousTestCase):
    """`data_row`."""

    def test_values(self) -> None:
        """A row has values of any length, and NULLs."""
        long = bytes(range(256)) * 300
        for body, values in (
            (b"\0\0", ()),
            (b"\0\1\0\0\0\0", (b"",)),
            (b"\0\3\xff\xff\xff\xff\0\0\0\1x\xff\xff\xff\xff", (None, b"x", None)),
            (b"\0\1" + len(long).to_bytes(4, "big") + long, (long,)),
            (b"\1\2" + b"\0\0\0\1y" * 258, (b"y",) * 258),
        ):
            self.assertEqual(row(body), DataRow(values))

    def test_like_any_other(self) -> None:
        """It cannot be changed, and can be replaced, hashed and shown, like one made by its class."""
        made = row(b"\0\1\0\0\0\1x")
        with self.assertRaises(FrozenInstanceError):
            made.values = ()  # type: ignore[misc]
        self.assertEqual(replace(made, values=(b"y",)), DataRow((b"y",)))
        self.assertEqual(hash(made), hash(DataRow((b"x",))))
        self.assertEqual(repr(made), "DataRow(values=(b'x',))")

    def test_wrong_bytes(self) -> None:
        """Bytes that are not exactly a row raise an error that says why."""
        for body, why in (
            (b"\0", "how many"),
            (b"\0\1\0\0\0", "have more"),
            (b"\0\1\0\0\0\2x", "have more"),
            (b"\0\1\x7f\xff\xff\xffx", "have more"),
            (b"\0\1\0\0\0\1xy", "it has 13 bytes, and its parts have 12"),
            (b"\0\0x", "its parts have 7"),
            (b"\0\1\xff\xff\xff\xfe", "-2 bytes"),
            (b"\0\1\x80\0\0\0", "-2147483648 bytes"),
        ):
            with self.assertRaisesRegex(ValueError, why):
                row(body)
