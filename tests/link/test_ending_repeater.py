"""How a repeater ends: drained, shut down or aborted. More of the shutdown is in ``tests/test_repeater.py``."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Repeater
from twisted_repeater.testing import MemoryRepeater


class EndingCase(SynchronousTestCase):
    """A test case with a repeater in memory, a client, and Deferreds that are noted when they fire."""

    def setUp(self) -> None:
        """Link the client."""
        self.running = MemoryRepeater()
        self.repeater: Repeater = self.running.repeater
        self.ann = self.running.connect("ann")
        self.fired: list[str] = []

    def note(self, name: str, done: Deferred[None]) -> None:
        """Note when a Deferred fires, and how."""
        done.addCallbacks(
            lambda _: self.fired.append(name), lambda failure: self.fired.append(f"{name} {failure.type.__name__}")
        )

    def port(self, stop: Any) -> None:
        """Have something else stop the port."""
        self.patch(self.repeater._listening._port, "stopListening", stop)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps."""
        for _ in range(round(seconds / 0.05)):
            self.running.advance(0.05)


class DrainTests(EndingCase):
    """`Repeater.drain`."""

    def test_drained(self) -> None:
        """The port is closed at once, the link ends, its name is free; then each caller's Deferred fires."""
        self.assertFalse(self.repeater.draining)
        self.note("first", self.repeater.drain())
        self.note("second", self.repeater.drain(20.0))
        self.assertTrue(self.repeater.draining)
        self.assertIsNone(self.running.listening.port)
        self.assertTrue(self.ann.open)
        self.pass_time(1.0)
        self.assertFalse(self.ann.open)
        self.assertEqual((self.fired, self.repeater.links()), (["first", "second"], []))
        self.successResultOf(self.repeater.drain())
        self.assertTrue(self.repeater.draining)

    def test_wrong_time(self) -> None:
        """The time must be a number of seconds that can pass."""
        for over in (-1.0, float("inf"), float("nan")):
            with self.assertRaisesRegex(ValueError, "over must be at least 0, in seconds, not "):
                self.repeater.drain(over)
        self.assertFalse(self.repeater.draining)

    def test_port_fails(self) -> None:
        """A port that cannot be closed is logged, and the links are drained all the same."""
        self.port(lambda: fail(OSError("no")))
        self.note("drained", self.repeater.drain())
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.pass_time(1.0)
        self.assertEqual(self.fired, ["drained"])

    def test_port_takes_its_time(self) -> None:
        """As long as the port is not closed, clients may come, so it is not over."""
        closed: Deferred[None] = Deferred()
        self.port(lambda: closed)
        self.note("drained", self.repeater.drain())
        self.pass_time(2.0)
        self.assertEqual((self.ann.open, self.fired), (False, []))
        closed.callback(None)
        self.pass_time(0.5)
        self.assertEqual(self.fired, ["drained"])

    def test_shut_down_meanwhile(self) -> None:
        """``shutdown`` ends it at once, with all links."""
        self.note("drained", self.repeater.drain())
        self.note("shut down", self.repeater.shutdown())
        self.running.advance(0)
        self.assertEqual((self.ann.open, self.fired), (False, ["drained", "shut down"]))

    def test_aborted_meanwhile(self) -> None:
        """``abort`` ends it, whatever waits."""
        self.note("drained", self.repeater.drain())
        self.note("aborted", self.repeater.abort())
        self.running.advance(0)
        self.assertEqual((self.ann.open, self.fired), (False, ["drained", "aborted"]))

    def test_after_the_shutdown(self) -> None:
        """Once the repeater is shut down there is nothing to drain; a failure is for ``shutdown`` only."""
        self.port(lambda: fail(OSError("no")))
        self.note("shut down", self.repeater.shutdown())
        self.note("drained", self.repeater.drain())
        self.assertEqual(self.fired, ["shut down OSError", "drained"])
        self.successResultOf(self.repeater.drain())
        self.assertFalse(self.repeater.draining)


class ShutdownTests(EndingCase):
    """`Repeater.shutdown`, `Repeater.abort` and `Repeater.stop_listening`."""

    def test_shut_down(self) -> None:
        """Each caller has a Deferred of its own, during and after; all that the repeater holds is given back."""
        self.note("first", self.repeater.shutdown())
        self.note("second", self.repeater.shutdown())
        self.running.advance(0)
        self.note("third", self.repeater.shutdown())
        self.assertEqual(self.fired, ["first", "second", "third"])
        self.assertRaises(RuntimeError, self.repeater.watch, print)

    def test_from_a_callback(self) -> None:
        """It may be called again while it is under way."""
        running: MemoryRepeater

        def again(*_: object) -> None:
            self.note("again", running.repeater.shutdown())

        running = MemoryRepeater(on_error=again)
        running.connect("ann")
        self.note("first", running.repeater.shutdown())
        running.advance(0)
        self.assertEqual(sorted(self.fired), ["again", "again", "first"])

    def test_failure(self) -> None:
        """If the port cannot be closed, each caller gets a failure of its own; the links are closed."""
        self.port(lambda: fail(CannotListenError("here", 1, OSError("no"))))
        failures = [self.failureResultOf(self.repeater.shutdown(), CannotListenError) for _ in range(2)]
        self.assertIsNot(*failures)
        self.running.advance(0)
        self.assertFalse(self.ann.open)

    def test_aborted(self) -> None:
        """Every connection is aborted at once."""
        self.ann.keeps_open = True
        self.note("aborted", self.repeater.abort())
        self.running.advance(0)
        self.assertEqual((self.ann.open, self.fired), (False, ["aborted"]))

    def test_not_listening(self) -> None:
        """Links stay when the port is closed."""
        self.successResultOf(self.repeater.stop_listening())
        self.assertTrue(self.ann.open)
