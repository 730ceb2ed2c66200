"""Tests of the setup of lanes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater.verdicts import Verdict


def note(lane: Lane, message: object, verdict: Verdict | None, by_filter: bool) -> None:
    """Be a hook for decisions."""


class SetupTests(SynchronousTestCase):
    """What follows from a setup."""

    def test_frozen(self) -> None:
        """A setup is never changed, as thousands of lanes share it."""
        setup: Any = LaneSetup()
        with self.assertRaises(FrozenInstanceError):
            setup.filter = None

    def test_versions(self) -> None:
        """Messages are translated if the target gets another version; then the lane decides about each."""
        for versions, translates in (((1, 1), False), ((1, 2), True), ((2, 1), True)):
            setup = LaneSetup(versions=versions)
            self.assertEqual((setup.translates, setup.sees_all), (translates, translates))

    def test_hook(self) -> None:
        """With a hook for decisions the lane decides about each message, too."""
        setup = LaneSetup(on_decision=note)
        self.assertEqual((setup.translates, setup.sees_all), (False, True))

    def test_replaced(self) -> None:
        """Another setup with some changes is what the standard library makes of it."""
        setup = LaneSetup(versions=(1, 2))
        ours, judge = setup.replaced(on_decision=note), replace(setup, on_decision=note)
        for field in fields(LaneSetup):
            self.assertIs(getattr(ours, field.name), getattr(judge, field.name), field.name)
        self.assertIsNone(setup.on_decision)
