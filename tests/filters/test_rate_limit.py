"""Tests of `RateLimit`."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    DO_NOTHING,
    PASS_ON,
    FilterTimeout,
    Limits,
    OnFilterError,
    PassOnAndSendBack,
    SendBack,
    Verdict,
)
from twisted_repeater._link.link import pair_of
from twisted_repeater.errors import CallbackFailed
from twisted_repeater.filters import WAIT, RateLimit
from twisted_repeater.testing import FilterHarness

ANN: Any = SimpleNamespace(client_name="ann")
BOB: Any = SimpleNamespace(client_name="bob")


class BucketTests(SynchronousTestCase):
    """The bucket of tokens."""

    def setUp(self) -> None:
        """Make a clock."""
        self.clock = Clock()

    def passed(self, limit: RateLimit, count: int, link: Any = ANN) -> int:
        """Return how many of so many messages pass now."""
        return sum(limit.filter(b"", link) is PASS_ON for _ in range(count))

    def test_burst(self) -> None:
        """A burst passes, and what is above it does not."""
        self.assertEqual(self.passed(RateLimit(10, burst=5, clock=self.clock), 20), 5)
        self.assertEqual(self.passed(RateLimit(10, burst=1, clock=self.clock), 20), 1)

    def test_default_burst(self) -> None:
        """By default a burst is what a second brings, and at least one: ten messages together pass at 100 a second."""
        for rate, burst in ((100, 100), (2.9, 2), (0.01, 1)):
            limit = RateLimit(rate, clock=self.clock)
            self.assertEqual((self.passed(limit, 200), limit.burst, limit.rate), (burst, burst, rate))

    def test_refilled(self) -> None:
        """The bucket gets the rate each second, and never more than the burst."""
        limit = RateLimit(10, burst=5, clock=self.clock)
        self.passed(limit, 20)
        self.clock.advance(0.3)
        self.assertEqual(self.passed(limit, 20), 3)
        self.clock.advance(100)
        self.assertEqual(self.passed(limit, 20), 5)

    def test_at_the_rate(self) -> None:
        """Who keeps exactly to the rate is never limited."""
        limit = RateLimit(10, burst=1, clock=self.clock)
        for _ in range(1000):
            self.assertEqual(self.passed(limit, 1), 1)
            self.clock.advance(0.1)

    @given(st.lists(st.floats(0, 0.5), max_size=50))
    def test_like_a_bucket(self, pauses: list[float]) -> None:
        """It is what a bucket that is filled drop by drop would be."""
        clock, tokens = Clock(), 4.0
        limit = RateLimit(8, burst=4, clock=clock)
        for pause in pauses:
            clock.advance(pause)
            tokens = min(4.0, tokens + 8 * pause)
            if abs(tokens - 1) < 1e-6:
                return  # rounding decides
            passes = tokens > 1
            tokens -= passes
            self.assertEqual(self.passed(limit, 1), passes)

    def test_each_client(self) -> None:
        """Each client has a bucket of its own, by its name."""
        limit = RateLimit(10, burst=2, clock=self.clock)
        self.assertEqual(self.passed(limit, 5), 2)
        self.assertEqual(self.passed(limit, 5, BOB), 2)
        self.assertEqual(self.passed(limit, 5, SimpleNamespace(client_name="ann")), 0)

    def test_clock_set_back(self) -> None:
        """When the clock is set back, nobody is kept out for longer than an emptied bucket takes."""
        limit = RateLimit(10, burst=5, clock=self.clock)
        self.clock.advance(10000)
        self.passed(limit, 20)
        self.clock.rightNow = 0
        self.clock.advance(0.5)
        self.passed(limit, 1)
        self.clock.advance(0.5)
        self.assertEqual(self.passed(limit, 20), 5)

    def test_forgets(self) -> None:
        """Buckets that are full again are forgotten, when there are many."""
        limit = RateLimit(10, burst=1, clock=self.clock)
        for number in range(1000):
            self.passed(limit, 1, SimpleNamespace(client_name=str(number)))
            self.clock.advance(0.01)
        self.assertLess(len(limit._full_at), 150)

    def test_many_at_once(self) -> None:
        """None is forgotten that isn't full."""
        limit = RateLimit(10, burst=1, clock=self.clock)
        crowd = [SimpleNamespace(client_name=str(number)) for number in range(1000)]
        for expected in (1, 0):
            self.assertEqual([self.passed(limit, 1, link) for link in crowd], [expected] * 1000)

    def test_too_many(self) -> None:
        """Strangers cannot fill the memory: of very many buckets the emptiest are kept."""
        limit = RateLimit(0.001, burst=3, clock=self.clock)
        self.passed(limit, 10)
        for number in range(30_000):
            self.passed(limit, 1, SimpleNamespace(client_name=f"stranger {number}"))
            self.assertLessEqual(len(limit._full_at), 10_000)
        self.assertGreater(len(limit._full_at), 4_000)
        self.assertEqual(self.passed(limit, 10), 0)

    def test_address(self) -> None:
        """All links from one address may share a bucket, whatever their names and ports; so do those without one."""

        def link(name: str, address: Any) -> Any:
            return SimpleNamespace(client_name=name, client_address=address)

        limit = RateLimit(10, burst=2, by="address", clock=self.clock)
        one, two = (link(name, IPv4Address("TCP", "10.0.0.1", port)) for name, port in (("a", 1000), ("b", 1001)))
        self.assertEqual([self.passed(limit, 5, each) for each in (one, two)], [2, 0])
        self.assertEqual(self.passed(limit, 5, link("a", IPv6Address("TCP", "::1", 1000))), 2)
        local = [link(name, UNIXAddress(path)) for name, path in (("a", b"/x"), ("b", None))]
        self.assertEqual([self.passed(limit, 1, each) for each in local], [1, 1])
        self.assertEqual([self.passed(limit, 1, each) for each in local], [0, 0])

    def test_function(self) -> None:
        """A function of a message and its link may say whose bucket it is."""
        limit = RateLimit(10, burst=1, by=lambda message, link: (message[:1], link.client_name), clock=self.clock)
        verdicts = [limit.filter(message, ANN) for message in (b"a1", b"b1", b"a2")]
        self.assertEqual(verdicts, [PASS_ON, PASS_ON, DO_NOTHING])

    def test_wrong_numbers(self) -> None:
        """The rate and the burst must be within bounds, and by must name something that is known."""
        for arguments, told in (
            ({"rate": 0}, r"^rate must be from 0.000001 to 1,000,000,000, not 0$"),
            ({"rate": math.nan}, "rate must be"),
            ({"rate": math.inf}, "rate must be"),
            ({"burst": 0}, "^burst must be from 1 to 1,000,000,000, not 0$"),
            ({"burst": 10**400}, "burst must be"),
            ({"by": "port"}, "^by must be 'name', 'address' or a function of a message and its link, not 'port'$"),
        ):
            given: dict[str, Any] = {"rate": 10, **arguments}
            with self.assertRaisesRegex(ValueError, told):
                RateLimit(clock=self.clock, **given)

    def test_wrong_types(self) -> None:
        """The rate is a number, the burst a whole one, and what happens above the limit must be known."""
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"rate": "10"}, "rate must be a number of messages per second, not '10'"),
            ({"rate": True}, "rate must be a number"),
            ({"burst": 2.5}, "burst must be a whole number, not 2.5"),
            ({"burst": True}, "burst must be a whole number, not True"),
            ({"by": lambda link: link}, "by must be a function of a message and its link: .* takes \\(link\\)"),
            ({"above": None}, "above must be a verdict or a function that returns one, not None"),
            ({"above": SendBack}, r"must be an instance, not the class SendBack"),
            ({"above": lambda message: DO_NOTHING}, "takes a message and its link"),
        ]
        for arguments, told in wrong:
            with self.assertRaisesRegex(TypeError, told):
                RateLimit(**{"rate": 10, "clock": self.clock, **arguments})


