"""The numbers of a flow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.flow_map import FlowMap

WHAT = st.lists(st.sampled_from(("passed", "replaced", "added")), max_size=40)


class FlowMapTests(SynchronousTestCase):
    """What the sender and the receiver call the same message."""

    @given(WHAT)
    def test_numbers(self, what: list[str]) -> None:
        """Both numbers of each message are found, before and after the map was saved."""
        numbers, senders = FlowMap(), 0
        origins = []
        for receiver, one in enumerate(what, 1):
            senders += one != "added"
            origins.append(senders)
            if one != "passed":
                numbers.record(receiver, added=one == "added")
        added = [(at, at + 1) for at, one in enumerate(what, 1) if one == "added"]
        for each in (numbers, FlowMap(numbers.runs(0, 99), added)):
            self.assertEqual(each.added, len(added))
            for receiver, (one, origin) in enumerate(zip(what, origins, strict=True), 1):
                self.assertEqual(each.sender_up_to(receiver), origin)
                self.assertEqual(each.sender_from(receiver), origin + (one == "added"))
                self.assertEqual(each.is_added(receiver), one == "added")
                self.assertEqual(receiver in each, one != "passed")
                if one != "added":
                    self.assertEqual(each.receiver(origin), receiver)
            self.assertEqual(each.receiver(senders + 1), len(what) + 1)
            own = [origin for one, origin in zip(what, origins, strict=True) if one != "passed"]
            self.assertEqual(each.last_origin, own[-1] if own else 0)

    def test_runs(self) -> None:
        """The ends of a run are found, and not beyond the limit."""
        numbers = FlowMap([(3, 6)])
        self.assertEqual([numbers.end_of_run(start, 5) for start in (2, 3, 5, 6)], [2, 5, 5, 6])
        self.assertEqual([numbers.start_of_run(4, stop) for stop in (3, 4, 6, 7)], [3, 4, 4, 7])
        self.assertEqual(len(numbers), 1)

    def test_contents(self) -> None:
        """Messages are read where there are some, but not those of numbers that have begun again."""
        numbers = FlowMap([(3, 6)], contents=lambda start, stop: [(number, b"x") for number in range(start, stop)])
        self.assertEqual(list(numbers.contents(1, 5)), [(3, b"x"), (4, b"x")])
        self.assertEqual(list(numbers.begun_again().contents(1, 5)), [])
        self.assertEqual(list(FlowMap([(3, 6)]).contents(1, 5)), [])
