"""Tests of names: who gets one, who waits for one, who loses one, and labels."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._link.names import FREE, LONGEST_PAUSE, QUIET, REMEMBERED, Names
from twisted_repeater.errors import ClientGone, ConnectingError, DuplicateClient, FleetUnavailable, NameLost, Replaced
from twisted_repeater.model import SameName


class Holder:
    """As much of a pair as names know. It is over when a test says so."""

    last_id = 0

    def __init__(self, address: Any = None) -> None:
        Holder.last_id += 1
        self.id = Holder.last_id
        self.claim: str | None = None
        self.closing = self.finishing = self.over = False
        self.client = self
        self.address = address
        self.waiting: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<{self.id}>"

    def when_over(self) -> Deferred[None]:
        """See `Pair`."""
        if self.over:
            return succeed(None)
        self.waiting.append(Deferred(self.waiting.remove))
        return self.waiting[-1]

    def give_way(self) -> None:
        """See `Pair`."""
        self.closing = True


class NamesCase(SynchronousTestCase):
    """A test case with names. ``ended`` has the pairs that had to make way, and why."""

    same_name = SameName.REFUSE

    def setUp(self) -> None:
        """Make them; all clients that are probed are there."""
        self.clock = Clock()
        self.vanished: Deferred[bool] = succeed(False)
        self.probes: list[tuple[Any, float]] = []
        self.ended: list[tuple[Holder, ConnectingError]] = []
        monitor: Any = self
        self.names: Any = Names(self.same_name, monitor, self.clock, self.make_way)
        self.addCleanup(self.check)

    def has_vanished(self, connection: Any, at_most: float) -> Deferred[bool]:
        """See `ConnectionMonitor`."""
        self.probes.append((connection, at_most))
        return self.vanished

    def make_way(self, pair: Any, why: ConnectingError) -> None:
        """End a pair, which takes its time."""
        self.ended.append((pair, why))
        pair.closing = True

    def take(self, pair: Holder, name: str = "ann", timeout: float = 10) -> Deferred[None]:
        """Take a name."""
        return Deferred.fromCoroutine(self.names.take(pair, name, timeout))

    def holder(self, name: str = "ann") -> Holder:
        """Return a pair that has a name which was free."""
        pair = Holder()
        self.successResultOf(self.take(pair, name))
        return pair

    def over(self, *pairs: Holder) -> None:
        """End pairs."""
        for pair in pairs:
            pair.over = pair.closing = True
            self.names.leave(pair)
            waiting, pair.waiting = pair.waiting, []
            for deferred in waiting:
                if not deferred.called:
                    deferred.callback(None)

    def check(self) -> None:
        """When the pairs are over, nothing is left, and no time is waited for."""
        for name in ("ann", "bob"):
            while pairs := self.names.of(name):
                self.over(*pairs)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        kept = [vars(self.names)[registry] for registry in ("_claimed", "_shared", "_labels", "_newcomers")]
        self.assertEqual(kept, [{}] * 4)


class RefuseTests(NamesCase):
    """A name belongs to one pair, which keeps it."""

    def test_refused(self) -> None:
        """A newcomer is refused while the client of the pair is there: for half of its time that is found out."""
        ann = self.holder()
        self.vanished = Deferred()
        taken = self.take(Holder())
        self.assertNoResult(taken)
        self.assertEqual(self.probes, [(ann, 5)])
        self.vanished.callback(False)
        self.failureResultOf(taken, DuplicateClient)
        self.assertEqual((self.names.of("ann"), self.names.of("bob"), self.ended), ([ann], [], []))

    def test_ending(self) -> None:
        """A pair that is finishing gives way unasked, and newcomers wait for it; of two the first gets the name."""
        ann, again = self.holder(), Holder()
        ann.finishing = True
        taken, second = self.take(again), self.take(Holder())
        self.assertEqual((ann.closing, self.probes), (True, []))
        self.over(ann)
        self.successResultOf(taken)
        self.failureResultOf(second, DuplicateClient)
        self.assertEqual(self.names.of("ann"), [again])

    def test_ends_too_late(self) -> None:
        """The newcomer does not wait for ever, be it that the link ends, or that its client has vanished."""
        ann = self.holder()
        self.vanished = succeed(True)
        for ann.closing in (False, True):
            taken = self.take(Holder(), timeout=3)
            self.clock.advance(3)
            self.failureResultOf(taken, DuplicateClient)
        self.assertEqual(self.names.of("ann"), [ann])

    def test_vanished(self) -> None:
        """If its client has vanished, the newcomer waits for its end, which the application decides about."""
        ann, again = self.holder(), Holder()
        self.vanished = succeed(True)
        taken = self.take(again)
        self.assertFalse(ann.closing)
        self.over(ann)
        self.successResultOf(taken)

    def test_over_meanwhile(self) -> None:
        """A pair that is over when the answer comes is waited for no longer."""
        ann = self.holder()
        self.vanished = Deferred()
        taken = self.take(Holder())
        self.over(ann)
        self.vanished.callback(True)
        self.successResultOf(taken)

    def test_named_otherwise_meanwhile(self) -> None:
        """If the pair gets another name while its client is probed, the newcomer gets the name."""
        ann, again = self.holder(), Holder()
        self.vanished = Deferred()
        taken = self.take(again)
        self.successResultOf(self.take(ann, "bob"))
        self.vanished.callback(False)
        self.successResultOf(taken)
        self.assertEqual((self.names.of("ann"), self.names.of("bob")), ([again], [ann]))

    def test_closing(self) -> None:
        """A pair that closes while it waits for a name gets none."""
        ann, again = self.holder(), Holder()
        ann.finishing = True
        taken = self.take(again)
        again.closing = True
        self.over(ann)
        self.failureResultOf(taken, ClientGone)

    def test_no_name(self) -> None:
        """A pair that has no name leaves none."""
        ann = self.holder()
        self.over(Holder())
        self.assertEqual(self.names.of("ann"), [ann])


class AtOnceTests(NamesCase):
    """A name that is free is taken without waiting."""

    same_name = SameName.REPLACE

    def test_free(self) -> None:
        """Not so if another has it, or waits for it, or if the pair closes."""
        ann, again, closing = (Holder() for _ in range(3))
        closing.closing = True
        self.assertFalse(self.names.take_at_once(closing, "ann"))
        self.assertTrue(self.names.take_at_once(ann, "ann"))
        self.assertFalse(self.names.take_at_once(again, "ann"))
        taken = self.take(again)
        self.names.leave(ann)
        self.assertFalse(self.names.take_at_once(Holder(), "ann"))
        self.over(ann)
        self.successResultOf(taken)
        self.assertEqual(self.names.of("ann"), [again])


class ShareTests(NamesCase):
    """Any number of pairs have a name."""

    same_name = SameName.SHARE

    def test_having(self) -> None:
        """The pairs that have a name are found, and those that have any; who has only a label is none of them."""
        first, second, other, labelled = (Holder(IPv4Address("TCP", "10.0.0.1", 1)) for _ in range(4))
        for pair, name in ((first, "ann"), (second, "ann"), (other, "bob")):
            self.successResultOf(self.take(pair, name))
        self.names.take_label(labelled)
        self.assertEqual(self.names.having("ann"), [first, second])
        self.assertEqual(self.names.having(), [first, second, other])
        self.names.leave(labelled)

    def test_shared(self) -> None:
        """They are found together, the oldest first, whenever they got the name."""
        first, second, third = (Holder() for _ in range(3))
        for pair in (third, first, second):
            self.successResultOf(self.take(pair))
        self.assertEqual(self.names.of("ann"), [first, second, third])
        self.over(second)
        self.assertEqual((self.names.of("ann"), self.ended), ([first, third], []))

    def test_another_name(self) -> None:
        """One that gets another name leaves the old one to the others."""
        first, second = self.holder(), self.holder()
        self.successResultOf(self.take(second, "bob"))
        self.assertEqual((self.names.of("ann"), self.names.of("bob")), ([first], [second]))
        self.over(first)
        self.assertEqual(self.names.of("ann"), [])


class LabelTests(NamesCase):
    """A client without a name is labelled by its address."""

    def label(self, address: Any) -> tuple[Holder, str]:
        """Return a pair, and its label."""
        pair = Holder(address)
        return pair, self.names.take_label(pair)

    def test_addresses(self) -> None:
        """The label is the address, or the number of the link where there is no port."""
        expected = {
            IPv4Address("TCP", "192.0.2.1", 4711): "192.0.2.1:4711",
            IPv6Address("TCP", "::1", 4711): "[::1]:4711",
        }
        for address, text in expected.items():
            pair, label = self.label(address)
            self.assertEqual((label, self.names.of(label), self.names.is_labelled(pair)), (text, [pair], True))
            self.over(pair)
            self.assertEqual((self.names.of(label), self.names.is_labelled(pair)), ([], False))
        for other in (UNIXAddress(b"socket"), None):
            pair, label = self.label(other)
            self.assertEqual(label, f"#{pair.id}")
            self.over(pair)

    def test_unique(self) -> None:
        """Two clients of one address, as a load balancer may tell of them, have two labels."""
        address = IPv4Address("TCP", "192.0.2.1", 4711)
        (first, label), (second, other) = self.label(address), self.label(address)
        self.assertEqual((label, other), ("192.0.2.1:4711", f"192.0.2.1:4711#{second.id}"))
        self.assertEqual((self.names.of(label), self.names.of(other)), ([first], [second]))
        self.over(first, second)

    def test_no_claim(self) -> None:
        """A client may say a name that is the label of another. Both have it then, and one of them as a label."""
        labelled, label = self.label(IPv4Address("TCP", "192.0.2.1", 4711))
        named = self.holder(label)
        self.assertEqual(self.names.of(label), [labelled, named])
        self.assertFalse(self.names.is_labelled(named))
        self.over(named)
        self.assertEqual(self.names.of(label), [labelled])
        self.over(labelled)

    def test_named_later(self) -> None:
        """With its name, a client loses its label."""
        pair, label = self.label(IPv4Address("TCP", "192.0.2.1", 4711))
        self.successResultOf(self.take(pair))
        self.assertEqual((self.names.of(label), self.names.of("ann")), ([], [pair]))
        self.assertFalse(self.names.is_labelled(pair))


class ReplaceTests(NamesCase):
    """A newcomer takes a name over."""

    same_name = SameName.REPLACE

    def test_taken_over(self) -> None:
        """The pair that has the name makes way, and the newcomer gets the name when that pair is over."""
        ann, again = self.holder(), Holder()
        taken = self.take(again)
        ((pair, why),) = self.ended
        self.assertEqual((pair, str(why)), (ann, "a newcomer took the name 'ann' over"))
        self.assertIsInstance(why, Replaced)
        self.assertNoResult(taken)
        self.assertEqual(self.names.of("ann"), [ann])
        self.over(ann)
        self.successResultOf(taken)
        self.assertEqual(self.names.of("ann"), [again])

    def test_ended_at_once(self) -> None:
        """A pair may be over at once."""
        ann, again = self.holder(), Holder()
        self.make_way = lambda pair, why: self.over(pair)  # type: ignore[method-assign]
        self.names._make_way = self.make_way
        self.successResultOf(self.take(again))
        self.assertEqual((self.names.of("ann"), ann.over), ([again], True))

    def test_not_in_time(self) -> None:
        """If that takes too long, the newcomer is refused."""
        self.holder()
        taken = self.take(Holder(), timeout=3)
        self.clock.advance(3)
        error = self.failureResultOf(taken, DuplicateClient).value
        self.assertEqual(str(error), "the link of the other client 'ann' did not end in time")

    def test_latest_wins(self) -> None:
        """A newcomer that waits is turned away when another comes. Nobody else is asked to make way for that."""
        ann, pairs = self.holder(), [Holder() for _ in range(3)]
        taken = [self.take(pair) for pair in pairs]
        for earlier in taken[:2]:
            error = self.failureResultOf(earlier, Replaced).value
            self.assertEqual(str(error), "a later newcomer gets the name")
        self.over(ann)
        self.successResultOf(taken[2])
        self.assertEqual(self.names.of("ann"), [pairs[2]])
        self.assertEqual({pair for pair, _ in self.ended}, {ann})

    def test_latest_comes_at_once(self) -> None:
        """The latest gets the name also if it comes while the one before it has the old pair make way."""
        ann, again, latest = self.holder(), Holder(), Holder()
        taken: list[Deferred[None]] = []

        def make_way(pair: Any, why: ConnectingError) -> None:
            pair.closing = True
            if not taken:
                taken.append(Deferred())
                taken[0] = self.take(latest)

        self.names._make_way = make_way
        early = self.take(again)
        self.over(ann)
        self.failureResultOf(early, Replaced)
        self.successResultOf(taken[0])
        self.assertEqual(self.names.of("ann"), [latest])

    def test_gives_up(self) -> None:
        """A newcomer that leaves takes nothing, and leaves nothing."""
        ann, taken = self.holder(), self.take(Holder())
        taken.addErrback(lambda failure: None)
        taken.cancel()
        self.assertEqual((self.names.of("ann"), ann.waiting), ([ann], []))
        self.over(ann)
        self.assertEqual(self.names.of("ann"), [])

    def test_closing(self) -> None:
        """A newcomer that closes meanwhile gets nothing; one that closes already takes nothing from anybody."""
        ann, again = self.holder(), Holder()
        taken = self.take(again)
        again.closing = True
        self.over(ann)
        self.failureResultOf(taken, ClientGone)
        bob = self.holder("bob")
        self.failureResultOf(self.take(again, "bob"), ClientGone)
        self.assertFalse(bob.closing)


class ContestTests(NamesCase):
    """Clients that take a name from each other, again and again, are slowed down."""

    same_name = SameName.REPLACE

    def contest(self) -> Holder:
        """Have a name taken over as often as it can be without a pause; return the pair that has it then."""
        ann = self.holder()
        for _ in range(FREE):
            again = Holder()
            taken = self.take(again)
            self.over(ann)
            self.successResultOf(taken)
            ann = again
        return ann

    def seconds_until_end(self, ann: Holder) -> float:
        """Take the name over; return how many seconds the pair that had it stayed."""
        start = self.clock.seconds()
        again = Holder()
        taken = self.take(again)
        while not ann.closing:
            self.clock.advance(0.125)
        self.over(ann)
        self.successResultOf(taken)
        return self.clock.seconds() - start

    def test_pauses(self) -> None:
        """The first few take the name at once, the next ones wait longer and longer, up to a limit."""
        ann = self.contest()
        pauses = []
        for _ in range(7):
            pauses.append(self.seconds_until_end(ann))
            (ann,) = self.names.of("ann")
        self.assertEqual(pauses, [0.25, 0.5, 1, 2, 4, 4, 4])

    def test_forgotten(self) -> None:
        """After a quiet time, a name is taken over at once again."""
        ann = self.contest()
        self.clock.advance(QUIET)
        self.assertEqual(self.seconds_until_end(ann), 0)

    def test_few_names_are_remembered(self) -> None:
        """The memory for this is bounded; the name that was not taken over for the longest time is forgotten first."""
        ann = self.contest()
        for number in range(REMEMBERED + 1):
            self.names._contests.pause(f"name {number}")
        self.assertLessEqual(len(self.names._contests._times), REMEMBERED + 1)
        self.assertEqual(self.seconds_until_end(ann), 0)

    def test_free_meanwhile(self) -> None:
        """A newcomer that pauses gets the name at once when it is free."""
        ann, again = self.contest(), Holder()
        taken = self.take(again)
        self.over(ann)
        self.successResultOf(taken)
        self.assertEqual((self.names.of("ann"), self.ended[FREE:]), ([again], []))

    def test_little_time(self) -> None:
        """It pauses for half of its time at most, so that the old pair has the rest to end."""
        ann = self.contest()
        for _ in range(10):
            self.names._contests.pause("ann")
        taken = self.take(Holder(), timeout=2)
        self.clock.advance(0.9)
        self.assertFalse(ann.closing)
        self.clock.advance(0.1)
        self.assertTrue(ann.closing)
        self.over(ann)
        self.successResultOf(taken)

    def test_no_time(self) -> None:
        """One whose time is over already, because the process was busy, fails as one whose time runs out later."""
        self.contest()
        self.names._contests.pause("ann")
        taken = self.take(Holder(), timeout=-0.1)
        times = [call.getTime() for call in self.clock.getDelayedCalls()]
        self.assertGreaterEqual(min(times), self.clock.seconds())  # a reactor refuses others
        self.clock.advance(0)
        self.clock.advance(0)
        self.failureResultOf(taken, DuplicateClient)

    def test_ending_is_no_contest(self) -> None:
        """A client that comes back after its own link began to end is never slowed down."""
        ann = self.holder()
        for _ in range(3 * FREE):
            ann.finishing = True
            again = Holder()
            taken = self.take(again)
            self.assertTrue(ann.closing)
            self.over(ann)
            self.successResultOf(taken)
            ann = again

    def test_three(self) -> None:
        """Of several that pause the latest gets the name. The others hear of it at the end of their pause, not before.

        Otherwise they would come back at once, and spin.
        """
        ann, pairs = self.contest(), [Holder() for _ in range(3)]
        taken = [self.take(pair) for pair in pairs]
        self.assertEqual([deferred.called for deferred in taken], [False] * 3)
        self.clock.advance(0.25)
        self.failureResultOf(taken[0], Replaced)
        self.assertEqual([deferred.called for deferred in taken[1:]], [False] * 2)
        self.assertFalse(ann.closing)
        self.clock.advance(0.25)
        self.failureResultOf(taken[1], Replaced)
        self.clock.advance(0.5)
        self.assertTrue(ann.closing)
        self.over(ann)
        self.successResultOf(taken[2])

    def test_latest_leaves(self) -> None:
        """If the latest leaves, the one before it gets the name."""
        ann, again = self.contest(), Holder()
        taken, latest = self.take(again), self.take(Holder())
        latest.addErrback(lambda failure: None)
        latest.cancel()
        self.clock.advance(0.25)
        self.over(ann)
        self.successResultOf(taken)
        self.assertEqual(self.names.of("ann"), [again])

    def test_waits_longer_than_the_latest(self) -> None:
        """One that pauses still when a later one has got the name is turned away: it does not take the name back."""
        ann = self.contest()
        for _ in range(10):
            self.names._contests.pause("ann")
        early = self.take(Holder())
        self.clock.advance(LONGEST_PAUSE / 2)
        late = Holder()
        taken = self.take(late, timeout=LONGEST_PAUSE / 2)
        self.clock.advance(LONGEST_PAUSE / 4)
        self.assertTrue(ann.closing)
        self.assertNoResult(early)
        waiting, ann.waiting = ann.waiting, ann.waiting[::-1]
        self.assertEqual(len(waiting), 2)
        self.over(ann)
        self.successResultOf(taken)
        self.failureResultOf(early, Replaced)
        self.assertEqual(self.names.of("ann"), [late])

    def test_network_speed(self) -> None:
        """Two clients that come back as soon as they have lost the name take it a few times in a minute, no more."""
        ann = self.holder()
        for _ in range(600):
            again = Holder()
            taken = self.take(again)
            for _ in range(int(LONGEST_PAUSE * 10)):
                if ann.closing:
                    break
                self.clock.advance(0.1)
            self.over(ann)
            self.successResultOf(taken)
            ann = again
            if self.clock.seconds() > 60:
                break
        self.assertLess(len(self.ended), FREE + 5 + 60 / LONGEST_PAUSE)


class Claims:
    """A fleet's claims, which a test answers. ``held`` counts those that have succeeded."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.asked: list[Deferred[None]] = []
        self.timeouts: list[float] = []
        self.waits = False

    async def claim(self, name: str, timeout: float) -> None:
        """See `NameClaims`."""
        self.timeouts.append(timeout)
        if self.waits:
            self.asked.append(Deferred())
            await self.asked[-1]
        self.held[name] += 1

    def release(self, name: str) -> None:
        """See `NameClaims`."""
        self.held[name] -= 1


