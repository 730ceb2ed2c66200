"""A process is a node of a fleet as long as its lease lasts."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.redis_fleet import _node
from twisted_repeater.redis_fleet._engine import EngineError
from twisted_repeater.redis_fleet._node import RENEWALS, SWEEPS, SWEPT, Node, NotAMember, elapsed
from twisted_repeater.redis_fleet._scripts import CLAIMS, JOIN, NODES, RENEW
from twisted_repeater.redis_fleet._settings import OnLeaseLost

from ..logged import lines_logged
from .engines import Engine
from .node_case import LEASE, NodeCase

MODULE = "twisted_repeater.redis_fleet._node"


def names_of(engine: Engine) -> list[str]:
    """Return the names of the nodes that an engine knows."""
    return sorted(name.decode() for name in engine.ask("HVALS", "{twisted_repeater:main}:names"))


def keys(node: Node) -> list[str]:
    """Return the keys that `NODES` needs."""
    return node.keys("state", "nodes", "names", "info")


class ClockTests(SynchronousTestCase):
    """The clock of a lease."""

    def test_elapsed(self) -> None:
        """It is not the one that people set, and goes forward on every platform."""
        self.assertLessEqual(elapsed(), elapsed())
        with mock.patch.object(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC, create=True):
            self.assertLessEqual(elapsed(), elapsed())


class JoiningTests(NodeCase):
    """A node becomes a member."""

    async def test_joins(self) -> None:
        """It is a member when the engine knows it; others read what it says of itself."""
        engine = self.start_engine()
        node, recorder = self.start_node(engine, "ann")
        self.assertEqual((node.is_member, node.problem), (False, "not connected yet"))
        await self.fails(node.run(NODES, []), "the lease has ended", NotAMember)
        await self.is_usable(node)
        self.assertEqual((node.is_member, node.problem), (True, None))
        self.assertEqual(node.seconds(), self.clock.seconds())
        self.assertEqual((recorder.seen, recorder.last), (["joined", "usable"], [b"0-0"]))
        bob, _ = await self.start_member(engine, "bob")
        found = await bob.run(NODES, keys(bob))
        self.assertEqual(
            {each[1]: json.loads(each[2]) for each in found[1]}, {b"ann": {"links": 3}, b"bob": {"links": 3}}
        )

    async def test_name_taken(self) -> None:
        """Of two nodes with one name, the second waits until the first has left; the problem says so."""
        engine = self.start_engine()
        first, _ = await self.start_member(engine)
        second, recorder = self.start_node(engine)
        await self.soon(lambda: recorder.seen)
        self.assertRegex(str(second.problem), "another node is named 'ann'.* 12 seconds.* change the name")
        await first.stop()
        self.assertEqual((first.is_member, first.connection.problem), (False, "the connection was lost"))
        await self.is_usable(second)

    async def test_joins_in_vain(self) -> None:
        """A node that has tried to join again in vain does not wait for the end of its own earlier lease."""
        engine = self.start_engine()
        node, recorder = await self.start_member(engine)
        engine.fill()
        self.clock.advance(LEASE)
        await self.soon(lambda: sum("memory is full" in each for each in recorder.seen))
        engine.empty()
        await self.is_usable(node)
        self.assertEqual([each for each in recorder.seen if "another node" in each], [])

    async def test_other_settings(self) -> None:
        """A node whose settings must be those of the others, and are not, waits until they have left."""
        engine = self.start_engine()
        first, _ = await self.start_member(engine)
        second, recorder = self.start_node(engine, "bob", on_lease_lost=OnLeaseLost.CLOSE)
        await self.soon(lambda: recorder.seen)
        self.assertRegex(str(second.problem), 'the other nodes have .*"keep".*and this one has .*"close"')
        await first.stop()
        await self.is_usable(second)

    async def test_not_complete(self) -> None:
        """If what follows joining fails, the node joins again; each reason is logged once."""
        lines = lines_logged(self, "twisted_repeater.redis_fleet._engine_log")
        node, recorder = self.start_node(self.start_engine())
        recorder.errors = [EngineError(why) for why in ("one", "other", "one")]
        await self.is_usable(node)
        problems = ["joined", "unusable: one", "joined", "unusable: other", "joined", "unusable: one"]
        self.assertEqual(recorder.seen, [*problems, "joined", "usable"])
        self.assertEqual([line.rpartition(": ")[2] for line in lines[:-1]], ["one", "other"])


class StayingTests(NodeCase):
    """A node stays a member, or joins again."""

    async def rejoins(self, node: Node, recorder: Any) -> None:
        """Wait until a node has joined once more, with another incarnation."""
        before = node.incarnation
        await self.soon(lambda: recorder.seen.count("joined") == 2)
        await self.is_usable(node)
        self.assertNotEqual(node.incarnation, before)

    async def test_renewed(self) -> None:
        """The lease is renewed several times while it lasts, and counts from before that was sent."""
        node, recorder = await self.start_member(self.start_engine())
        for _ in range(2 * RENEWALS):
            until = self.clock.seconds() + LEASE
            self.assertEqual(node._valid_until, until)
            self.clock.advance(LEASE / RENEWALS)
            await self.soon(lambda until=until: node._valid_until > until)
        self.assertEqual(recorder.seen, ["joined", "usable"])

    async def test_connection_lost(self) -> None:
        """If only the connection is lost, the membership goes on."""
        engine = self.start_engine()
        wire = await self.start_wire(engine)
        node, recorder = await self.start_member(wire)
        before = node.incarnation
        wire.cut()
        await self.soon(lambda: len(recorder.seen) == 4)
        self.assertEqual(recorder.seen[2:], ["unusable: it has closed the connection", "usable"])
        self.assertEqual(node.incarnation, before)

    async def test_another_run(self) -> None:
        """If the engine has started again, with its data or without, the node joins again."""
        for keeps in (False, True):
            engine = self.start_engine(keeps=keeps)
            node, recorder = await self.start_member(engine)
            engine.restart()
            await self.rejoins(node, recorder)
            self.assertEqual(names_of(engine), ["ann"] * (2 if keeps else 1))
            await node.stop()

    async def test_forgotten(self) -> None:
        """If the engine has forgotten the fleet, or ended the lease, whoever asks notices, and the node joins again."""
        nodes = "{twisted_repeater:main}:nodes"
        for words, why in (
            (("DEL", nodes[:-5] + "state"), "it has forgotten"),
            (("DEL", nodes), "its clock has ended"),
        ):
            engine = self.start_engine()
            node, recorder = await self.start_member(engine)
            engine.ask(*words)
            await self.fails(node.run(NODES, keys(node)), why, NotAMember)
            self.assertIn(why, recorder.seen[-1])
            await self.rejoins(node, recorder)

    async def test_forgotten_meanwhile(self) -> None:
        """If the engine forgets the fleet while the connection is lost, the node joins again."""
        engine = self.start_engine()
        wire = await self.start_wire(engine)
        node, recorder = await self.start_member(wire)
        engine.ask("FLUSHALL")
        wire.cut()
        await self.rejoins(node, recorder)

    async def test_frozen(self) -> None:
        """While the engine is frozen, the watcher is told when half of the lease is over, and when all of it is."""
        engine = self.start_engine()
        node, recorder = await self.start_member(engine)
        engine.freeze()
        call = Deferred.fromCoroutine(node.run(NODES, keys(node)))
        self.clock.advance(2.0)
        self.clock.advance(0)
        await self.assertFailure(call, EngineError)
        self.assertEqual(recorder.seen[2:], ["unusable: it did not answer within 2 seconds"])
        self.clock.advance(LEASE / 2 - 2.0)
        self.assertEqual(recorder.seen[3:], ["endangered"])
        self.assertTrue(node.is_member)
        self.clock.advance(LEASE / 2 - 0.5)
        self.assertTrue(node.is_member)
        self.clock.advance(0.5)
        self.assertEqual(recorder.seen[4:], ["lost"])
        self.assertEqual((node.is_member, node.problem), (False, "it did not answer within 2 seconds"))
        engine.thaw()
        await self.rejoins(node, recorder)

    async def test_stopped_process(self) -> None:
        """A process that was stopped for longer than the lease knows at once that it is no member, and joins again."""
        node, recorder = await self.start_member(self.start_engine())
        call = Deferred.fromCoroutine(node.run(NODES, keys(node)))
        self.clock.rightNow += 2 * LEASE
        self.assertEqual(node.problem, "the lease has ended")
        await self.assertFailure(call, NotAMember)
        self.clock.advance(0)
        self.assertEqual(recorder.seen[2:], ["unusable: the lease has ended", "endangered", "lost"])
        await self.rejoins(node, recorder)

    async def test_late_timers(self) -> None:
        """If the timers are late because the host's clock was set back, it is enough that somebody has it look."""
        node, recorder = await self.start_member(self.start_engine())
        now = self.clock.seconds()
        with mock.patch.object(_node, "elapsed", lambda: now):
            node.look()
            self.assertEqual(node._valid_until, now + LEASE)
            now += LEASE / RENEWALS + 0.1
            node.look()
            node.look()
            await self.soon(lambda: node._valid_until == now + LEASE)
            now += LEASE / 2 + 0.1
            node.look()
            self.assertIn("endangered", recorder.seen)
            now += LEASE
            node.look()
            node.look()
            self.assertEqual(recorder.seen[-2:], ["unusable: the lease has ended", "lost"])

    async def test_full(self) -> None:
        """An engine without memory cannot renew a lease; the problem says what to do, until there is memory."""
        engine = self.start_engine()
        node, recorder = await self.start_member(engine)
        engine.fill()
        self.clock.advance(LEASE / RENEWALS)
        await self.soon(lambda: len(recorder.seen) > 2)
        self.assertRegex(str(node.connection.problem), "its memory is full.*raise its maxmemory")
        engine.empty()
        await self.is_usable(node)
        self.assertEqual(recorder.seen.count("joined"), 1)

    async def test_demoted(self) -> None:
        """An engine that becomes a replica is no engine, until it is the primary again."""
        engine = self.start_engine()
        node, recorder = await self.start_member(engine)
        engine.ask("REPLICAOF", "127.0.0.1", "1")
        self.clock.advance(LEASE / RENEWALS)
        await self.soon(lambda: "role is slave" in str(node.connection.problem))
        engine.ask("REPLICAOF", "NO", "ONE")
        await self.is_usable(node)
        self.assertTrue(any("has become a replica" in each for each in recorder.seen))

    async def test_says_nothing(self) -> None:
        """If a node cannot say what it is to say of itself, that is logged, and it comes back when it can."""
        node, recorder = await self.start_member(self.start_engine())
        recorder.said = KeyError("surprise")
        self.clock.advance(LEASE / RENEWALS)
        await self.soon(lambda: recorder.seen[-1].startswith("unusable"))
        recorder.said = {}
        await self.is_usable(node)
        self.assertTrue(self.flushLoggedErrors(KeyError))


