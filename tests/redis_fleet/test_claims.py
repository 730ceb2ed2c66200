"""Names that a node holds: who gets them, who waits, and what is left when something goes wrong.

The engine is a real one; time and the network between it and the nodes are the test's, see `simulated`.
"""

from __future__ import annotations

from unittest import mock

from twisted.internet.defer import CancelledError, Deferred

from twisted_repeater.errors import DuplicateClient, FleetUnavailable
from twisted_repeater.model import SameName
from twisted_repeater.redis_fleet import _questions
from twisted_repeater.redis_fleet._contest import GIVE_WAY
from twisted_repeater.redis_fleet._engine import EngineError
from twisted_repeater.redis_fleet._questions import AT_ONCE
from twisted_repeater.redis_fleet._settings import NewcomersWithoutEngine, OnLeaseLost

from .claims_case import ANN, ClaimsCase
from .simulated import LEASE, PREFIX, Mode, Site

DEBIAN_PACKAGES = "redis-server"


class FreeNameTests(ClaimsCase):
    """Nobody else has the name."""

    def test_held(self) -> None:
        """A name is this node's until each client that has claimed it has released it."""
        (site,) = self.start_nodes(1)
        site.claim(ANN, 5)
        self.world.flow()
        calls = self.calls_of(site)
        with self.world.at(site):
            self.successResultOf(Deferred.fromCoroutine(site.claims.claim(ANN, SameName.REFUSE, 5)))
        site.release(ANN)
        self.world.tick(0.1)
        self.assertEqual((self.holder(), calls), (site.node.incarnation, []))
        site.claims.release(ANN)
        self.all_free(site)

    def test_odd_name(self) -> None:
        """A name may have any characters; the one who loses it is told so as well."""
        name = "name:t:\ud800 \0{}|\n\U0001f600"
        first, second = self.start_nodes()
        first.claim(name, 5)
        self.world.flow()
        self.assertEqual((first.links[name], len(self.world.names())), (1, 1))
        first.mode = Mode.CUT
        self.world.tick(2 * LEASE)
        second.claim(name, 5)
        self.world.tick(1)
        first.mode = Mode.FAST
        self.world.tick(1)
        self.assertEqual((first.links[name], second.links[name]), (1, 0))
        first.release(name)
        self.all_free(first, second)

    def test_cancelled(self) -> None:
        """A client that leaves while the engine is asked leaves nothing, also if another one comes and goes."""
        (site,) = self.start_nodes(1)
        site.mode = Mode.SLOW
        site.claim(ANN, 5)
        self.world.tick(0.01)
        site.cancel()
        site.claim(ANN, 5)
        site.cancel()
        site.mode = Mode.FAST
        self.all_free(site)

    def test_comes_while_freed(self) -> None:
        """A client that comes while the name is being freed claims it again."""
        (site,) = self.start_nodes(1)
        site.claim(ANN, 5)
        self.world.flow()
        site.mode = Mode.SLOW
        site.release(ANN)
        self.world.tick(0.1)
        site.claim(ANN, 5)
        site.mode = Mode.FAST
        self.world.flow()
        self.assertEqual((self.holder(), site.links[ANN]), (site.node.incarnation, 1))

    def test_after_a_restart(self) -> None:
        """With ``close``, an engine that knows nothing gives no name as long as older links may have it."""
        site, _ = self.start_nodes(2, on_lease_lost=OnLeaseLost.CLOSE)
        self.world.restart(keep=False, saved=False)
        self.world.tick(0.7)
        site.claim(ANN, 1)
        site.claim(ANN, 20)
        self.world.tick(1.5)
        (error,) = site.errors
        self.assertIsInstance(error, FleetUnavailable)
        self.assertRegex(str(error), "names may still belong to links that are older")
        self.world.tick(2 * LEASE)
        self.assertEqual(self.holder(), site.node.incarnation)


