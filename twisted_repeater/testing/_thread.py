"""A repeater in a thread of its own, for tests whose client and server are real programs, in any language."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, ParamSpec

from twisted.internet.defer import maybeDeferred
from twisted.internet.epollreactor import EPollReactor

from .._repeater import Repeater
from ..dialects import Dialect
from ..faults import ActiveFault, Fault
from ..model import Direction
from ..watching import WatchedMessage
from ._breaking import Breaking
from ._recorder import Recorder
from ._running import START_OPTIONS
from ._transcript import Event, Remark, Transcript, __tracebackhide__

__all__ = ["ThreadRepeater", "__tracebackhide__"]

P = ParamSpec("P")

ENTRIES = 10_000
"""How many entries of a transcript are kept: a client may send for hours."""

PATIENCE = 30.0
"""How many seconds a call into the thread may take."""


class OwnReactor(EPollReactor):
    """A reactor beside the global one. It closes its own files at the end, which Twisted leaves to the process."""

    # The thread of the global reactor stays the one that Twisted knows as its own.
    _registerAsIOThread = False

    def run_to_the_end(self) -> None:
        """Run until `stop`."""
        self.run(installSignalHandlers=False)  # only the main thread can have them
        self.removeAll()  # type: ignore[no-untyped-call]
        for reader in set(self._internalReaders):
            self.removeReader(reader)  # type: ignore[no-untyped-call]
            reader.connectionLost(None)
        self._poller.close()


class ThreadRepeater:
    """A running repeater in a thread of its own, on a free port of 127.0.0.1, before a real server.

    Your test may block: it calls client libraries, or waits for programs, while the repeater relays. The thread has a
    reactor of its own, so that it works with pytest, trial and unittest, whatever reactor they run.

    Use it in a ``with`` statement, or `close` it at the end.

    Args:
        dialect: the dialect of clients and server.
        server: the endpoint of the server, such as ``tcp:127.0.0.1:1883``.
        fault_seed: what the seeds of faults that have none are drawn from; see `breaking`.
        options: any other argument of `Repeater.create` and `Repeater.start`. Filters and callbacks are called in the
            thread of the repeater.
    """

    def __init__(self, dialect: Dialect, *, server: str, fault_seed: int | None = None, **options: Any) -> None:
        self.transcript: Transcript = Transcript(most=ENTRIES)
        """What happened, in order: links, messages, verdicts, faults and errors. The last 10,000 entries are kept."""
        self._breaking = Breaking(self.transcript, fault_seed)
        start = {name: options.pop(name) for name in START_OPTIONS & set(options)}
        recorder = Recorder(self.transcript)
        options["observers"] = (recorder, *options.get("observers", ()))
        defaults = {"repeater_name": "repeater", "listen": "tcp:0:interface=127.0.0.1", "server": server}
        self._reactor: Any = OwnReactor()  # type: ignore[no-untyped-call]
        self._thread = threading.Thread(target=self._reactor.run_to_the_end, name="repeater", daemon=True)
        self._thread.start()
        try:
            self.repeater: Repeater = self.call(Repeater.create, dialect, **defaults | options, reactor=self._reactor)
            """The repeater itself. Its methods belong to the thread: use `call`."""
            self.call(self.repeater.watch, self._watched)
            self.call(self.repeater.start, **start)
        except BaseException:
            self.close()
            raise

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that clients connect to."""
        return self.repeater.port

    def call(self, function: Callable[P, object], *arguments: P.args, **options: P.kwargs) -> Any:
        """Call a function in the thread of the repeater, and return its result; that of its Deferred, if it has one.

        Args:
            function: such as ``repeater.repeater.drop_new_clients``.
            arguments: its arguments.
            options: its keyword arguments.

        Raises:
            TimeoutError: it has no result within 30 seconds.
            Exception: what it raised.
        """
        result: Future[object] = Future()

        def call() -> None:
            called = maybeDeferred(function, *arguments, **options)
            called.addCallbacks(result.set_result, lambda failure: result.set_exception(failure.value))

        self._reactor.callFromThread(call)
        return result.result(PATIENCE)

    def _watched(self, seen: WatchedMessage) -> None:
        """Record a message, the verdict of its filter, and what went out."""
        to_server, client = seen.direction is Direction.TO_SERVER, seen.link.client_name
        shown = seen.payload if seen.message is None else seen.message
        if seen.frame:
            self.transcript.add(Event.CLIENT_SENDS if to_server else Event.SERVER_SENDS, client, shown, seen.frame)
        if seen.by_filter:
            self.transcript.add(Event.TO_SERVER if to_server else Event.TO_CLIENT, client, seen.verdict)
        for event, went_out in ((Event.SERVER_GETS, seen.to_server), (Event.CLIENT_GETS, seen.to_client)):
            if went_out:
                value = shown if went_out == seen.frame else Remark(f"bytes {went_out!r}")
                self.transcript.add(event, client, value, went_out)

    @contextmanager
    def breaking(self, fault: Fault) -> Iterator[ActiveFault]:
        """Break something in a ``with`` block, on links that are there and links to come.

        Args:
            fault: what to break. Without a seed it gets one that the transcript shows.

        Returns:
            The fault with its counters, such as `ActiveFault.hit`.
        """
        active = self.call(self._breaking.set, self.repeater.faults, fault)
        try:
            yield active
        finally:
            self.call(self._breaking.remove, self.repeater.faults, active)

    def close(self) -> None:
        """End the links and the thread. You may call this again."""
        if not self._thread.is_alive():
            return
        try:
            if hasattr(self, "repeater"):
                self.call(self.repeater.abort)
        finally:
            self._reactor.callFromThread(self._reactor.stop)
            self._thread.join(PATIENCE)

    def __enter__(self) -> ThreadRepeater:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
