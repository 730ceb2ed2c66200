"""What every proxy that is written with Twisted does in the end."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor

__all__ = ["serve", "tell_port"]


def serve(factory: Any) -> None:
    """Listen on a free port, tell which, and run until the process is ended."""
    host: Any = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost()
    tell_port(host.port)
    reactor.run()


def tell_port(port: int) -> None:
    """Say it to the benchmark."""
    print(json.dumps({"port": port}), flush=True)
