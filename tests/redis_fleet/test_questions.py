"""What a node asks the engine about names: together, one call at a time, and again if it has no answer.

The engine is a real one; time and the network between it and the nodes are the test's, see `simulated`.
"""

from __future__ import annotations

from unittest import mock

from twisted.internet.defer import Deferred

from twisted_repeater.errors import FleetUnavailable
from twisted_repeater.model import SameName
from twisted_repeater.redis_fleet._questions import AT_ONCE

from .claims_case import ANN, ClaimsCase
from .simulated import Mode

DEBIAN_PACKAGES = "redis-server"


class TogetherTests(ClaimsCase):
    """What is asked together, and what is not asked at all."""

    def test_at_once(self) -> None:
        """What is claimed in one turn of the reactor goes to the engine together, with what was freed before."""
        (site,) = self.start_nodes(1)
        site.claim("name:t:bob", 5)
        self.world.flow()
        site.release("name:t:bob")
        calls = self.calls_of(site)
        names = [f"name:t:{number}" for number in range(AT_ONCE)]
        for name in names:
            site.claim(name, 5)
        self.world.flow()
        self.assertEqual([len(call) // 3 for call in calls], [AT_ONCE, 1])
        self.assertEqual(calls[0][:3], ["release", "name:t:bob", 1])
        for name in names:
            site.release(name)
        self.all_free(site)

    def test_in_one_turn(self) -> None:
        """A name that is claimed and released in one turn, or released and claimed, needs no call."""
        (site,) = self.start_nodes(1)
        calls = self.calls_of(site)
        with self.world.at(site):
            claim = Deferred.fromCoroutine(site.claims.claim(ANN, SameName.REFUSE, 5))
            claim.addErrback(lambda failure: None)
            claim.cancel()
        self.world.tick(0.1)
        self.assertEqual((calls, site.claims._names), ([], {}))
        site.claim(ANN, 5)
        self.world.flow()
        site.release(ANN)
        site.claim(ANN, 5)
        site.release(ANN)
        site.claim(ANN, 5)
        self.world.tick(1)
        self.assertEqual([call[:2] for call in calls], [["claim", ANN]])
        site.release(ANN)
        self.all_free(site)


class UnansweredTests(ClaimsCase):
    """What becomes of questions without an answer."""

    def test_odd_answer(self) -> None:
        """An answer that nobody understands counts as none, and is logged."""
        (site,) = self.start_nodes(1)
        with mock.patch.object(site.node, "run", mock.AsyncMock(return_value=[b"ok", []])):
            site.claim(ANN, 5)
            self.world.flow()
        self.assertEqual((len(site.pending), len(self.flushLoggedErrors(ValueError))), (1, 1))
        self.world.tick(1)
        self.assertEqual(self.holder(), site.node.incarnation)

    def test_many(self) -> None:
        """All who wait are refused, also those who would have been asked for in another call."""
        (site,) = self.start_nodes(1)
        site.mode = Mode.CUT
        for number in range(AT_ONCE + 1):
            site.claim(f"name:t:{number}", 3)
        self.world.tick(4)
        self.assertEqual({type(error) for error in site.errors}, {FleetUnavailable})
        self.assertEqual(len(site.errors), AT_ONCE + 1)
        site.mode = Mode.FAST
        self.world.tick(2)
        self.all_free(site)

    def test_answer_lost(self) -> None:
        """If the engine has got a claim whose answer is lost, the name is free when the engine is back."""
        (site,) = self.start_nodes(1)
        self.comes_and_goes(site)
        site.mode = Mode.SLOW
        site.claim(ANN, 1)
        self.world.tick(0.01)
        site.lines[0].step()
        self.assertEqual(self.holder(), site.node.incarnation)
        site.lines[0].lose("cut")
        self.world.tick(1)
        self.assertEqual((len(site.errors), len(site.claims._names)), (1, 1))
        site.mode = Mode.FAST
        self.world.tick(2)
        self.all_free(site)

    def test_comes_late(self) -> None:
        """A claim that the engine gets when its node has asked anew is not done any more."""
        (site,) = self.start_nodes(1)
        self.comes_and_goes(site)
        site.mode = Mode.SLOW
        site.claim(ANN, 1)
        self.world.tick(0.01)
        site.lines[0].lose("cut")
        site.cancel()
        site.mode = Mode.FAST
        self.world.tick(2)
        self.assertEqual(len(self.world.late), 1)
        self.world.come_late()
        self.all_free(site)

    def test_freed_meanwhile(self) -> None:
        """A name that is released meanwhile is free when the engine is back, also if a release is on its way twice."""
        (site,) = self.start_nodes(1)
        for key in (ANN, "name:t:bob"):
            site.claim(key, 1)
        self.world.flow()
        site.mode = Mode.SLOW
        site.release(ANN)
        self.world.tick(0.1)
        site.lines[0].lose("cut")
        self.world.tick(0.1)
        site.release("name:t:bob")
        site.mode = Mode.FAST
        self.world.tick(1)
        self.all_free(site)

    def test_replaced_without_engine(self) -> None:
        """If the engine cannot be asked, clients of a node replace each other all the same; it hears of that later."""
        (site,) = self.start_nodes(1, SameName.REPLACE)
        bob = "name:t:bob"
        for key in (ANN, bob):
            site.claim(key, 5)
        self.world.tick(1)
        site.mode = Mode.CUT
        for keys in ((ANN, bob), (ANN,)):
            with self.world.at(site):
                for key in keys:
                    self.successResultOf(Deferred.fromCoroutine(site.claims.claim(key, SameName.REPLACE, 5)))
                    site.claims.release(key)
            self.world.tick(1.5)
        site.mode = Mode.FAST
        calls = self.calls_of(site)
        self.world.tick(1)
        self.assertEqual(calls, [["younger", ANN, 1500 + 500, "younger", bob, 3000 + 500]])
        self.assertEqual(self.holder(), site.node.incarnation)

    def test_nothing_after_stop(self) -> None:
        """After `stop` nothing is asked, also what was due."""
        (site,) = self.start_nodes(1)
        site.claim(ANN, 5)
        self.world.flow()
        calls = self.calls_of(site)
        site.release(ANN)
        with self.world.at(site):
            for _ in range(2):
                site.claims._questions.stop()
        self.world.tick(1)
        self.assertEqual((calls, self.holder()), ([], site.node.incarnation))

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
