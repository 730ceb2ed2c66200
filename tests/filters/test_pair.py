"""`FilterPair`: two filters as a pair."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import PASS_ON, Direction, IFilterPair, Send, Verdict
from twisted_repeater.filters import Count, FilterPair
from twisted_repeater.filters._provider import fixed_filters
from twisted_repeater.filters.pair import as_pair
from twisted_repeater.testing import FilterHarness

LINK: Any = None


def up(message: bytes, link: Any) -> Verdict:
    """Mark messages to the server."""
    return Send(b"up " + message)


def down(message: bytes, link: Any) -> Verdict:
    """Mark messages to the client."""
    return Send(b"down " + message)


class FilterPairTests(SynchronousTestCase):
    """`FilterPair`."""

    def test_both(self) -> None:
        """Each filter sees the messages of its direction, on every link."""
        pair = FilterPair(to_server=up, to_client=down)
        verifyObject(IFilterPair, pair)
        run = FilterHarness(filters=pair)
        run.client_sends(b"a").expect(to_server=[b"up a"])
        run.server_sends(b"b").expect(to_client=[b"down b"])

    def test_one(self) -> None:
        """Without a filter a direction passes on."""
        for pair, expected in (
            (FilterPair(up), ([b"up m"], [b"m"])),
            (FilterPair(to_client=down), ([b"m"], [b"down m"])),
            (FilterPair(), ([b"m"], [b"m"])),
        ):
            run = FilterHarness(filters=pair)
            self.assertEqual((run.client_sends(b"m").to_server, run.server_sends(b"m").to_client), expected)

    def test_wrong(self) -> None:
        """What is no filter is an error at once."""
        self.assertRaises(TypeError, FilterPair, 7)
        self.assertRaises(TypeError, FilterPair, to_client=lambda message: PASS_ON)

    def test_as_pair(self) -> None:
        """A pair stays as it is; a filter becomes that of messages to the server; anything else is refused."""
        pair, count = FilterPair(), Count()
        self.assertIs(as_pair(pair), pair)
        made = as_pair(count)
        assert isinstance(made, FilterPair)
        self.assertEqual((made.to_server, made.to_client), (count, None))
        wrong: Any = 7
        self.assertRaises(TypeError, as_pair, wrong)

    def test_names(self) -> None:
        """A pair is named after its filters, and has them for `start` to check."""
        pair = FilterPair(up)
        self.assertEqual((repr(pair), pair.__qualname__), ("FilterPair(up, None)", "FilterPair(up, None)"))
        self.assertEqual(list(fixed_filters(pair)), [(Direction.TO_SERVER, up)])
        self.assertEqual(list(fixed_filters(FilterPair(to_client=down))), [(Direction.TO_CLIENT, down)])

    def test_migrate(self) -> None:
        """Each filter takes over from that of its direction, if both are there; another object leaves it alone."""
        old = FilterPair(Count(), Count())
        counts: Any = old.to_client
        counts.filter(b"m", LINK)
        new = FilterPair(Count(), Count())
        new.migrate(up)
        new.migrate(FilterPair(None, old.to_client))
        self.assertEqual([each.total for each in (new.to_server, new.to_client)], [0, 1])  # type: ignore[union-attr]
        FilterPair().migrate(old)