class TakenNameTests(ClaimsCase):
    """Another node has the name; see also `test_contest`."""

    def test_refused(self) -> None:
        """With REFUSE, the other node is asked, and refuses."""
        first, second = self.start_nodes()
        first.claim(ANN, 5)
        self.world.flow()
        second.claim(ANN, 5)
        self.world.tick(0.5)
        (error,) = second.errors
        self.assertIsInstance(error, DuplicateClient)
        self.assertEqual((str(error), first.contests), ("it is linked", 1))
        self.assertEqual((first.claims.count, second.claims.count, second.claims.refused), (1, 0, 1))

    def test_unknown(self) -> None:
        """If the engine says that this node has a name, and it has not, another node gets it all the same."""
        first, second = self.start_nodes()
        self.world.raw("HSET", PREFIX + "held", ANN, f"{first.node.incarnation}|7|0")
        second.claim(ANN, 5)
        self.world.tick(0.1)
        self.assertEqual((self.holder(), first.claims._names), (second.node.incarnation, {}))

    def test_wanted_again(self) -> None:
        """A name that a client of this node needs is not freed for another node."""
        first, _ = self.start_nodes()
        first.claim(ANN, 5)
        self.world.flow()
        with self.world.at(first):
            self.successResultOf(Deferred.fromCoroutine(first.claims.contested(ANN)))
        self.assertEqual(self.holder(), first.node.incarnation)

    def test_comes_back_at_once(self) -> None:
        """A client that was replaced, and comes back at once, waits for its turn: then it replaces the other one."""
        first, second = self.start_nodes(2, SameName.REPLACE)
        first.claim(ANN, 5)
        self.world.flow()
        closes = first.close

        def comes_back(key: str) -> None:
            closes(key)
            first.clock.callLater(0, first.claim, key, 5)

        self.patch(first, "close", comes_back)
        second.claim(ANN, 5)
        self.world.tick(1)
        self.assertEqual((second.links[ANN], first.contests), (1, 1))
        self.world.tick(GIVE_WAY + 1.5)
        self.assertEqual((first.links[ANN], second.links[ANN], second.contests), (1, 0, 1))


class WithoutEngineTests(ClaimsCase):
    """The engine cannot be asked."""

    def test_short(self) -> None:
        """If it is back in time, nobody is refused."""
        (site,) = self.start_nodes(1)
        site.mode = Mode.CUT
        site.claim(ANN, 20)
        self.world.tick(3)
        self.assertEqual(len(site.pending), 1)
        site.mode = Mode.FAST
        self.world.tick(1)
        self.assertEqual((site.links[ANN], self.holder()), (1, site.node.incarnation))

    def test_too_long(self) -> None:
        """Otherwise newcomers are refused, with the reason; nothing is left of them."""
        (site,) = self.start_nodes(1)
        site.mode = Mode.CUT
        site.claim("name:t:tom", 20)
        site.claim(ANN, 3)
        self.world.tick(1.5)
        site.claim("name:t:bob", 1)
        site.cancel()
        self.world.tick(3)
        self.assertEqual([type(error) for error in site.errors], [CancelledError, *[FleetUnavailable] * 2])
        self.assertEqual(str(site.errors[-1]), "the fleet cannot be asked for the name: no answer")
        site.mode = Mode.FAST
        self.world.tick(2)
        self.all_free(site)

    def test_alone(self) -> None:
        """With ALONE, newcomers get names at once, which are claimed when the engine is back: the older link stays."""
        first, second = self.start_nodes(2, newcomers=NewcomersWithoutEngine.ALONE)
        first.mode = Mode.CUT
        first.claim(ANN, 5)
        first.claim("name:t:bob", 5)
        self.world.tick(2)
        second.claim("name:t:bob", 5)
        self.world.tick(1)
        self.assertEqual((first.links[ANN], first.links["name:t:bob"], second.links["name:t:bob"]), (1, 1, 1))
        first.mode = Mode.FAST
        self.world.tick(2)
        self.assertEqual((first.links[ANN], first.links["name:t:bob"], second.links["name:t:bob"]), (1, 1, 0))
        self.assertEqual(self.holder(), first.node.incarnation)

    def test_no_answer(self) -> None:
        """A newcomer with little time does not wait until the connection is given up."""
        (site,) = self.start_nodes(1)
        site.mode = Mode.CUT
        site.claim(ANN, 0.5)
        self.world.tick(0.5)
        self.assertEqual(str(site.errors[0]), "the fleet cannot be asked for the name: the engine does not answer")
        site.mode = Mode.FAST
        self.world.tick(2)
        self.all_free(site)

    def test_stopped(self) -> None:
        """After `stop` the engine is not asked any more."""
        (site,) = self.start_nodes(1)
        site.claim(ANN, 5)
        self.world.flow()
        calls = self.calls_of(site)
        site.release(ANN)
        for _ in range(2):
            site.claims.stop()
        self.world.tick(0.1)
        self.assertEqual(calls, [])

    def test_stopped_while_asking(self) -> None:
        """A newcomer is refused at `stop`, whether the engine was asked for its name already, or was about to be."""
        (site,) = self.start_nodes(1)
        self.comes_and_goes(site)
        site.mode = Mode.SLOW
        site.claim(ANN, 60)
        self.world.tick(0.01)
        site.claim("name:t:bob", 60)
        site.leave()
        self.world.tick(5)
        self.assertEqual([str(error).rpartition(": ")[2] for error in site.errors], ["it was stopped"] * 2)
        (other,) = self.start_nodes(1)
        other.claim(ANN, 60)
        other.leave()
        self.world.flow()
        self.assertEqual([str(error).rpartition(": ")[2] for error in other.errors], ["it was stopped"])

    def test_cancelled_when_told(self) -> None:
        """A newcomer that hears that the fleet is stopped may have another one go that waits for the engine, too."""
        (site,) = self.start_nodes(1)
        site.mode = Mode.CUT
        site.claim(ANN, 5)
        site.claim("name:t:bob", 5)
        self.world.tick(2)
        (_, first), _ = site.pending
        first.addCallback(lambda _: site.cancel())
        site.leave()
        self.assertEqual([type(error) for error in site.errors], [FleetUnavailable, CancelledError])


