"""Which messages are wanted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction
from twisted_repeater.dialects.fix.messages import NewOrderSingle
from twisted_repeater.dialects.redis.messages import Command
from twisted_repeater.service.admin.criteria import Criteria


def link(name: str) -> Any:
    """Return a link of a client."""
    return SimpleNamespace(client_name=name)


class CriteriaTests(SynchronousTestCase):
    """Criteria."""

    def test_all(self) -> None:
        """Without criteria, everything is wanted."""
        everything = Criteria()
        self.assertTrue(everything.wants_link(link("ann")) and everything.wants_bytes(b"") and everything.wants_type(5))
        self.assertTrue(everything.wants_shown("x") and everything.wants_types(()))
        self.assertEqual((everything.direction, everything.looks_inside), (None, False))

    def test_client(self) -> None:
        """A client's name is compared with a pattern; brackets make a star a star."""
        self.assertEqual([Criteria("bank*").wants_link(link(name)) for name in ("bank 7", "the bank")], [True, False])
        self.assertEqual([Criteria("a[*]").wants_link(link(name)) for name in ("a*", "ab")], [True, False])

    def test_type(self) -> None:
        """A type is known by any of its names, in upper or lower case."""
        order = NewOrderSingle({11: "1"})
        for pattern in ("NewOrder*", "d", "*order*", "NewOrderSingle (D)"):
            self.assertTrue(Criteria(kind=pattern).wants_type(order), pattern)
        self.assertFalse(Criteria(kind="F").wants_type(order))
        self.assertTrue(Criteria(kind="set").wants_type(Command("SET")))
        self.assertTrue(Criteria(kind="x").looks_inside)

    def test_text(self) -> None:
        """A text is searched in the bytes, in UTF-8; of a secret message, in what is shown."""
        chosen = Criteria(direction="to_client", text="zł")
        self.assertEqual([chosen.wants_bytes("5 zł".encode()), chosen.wants_bytes(b"zl")], [True, False])
        self.assertEqual([chosen.wants_shown("zł"), chosen.wants_shown("***")], [True, False])
        self.assertEqual((chosen.direction, chosen.looks_inside), (Direction.TO_CLIENT, True))
