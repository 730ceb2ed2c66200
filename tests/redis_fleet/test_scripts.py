"""What runs inside the engine: each script is one indivisible step, and no clock that jumps ends a lease."""

from __future__ import annotations

import secrets
from contextlib import closing
from random import Random
from typing import Any

import redis
from twisted.internet.defer import Deferred

from twisted_repeater.redis_fleet._engine import Connection, EngineError, Facts
from twisted_repeater.redis_fleet._scripts import CLAIMS, HOLDERS, JOIN, LEAVE, NODES, NOW, ORDER, RENEW, Script

from ..peers import reactor
from .engines import EngineCase

HOUR = 3_600_000
LEASE = 8000
"""For how many milliseconds a node trusts its lease."""
GAP = 4000
KEPT = LEASE + GAP
RENEWED = 2000


class RunTests(EngineCase):
    """A script on a connection."""

    async def test_run(self) -> None:
        """A script runs whether the engine knows it or not; its errors are those of the engine."""
        engine = self.start_engine()
        up: Deferred[None] = Deferred()

        async def connected(facts: Facts) -> None:
            up.callback(None)

        connection = Connection(engine.address, reactor, 10, connected, lambda why: None)
        self.addCleanup(connection.stop)
        connection.start()
        await up
        script = Script("return {KEYS[1], ARGV[1]}")
        for _ in range(2):
            engine.ask("SCRIPT", "FLUSH")
            for _ in range(2):
                self.assertEqual(await script.run(connection, ["key"], [7]), [b"key", b"7"])
        wrong = Script("return redis.call('HGET', 'a')")
        for _ in range(2):
            error: Any = await self.assertFailure(Deferred.fromCoroutine(wrong.run(connection, [], [])), EngineError)
            self.assertIn("Wrong number of args", str(error))


class World:
    """The engine's data, as scripts see them that read the time from the test."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.now = 1_000_000
        """The time in milliseconds, which passes evenly."""
        self.skew = 0
        """By how much the engine's clock is wrong."""
        self.run_id = "1"
        self._scripts: dict[Script, Any] = {}

    def ask(self, script: Script, keys: list[str], *arguments: Any) -> list[Any]:
        """Run a script."""
        self.client.set("time", self.now + self.skew)
        if script not in self._scripts:
            told = "(function() local t = tonumber(redis.call('GET', 'time')); "
            told += "return {math.floor(t / 1000), t % 1000 * 1000} end)()"
            self._scripts[script] = self.client.register_script(
                script._text.decode().replace("redis.call('TIME')", told)
            )
        prefixed = [f"{{f}}:{key}" for key in keys]
        answer: list[Any] = self._scripts[script](keys=prefixed, args=list(arguments))
        return answer


