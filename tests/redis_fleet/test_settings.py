"""What a fleet is told when it is made is checked."""

from __future__ import annotations

import math
import os
import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.redis_fleet._address import EngineAddress
from twisted_repeater.redis_fleet._settings import FleetSettings, OnLeaseLost, own_name


def settings(**given: Any) -> FleetSettings:
    """Return settings."""
    return FleetSettings(address=EngineAddress("cache"), **given)


class SettingsTests(SynchronousTestCase):
    """Settings of a fleet."""

    def test_defaults(self) -> None:
        """A node that was given no name has one that no other process of the network has."""
        self.assertEqual(settings().node, own_name())
        self.assertEqual(own_name(), f"{socket.gethostname()}:{os.getpid()}")

    def test_names(self) -> None:
        """A name of a fleet or a node is short and printable, and has no character with a meaning of its own."""
        for name in "fleet", "node":
            settings(**{name: "Zürich 1:" + "x" * 191})
            for value in "", "x" * 201, "a\nb", "a{b", "a}b", "a|b":
                error = self.assertRaises(ValueError, settings, **{name: value})
                self.assertIn(f"{name} must be a printable name", str(error))

    def test_times(self) -> None:
        """A lease and a timeout are of use, and the engine can be asked twice within a lease."""
        settings(lease=0.5, timeout=0.05)
        settings(lease=3600, timeout=1800)
        for given, why in (
            ({"lease": 0.4}, "lease must be from 0.5 to 3600 seconds, not 0.4"),
            ({"lease": 3601}, "lease must be"),
            ({"lease": math.nan}, "lease must be"),
            ({"timeout": 0}, "timeout must be from 0.05 to 3600 seconds, not 0"),
            ({"lease": 3.0}, "timeout, 2 seconds, must be at most half of lease, 3 seconds"),
        ):
            error = self.assertRaises(ValueError, settings, **given)
            self.assertIn(why, str(error))

    def test_in_the_engine(self) -> None:
        """The engine has the keys of each fleet for itself; it keeps a lease longer than its node trusts it."""
        one, other = settings(lease=10), settings(lease=10.0, fleet="other", on_lease_lost=OnLeaseLost.CLOSE)
        self.assertEqual(one.prefix, "{twisted_repeater:main}:")
        self.assertNotEqual(one.prefix, other.prefix)
        self.assertEqual((one.gap, one.kept), (5000, 15000))

    def test_shared(self) -> None:
        """All nodes must have the same lease, and do the same when it is lost; the rest may differ."""
        same = settings(lease=10).shared
        self.assertEqual(settings(lease=10.0, node="ann", timeout=1.0).shared, same)
        self.assertNotEqual(settings(lease=11).shared, same)
        self.assertNotEqual(settings(on_lease_lost=OnLeaseLost.CLOSE).shared, same)
