"""A repeater before the server on a port: ``repeater.py SERVER_PORT [FILTER] [LIMIT=SECONDS ...]``.

Prints what its callbacks hear. Obeys the lines that it reads: ``status``, ``go`` (the filters that wait may answer),
``flood NAME SIZE`` (send messages of that size to a client until it is gone), ``close NAME``, ``shutdown``.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver

from twisted_repeater import PASS_ON, Direction, Limits, Repeater, SendBack, Side, dialects

reactor: Any = installed_reactor

waiting: list[Deferred[Any]] = []


def wait(message: bytes, link: Any) -> Any:
    """Wait with the first message until ``go``."""
    if waiting:
        return PASS_ON
    waiting.append(Deferred())
    return waiting[0]


def answer(message: bytes, link: Any) -> Any:
    """Answer every message with itself."""
    return SendBack([message])


def look(message: bytes, link: Any) -> Any:
    """Pass everything on."""
    return PASS_ON


def on_error(link: Any, side: Side, error: Any) -> None:
    """Print it, and end the link as by default."""
    reason = type(getattr(error, "reason", error)).__name__
    print("error", link.client_name, side.value, type(error).__name__, reason, flush=True)
    if getattr(error, "half_closed", False):
        link.finish()
    else:
        link.close(error)


class Commands(LineReceiver):
    """Obeys lines."""

    delimiter = b"\n"

    def __init__(self, repeater: Repeater, done: Deferred[None]) -> None:
        self.repeater = repeater
        self.done = done

    def lineReceived(self, line: bytes) -> None:
        """A command came."""
        command, *arguments = line.decode().split()
        getattr(self, command)(*arguments)

    def status(self) -> None:
        """Print the names of the linked clients, and how much was received from and for the first."""
        received = [link.received(direction)[1] for link in self.repeater.links()[:1] for direction in Direction]
        print("status", *sorted(self.repeater.active_clients()), received, flush=True)

    def go(self) -> None:
        """Let what waits go on."""
        waiting[0].callback(PASS_ON)

    def flood(self, name: str, size: str) -> None:
        """Send to a client until it is gone."""
        link = self.repeater.link(name)
        if link is not None and name in self.repeater.active_clients():
            for _ in range(max(1, 10_000 // int(size))):
                link.send_to_client(bytes(int(size)))
            reactor.callLater(0, self.flood, name, size)

    def close(self, name: str) -> None:
        """Close a link."""
        self.repeater.close_connection_from_client(name)

    def shutdown(self) -> None:
        """Shut down, and end."""
        self.repeater.shutdown().chainDeferred(self.done)


async def main(reactor: Any, server_port: str, filter_name: str = "", *limits: str) -> None:
    """Run until ``shutdown``."""
    numbers: Any = {name: float(value) for name, value in (limit.split("=") for limit in limits)}
    repeater = await Repeater.create(
        dialects.int32(),
        repeater_name="edge-1",
        server_name="quotes",
        listen="tcp:0:interface=127.0.0.1",
        server_ip="127.0.0.1",
        server_port=int(server_port),
        is_client_allowed=lambda name: True,
        limits=Limits(**numbers),
    )
    given = globals().get(filter_name)
    repeater.start(
        to_server_filter=given,
        to_client_filter=None if given is answer else given,
        on_error=on_error,
        on_connecting_error=lambda name, server, error: print("refused", name, type(error).__name__, flush=True),
    )
    done: Deferred[None] = Deferred()
    StandardIO(Commands(repeater, done))
    print("port", repeater.port, flush=True)
    await done


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