class Member:
    """A node, without a connection. It does what `_node` and `_claims` do."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.incarnation = ""
        self.epoch = b""
        self.valid_until = -1
        self.held: dict[str, tuple[int, int]] = {}
        """The names of its links: with the fence, and the time when the link was made."""

    def join(self, settings: str = "s", wait: int = KEPT) -> list[Any]:
        """Join."""
        sent, earlier, self.incarnation = self.world.now, self.incarnation, secrets.token_hex(6)
        new = secrets.token_hex(6)
        rest = (KEPT, GAP, settings, "{}", wait, earlier)
        keys = ["state", "nodes", "info", "names", "all"]
        answer = self.world.ask(JOIN, keys, self.world.run_id, new, self.incarnation, self.name, *rest)
        if answer[0] == b"ok":
            self.epoch, self.valid_until = answer[1], sent + LEASE
        return answer

    def as_member(self, script: Script, keys: list[str], *arguments: Any) -> list[Any]:
        """Run a script as a member."""
        return self.world.ask(script, ["state", "nodes", *keys], self.epoch, self.incarnation, *arguments)

    def renew(self, most: int = 10) -> list[Any]:
        """Renew the lease."""
        sent = self.world.now
        answer = self.as_member(RENEW, ["info", "names"], KEPT, "{}", most)
        if answer[0] == b"ok":
            self.valid_until = sent + LEASE
        return answer

    def claims(self, *words: Any) -> list[Any]:
        """Claim, or release."""
        answer = self.as_member(CLAIMS, [f"of:{self.incarnation}"], "{f}:", 1, *words)
        answers: list[Any] = answer[1] if answer[0] == b"ok" else [answer]
        return answers

    def claim(self, name: str, what: str = "claim", number: int = 0) -> Any:
        """Claim a name; return the answer."""
        return self.claims(what, f"name:r:{name}", number)[0]

    def nodes(self) -> set[bytes]:
        """Return the names of the nodes."""
        return {each[1] for each in self.as_member(NODES, ["names", "info"])[1]}

    def holders(self, name: str) -> list[bytes]:
        """Return the names of the nodes that have a name."""
        return sorted(self.as_member(HOLDERS, ["names", f"name:r:{name}", f"shared:r:{name}"])[1])


class ScriptCase(EngineCase):
    """A test case with scripts whose time is told by the test."""

    def setUp(self) -> None:
        """Start the engine."""
        super().setUp()
        client: Any = redis.Redis(unix_socket_path=self.start_engine().path)
        self.addCleanup(closing(client).__exit__, None, None, None)
        self.world = World(client)
        self.ann, self.bob = Member(self.world, "ann"), Member(self.world, "bob")

    def pass_time(self, milliseconds: int, *renewing: Member) -> None:
        """Let time pass, in which nodes renew their leases."""
        for _ in range(milliseconds // RENEWED):
            self.world.now += RENEWED
            for member in renewing:
                self.assertEqual(member.renew()[0], b"ok")
        self.world.now += milliseconds % RENEWED

    def join_both(self, wait: int = 0) -> None:
        """Let both nodes join."""
        for member in (self.ann, self.bob):
            self.assertEqual(member.join(wait=wait)[0], b"ok")


class LeaseTests(ScriptCase):
    """Leases, and the fleet's clock."""

    def test_ends(self) -> None:
        """A lease that is not renewed ends, not before its node knows that, and is free for others then."""
        self.join_both()
        self.assertEqual(self.ann.claim("x")[0], b"held")
        self.pass_time(LEASE, self.bob)
        self.assertEqual(self.bob.claim("x"), [b"taken", self.ann.incarnation.encode(), GAP])
        self.pass_time(GAP + RENEWED, self.bob)
        self.assertEqual(self.bob.claim("x")[0], b"held")
        self.assertEqual(self.ann.renew(), [b"lease"])
        self.assertEqual(self.bob.nodes(), {b"bob"})

    def test_clock_jumps(self) -> None:
        """If the engine's clock is set, forward or back, no lease ends by it, and later ones end in time."""
        self.join_both()
        for jump in (HOUR, -HOUR, -5 * HOUR, GAP, 24 * HOUR):
            self.world.skew += jump
            self.assertEqual(self.bob.renew()[0], b"ok")
            self.assertEqual(self.ann.renew()[0], b"ok")
        self.pass_time(KEPT + RENEWED, self.bob)
        self.assertEqual(self.bob.nodes(), {b"bob"})

    def test_stood_still(self) -> None:
        """If the engine, or all nodes, stood still, no lease ends by it."""
        self.join_both()
        self.world.now += HOUR
        self.assertEqual(self.bob.renew()[0], b"ok")
        self.assertEqual(self.ann.renew()[0], b"ok")

    def test_now(self) -> None:
        """The clock goes forward with the engine's."""
        self.join_both()
        (before,) = self.world.ask(NOW, ["state"])
        self.world.now += 1234
        self.assertEqual(self.world.ask(NOW, ["state"]), [before + 1234])


