"""Tests of the valve: a connection is read only when nothing speaks against it."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_repeater._sockets.valve import Valve


@implementer(IPushProducer)
class Tap:
    """A producer that records its calls, and may do something when it is resumed."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.on_resume = lambda: None

    def pauseProducing(self) -> None:
        """See `IPushProducer`."""
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """See `IPushProducer`."""
        self.told.append("resume")
        self.on_resume()

    def stopProducing(self) -> None:
        """See `IPushProducer`."""


class ValveTests(SynchronousTestCase):
    """A valve with several reasons to be closed."""

    def setUp(self) -> None:
        """Make a valve on a producer."""
        self.tap = Tap()
        self.valve = Valve(self.tap)

    def test_has(self) -> None:
        """It knows its reasons."""
        self.valve.close("one")
        self.assertEqual((self.valve.has("one"), self.valve.has("two")), (True, False))

    def test_open_at_first(self) -> None:
        """Reading goes on while nothing speaks against it."""
        self.assertFalse(self.valve.closed)
        self.assertEqual(self.tap.told, [])

    def test_one_reason(self) -> None:
        """A reason pauses, its end resumes."""
        self.valve.close("filter")
        self.assertTrue(self.valve.closed)
        self.valve.open("filter")
        self.assertFalse(self.valve.closed)
        self.assertEqual(self.tap.told, ["pause", "resume"])

    def test_several_reasons(self) -> None:
        """Reading goes on when no reason is left, whichever goes first."""
        self.valve.close("filter")
        self.valve.close("consumer")
        self.valve.open("filter")
        self.assertTrue(self.valve.closed)
        self.assertEqual(self.tap.told, ["pause"])
        self.valve.open("consumer")
        self.assertEqual(self.tap.told, ["pause", "resume"])

    def test_the_same_reason_twice(self) -> None:
        """A reason counts once, however often it is given."""
        self.valve.close("filter")
        self.valve.close("filter")
        self.valve.open("filter")
        self.assertFalse(self.valve.closed)
        self.assertEqual(self.tap.told, ["pause", "resume"])

    def test_a_reason_that_was_none(self) -> None:
        """The end of a reason that was never given changes nothing."""
        self.valve.open("filter")
        self.valve.close("consumer")
        self.valve.open("filter")
        self.assertTrue(self.valve.closed)
        self.assertEqual(self.tap.told, ["pause"])

    def test_open_fully(self) -> None:
        """All reasons can end at once."""
        self.valve.open_fully()
        self.valve.close("filter")
        self.valve.close("consumer")
        self.valve.open_fully()
        self.assertFalse(self.valve.closed)
        self.assertEqual(self.tap.told, ["pause", "resume"])

    def test_attached(self) -> None:
        """A producer that is attached again is paused if there is a reason, and obeys from then on."""
        valve, tap = self.valve, self.tap
        valve.detach()
        valve.close("a")
        self.assertEqual(tap.told, [])
        valve.attach(tap)
        self.assertEqual(tap.told, ["pause"])
        valve.open("a")
        valve.detach()
        valve.attach(tap)
        self.assertEqual(tap.told, ["pause", "resume"])

    def test_closed_again_at_once(self) -> None:
        """A producer that produces while it is resumed may be paused by that."""
        self.tap.on_resume = lambda: self.valve.close("consumer")
        self.valve.close("filter")
        self.valve.open("filter")
        self.assertTrue(self.valve.closed)
        self.assertEqual(self.tap.told, ["pause", "resume", "pause"])

    def test_detached(self) -> None:
        """At the end of a stream the producer is left alone, while reasons come and go."""
        self.valve.close("filter")
        self.valve.detach()
        self.valve.open("filter")
        self.assertFalse(self.valve.closed)
        self.valve.close("consumer")
        self.assertTrue(self.valve.closed)
        self.valve.open_fully()
        self.assertEqual(self.tap.told, ["pause"])
