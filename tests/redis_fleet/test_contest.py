"""A name that another node holds: who gets it, and when.

The engine is a real one; time and the network between it and the nodes are the test's, see `simulated`.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from twisted_repeater.errors import DuplicateClient, Replaced
from twisted_repeater.model import SameName
from twisted_repeater.redis_fleet._contest import GIVE_WAY, PAUSE, GivenUp
from twisted_repeater.redis_fleet._engine import EngineError

from .claims_case import ANN, ClaimsCase
from .simulated import LEASE, Mode

DEBIAN_PACKAGES = "redis-server"
KEPT = 1.5 * LEASE
"""For how many seconds the engine keeps a lease."""


class GivenUpTests(TestCase):
    """Names that were given up for other nodes."""

    def test_forgotten(self) -> None:
        """Clients leave a name alone for a while after it was last given up; then nothing is remembered."""
        names = GivenUp()
        for key, now in (("a", 0.0), ("b", 0.0), ("a", GIVE_WAY / 2)):
            names.add(key, now)
        self.assertEqual((names.pause("a", GIVE_WAY), names.pause("b", GIVE_WAY)), (GIVE_WAY / 2, 0.0))
        self.assertEqual(names.pause("a", 2 * GIVE_WAY), 0.0)
        self.assertEqual(names._until, {})


class TakenNameTests(ClaimsCase):
    """Another node has the name."""

    def test_replaced(self) -> None:
        """With REPLACE, the other node closes its link first."""
        first, second = self.start_nodes(2, SameName.REPLACE)
        first.claim(ANN, 5)
        self.world.flow()
        second.claim(ANN, 5)
        self.world.flow()
        self.assertEqual((first.links[ANN], second.links[ANN]), (1, 0))
        self.world.tick(1)
        self.assertEqual((first.links[ANN], second.links[ANN], self.holder()), (0, 1, second.node.incarnation))

    def test_later_newcomer(self) -> None:
        """If a later newcomer gets the name there, this one is told so."""
        first, second = self.start_nodes()
        first.refusal = Replaced("a later newcomer gets the name")
        first.claim(ANN, 5)
        self.world.flow()
        second.claim(ANN, 5)
        self.world.tick(0.5)
        self.assertIsInstance(second.errors[0], Replaced)

    def test_holder_is_stuck(self) -> None:
        """If the other node does not answer, the newcomer waits for its time, or for the end of that node's lease."""
        first, second = self.start_nodes()
        first.claim(ANN, 5)
        self.world.flow()
        first.mode = Mode.CUT
        second.claim(ANN, 1)
        second.claim(ANN, 20)
        self.world.tick(2)
        (error,) = second.errors
        self.assertIsInstance(error, DuplicateClient)
        self.assertRegex(str(error), "another node has the name, and it did not become free in time")
        self.world.tick(KEPT - 1)
        self.assertEqual((second.links[ANN], len(first.orders_seen)), (1, 0))

    def test_holder_is_slow(self) -> None:
        """A node whose lease goes on is asked once, however long it takes; at the end, that is the reason."""
        first, second = self.start_nodes()
        first.claim(ANN, 5)
        self.world.flow()
        done: Deferred[None] = Deferred()
        first.does = lambda order: done
        second.claim(ANN, KEPT + 1)
        second.claim(ANN, 20)
        self.world.tick(KEPT + 0.9)
        second.mode = Mode.SLOW
        self.world.tick(1)
        self.assertEqual([type(error) for error in second.errors], [DuplicateClient])
        second.mode = Mode.FAST
        first.release(ANN)
        with self.world.at(first):
            done.callback(None)
        self.world.tick(3)
        self.assertEqual((second.links[ANN], len(first.orders_seen)), (1, 2))

    def test_somebody_else_is_faster(self) -> None:
        """If somebody else gets the name meanwhile, it is contested once more, after a pause."""
        first, second = self.start_nodes()
        first.claim(ANN, 5)
        self.world.flow()
        contested = first.claims.contested

        async def no_news(key: str) -> None:
            first.claims.contested = contested  # type: ignore[method-assign]

        first.claims.contested = no_news  # type: ignore[method-assign]
        first.refusal = None
        first.links.clear()
        first.claims._names[ANN].users = 0
        second.claim(ANN, 5)
        self.world.flow()
        self.assertEqual((first.contests, second.links[ANN]), (1, 0))
        self.world.tick(PAUSE)
        self.assertEqual((first.contests, second.links[ANN]), (2, 1))

    def test_holder_is_gone(self) -> None:
        """If the lease of the other node ends meanwhile, the name is claimed at once."""
        first, second = self.start_nodes()
        first.claim(ANN, 5)
        self.world.flow()
        call = second.orders.call

        def late(*args: Any, **kwargs: Any) -> Any:
            first.leave()
            return call(*args, **kwargs)

        self.patch(second.orders, "call", late)
        second.claim(ANN, 5)
        self.world.tick(0.1)
        self.assertEqual(self.holder(), second.node.incarnation)

    def test_engine_fails_meanwhile(self) -> None:
        """If the engine cannot be asked when the other node is to be asked, the newcomer waits for the engine."""
        first, second = self.start_nodes()
        first.claim(ANN, 5)
        self.world.flow()
        self.patch(second.orders, "call", mock.AsyncMock(side_effect=EngineError("lost")))
        second.mode = Mode.CUT
        second.claim(ANN, 5)
        self.world.tick(0.1)
        second.mode = Mode.FAST
        self.world.flow()
        self.assertEqual((second.errors, len(second.pending)), ([], 1))
        first.release(ANN)
        self.world.tick(0.5)
        self.assertEqual(self.holder(), second.node.incarnation)