class ReconcileTests(ClaimsCase):
    """Names are claimed again."""

    def two(self, same_name: SameName) -> list[Site]:
        """Let two nodes have one name: the lease of the first has ended without its knowing."""
        first, second = self.start_nodes(2, same_name)
        first.claim(ANN, 5)
        self.world.flow()
        first.mode = Mode.CUT
        self.world.tick(2 * LEASE)
        second.claim(ANN, 5)
        self.world.tick(1)
        self.assertEqual((first.links[ANN], second.links[ANN]), (1, 1))
        first.mode = Mode.FAST
        return [first, second]

    def test_older(self) -> None:
        """With REFUSE, the older link keeps its name. The other is closed: the engine tells its node."""
        first, second = self.two(SameName.REFUSE)
        self.world.tick(1)
        self.assertEqual((first.links[ANN], second.links[ANN], self.holder()), (1, 0, first.node.incarnation))

    def test_younger(self) -> None:
        """With REPLACE, the younger one keeps it. A client that comes then is one of a name that was lost."""
        first, second = self.two(SameName.REPLACE)
        closed: list[str] = []
        first.claims._lost = closed.append
        self.world.tick(1)
        self.assertEqual((closed, self.holder()), ([ANN], second.node.incarnation))
        first.mode = Mode.CUT
        self.world.tick(2 * LEASE)
        first.mode = Mode.FAST
        self.world.tick(1)
        self.assertEqual(self.holder(), second.node.incarnation)  # the link that is being closed claims nothing
        first.claim(ANN, 5)
        self.world.tick(1)
        self.assertEqual((self.holder(), second.links[ANN]), (first.node.incarnation, 0))
        self.assertEqual(closed, [ANN])

    def test_replaced_here(self) -> None:
        """With REPLACE, a link that has replaced another one of its node counts from then on."""
        first, second = self.start_nodes(2, SameName.REPLACE, newcomers=NewcomersWithoutEngine.ALONE)
        first.claim(ANN, 5)
        self.world.tick(1)
        second.mode = Mode.CUT
        self.world.tick(2)
        second.claim(ANN, 5)
        self.world.tick(1)
        with self.world.at(first):  # its client comes again, and its first link ends then
            self.successResultOf(Deferred.fromCoroutine(first.claims.claim(ANN, SameName.REPLACE, 5)))
            first.claims.release(ANN)
        self.world.tick(1)
        second.mode = Mode.FAST
        self.world.tick(2)
        self.assertEqual((first.links[ANN], second.links[ANN]), (1, 0))
        self.assertEqual(self.holder(), first.node.incarnation)

    def test_closing_fails(self) -> None:
        """An error while a link is closed is logged, and others are closed all the same."""
        first, _ = self.two(SameName.REPLACE)
        first.claims._lost = mock.Mock(side_effect=KeyError("ann"))
        self.world.tick(1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_after_a_restart(self) -> None:
        """An engine that knows nothing any more is told all names."""
        (first,) = self.start_nodes(1)
        names = [f"name:t:{number}" for number in range(AT_ONCE + 1)]
        for name in names:
            first.claim(name, 5)
        self.world.flow()
        self.world.restart(keep=False, saved=False)
        calls = self.calls_of(first)
        self.world.tick(1)
        self.assertEqual({self.holder(name) for name in names}, {first.node.incarnation})
        self.assertEqual([len(call) // 3 for call in calls], [AT_ONCE, 1])

    def test_joining_fails(self) -> None:
        """If the engine is lost while names are claimed again, the node does not count as usable."""
        (site,) = self.start_nodes(1)
        site.claim(ANN, 5)
        self.world.flow()
        with self.world.at(site), mock.patch.object(_questions, "CLAIMS", mock.Mock(run=mock.Mock())) as script:
            script.run.side_effect = EngineError("lost")
            joined = Deferred.fromCoroutine(site.claims.joined())
            site.clock.advance(0)
        self.assertEqual(
            str(self.failureResultOf(joined, EngineError).value), "the names of this node could not be claimed again"
        )
        self.world.tick(1)
        self.assertEqual(self.holder(), site.node.incarnation)

    def test_lost(self) -> None:
        """What the engine says of a claim that is not the last one, or of a name that was released, means nothing."""
        (site,) = self.start_nodes(1)
        site.claim(ANN, 5)
        self.world.flow()
        with self.world.at(site):
            site.claims.lost(ANN, 0)
            site.claims.lost("name:t:bob", 1)
            self.assertEqual(site.links[ANN], 1)
            site.claims.lost(ANN, 1)
        self.assertEqual(site.links[ANN], 0)

    def test_lost_before_the_answer(self) -> None:
        """A claim may be lost before its answer has come. A client that waits asks once more."""
        (site,) = self.start_nodes(1)
        self.comes_and_goes(site)
        site.mode = Mode.SLOW
        site.claim(ANN, 5)
        self.world.tick(0.01)
        site.lines[0].step()
        with self.world.at(site):
            site.claims.lost(ANN, 2)
        self.world.raw("HDEL", PREFIX + "held", ANN)
        site.mode = Mode.FAST
        self.world.flow()
        self.assertEqual((site.links[ANN], site.claims._names[ANN].fence), (1, 3))

    def test_orders_missed(self) -> None:
        """If orders were missed, one of which may have said that a name is lost, all names are looked at."""
        first, second = self.start_nodes()
        for key in (ANN, "name:t:bob"):
            first.claim(key, 5)
        self.world.flow()
        self.world.raw("HSET", PREFIX + "held", ANN, f"{second.node.incarnation}|7|0")
        first.claim("name:t:tom", 5)
        self.world.flow()
        first.release("name:t:tom")
        with self.world.at(first):
            first.orders.missed()
        self.world.flow()
        self.assertEqual((first.links[ANN], first.links["name:t:bob"]), (0, 1))
        self.assertEqual((first.claims.count, first.claims.refused), (1, 0))


class SharedNameTests(ClaimsCase):
    """Any number of clients have the name."""

    def members(self) -> set[str]:
        """Return the incarnations that have it."""
        return self.world.holders("shared:t:ann")

    def test_shared(self) -> None:
        """Each node has one membership as long as it has a client of the name."""
        sites = self.start_nodes(2, SameName.SHARE)
        for site in sites:
            for _ in range(2):
                site.claim("shared:t:ann", 5)
        self.world.flow()
        self.assertEqual(self.members(), {site.node.incarnation for site in sites})
        for site in sites:
            site.release("shared:t:ann")
        self.world.tick(0.1)
        self.assertEqual(len(self.members()), 2)
        sites[0].release("shared:t:ann")
        self.world.tick(0.1)
        self.assertEqual(self.members(), {sites[1].node.incarnation})
        sites[1].release("shared:t:ann")
        self.all_free(*sites)

    def test_without_engine(self) -> None:
        """Nobody is refused if the engine cannot be asked: it hears of the clients when it is back."""
        (site,) = self.start_nodes(1, SameName.SHARE)
        site.lines[0].lose("cut")
        site.mode = Mode.CUT
        for _ in range(2):
            site.claim("shared:t:ann", 5)
            self.world.tick(2 * LEASE)
        self.assertEqual(site.links["shared:t:ann"], 2)
        site.mode = Mode.FAST
        self.world.tick(1)
        self.assertEqual(self.members(), {site.node.incarnation})
