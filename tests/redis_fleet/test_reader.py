"""A node reads its orders: each once, in order, also after its connection was lost; what it has missed it notices."""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred

from twisted_repeater.redis_fleet import _reader
from twisted_repeater.redis_fleet._reader import NOTED, READ_AT_ONCE

from ..logged import lines_logged
from .simulated import PREFIX, Mode
from .world_case import WorldCase

DEBIAN_PACKAGES = "redis-server"
MODULE = "twisted_repeater.redis_fleet._reader"


class ReaderTests(WorldCase):
    """One of two nodes reads what the other one gives."""

    def setUp(self) -> None:
        """Start them."""
        super().setUp()
        self.lines = lines_logged(self, MODULE)
        self.giver, self.site = self.start_nodes()
        self.taken: list[tuple[Any, bytes, float]] = []
        self.missed = 0
        reader: Any = self.site.orders._reader
        reader._take = lambda *order: self.taken.append(order)
        reader._missed = self.miss

    def miss(self) -> None:
        """Count that orders were missed."""
        self.missed += 1

    def give(self, number: int, inbox: bool = True, payload: str = "") -> None:
        """Give an order to the node, or to all."""
        with self.world.at(self.giver):
            how, who = ("names", ["node 1"]) if inbox else ("all", [])
            header = {"what": "count", "n": number, "from": self.giver.node.incarnation}
            self.successResultOf(Deferred.fromCoroutine(self.giver.orders._send(header, payload.encode(), how, who)))
        self.world.flow()

    def numbers(self) -> list[int]:
        """Return the numbers of the orders that were taken."""
        return [header["n"] for header, _, _ in self.taken]

    @property
    def line(self) -> Any:
        """The connection that it reads on."""
        return self.site.lines[1]

    def test_read(self) -> None:
        """It reads both streams, with the payload, and how long ago each order was given."""
        self.give(1, payload="one")
        self.site.mode = Mode.SLOW
        self.give(2, inbox=False)
        self.world.tick(0.5)
        self.site.mode = Mode.FAST
        self.world.flow()
        self.assertEqual([payload for _, payload, _ in self.taken], [b"one", b""])
        self.assertEqual(self.numbers(), [1, 2])
        ages = [age for _, _, age in self.taken]
        self.assertTrue(0 <= ages[0] < 0.1 and 0.4 < ages[1] < 0.6, ages)

    def test_clocks(self) -> None:
        """How long ago it was does not depend on what the clocks of node and engine say, nor on what they said."""
        self.give(1)
        self.world.jump(3_600_000)
        self.world.tick(2)
        self.give(2)
        self.world.jump(-7_200_000)
        self.world.tick(2)
        self.give(3)
        self.site.clock.rightNow -= 3600
        self.give(4)
        self.assertTrue(all(abs(age) < 0.6 for _, _, age in self.taken), self.taken)

    def test_in_order(self) -> None:
        """Many orders of both streams are handed over in the order in which they were given."""
        self.site.mode = Mode.SLOW
        for number in range(3 * READ_AT_ONCE):
            self.give(number, inbox=number % 4 == 0)
        self.site.mode = Mode.FAST
        self.world.flow()
        self.assertEqual(self.numbers(), list(range(3 * READ_AT_ONCE)))
        self.assertEqual((self.missed, self.lines), (0, []))

    def test_reconnected(self) -> None:
        """After a lost connection it reads on from where it was."""
        self.give(1)
        self.line.lose("cut")
        self.give(2)
        self.give(3, inbox=False)
        self.world.tick(1)
        self.give(4)
        self.assertEqual(self.numbers(), [1, 2, 3, 4])

    def test_joined_again(self) -> None:
        """When the node joins again, what was given to its earlier incarnation is not taken any more."""
        self.site.mode = Mode.SLOW
        self.give(1)
        while not self.line.requests[0].answer:
            self.line.step()
        with self.world.at(self.site):
            self.site.node.incarnation = "new"
            self.site.orders._reader._inbox = "new"
        for _ in range(5):
            self.line.step()
        self.assertEqual(self.numbers(), [])
        self.site.mode = Mode.FAST
        self.line.lose("cut")
        self.world.tick(3)

    def test_stopped(self) -> None:
        """After `stop` nothing is read."""
        with self.world.at(self.site):
            self.successResultOf(self.site.orders._reader.stop())
        self.give(1)
        self.world.tick(1)
        self.assertEqual(self.numbers(), [])

    def test_engine_restarted(self) -> None:
        """After a restart of the engine it reads what is given then."""
        self.give(1)
        self.world.restart(keep=False, saved=False)
        self.world.tick(2)
        self.give(2)
        self.give(3, inbox=False)
        self.assertEqual(self.numbers(), [1, 2, 3])

    def test_missed(self) -> None:
        """What the engine does not have any more is missed, and that is logged once each time."""
        self.give(1)
        for inbox, stream in ((True, f"inbox:{self.site.node.incarnation}"), (False, "all")):
            self.give(2, inbox)
            self.site.mode = Mode.SLOW
            self.give(3, inbox)
            self.give(4, inbox)
            self.world.raw("XTRIM", PREFIX + stream, "MAXLEN", 1)
            self.site.mode = Mode.FAST
            self.world.flow()
        self.assertEqual(self.numbers(), [1, 2, 4, 2, 4])
        self.assertEqual((self.missed, self.lines), (1, ["1 calls of other nodes came too late to be read"] * 2))

    def test_poison(self) -> None:
        """An entry that is none of ours does no harm, also if its id is ahead; each node logs only the first."""
        for inbox, stream in ((True, "inbox:" + self.site.node.incarnation), (False, "all")):
            self.world.raw("XADD", PREFIX + stream, "9999999999999-1", "x", "y")
            self.world.raw("XADD", PREFIX + stream, "9999999999999-2", "number", "1", "header", "{", "payload", "")
            self.world.changes += 1
            self.world.flow()
            self.give(1, inbox)
            self.give(2, inbox)
        self.assertEqual((self.numbers(), len(self.flushLoggedErrors())), ([1, 2, 1, 2], 2))

    def test_poison_at_once(self) -> None:
        """If orders follow such an entry before it is read, it is gone, and they are read."""
        self.site.mode = Mode.SLOW
        self.world.raw("XADD", PREFIX + "all", "9999999999999-1", "x", "y")
        self.give(1, inbox=False)
        self.site.mode = Mode.FAST
        self.world.flow()
        self.assertEqual(self.numbers(), [1])

    def test_forgotten(self) -> None:
        """What was read is forgotten by the engine after some bytes; what belongs to an earlier incarnation is not."""
        inbox = PREFIX + "inbox:" + self.site.node.incarnation
        for number in range(3):
            self.give(number, payload="x" * (NOTED // 2))
        self.assertEqual((self.numbers(), self.world.raw("XLEN", inbox)), ([0, 1, 2], 2))
        with mock.patch.object(self.site.node, "run", side_effect=self.joins_again):
            self.give(3, payload="x" * NOTED)
        self.assertEqual(self.site.orders._reader._last["inbox"], "before")

    async def joins_again(self, *words: Any) -> list[bytes]:
        """The node joins again while the engine is told what was read."""
        reader = self.site.orders._reader
        reader._inbox, reader._last["inbox"] = "new", "before"
        return [b"ok", b"0-0", b"0-0"]

    def test_broken(self) -> None:
        """If the engine answers something that nobody understands, that is logged, and it is asked again later."""
        with mock.patch.object(_reader, "_in_order", side_effect=KeyError("odd")):
            self.give(1)
            self.world.flow()
        self.world.tick(1)
        self.assertEqual((self.numbers(), len(self.flushLoggedErrors(KeyError))), ([1], 1))
