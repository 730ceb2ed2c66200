"""A process for the administration to administer: real repeaters, without the service.

``python -m tests.service.admin.administered`` runs one, with a server that echoes lines and an administration, and
prints the ports as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from twisted_repeater import Dialect, Repeater, dialects
from twisted_repeater._alone import Alone
from twisted_repeater.fleet import Entry, Fleet
from twisted_repeater.observers.metrics import MetricsObserver
from twisted_repeater.service.admin import RecentErrors, administration
from twisted_repeater.service.recording import ServiceRecording
from twisted_repeater.service.service_entrant import SERVICE, ServiceEntrant

__all__ = ["Outcome", "Process", "Running", "lines_dialect"]


@dataclass
class Outcome:
    """See `ReloadOutcome`."""

    repeater: str = ""
    error: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)


class Running:
    """A repeater; see `AdministeredRepeater`. Give ``metrics`` and ``errors`` to the repeater as observers.

    ``reloads`` has what `reload` returns, the next one first.
    """

    def __init__(self, name: str = "edge", *, recording: ServiceRecording | None = None, **facts: str) -> None:
        self.name = name
        self.facts: Mapping[str, str] = facts or {"dialect": "int32", "server": "tcp:127.0.0.1:1"}
        self.metrics = MetricsObserver()
        self.errors = RecentErrors()
        self.recording = recording
        self.started = time.time()
        self.reloads: list[Outcome] = []
        self.repeater: Repeater
        self.dialect: Dialect

    @property
    def observers(self) -> list[Any]:
        """The observers of the repeater."""
        return [self.metrics, self.errors]

    def reload(self) -> Outcome:
        """See `AdministeredRepeater`."""
        return self.reloads.pop(0) if self.reloads else Outcome(self.name)


class Process:
    """A process; see `Administered`. ``drained_over`` has the times that another node has drained it over."""

    def __init__(self, *running: Running, fleet: Fleet | None = None) -> None:
        self.repeaters: dict[str, Running] = {each.name: each for each in running}
        self.reasons: list[str] = []
        self.drained = 0
        self.drained_over: list[float | None] = []
        self.fleet: Fleet = fleet or Alone()
        self.entry: Entry = self.fleet.enter(SERVICE, ServiceEntrant(self.drained_over.append))

    def unready(self) -> list[str]:
        """See `Administered`."""
        return self.reasons

    def reload(self) -> list[Outcome]:
        """See `Administered`."""
        return [each.reload() for each in self.repeaters.values()]

    def drain(self) -> None:
        """See `Administered`."""
        self.drained += 1


class Echo(Protocol):
    """A server that sends back what it gets."""

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.write(data)


def lines_dialect() -> Dialect:
    """Return a dialect of lines, without an opening."""
    return dialects.delimited(end=b"\n")


async def _run(token: str | None, record: str) -> None:
    from twisted.internet import reactor as installed_reactor

    reactor: Any = installed_reactor
    server = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1").getHost().port
    running = Running(dialect="lines", server=f"tcp:127.0.0.1:{server}", listen="tcp:0:interface=127.0.0.1")
    if record:
        running.recording = ServiceRecording({"path": record}, running.metrics, reactor)
    running.dialect = lines_dialect()
    running.repeater = await Repeater.create(
        running.dialect,
        repeater_name="edge",
        listen="tcp:0:interface=127.0.0.1",
        server=f"tcp:127.0.0.1:{server}",
        observers=running.observers,
    )
    running.repeater.start()
    site = administration(Process(running), token=token, reactor=reactor)
    admin = reactor.listenTCP(0, site, interface="127.0.0.1").getHost().port
    print(json.dumps({"admin": admin, "repeater": running.repeater.port, "server": server}), flush=True)


def main() -> None:
    """Run until a signal comes."""
    from twisted.internet import reactor as installed_reactor
    from twisted.python.log import startLogging

    parser = argparse.ArgumentParser()
    parser.add_argument("--token")
    parser.add_argument("--record", default="")
    options = parser.parse_args()
    startLogging(sys.stderr, setStdout=False)
    reactor: Any = installed_reactor
    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(_run(options.token, options.record)))
    reactor.run()


if __name__ == "__main__":
    main()
