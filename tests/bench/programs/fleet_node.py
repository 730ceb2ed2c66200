"""A repeater that is a node of a fleet, or belongs to none, and does what it is told.

Started as ``python -m tests.bench.programs.fleet_node SERVER_PORT ENGINE OPTIONS``: the address of the engine, or
``-``; and the name of the node and the lease, as JSON. It prints its port, reads commands, a line each, and answers
each with a line of JSON.
"""

from __future__ import annotations

import json
import sys
from time import monotonic
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.stdio import StandardIO
from twisted.internet.task import deferLater
from twisted.protocols.basic import LineOnlyReceiver

from twisted_repeater import Limits, Repeater, dialects
from twisted_repeater.redis_fleet import RedisFleet

from .serving import run_repeater, tell_port

AT_ONCE = 5000
"""How many names are claimed side by side."""


class TimedFleet(RedisFleet):
    """Knows how long it took to claim its names again."""

    joins = 0
    seconds = 0.0

    async def joined(self, last: bytes) -> None:
        """See `Watcher`."""
        began = monotonic()
        await super().joined(last)
        self.seconds = monotonic() - began
        self.joins += 1


class Commands(LineOnlyReceiver):
    """Does what standard input says, one after the other."""

    delimiter = b"\n"

    def __init__(self, repeater: Repeater, fleet: TimedFleet) -> None:
        self._repeater = repeater
        self._fleet = fleet
        self._claims: Any = repeater._entry.claims

    def lineReceived(self, line: bytes) -> None:
        """Do it; answer when it is done."""
        command, number = line.decode().split()
        done: Deferred[dict[str, float]] = Deferred.fromCoroutine(getattr(self, command)(int(number)))
        done.addCallback(lambda answer: print(json.dumps(answer), flush=True))
        done.addErrback(lambda failure: failure.printTraceback(sys.stderr))

    async def claim(self, count: int) -> dict[str, float]:
        """Claim so many names, as links would."""
        began = monotonic()
        for first in range(0, count, AT_ONCE):
            names = (f"client-{number:08}" for number in range(first, min(first + AT_ONCE, count)))
            await gatherResults([Deferred.fromCoroutine(self._claims.claim(name, 60.0)) for name in names])
        return {"seconds": monotonic() - began}

    async def renew(self, count: int) -> dict[str, float]:
        """Renew the lease so often."""
        for _ in range(count):
            await self._fleet._node._renew_now()
        return {}

    async def nodes(self, count: int) -> dict[str, float]:
        """Ask for the nodes so often."""
        for _ in range(count):
            found = await self._fleet.nodes()
        return {"nodes": len(found), "bytes": len(json.dumps(dict(self._fleet.info())))}

    async def broadcast(self, size: int) -> dict[str, float]:
        """Send a message of this size to all clients of the fleet."""
        answer = await self._repeater.fleet.send_to_all_clients(b"." * size, timeout=60.0)
        if not answer.done:
            raise RuntimeError(str(answer))
        return {"answered": monotonic(), "clients": sum(each.value for each in answer.nodes.values())}

    async def joined(self, times: int) -> dict[str, float]:
        """Wait until the node has joined so often, and has its names."""
        while self._fleet.joins < times or self._fleet.problem:
            await deferLater(reactor, 0.01)
        return {"seconds": self._fleet.seconds, "calls": self._fleet._node.connection.calls}


async def run(server_port: int, engine: str, options: str) -> None:
    """Start it."""
    given = json.loads(options)
    fleet = None
    if engine != "-":
        fleet = TimedFleet(engine, node=given["node"], lease=given["lease"], timeout=min(2.0, given["lease"] / 2))
        fleet.start()
        await fleet.when_member()
    repeater = await Repeater.create(
        dialects.int32(),
        repeater_name="repeater",
        server_name="server",
        listen="tcp:0:interface=127.0.0.1:backlog=1000",
        server_ip="127.0.0.1",
        server_port=server_port,
        is_client_allowed=bool,
        limits=Limits(max_clients=8000),
        fleet=fleet,
    )
    repeater.start()
    tell_port(repeater.port)
    if fleet is not None:
        StandardIO(Commands(repeater, fleet))


if __name__ == "__main__":
    run_repeater(run)
