"""The words of a fleet."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.fleet import FleetAnswer, NodeAnswer


class FleetAnswerTests(SynchronousTestCase):
    """`FleetAnswer`: what each node did of a call."""

    def test_some_nodes(self) -> None:
        """It tells apart the nodes that did it, with what they returned, and the others, with why not."""
        answer = FleetAnswer("1", {"a": NodeAnswer("a", 7), "b": NodeAnswer("b", error="no answer in time")})
        self.assertEqual((answer.done, answer.failed), ({"a": 7}, {"b": "no answer in time"}))

    def test_complete(self) -> None:
        """It is complete if all nodes could be asked, and all did it, even if they returned nothing."""
        done, failed = {"a": NodeAnswer("a")}, {"a": NodeAnswer("a", error="why")}
        answers = [FleetAnswer("1", done), FleetAnswer("1", done, "no engine"), FleetAnswer("1", failed)]
        self.assertEqual([answer.complete for answer in answers], [True, False, False])