class AboveTests(SynchronousTestCase):
    """What happens to messages above the limit."""

    def harness(self, above: Any, **options: Any) -> FilterHarness:
        """Run a limit of two a second."""
        clock = Clock()
        return FilterHarness(RateLimit(2, burst=1, above=above, clock=clock), clock=clock, **options)

    def test_drop(self) -> None:
        """They are dropped."""
        harness = self.harness(DO_NOTHING)
        harness.client_sends(b"a", b"b").expect(to_server=[b"a"])
        harness.advance(0.5)
        harness.client_sends(b"c").expect(to_server=[b"c"])

    def test_answer(self) -> None:
        """They are answered, always the same or as a function says."""
        self.harness(SendBack([b"busy"])).client_sends(b"a", b"b").expect(to_server=[b"a"], to_client=[b"busy"])

        def answer(message: bytes, link: Any) -> Verdict:
            return PassOnAndSendBack([b"slow down, " + link.client_name.encode()])

        self.harness(answer, client_name="ann").client_sends(b"a", b"b").expect(
            to_server=[b"a", b"b"], to_client=[b"slow down, ann"]
        )

    def test_wait(self) -> None:
        """They wait until they are within the limit, in order."""
        harness = self.harness(WAIT)
        harness.client_sends(b"a", b"b", b"c").expect(to_server=[b"a"])
        harness.advance(0.25).expect()
        harness.advance(0.25).expect(to_server=[b"b"])
        harness.advance(0.5).expect(to_server=[b"c"])
        harness.advance(0.5)
        harness.client_sends(b"d").expect(to_server=[b"d"])

    def test_closed_meanwhile(self) -> None:
        """Nothing is left when the link is closed while a message waits."""
        harness = self.harness(WAIT, limits=Limits(close_timeout=0.1, linger=0.1))
        harness.client_sends(b"a", b"b")
        harness.link.close()
        harness.advance(0.2)
        self.assertTrue(pair_of(harness.link).over)
        self.assertEqual(harness.clock.getDelayedCalls(), [])

    def test_filter_timeout(self) -> None:
        """They wait no longer than any filter may take."""
        harness = self.harness(WAIT, limits=Limits(filter_timeout=0.1))
        harness.client_sends(b"a", b"b")
        (error,) = harness.advance(0.2).errors
        assert isinstance(error, CallbackFailed)
        self.assertIsInstance(error.reason, FilterTimeout)
        self.flushLoggedErrors(FilterTimeout)

    def test_timeouts_take_no_token(self) -> None:
        """Messages that fail because they would wait too long take no token from later ones."""
        options: dict[str, Any] = {"limits": Limits(filter_timeout=0.25), "on_filter_error": OnFilterError.DROP}
        harness = self.harness(WAIT, **options)
        messages = [b"%d" % number for number in range(100)]
        harness.client_sends(*messages).expect(to_server=[b"0"])
        passed = []
        for _ in range(40):
            passed += harness.advance(0.125).to_server
        self.assertEqual(len(passed), 10)  # in five seconds
        self.flushLoggedErrors(FilterTimeout)

    def test_leaving_takes_no_token(self) -> None:
        """A client that leaves while a message waits finds its bucket as that message did."""
        clock = Clock()
        limit = RateLimit(2, burst=1, above=WAIT, clock=clock)
        self.assertIs(limit.filter(b"", ANN), PASS_ON)
        links: list[Any] = [SimpleNamespace(client_name=name) for name in ("ann", "ann", "bob")]
        for link in links:
            waiting = limit.filter(b"", link)
            if isinstance(waiting, Deferred):
                waiting.cancel()
                self.failureResultOf(waiting, CancelledError)
        clock.advance(0.5)
        self.assertIs(limit.filter(b"", ANN), PASS_ON)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_forgotten_meanwhile(self) -> None:
        """A bucket that is forgotten while a message waits needs no token back."""
        limit = RateLimit(2, burst=1, above=WAIT, clock=Clock())
        limit.filter(b"", ANN)
        waiting = limit.filter(b"", ANN)
        limit._full_at.clear()
        assert isinstance(waiting, Deferred)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(limit._full_at, {})

    def test_repr(self) -> None:
        """`WAIT` is shown by its name."""
        self.assertEqual(repr(WAIT), "WAIT")