class FleetCase(NamesCase):
    """A test case with names that are claimed in a fleet."""

    def setUp(self) -> None:
        """Make the fleet."""
        super().setUp()
        self.names.claims = self.claims = Claims()

    def check(self) -> None:
        """When the pairs are over, no claim is left."""
        super().check()
        self.assertEqual(+self.claims.held, Counter())
        self.assertEqual(-self.claims.held, Counter())


class FleetTests(FleetCase):
    """A name is claimed in the fleet, and belongs to one pair of this node."""

    def test_claimed(self) -> None:
        """A pair gets a name when the fleet gives it, and the fleet gets it back when the pair is over."""
        self.claims.waits = True
        ann = Holder()
        self.assertFalse(self.names.take_at_once(ann, "ann"))
        taken = self.take(ann)
        self.assertEqual((self.names.of("ann"), self.claims.timeouts), ([], [10]))
        self.claims.asked[0].callback(None)
        self.successResultOf(taken)
        self.assertEqual((self.names.of("ann"), self.claims.held), ([ann], {"ann": 1}))

    def test_lost(self) -> None:
        """If another node gets a name, its pair makes way, with the reason; if all names are lost, each pair does."""
        ann, bob, why = self.holder(), self.holder("bob"), NameLost("another node has the name")
        self.names.lose(why, "ann")
        self.assertEqual(self.ended, [(ann, why)])
        self.names.lose(why)
        self.assertEqual(self.ended[1:], [(ann, why), (bob, why)])

    def test_not_given(self) -> None:
        """If the fleet does not give the name, the newcomer is refused with the reason; a label needs no fleet."""
        self.claims.waits = True
        ann = Holder()
        self.names.take_label(ann)
        taken = self.take(ann)
        self.claims.asked[0].errback(FleetUnavailable("no engine"))
        self.failureResultOf(taken, FleetUnavailable)
        self.over(ann)

    def test_refused_here(self) -> None:
        """The fleet is not asked for a name that a client of this node has."""
        self.holder()
        self.failureResultOf(self.take(Holder()), DuplicateClient)
        self.assertEqual(len(self.claims.timeouts), 1)

    def test_two_at_once(self) -> None:
        """Of two that wait for the fleet, one gets the name; so it is if the client leaves meanwhile."""
        self.claims.waits = True
        pairs = [Holder() for _ in range(3)]
        taken = [self.take(pair) for pair in pairs]
        pairs[2].closing = True
        for asked in self.claims.asked[::-1]:
            asked.callback(None)
        self.failureResultOf(taken[2], ClientGone)
        self.successResultOf(taken[1])
        self.failureResultOf(taken[0], DuplicateClient)
        self.assertEqual((self.names.of("ann"), self.claims.held), ([pairs[1]], {"ann": 1}))

    def test_contested(self) -> None:
        """A newcomer of another node is refused as one of this node. If the link is ending, it waits for the end."""
        ann = self.holder()
        contest = Deferred.fromCoroutine(self.names.contest("ann", 10))
        self.failureResultOf(contest, DuplicateClient)
        ann.finishing = True
        contest = Deferred.fromCoroutine(self.names.contest("ann", 10))
        self.assertTrue(ann.closing)
        self.over(ann)
        self.successResultOf(contest)


