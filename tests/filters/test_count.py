"""Tests of `Count`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.filters import Count
from twisted_repeater.testing import FilterHarness


class CountTests(SynchronousTestCase):
    """Messages are counted."""

    def test_by_class(self) -> None:
        """They pass on, and are counted under the name of their class."""
        count = Count()
        FilterHarness(count).client_sends(b"a", b"b", b"").expect(to_server=[b"a", b"b", b""])
        self.assertEqual(count.counts, {"bytes": 3})
        self.assertEqual(count.total, 3)

    def test_by_key(self) -> None:
        """They are counted under whatever the key says."""
        count = Count(lambda message, link: (link.client_name, message[:1]))
        FilterHarness(count, client_name="ann").client_sends(b"a1", b"a2", b"b")
        self.assertEqual(count.counts, {("ann", b"a"): 2, ("ann", b"b"): 1})
        self.assertEqual(count.total, 3)

    def test_migrate(self) -> None:
        """One that takes over goes on from the numbers of the one before, which keeps its own."""
        old, new = Count(), Count()
        FilterHarness(old).client_sends(b"a", b"b")
        new.migrate(old)
        new.migrate(object())
        FilterHarness(new).client_sends(b"c")
        self.assertEqual((old.counts, new.counts), ({"bytes": 2}, {"bytes": 3}))