class JoinTests(ScriptCase):
    """How nodes join and leave."""

    def test_epochs(self) -> None:
        """All nodes of one run of the engine share an epoch; another run, or empty data, begin another."""
        self.join_both()
        self.assertEqual(self.ann.epoch, self.bob.epoch)
        before = self.ann.epoch
        self.world.run_id = "2"
        self.ann.join()
        self.assertNotEqual(self.ann.epoch, before)
        self.assertEqual(self.bob.renew(), [b"epoch"])
        before = self.ann.epoch
        self.world.client.flushall()
        self.ann.join()
        self.assertNotEqual(self.ann.epoch, before)

    def test_again(self) -> None:
        """A node that joins again ends what it was before, so its own name is not in its way."""
        self.join_both()
        self.ann.claim("x")
        before = self.ann.incarnation
        self.assertEqual(self.ann.join()[0], b"ok")
        self.assertNotEqual(self.ann.incarnation, before)
        self.assertEqual(self.ann.claim("x")[0], b"held")
        self.assertEqual(Member(self.world, "ann").join(), [b"name"])

    def test_settings(self) -> None:
        """The settings of a fleet change when no node is left of the old ones."""
        self.join_both()
        eve = Member(self.world, "eve")
        self.assertEqual(eve.join("other"), [b"settings", b"s"])
        for member in (self.ann, self.bob):
            member.as_member(LEAVE, ["info", "names"], 10)
        self.assertEqual(eve.join("other")[0], b"ok")
        self.assertEqual(self.ann.join(), [b"settings", b"other"])

    def test_quarantine(self) -> None:
        """After a new beginning, only names that were held before can be claimed for a while, if so chosen."""
        self.join_both(wait=KEPT)
        self.assertEqual(self.ann.claim("x"), [b"wait", KEPT])
        self.assertEqual(self.ann.claim("y", "older", 500)[0], b"held")
        self.pass_time(KEPT, self.ann, self.bob)
        self.assertEqual(self.ann.claim("x")[0], b"held")

    def test_swept(self) -> None:
        """What a node leaves is swept up in portions, by itself or by others; then the engine forgets the node."""
        for leaves in (True, False):
            self.world.client.flushall()
            self.ann.incarnation = self.bob.incarnation = ""
            self.join_both()
            for number in range(10):
                self.ann.claims("claim", f"name:r:{number}", 0, "join", f"shared:r:{number}", 0)
            self.bob.claims("claim", "name:r:bob", 0, "join", "shared:r:0", 0)
            if leaves:
                self.ann.as_member(LEAVE, ["info", "names"], 4)
            else:
                self.pass_time(KEPT - RENEWED, self.bob)
                self.world.now += RENEWED
            portions = 1
            while self.bob.renew(most=4)[1]:
                portions += 1
            self.assertEqual(portions, 4 if leaves else 5)
            self.assertEqual(self.world.client.hgetall("{f}:held").keys(), {b"name:r:bob"})
            self.assertEqual(self.world.client.hgetall("{f}:shared").keys(), {b"shared:r:0"})
            self.assertEqual(self.bob.holders("0"), [b"bob"])
            self.assertFalse(self.world.client.keys(f"*{self.ann.incarnation}*"))


class NameTests(ScriptCase):
    """Names in the engine."""

    def test_shared(self) -> None:
        """A shared name has several holders, each once, until it parts."""
        self.join_both()
        for what, expected in (("join", [b"ann", b"bob"]), ("join", [b"ann", b"bob"]), ("part", [b"bob"])):
            self.ann.claims(what, "shared:r:x", 0)
            self.bob.claims("join", "shared:r:x", 0)
            self.assertEqual(self.bob.holders("x"), expected)
        self.bob.claims("part", "shared:r:x", 0)
        self.assertFalse(self.world.client.exists("{f}:shared"))

    def test_lost(self) -> None:
        """A name goes to the older or the younger link, as chosen, and who loses it finds an order in its inbox."""
        for what, ages in (("older", (100, 200)), ("younger", (200, 100))):
            self.world.client.flushall()
            self.join_both()
            ((_, fence),) = self.ann.claims(what, "name:r:x", ages[0])
            self.assertEqual(self.bob.claim("x", what, ages[0])[0], b"taken")
            self.assertEqual(self.bob.claim("x", what, ages[1])[0], b"held")
            ((_, entry),) = self.world.client.xrange(f"{{f}}:inbox:{self.ann.incarnation}")
            self.assertIn(f'"fence":{fence}'.encode(), entry[b"header"])
            self.assertEqual(self.bob.holders("x"), [b"bob"])

    def test_release(self) -> None:
        """Only who holds a name can release it, and only the claim that is meant."""
        self.join_both()
        ((_, fence),) = self.ann.claims("claim", "name:r:x", 0)
        for member, number in ((self.bob, fence), (self.ann, fence + 1)):
            member.claim("x", "release", number)
            self.assertEqual(self.ann.holders("x"), [b"ann"])
        self.ann.claim("x", "release", fence)
        self.assertEqual(self.ann.holders("x"), [])

    def test_keys_expire(self) -> None:
        """Every key is forgotten at last."""
        self.join_both()
        self.ann.claims("claim", "name:r:x", 0, "join", "shared:r:x", 0)
        self.ann.as_member(ORDER, ["names"], "{f}:", "{}", "payload", 60_000, "all")
        self.ann.as_member(ORDER, ["names"], "{f}:", "{}", "payload", 60_000, "incarnations", self.bob.incarnation)
        keys = set(self.world.client.keys("{f}:*"))
        self.assertEqual(len(keys), 11)
        self.assertEqual({key for key in keys if self.world.client.ttl(key) < 80_000}, set())

    def test_bytes(self) -> None:
        """The engine keeps a limited number of bytes for each stream of orders, the latest, and forgets it all."""
        small = Script(ORDER._text.decode().replace("67108864", "10000"))
        self.join_both()
        for stream, who in (("all", ["all"]), (f"inbox:{self.bob.incarnation}", ["names", "bob"])):
            lengths = []
            for number in range(100):
                self.ann.as_member(small, ["names"], "{f}:", "{}", "x" * 998, 60_000, *who)
                entries = self.world.client.xrange(f"{{f}}:{stream}")
                lengths.append(len(entries))
                self.assertEqual(entries[-1][1][b"number"], b"%d" % (number + 1))
            self.assertEqual((max(lengths), min(lengths[20:])), (22, 12))
        self.bob.as_member(LEAVE, ["info", "names"], 10)
        self.assertEqual(sorted(self.world.client.hkeys("{f}:counts")), [b"all", b"bytes:all", b"mark:all"])