class FleetReplaceTests(FleetCase):
    """A newcomer takes a name over, of this node or of another one."""

    same_name = SameName.REPLACE

    def test_taken_over(self) -> None:
        """The pair that has the name makes way only when the fleet has given the name to the newcomer."""
        ann, again = self.holder(), Holder()
        self.claims.waits = True
        taken = self.take(again)
        self.assertEqual(self.ended, [])
        self.claims.asked[0].callback(None)
        self.assertTrue(ann.closing)
        self.over(ann)
        self.successResultOf(taken)
        self.assertEqual((self.names.of("ann"), self.claims.held), ([again], {"ann": 1}))

    def test_not_given(self) -> None:
        """If the fleet does not give it, the pair stays that has the name."""
        ann = self.holder()
        self.claims.waits = True
        taken = self.take(Holder())
        self.claims.asked[0].errback(FleetUnavailable("no engine"))
        self.failureResultOf(taken, FleetUnavailable)
        self.assertEqual((self.names.of("ann"), ann.closing), ([ann], False))

    def test_later_newcomer(self) -> None:
        """A newcomer that waits for the fleet, or for the pair, is turned away by a later one, and claims nothing."""
        ann = self.holder()
        self.claims.waits = True
        first, second, last = Holder(), Holder(), Holder()
        taken = [self.take(first), self.take(second)]
        self.failureResultOf(taken[0], Replaced)
        self.claims.asked[1].callback(None)
        self.assertEqual(self.claims.held, {"ann": 2})
        taken.append(self.take(last))
        self.failureResultOf(taken[1], Replaced)
        self.assertEqual(self.claims.held, {"ann": 1})
        self.claims.asked[2].callback(None)
        self.over(ann)
        self.successResultOf(taken[2])

    def test_contested(self) -> None:
        """A newcomer of another node takes the name over, also from those who wait for it here."""
        ann, again = self.holder(), Holder()
        taken = self.take(again)
        contest = Deferred.fromCoroutine(self.names.contest("ann", 10))
        self.failureResultOf(taken, Replaced)
        self.over(ann)
        self.successResultOf(contest)
        self.assertEqual((self.names.of("ann"), +self.claims.held), ([], Counter()))

    def test_contested_in_vain(self) -> None:
        """If the pair does not end in time, the newcomer of another node is refused."""
        self.holder()
        contest = Deferred.fromCoroutine(self.names.contest("ann", 3))
        self.clock.advance(3)
        self.failureResultOf(contest, DuplicateClient)


class FleetShareTests(FleetCase):
    """Any number of pairs have the name, of any node."""

    same_name = SameName.SHARE

    def test_shared(self) -> None:
        """The fleet knows of each pair, and nobody has to make way for another node."""
        first, second = self.holder(), self.holder()
        self.assertEqual((self.names.of("ann"), self.claims.held), ([first, second], {"ann": 2}))
        self.successResultOf(Deferred.fromCoroutine(self.names.contest("ann", 3)))
        self.assertEqual(self.ended, [])
