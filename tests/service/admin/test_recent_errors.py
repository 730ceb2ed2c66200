"""`RecentErrors`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.errors import ClientNotAllowed, Disconnected
from twisted_repeater.interfaces import IObserver
from twisted_repeater.model import Direction, Side
from twisted_repeater.service.admin.recent_errors import MOST, RecentErrors


class RecentErrorsTests(SynchronousTestCase):
    """What is remembered."""

    def setUp(self) -> None:
        """Make one, with a clock that goes on by a second with each look."""
        times = iter(range(10_000))
        self.errors = RecentErrors(lambda: float(next(times)))
        self.ann: Any = SimpleNamespace(id=1, client_name="ann")

    def test_observer(self) -> None:
        """It is an observer, which need not hear of messages."""
        verifyObject(IObserver, self.errors)
        self.errors.relayed(self.ann, Direction.TO_SERVER, 1, 10)

    def test_link(self) -> None:
        """Of a link it knows when it was made and its last error, until it ends."""
        self.assertEqual((self.errors.made(self.ann), self.errors.last_of(self.ann)), (None, None))
        self.errors.link_made(self.ann)
        self.errors.link_error(self.ann, Side.SERVER, Disconnected(ValueError("one")))
        self.errors.link_error(self.ann, Side.CLIENT, Disconnected(ValueError("two\n")))
        self.assertEqual(self.errors.made(self.ann), 0.0)
        self.assertIn("two\\n", self.errors.last_of(self.ann) or "")
        self.errors.link_ended(self.ann, None)
        self.assertEqual((self.errors.made(self.ann), self.errors.last_of(self.ann)), (None, None))

    def test_newest_first(self) -> None:
        """The newest error comes first; a refused client has no link."""
        self.errors.link_error(self.ann, Side.SERVER, Disconnected(ValueError("one")))
        self.errors.link_refused("bob", ClientNotAllowed("bob"))
        bob, ann = self.errors.newest_first
        self.assertEqual((bob.time, bob.link, bob.client, bob.side), (1.0, None, "bob", None))
        self.assertEqual((ann.time, ann.link, ann.client, ann.side), (0.0, 1, "ann", "server"))
        self.assertTrue(bob.error.startswith("ClientNotAllowed: "))
        self.assertIsNone(self.errors.last_of(self.ann))

    def test_limits(self) -> None:
        """It remembers so many errors only, and the beginning of a long one."""
        for _ in range(MOST + 1):
            self.errors.link_refused(None, ClientNotAllowed("x" * 100_000))
        self.assertEqual((len(self.errors.newest_first), self.errors.newest_first[-1].time), (MOST, 1.0))
        self.assertLess(len(self.errors.newest_first[0].error), 2000)

    def test_listeners(self) -> None:
        """Listeners are told of links and errors; one of them may leave then."""
        told: list[Any] = []

        class Listener:
            def __getattr__(self, name: str) -> Any:
                return lambda *arguments: told.append((name, *arguments))

        error, refusal = Disconnected(ValueError("one")), ClientNotAllowed("bob")
        self.errors.listeners = [Listener()]
        self.errors.link_made(self.ann)
        self.errors.link_error(self.ann, Side.SERVER, error)
        self.errors.link_refused("bob", refusal)
        self.errors.link_ended(self.ann, None)
        self.assertEqual(
            told,
            [
                ("link_made", self.ann),
                ("link_error", self.ann, Side.SERVER, error),
                ("link_refused", "bob", refusal),
                ("link_ended", self.ann, None),
            ],
        )
