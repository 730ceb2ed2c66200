"""How fast a recording is played."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.replay.pace import Pace, Schedule

SECOND = 1_000_000


def dues(pace: Pace, *seconds: float) -> list[float]:
    """Return when events are due that were recorded at these times."""
    schedule = Schedule(pace)
    return [schedule.due(int((100 + second) * SECOND)) for second in seconds]


class PaceTests(SynchronousTestCase):
    """`Pace` and `Schedule`."""

    def test_speed(self) -> None:
        """Events are due at their recorded times after the first one, divided by the speed."""
        self.assertEqual(dues(Pace(), 0, 1, 5), [0, 1, 5])
        self.assertEqual(dues(Pace(speed=10), 0, 1, 5), [0, 0.1, 0.5])
        self.assertEqual(dues(Pace(speed=math.inf), 0, 1, 5), [0, 0, 0])

    def test_max_pause(self) -> None:
        """Long pauses are shortened, as they would be played."""
        self.assertEqual(dues(Pace(max_pause=2), 0, 1, 100, 101), [0, 1, 3, 4])
        self.assertEqual(dues(Pace(speed=10, max_pause=2), 0, 10, 100), [0, 1, 3])

    def test_wrong_values(self) -> None:
        """A value that cannot be used is an error with its name."""
        for name, value in (
            ("speed", 0),
            ("speed", math.nan),
            ("timeout", -1),
            ("timeout", math.inf),
            ("max_pause", 0),
            ("max_clients", 0),
        ):
            with self.assertRaises(ValueError) as caught:
                Pace(**{name: value})  # type: ignore[arg-type]
            self.assertIn(name, str(caught.exception))
