"""The repeater with a ready dialect: without a filter, with one that looks at every message, or with rules.

Started as ``python -m tests.bench.programs.ready SERVER_PORT DIALECT FILTER``; prints its port.
"""

from __future__ import annotations

from twisted_repeater import Repeater, dialects

from .serving import run_repeater, tell_port
from .typed import FILTERS, RULES


async def run(server_port: int, dialect: str, chosen: str) -> None:
    """Start the repeater that was asked for."""
    repeater = await Repeater.create(
        getattr(dialects, dialect)(),
        repeater_name="repeater",
        listen="tcp:0:interface=127.0.0.1",
        server=f"tcp:127.0.0.1:{server_port}",
    )
    repeater.start(filters=FILTERS[dialect] if chosen == "typed" else RULES.get((dialect, chosen)))
    tell_port(repeater.port)


if __name__ == "__main__":
    run_repeater(run)