class NeverTwoTests(ScriptCase):
    """The promise of ``on_lease_lost=close``, with nodes that do as they should."""

    def test_never_two(self) -> None:
        """Whatever happens to nodes, engine, clocks and wires, a name is never held twice."""
        held = 0
        for seed in range(4):
            self.world.client.flushall()
            held += self.play(Random(seed))
        self.assertGreater(held, 20)

    def play(self, random: Random) -> int:
        """Let things happen; return how many claims have succeeded."""
        world = self.world
        members = [Member(world, name) for name in ("ann", "bob", "eve")]
        cut: set[str] = set()
        kinds = ["claim"] * 60 + ["release"] * 12 + ["renew"] * 60 + ["jump"] * 3 + ["cut"] * 3 + ["heal"] * 6
        kinds += ["crash"] * 3 + ["restart", "flush"]
        held = 0
        for _ in range(300):
            world.now += random.choice([1, 5, 50, 200, 500, 1000])
            for member in members:
                if world.now >= member.valid_until:
                    member.held.clear()
            member, what = random.choice(members), random.choice(kinds)
            if what == "cut":
                cut.add(member.name)
            elif what == "heal":
                cut.discard(member.name)
            elif what == "jump":
                world.skew += random.choice([-HOUR, HOUR, 5000, -5000])
            elif what == "restart":
                world.run_id = str(random.random())
            elif what == "flush":
                world.client.flushall()
            elif what == "crash":
                member.held.clear()
                member.incarnation, member.epoch, member.valid_until = "", b"", -1
            elif member.name not in cut:
                held += self.act(member, what, random)
            for each in members:
                self.obey(each)
            names = [name for each in members for name in each.held]
            self.assertEqual(len(names), len(set(names)), names)
        return held

    def act(self, member: Member, what: str, random: Random) -> bool:
        """Let a node do something; return whether it has got a name."""
        if self.world.now >= member.valid_until or member.renew()[0] != b"ok":
            if member.join()[0] == b"ok":
                for name, (_, since) in list(member.held.items()):
                    answer = member.claim(name, "older", self.world.now - since)
                    if answer[0] == b"held":
                        member.held[name] = answer[1], since
                    else:
                        del member.held[name]
            return False
        name = random.choice("abcd")
        if what == "claim":
            answer = member.claim(name)
            if answer[0] == b"held" and name not in member.held:
                member.held[name] = answer[1], self.world.now
                return True
        elif what == "release" and name in member.held:
            member.claim(name, "release", member.held.pop(name)[0])
        return False

    def obey(self, member: Member) -> None:
        """Let a node do what it was ordered."""
        for _, entry in self.world.client.xrange(f"{{f}}:inbox:{member.incarnation}"):
            for name, (fence, _) in list(member.held.items()):
                if f'"fence":{fence}'.encode() in entry[b"header"]:
                    del member.held[name]
        self.world.client.delete(f"{{f}}:inbox:{member.incarnation}")
