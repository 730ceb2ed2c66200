"""Orders in the engine: how many bytes they may fill, when they are forgotten, and what foreign entries do to them."""

from __future__ import annotations

from typing import Any

from twisted_repeater.redis_fleet._order_scripts import ORDER, READ

from .script_case import Member, ScriptCase

DEBIAN_PACKAGES = "redis-server"
MOST = 1000
"""How many bytes may wait for a node."""
FAR = "9999999999999-1"


class OrderScriptCase(ScriptCase):
    """A test case with two nodes that get orders of a third."""

    def setUp(self) -> None:
        """Let them join."""
        super().setUp()
        self.join_both()
        self.eve = Member(self.world, "eve")
        self.eve.join(wait=0)

    def order(self, size: int, how: str = "all", *who: str) -> tuple[list[bytes], list[bytes]]:
        """Give an order of some bytes; return the names of those that get it, and of those that do not."""
        answer = self.eve.as_member(ORDER, ["names"], "{}", "x" * (size - 2), 60_000, MOST, how, *who)
        return sorted(answer[1][1::2]), sorted(answer[2][1::2])

    def entries(self, stream: str) -> list[Any]:
        """Return what is in a stream."""
        found: list[Any] = self.world.client.xrange(f"{{f}}:{stream}")
        return found

    def read(self, member: Member) -> list[Any]:
        """Let a node read all that it gets, and say so; return after which orders it is to read on."""
        said: list[Any] = []
        for stream in ("all", f"inbox:{member.incarnation}"):
            entries = self.entries(stream)
            said += [entries[-1][0], entries[-1][1][b"bytes"]] if entries else ["0-0", "" if stream == "all" else 0]
        return member.as_member(READ, [], *said)[1:]


class BoundTests(OrderScriptCase):
    """How much waits for a node."""

    def test_all(self) -> None:
        """Who does not read gets no more than some bytes, and the others go on; when it has read, it gets more."""
        self.assertEqual(self.order(600), ([b"ann", b"bob"], []))
        self.assertEqual(self.order(600), ([], [b"ann", b"bob"]))
        self.read(self.ann)
        for _ in range(5):
            self.assertEqual(self.order(600), ([b"ann"], [b"bob"]))
            self.assertEqual(self.order(300, "names", "bob"), ([b"bob"], []) if not _ else ([], [b"bob"]))
            self.world.now += 1
            self.read(self.ann)
        self.read(self.bob)
        self.assertEqual(self.order(600), ([b"ann", b"bob"], []))

    def test_memory(self) -> None:
        """What all have read is forgotten, but for the last of each stream; what one has not read is kept."""
        for number in range(3):
            self.world.now += 1
            self.order(100)
            self.order(100, "incarnations", self.ann.incarnation)
            for member in (self.ann, self.eve):
                self.read(member)
            self.assertEqual(len(self.entries("all")), number + 1)
            self.assertEqual(len(self.entries(f"inbox:{self.ann.incarnation}")), 1)
        self.read(self.bob)
        self.assertEqual(len(self.entries("all")), 1)

    def test_dead(self) -> None:
        """A node whose lease has ended holds nothing up, and is forgotten."""
        self.order(600)
        self.order(100, "names", "bob")
        for _ in range(8):
            self.world.now += 2000
            self.ann.renew()
            self.eve.renew()
        self.read(self.ann)
        self.read(self.eve)
        self.assertEqual(self.order(600), ([b"ann"], []))
        self.assertEqual(
            set(self.world.client.hkeys("{f}:read")), {m.incarnation.encode() for m in (self.ann, self.eve)}
        )
        self.assertEqual(set(self.world.client.hkeys("{f}:counts")), {b"all", b"bytes:all"})


class ForeignTests(OrderScriptCase):
    """Somebody else has written into a stream, with an id that is ahead of the fleet's clock."""

    def test_written(self) -> None:
        """The next order begins the stream once more, also if the key is of another type."""
        for spoil in (
            lambda key: self.world.client.xadd(key, {"x": "y"}, FAR),
            lambda key: self.world.client.set(key, 1),
        ):
            self.world.client.delete("{f}:all")
            spoil("{f}:all")
            self.assertEqual(self.order(100), ([b"ann", b"bob"], []))
            self.assertEqual([entry[b"payload"] for _, entry in self.entries("all")], [b"x" * 98])

    def test_read(self) -> None:
        """Who has read such an entry is to read from the beginning, whether the stream has begun once more or not."""
        self.world.client.xadd("{f}:all", {"bytes": 1}, FAR)
        self.assertEqual(self.ann.as_member(READ, [], FAR, "", "0-0", 0), [b"ok", b"0-0", b"0-0"])
        self.assertEqual(self.entries("all"), [])
        self.order(100)
        self.assertEqual(self.bob.as_member(READ, [], FAR, "", "0-0", 0), [b"ok", b"0-0", b"0-0"])
        self.assertEqual(len(self.entries("all")), 1)

    def test_joined(self) -> None:
        """Who joins then reads from the beginning."""
        self.world.client.xadd("{f}:all", {"x": "y"}, FAR)
        self.assertEqual(self.ann.join()[2], b"0-0")
        self.assertEqual(self.order(100)[0], [b"ann", b"bob"])

    def test_full(self) -> None:
        """What was lost with the stream does not count as waiting."""
        self.order(600)
        self.world.client.xadd("{f}:all", {"x": "y"}, FAR)
        self.order(300)
        self.assertEqual(self.order(600), ([b"ann", b"bob"], []))
