"""Orders to other nodes: who carries them out, how often, and what the caller hears."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater.fleet import LONGEST
from twisted_repeater.redis_fleet._engine import EngineError
from twisted_repeater.redis_fleet._orders import (
    LARGEST,
    NOT_REACHED,
    REMEMBERED,
    REMEMBERED_BYTES,
    REMEMBERED_FOR,
    UNREAD,
    Answer,
    Order,
)

from .simulated import PREFIX, Mode, Site
from .world_case import WorldCase

DEBIAN_PACKAGES = "redis-server"


class OrdersCase(WorldCase):
    """A test case with three nodes that answer each order with their name and what they got."""

    def setUp(self) -> None:
        """Start them."""
        super().setUp()
        self.sites = self.start_nodes(3)
        for site in self.sites:
            site.does = self.answers(site)
        self.first, self.second, self.third = self.sites

    def answers(self, site: Site) -> Any:
        """Return what answers orders to a node."""

        async def answer(order: Order) -> Any:
            return [site.node.settings.node, order.what, order.arguments, order.payload[:9].decode()]

        return answer

    def call(self, site: Site, what: str = "count", payload: bytes = b"", **given: Any) -> Deferred[list[Answer]]:
        """Give an order."""
        with self.world.at(site):
            given = {"timeout": 2.0, **given}
            called = Deferred.fromCoroutine(site.orders.call(what, {"n": 1}, payload, **given))
        self.world.flow()
        return called

    def outcome(self, called: Deferred[list[Answer]]) -> dict[str, Any]:
        """Return what each node has answered, or its error."""
        return {each.node: each.error or each.value for each in self.successResultOf(called)}

    def seen(self) -> list[list[str]]:
        """Return what each node has carried out."""
        return [[order.what for order in site.orders_seen] for site in self.sites]


class CallTests(OrdersCase):
    """Who gets an order."""

    def test_all(self) -> None:
        """All others get it, with what belongs to it, and the caller hears what each has answered."""
        found = self.outcome(self.call(self.first, payload=b"\0x"))
        self.assertEqual(found, {f"node {n}": [f"node {n}", "count", {"n": 1}, "\0x"] for n in (1, 2)})
        self.assertEqual(self.seen(), [[], ["count"], ["count"]])
        self.assertLessEqual(self.second.orders_seen[0].left, 2.0)

    def test_some(self) -> None:
        """Those get it that are named, or whose incarnations are; whoever is not there is not waited for."""
        self.assertEqual(self.outcome(self.call(self.first, only=["node 0", "node 2", "other"])).keys(), {"node 2"})
        self.assertEqual(self.outcome(self.call(self.first, only=[])), {})
        second = self.second.node.incarnation
        to = [second, self.first.node.incarnation, "gone"]
        *_, gone = answers = self.successResultOf(self.call(self.first, to=to))
        self.assertEqual([each.incarnation for each in answers], [second, "gone"])
        self.assertEqual((gone.node, gone.error, gone.kind), ("", "it has left the fleet", NOT_REACHED))
        self.assertEqual(self.seen(), [[], ["count"], ["count"]])

    def test_order(self) -> None:
        """Orders of one node are carried out in the order in which it gives them, whoever else gets them."""
        self.third.mode = Mode.SLOW
        for number in range(40):
            self.call(self.first, f"{number}", only=["node 2"] if number % 2 else None)
        self.third.mode = Mode.FAST
        self.world.flow()
        self.assertEqual(self.seen()[2], [str(number) for number in range(40)])

    def test_of_the_engine(self) -> None:
        """What a script of the engine tells a node is an order as well, and nobody waits for an answer."""
        self.second.orders._take({"what": "lost", "arguments": {"key": "ann"}}, b"", 100.0)
        self.assertEqual(self.seen(), [[], ["lost"], []])

    def test_errors(self) -> None:
        """An order that fails, such as one that a node does not know, is answered with the error."""

        async def fails(order: Order) -> Any:
            raise ValueError(f"there is no {order.what}")

        async def says_too_much(order: Order) -> Any:
            return "x" * LARGEST

        self.second.does, self.third.does = fails, says_too_much
        called = self.call(self.first)
        answers = {answer.node: answer for answer in self.successResultOf(called)}
        self.assertEqual((answers["node 1"].error, answers["node 1"].kind), ("there is no count", "ValueError"))
        self.assertRegex(str(answers["node 2"].error), f"the answer must be at most {LARGEST} bytes")

    def test_too_large(self) -> None:
        """What is too large for the engine is not sent."""
        error = self.failureResultOf(self.call(self.first, payload=bytes(LARGEST + 1)), ValueError)
        self.assertRegex(str(error.value), f"at most {LARGEST} bytes, not {LARGEST + 1}")
        self.assertEqual(len(self.outcome(self.call(self.first, payload=bytes(LARGEST)))), 2)

    def test_no_engine(self) -> None:
        """If the engine cannot be asked, the caller hears that at once."""
        self.first.lines[0].lose("cut")
        self.failureResultOf(self.call(self.first), EngineError)

    def test_not_in_time(self) -> None:
        """A node that does not answer in time has an error, and does not carry the order out later."""
        self.third.mode = Mode.CUT
        called = self.call(self.first, timeout=1.0)
        self.world.tick(0.5)
        self.assertNoResult(called)
        self.world.tick(1.5)
        self.assertEqual(self.outcome(called)["node 2"], "no answer in time")
        self.third.mode = Mode.FAST
        self.world.tick(1.0)
        self.assertEqual(self.seen(), [[], ["count"], []])
        self.assertEqual(len(self.outcome(self.call(self.first))), 2)

    def test_longest(self) -> None:
        """Nobody waits for longer than orders are kept."""
        self.third.mode = Mode.CUT
        called = self.call(self.first, only=["node 2"], timeout=1000.0)
        self.world.tick(LONGEST + 1)
        self.assertEqual(self.outcome(called), {"node 2": "no answer in time"})

    def test_stopped(self) -> None:
        """A node that stops gets the answers that are there."""
        self.third.mode = Mode.CUT
        called = self.call(self.first, timeout=50.0)
        self.first.mode = Mode.SLOW
        other = self.call(self.first, timeout=50.0)
        with self.world.at(self.first):
            for _ in range(2):
                self.successResultOf(self.first.orders.stop())
        self.assertEqual(self.outcome(called)["node 2"], "no answer in time")
        self.first.mode = Mode.FAST
        self.world.flow()
        self.assertEqual(set(self.outcome(other).values()), {"no answer in time"})

    def test_late_answer(self) -> None:
        """An answer that comes too late means nothing, and neither does one that cannot be sent."""
        waits: Deferred[str] = Deferred()

        async def wait(order: Order) -> Any:
            return await waits

        self.second.does = self.third.does = wait
        called = self.call(self.first, timeout=1.0)
        self.world.tick(1.5)
        self.assertEqual(set(self.outcome(called).values()), {"no answer in time"})
        self.third.lines[0].lose("cut")
        with self.world.at(self.second):
            waits.callback("late")
        self.world.flow()
        self.assertEqual(self.seen(), [[], ["count"], ["count"]])


class UnreadTests(OrdersCase):
    """A node that does not read."""

    def memory(self) -> int:
        """Return how many bytes of orders the engine has."""
        found = self.world.raw("KEYS", PREFIX + "*")
        return sum(self.world.raw("MEMORY", "USAGE", key) for key in found if self.world.raw("TYPE", key) == b"stream")

    def test_full(self) -> None:
        """It gets no more than some bytes; the caller hears that at once, and the others go on."""
        self.third.lines[1].stop()  # it renews its lease, but reads nothing
        for _ in range(UNREAD // LARGEST - 1):
            self.call(self.first, payload=bytes(LARGEST))
            self.world.tick(0.1)
        self.assertLess(self.memory(), 1.5 * UNREAD)
        for _ in range(4):
            answers = self.outcome(self.call(self.first, payload=bytes(LARGEST)))
            self.assertEqual(answers["node 1"][:2], ["node 1", "count"])
            self.assertRegex(answers["node 2"], "32 MiB of calls wait for the node 'node 2', .*or end the node")
        self.assertLess(self.memory(), 1.5 * UNREAD)
        self.assertEqual(len(self.seen()[1]), UNREAD // LARGEST + 3)
        (answer,) = self.successResultOf(
            self.call(self.first, to=[self.third.node.incarnation], payload=bytes(LARGEST))
        )
        self.assertEqual((answer.node, answer.kind), ("node 2", ""))

    def test_answers(self) -> None:
        """Answers to a node that gets many large ones at once wait until it has read others."""

        async def says_much(order: Order) -> Any:
            return "x" * (LARGEST - 100)

        self.second.does = says_much
        self.first.mode = Mode.SLOW
        with self.world.at(self.first):
            calls = [
                Deferred.fromCoroutine(self.first.orders.call("count", {}, only=["node 1"], timeout=30.0))
                for _ in range(UNREAD // LARGEST + 2)
            ]
        while self.first.lines[0].requests:
            self.first.lines[0].step()
        self.world.flow()
        self.first.mode = Mode.FAST
        self.world.tick(1.0)
        self.assertEqual({len(self.outcome(called)["node 1"]) for called in calls}, {LARGEST - 100})


class RepeatTests(OrdersCase):
    """An order is carried out once."""

    def test_repeated(self) -> None:
        """A repeat is carried out by those only that have not done it; the others answer what they have answered."""
        self.third.mode = Mode.CUT
        called = self.call(self.first, timeout=1.0, number="seven")
        self.world.tick(2.0)
        self.assertEqual(self.outcome(called)["node 2"], "no answer in time")
        self.third.mode = Mode.FAST
        self.world.tick(2.0)
        found = self.outcome(self.call(self.first, number="seven"))
        self.assertEqual({name: value[0] for name, value in found.items()}, {"node 1": "node 1", "node 2": "node 2"})
        self.assertEqual(self.seen(), [[], ["count"], ["count"]])

    def test_at_work(self) -> None:
        """If a node is still at work on it, the repeat gets the same answer; so does the node itself."""
        waits: Deferred[str] = Deferred()

        async def wait(order: Order) -> Any:
            return await waits

        self.second.does = wait
        calls = [self.call(site, only=["node 1"], number="seven") for site in (self.first, self.third)]
        own = self.second.orders.once("seven", Order("count", {}, b""))
        with self.world.at(self.second):
            waits.callback("done")
        self.world.flow()
        self.assertEqual([self.outcome(called) for called in calls], [{"node 1": "done"}] * 2)
        self.assertEqual(self.successResultOf(own), {"value": "done"})
        own = self.second.orders.once("seven", Order("count", {}, b""))
        self.assertEqual(self.successResultOf(own), {"value": "done"})
        self.assertEqual(len(self.second.orders_seen), 1)

    def done(self, number: str, order: str = "count") -> None:
        """Have something done."""
        with self.world.at(self.first):
            self.successResultOf(self.first.orders.once(number, Order(order, {}, b"")))

    def test_memory(self) -> None:
        """What was done is remembered for some time; the memory for it is bounded, in number and in bytes."""
        self.done("0")
        self.first.clock.elapsed += REMEMBERED_FOR / 2
        self.done("1")
        self.first.clock.elapsed += REMEMBERED_FOR / 2 + 1
        self.done("2")
        self.assertEqual(list(self.first.orders._work), ["1", "2"])
        for number in range(REMEMBERED):
            self.done(f"more {number}")
        self.assertEqual(len(self.first.orders._work), REMEMBERED)
        self.assertNotIn("1", self.first.orders._work)

        async def says_much(order: Order) -> Any:
            return "x" * (LARGEST - 100)

        self.first.does = says_much
        for number in range(REMEMBERED_BYTES // LARGEST + 10):
            self.done(f"large {number}")
        self.assertLessEqual(self.first.orders._bytes, REMEMBERED_BYTES + LARGEST)
        self.assertLess(len(self.first.orders._work), 100)

    def test_clock_set(self) -> None:
        """What was done is not forgotten, and so not done again, because the clock of the host was set."""
        self.done("0")
        self.first.clock.rightNow += 2 * REMEMBERED_FOR
        self.done("1")
        self.done("0")
        self.assertEqual(len(self.first.orders_seen), 2)

    def test_forgotten_at_work(self) -> None:
        """Work that takes longer than it is remembered is answered all the same."""
        waits: Deferred[str] = Deferred()

        async def wait(order: Order) -> Any:
            return await waits if order.what == "long" else None

        self.first.does = wait
        with self.world.at(self.first):
            slow = self.first.orders.once("slow", Order("long", {}, b""))
        self.first.clock.elapsed += REMEMBERED_FOR + 1
        self.done("quick")
        waits.callback("done")
        self.assertEqual(self.successResultOf(slow), {"value": "done"})
        self.assertEqual(self.first.orders._bytes, len('{"value": null}'))
