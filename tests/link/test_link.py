"""Tests of the way from a link to its pair."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._link.link import Link, pair_of


class PairTests(SynchronousTestCase):
    """The pair behind a link."""

    def test_pair(self) -> None:
        """It is the one that the link was made with."""
        pair: Any = object()
        self.assertIs(pair_of(Link(pair)), pair)
