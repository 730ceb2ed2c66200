"""What the log says of a fleet's engine."""

from __future__ import annotations

from twisted_repeater.redis_fleet._node import RENEWALS

from ..logged import lines_logged
from .engines import Engine
from .node_case import LEASE, NodeCase

MODULE = "twisted_repeater.redis_fleet._engine_log"


class EngineLogTests(NodeCase):
    """The log of a node, from its start to its end."""

    async def test_log(self) -> None:
        """The log says once that the engine cannot be used, once each further reason, and once that it is back."""
        lines = lines_logged(self, MODULE)
        engine = self.start_engine(password="secret")
        engine.kill()
        node, recorder = self.start_node(engine)
        await self.soon(lambda: recorder.seen)
        self.clock.advance(1)
        engine.restart()
        await self.is_usable(node)
        engine.cut()
        await self.soon(lambda: len(recorder.seen) > 4)
        await self.is_usable(node)
        where = engine.address
        self.assertRegex(lines[0], rf"^the fleet's engine at {where} cannot be used: .*refused")
        self.assertEqual(lines[1], f"the fleet's engine at {where} is back after 1.0 seconds, for node ann of main")
        self.assertRegex(lines[2], "cannot be used: it has closed the connection")
        self.assertRegex(lines[3], "is back after 0.0 seconds")
        self.assertEqual(len(lines), 4)
        self.assertNotIn("secret", "".join(lines))

    async def test_log_once(self) -> None:
        """What prevents the lease from being renewed, and then the node from joining, is logged once."""
        for spoil, why in (
            (lambda engine: engine.ask("SET", "{twisted_repeater:main}:nodes", "x"), "something else uses the keys"),
            (Engine.fill, "its memory is full"),
        ):
            lines = lines_logged(self, MODULE)
            engine = self.start_engine()
            node, recorder = await self.start_member(engine)
            spoil(engine)
            self.clock.advance(LEASE / RENEWALS)
            calls = node.connection.calls + 6  # enough to fail again, and then once more
            await self.soon(lambda node=node, calls=calls: node.connection.calls > calls)
            self.assertRegex(lines[1], f"cannot be used: {why}")
            self.assertEqual((len(lines), len(recorder.seen)), (2, 3))
            engine.ask("FLUSHALL")
            engine.empty()
            await node.stop()

    async def test_log_first(self) -> None:
        """If all is well, the log says who the node is."""
        lines = lines_logged(self, MODULE)
        engine = self.start_engine()
        await self.start_member(engine)
        self.assertEqual(list(lines), [f"this process is node ann of the fleet main at {engine.address}"])
