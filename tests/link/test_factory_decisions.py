"""Decisions about messages, as far as the factory has to do with them."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import dialects
from twisted_repeater._link.application import Settings
from twisted_repeater._link.factory import RepeaterFactory
from twisted_repeater._sockets.descriptors import Claim
from twisted_repeater.model import Limits, effective


class DecisionTests(SynchronousTestCase):
    """Who is told of each decision."""

    def test_watched(self) -> None:
        """A function is told of decisions until another takes its place, or none."""
        clock: Any = Clock()
        settings = Settings(
            dialect=dialects.int32(), repeater_name="edge", server_name="quotes", is_client_allowed=lambda name: True
        )
        claim = Claim(effective(Limits()), clock)
        factory = RepeaterFactory(settings, claim=claim, clock=clock, dial=lambda pair: self.fail("nobody is here"))
        self.assertIsNone(factory.equipment.on_decision)
        factory.watch_decisions(print)
        self.assertIs(factory.equipment.on_decision, print)
        factory.watch_decisions(None)
        self.assertIsNone(factory.equipment.on_decision)