class MigrationTests(SynchronousTestCase):
    """A limit that takes over from another."""

    def passed(self, limit: RateLimit, link: Any = ANN) -> int:
        """Return how many of 20 messages pass now."""
        return sum(limit.filter(b"", link) is PASS_ON for _ in range(20))

    def test_tokens(self) -> None:
        """Who has taken tokens lacks as many after, be the rate, the burst or the clock another; others lack none."""
        for rate, burst, left in ((10, 5, 2), (1, 5, 2), (1000, 5, 2), (10, 9, 6), (10, 3, 0), (10, 2, 0)):
            clocks = Clock(), Clock()
            clocks[1].advance(1000)
            old = RateLimit(10, burst=5, clock=clocks[0])
            new = RateLimit(rate, burst=burst, clock=clocks[1])
            clocks[0].advance(1)
            for _ in range(3):
                old.filter(b"", ANN)
            new.migrate(old)
            self.assertEqual(self.passed(new), left)
            self.assertEqual(self.passed(new, BOB), burst)
            self.assertEqual(self.passed(old), 2)

    def test_keys(self) -> None:
        """Buckets are taken over if their keys mean the same; those of a function that is loaded again do."""
        options: dict[str, Any] = {"burst": 5, "clock": Clock()}
        cases: tuple[tuple[Any, Any, int], ...] = (
            (lambda message, link: 7, lambda message, link: 7, 0),
            ("name", "address", 5),
            ("address", lambda message, link: 7, 5),
        )
        for before, after, left in cases:
            old, new = RateLimit(10, by=before, **options), RateLimit(10, by=after, **options)
            link = SimpleNamespace(client_name="ann", client_address=IPv4Address("TCP", "10.0.0.1", 1))
            self.passed(old, link)
            new.migrate(old)
            self.assertEqual(self.passed(new, link), left)

    def test_other(self) -> None:
        """There is nothing to take over from another filter."""
        new = RateLimit(10, burst=5, clock=Clock())
        new.migrate(object())
        self.assertEqual(self.passed(new), 5)
