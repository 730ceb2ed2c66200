"""The names of FIX."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.messages import CLASSES
from twisted_repeater.dialects.fix.tags import DATA_FIELDS, SECRETS
from twisted_repeater.service.admin.fix_names import FIELDS, NUMBERS, TYPES


class NameTests(SynchronousTestCase):
    """Tables."""

    def test_fields(self) -> None:
        """Each name belongs to one tag, and the usual ones are there."""
        self.assertEqual(
            (FIELDS[38], NUMBERS["OrderQty"], FIELDS[34], FIELDS[1409]), ("OrderQty", 38, "MsgSeqNum", "SessionStatus")
        )
        self.assertEqual(len(NUMBERS), len(FIELDS))
        self.assertTrue(set(SECRETS) <= FIELDS.keys())
        lengths = {length for length in DATA_FIELDS if length in FIELDS}
        self.assertTrue(all(FIELDS[length].endswith(("Len", "Length")) for length in lengths))

    def test_types(self) -> None:
        """The classes of the dialect have the names of their types."""
        self.assertEqual(
            {code.decode(): kind.__name__ for code, kind in CLASSES.items()}.items() - TYPES.items(), set()
        )
