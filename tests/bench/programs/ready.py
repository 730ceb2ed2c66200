"""The repeater with a ready dialect, without a filter or with one that looks at every message of both directions.

Started as ``python -m tests.bench.programs.ready SERVER_PORT DIALECT FILTER``; prints its port.
"""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from twisted_repeater import Repeater, dialects

from .repeater import give_up
from .serving import tell_port
from .typed import FILTERS


async def run(server_port: int, dialect: str, chosen: str) -> None:
    """Start the repeater that was asked for."""
    repeater = await Repeater.create(
        getattr(dialects, dialect)(),
        repeater_name="repeater",
        listen="tcp:0:interface=127.0.0.1",
        server=f"tcp:127.0.0.1:{server_port}",
    )
    repeater.start(filters=FILTERS[dialect] if chosen == "typed" else None)
    tell_port(repeater.port)


def main() -> None:
    """Serve until the process is ended."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    Deferred.fromCoroutine(run(int(sys.argv[1]), *sys.argv[2:4])).addErrback(give_up)
    reactor.run()


if __name__ == "__main__":
    main()
