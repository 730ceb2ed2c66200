"""A filter that asks another one, and decides what becomes of its verdict."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Close, Link, SendBack, Verdict
from twisted_repeater.codecs import TextCodec
from twisted_repeater.filters import wants
from twisted_repeater.filters._deciding import Deciding

from .in_turn import LINK


class Told(Deciding):
    """Notes what it is told, and closes where the filter drops."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.told: list[object] = []

    def _decide(self, verdict: Verdict, message: Any) -> Verdict:
        self.told.append((verdict, message))
        return Close() if verdict is DROP else verdict

    def _failed(self, message: Any) -> None:
        self.told.append(message)


@wants(bytes)
def of_bytes(message: bytes, link: Link) -> Verdict:
    """Answer."""
    return SendBack(message)


class DecidingTests(SynchronousTestCase):
    """`Deciding`."""

    def test_at_once(self) -> None:
        """It decides about a verdict that comes at once; without a filter it is `PASS_ON`."""
        drops, nothing = Told(lambda message, link: DROP), Told(None)
        self.assertEqual(drops.filter(b"a", LINK), Close())
        self.assertEqual(drops.told, [(DROP, b"a")])
        self.assertIs(nothing.filter(b"a", LINK), PASS_ON)

    def test_later(self) -> None:
        """It decides about a verdict that comes later when it is there."""
        verdict: Deferred[Verdict] = Deferred()
        asks = Told(lambda message, link: verdict)
        later: Any = asks.filter(b"a", LINK)
        self.assertEqual(asks.told, [])
        verdict.callback(DROP)
        self.assertEqual(self.successResultOf(later), Close())

    def test_failure(self) -> None:
        """It is told of a filter that fails, and the error goes on; Ctrl-C is none."""

        def raises(error: BaseException) -> Told:
            return Told(lambda message, link: (_ for _ in ()).throw(error).__next__())

        for error in (ValueError("no"), SystemExit()):
            fails = raises(error)
            self.assertRaises(type(error), fails.filter, b"a", LINK)
            self.assertEqual(fails.told, [b"a"])
        stopped = raises(KeyboardInterrupt())
        self.assertRaises(KeyboardInterrupt, stopped.filter, b"a", LINK)
        self.assertEqual(stopped.told, [])

    def test_failure_later(self) -> None:
        """The same holds for one that fails later."""
        verdict: Deferred[Verdict] = Deferred()
        asks = Told(lambda message, link: verdict)
        later: Any = asks.filter(b"a", LINK)
        verdict.errback(Failure(ValueError("no")))
        self.failureResultOf(later, ValueError)
        self.assertEqual(asks.told, [b"a"])

    def test_selector(self) -> None:
        """It sees all messages, and says if its filter cannot work with them."""
        self.assertIsNone(Told(None).selector_for(None))
        self.assertIsNone(Told(of_bytes).selector_for(None))
        self.assertRaises(TypeError, Told(of_bytes).selector_for, TextCodec("utf-8"))