class LeavingTests(NodeCase):
    """A node is gone."""

    async def claim(self, node: Node, count: int) -> None:
        """Claim so many names."""
        words = [
            word for number in range(count) for word in ("claim", f"name:edge:{number} of {node.settings.node}", 0)
        ]
        prefix = node.settings.prefix
        await node.run(CLAIMS, node.keys("state", "nodes", f"of:{node.incarnation}"), prefix, 1, *words)

    async def test_leaves(self) -> None:
        """A node that stops frees its names at once, and the engine forgets it."""
        engine = self.start_engine()
        node, _ = await self.start_member(engine)
        await self.claim(node, 3)
        await node.stop()
        self.assertEqual(names_of(engine), [])
        left = {key.decode().partition(":}")[0].rpartition(":")[2] for key in engine.ask("KEYS", "*")}
        self.assertEqual(left, {"state"})

    async def test_cannot_leave(self) -> None:
        """If the engine does not answer, a node stops all the same, and the log says what follows."""
        lines = lines_logged(self, MODULE)
        engine = self.start_engine()
        node, _ = await self.start_member(engine)
        engine.freeze()
        stopped = Deferred.fromCoroutine(node.stop())
        self.clock.advance(2.0)
        self.clock.advance(0)
        await stopped
        self.assertRegex(lines[-1], "could not be left: it did not answer.*free when the lease ends")
        engine.thaw()

    async def test_stopped_while_joining(self) -> None:
        """A node that is stopped while it joins has left when it has stopped, and nobody is told that it has joined."""
        engine = self.start_engine()
        node, recorder = self.start_node(engine)
        stopped: list[Deferred[None]] = []
        joins = JOIN.run

        async def join(*words: Any) -> Any:
            answer = await joins(*words)
            stopped.extend(Deferred.fromCoroutine(node.stop()) for _ in range(2))
            for _ in range(3):  # while the answer is on its way
                await deferLater(self.clock, 0)
            return answer

        with mock.patch.object(JOIN, "run", join):
            await self.soon(lambda: stopped)
            for each in stopped:
                await each
        self.assertEqual((names_of(engine), recorder.seen, self.clock.calls), ([], [], []))

    async def test_stopped_while_claiming(self) -> None:
        """So it is if the node is stopped while the names are claimed that it has had before."""
        engine = self.start_engine()
        node, recorder = self.start_node(engine)
        stopped: list[Deferred[None]] = []

        async def joined(last: bytes) -> None:
            stopped.append(Deferred.fromCoroutine(node.stop()))

        self.patch(recorder, "joined", joined)
        await self.soon(lambda: stopped)
        await stopped[0]
        self.assertEqual((names_of(engine), recorder.seen, self.clock.calls), ([], [], []))

    async def test_stopped_while_renewing(self) -> None:
        """A node that finds at a new connection that it was forgotten does not join again if it is stopped."""
        engine = self.start_engine()
        node, recorder = await self.start_member(engine)
        engine.ask("FLUSHALL")
        stopped: list[Deferred[None]] = []
        renews = RENEW.run

        async def renew(*words: Any) -> Any:
            stopped.append(Deferred.fromCoroutine(node.stop()))
            return await renews(*words)

        with mock.patch.object(RENEW, "run", renew), mock.patch.object(JOIN, "run", side_effect=EngineError) as join:
            engine.cut()
            await self.soon(lambda: stopped)
            await stopped[0]
        self.assertEqual((join.called, recorder.seen[2:]), (False, ["unusable: it has closed the connection"]))

    async def test_swept_up(self) -> None:
        """The names of a node that has gone are swept up by another, quickly, and the engine forgets the node."""
        engine = self.start_engine()
        wire = await self.start_wire(engine)
        ann, _ = await self.start_member(wire)
        bob, _ = await self.start_member(engine, "bob")
        await self.claim(ann, 2 * SWEPT)
        await self.claim(bob, 1)
        wire.down()
        engine.ask("ZADD", "{twisted_repeater:main}:nodes", "XX", "0", ann.incarnation)
        self.clock.advance(LEASE / RENEWALS)
        held = partial(engine.ask, "HLEN", "{twisted_repeater:main}:held")
        for left in (SWEPT + 1, 1):
            await self.soon(lambda left=left: held() == left and bob._renewal)
            self.clock.advance(SWEEPS)
        self.assertEqual(names_of(engine), ["bob"])

    async def test_nothing_stays(self) -> None:
        """No key of a fleet stays in the engine for ever."""
        engine = self.start_engine()
        node, _ = await self.start_member(engine)
        await self.claim(node, 3)
        self.clock.advance(LEASE / RENEWALS)
        for key in engine.ask("KEYS", "*"):
            self.assertGreater(engine.ask("TTL", key), 80_000, key)
