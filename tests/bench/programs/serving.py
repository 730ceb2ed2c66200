"""What every proxy that is written with Twisted does in the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

__all__ = ["run_repeater", "serve", "tell_port"]


def serve(factory: Any) -> None:
    """Listen on a free port, tell which, and run until the process is ended."""
    host: Any = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost()
    tell_port(host.port)
    reactor.run()


def run_repeater(start: Callable[..., Coroutine[Any, Any, None]], log: ILogObserver | None = None) -> None:
    """Start a repeater with the arguments of the command line, and run until the process is ended.

    Args:
        start: a coroutine function of the port of the server, and of the words that follow.
        log: writes the log; ``None`` for Twisted's own, to the standard error.
    """
    globalLogBeginner.beginLoggingTo([log or textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    Deferred.fromCoroutine(start(int(sys.argv[1]), *sys.argv[2:])).addErrback(_give_up)
    reactor.run()


def _give_up(failure: Failure) -> None:
    """Say why the repeater did not start."""
    failure.printTraceback(sys.stderr)
    reactor.callWhenRunning(reactor.stop)


def tell_port(port: int) -> None:
    """Say it to the benchmark."""
    print(json.dumps({"port": port}), flush=True)
