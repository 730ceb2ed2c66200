"""A program with a repeater that belongs to a fleet; SIGTERM drains it: ``… PORT SERVER_PORT ENGINE NODE``."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from twisted_repeater import Repeater, dialects
from twisted_repeater.redis_fleet import RedisFleet


async def run(reactor: Any, port: str, server: str, engine: str, node: str) -> None:
    """Join the fleet, then accept clients, until the end."""
    fleet = RedisFleet(engine, node=node, reactor=reactor)
    fleet.start()
    await fleet.when_member()
    repeater = await Repeater.create(
        dialects.int32(),
        repeater_name="edge",
        server_name="server",
        listen=f"tcp:{port}:interface=127.0.0.1",
        server=f"tcp:127.0.0.1:{server}",
        fleet=fleet,
    )
    repeater.start()

    async def end() -> None:
        await repeater.drain(2.0)
        await repeater.shutdown()
        await fleet.stop()

    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(end()))
    await Deferred()


if __name__ == "__main__":
    react(run, sys.argv[1:])
