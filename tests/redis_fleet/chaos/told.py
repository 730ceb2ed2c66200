"""A program of a chaos, which does what it is told on a connection to the test.

Each line is JSON: a call has an ``id``, and so has its answer. A line without one is news.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.protocols.basic import LineReceiver

__all__ = ["Told", "begin", "reactor"]

reactor: Any = installed


class Told(LineReceiver):
    """The program, as told by the test: a call is a method whose name begins with ``do_``."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    async def start(self) -> None:
        """Begin."""

    def connectionLost(self, reason: object = None) -> None:
        """The test is over."""
        os._exit(1)

    def tell(self, **news: Any) -> None:
        """Tell the test something."""
        self.sendLine(json.dumps(news).encode())

    def lineReceived(self, line: bytes) -> None:
        """Make a call."""
        Deferred.fromCoroutine(self._make(json.loads(line)))

    async def _make(self, call: dict[str, Any]) -> None:
        try:
            value = await getattr(self, f"do_{call['call']}")(*call["arguments"])
        except Exception as error:
            self.tell(id=call["id"], error=f"{type(error).__name__}: {error}")
        else:
            self.tell(id=call["id"], value=value)


def begin(kind: Callable[[dict[str, Any]], Told]) -> None:
    """Run a program, with the options on its command line."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(_connect(kind(json.loads(sys.argv[1])))))
    reactor.run()


async def _connect(program: Told) -> None:
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", program.options["control"])
    await connectProtocol(endpoint, program)
    program.tell(node=program.options["node"])
    try:
        await program.start()
    except Exception as error:
        program.tell(failed=f"{type(error).__name__}: {error}")
    else:
        program.tell(started=os.getpid())
