"""A node of a chaos: a repeater in a fleet, which does what it is told by the test."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.task import LoopingCall

from twisted_repeater import Repeater, SameName, dialects

from .told import Told, begin, reactor
from .wire import SERVER

LOOK = 0.1
"""Seconds between two looks at whether the process has stood still."""

LATE = 0.3
"""How many seconds later than that a look may be."""


class Node(Told):
    """The node, as told by the test."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.fleet: Any = None
        self.repeater: Any = None
        self.looked = time.monotonic()
        self.clock_is_off = 0.0
        reactor.seconds = lambda: time.time() + self.clock_is_off  # Twisted goes by the clock that people set

    def look(self) -> None:
        """Tell if this process has stood still."""
        late = time.monotonic() - self.looked - LOOK
        self.looked = time.monotonic()
        if late > LATE:
            self.tell(late=late)

    async def start(self) -> None:
        """Make the repeater, and let it accept clients."""
        options = self.options
        dialect = dialects.int32().changed(same_name=SameName(options["same_name"]))
        if options["engine"]:
            from twisted_repeater.redis_fleet import NewcomersWithoutEngine, OnLeaseLost, RedisFleet

            self.fleet = RedisFleet(
                options["engine"],
                node=options["node"],
                lease=options["lease"],
                timeout=options["lease"] / 4,
                on_lease_lost=OnLeaseLost(options["policy"]),
                newcomers=NewcomersWithoutEngine(options["newcomers"]),
                on_change=lambda problem: self.tell(problem=problem),
            )
            self.fleet.start()
        self.repeater = await Repeater.create(
            dialect,
            repeater_name="edge",
            server_name=SERVER,
            listen=f"tcp:{options['port']}:interface=127.0.0.1",
            server=f"tcp:127.0.0.1:{options['server']}:bindAddress={options['address']}",
            fleet=self.fleet,
        )
        self.repeater.start()
        LoopingCall(self.look).start(LOOK)

    # -- calls -----------------------------------------------------------------------------------------------

    async def do_fleet(self, name: str, arguments: list[Any], options: dict[str, Any]) -> Any:
        """Make a call of the repeater's fleet."""
        messages = [each.encode() if each.startswith(("b ", "f ")) else each for each in arguments]
        answer = await getattr(self.repeater.fleet, name)(*messages, **options)
        return {"id": answer.id, "done": answer.done, "failed": answer.failed}

    async def do_find(self, name: str) -> list[str]:
        """Return the nodes that have a name."""
        return list(await self.repeater.fleet.find(name))

    async def do_nodes(self) -> list[str]:
        """Return the names of the nodes."""
        return [node.name for node in await self.repeater.fleet.nodes()]

    async def do_problem(self) -> str | None:
        """Return why this node is no member."""
        return None if self.fleet is None else self.fleet.problem

    async def do_clock(self, seconds: float) -> None:
        """Have a clock that is off by so many seconds."""
        self.clock_is_off = seconds

    async def do_drain(self, over: float) -> None:
        """Drain the repeater, and leave the fleet."""
        await self.repeater.drain(over)
        await self.do_leave()

    async def do_leave(self) -> None:
        """Shut the repeater down, and leave the fleet."""
        await self.repeater.shutdown()
        if self.fleet is not None:
            await self.fleet.stop()


if __name__ == "__main__":
    begin(Node)
