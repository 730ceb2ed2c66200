"""How a repeater ends: its port, its links, and those who wait for that."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._sockets.listening import Listening
from .draining import Draining
from .factory import RepeaterFactory

__all__ = ["EndingRepeater"]

log: Logger = Logger()


class EndingRepeater:
    """Drains, shuts down and aborts a repeater; the methods of `Repeater` say what that means.

    Args:
        factory: the repeater's links.
        listening: its port.
        leave: called at the end, when every connection is gone.
    """

    def __init__(self, factory: RepeaterFactory, listening: Listening, leave: Callable[[], object]) -> None:
        self.draining: Draining | None = None
        """Drains the links, from the first call of `drain` on."""
        self.over = False
        """Whether it is shut down."""
        self._factory = factory
        self._listening = listening
        self._leave = leave
        self._stopping = False
        self._failure: Failure | None = None
        """Why `shutdown` failed, if it did."""
        self._callers: list[Deferred[None]] = []

    def stop_listening(self) -> Deferred[None]:
        """See `Repeater`."""
        return Deferred.fromCoroutine(self._listening.close_in_order(self._factory.claim.limits.close_timeout))

    def drain(self, over: float) -> Deferred[None]:
        """See `Repeater`."""
        if not 0 <= over < inf:
            raise ValueError(f"over must be at least 0, in seconds, not {over!r}")
        if self._stopping:
            return self._when_links_over()
        if self.draining is None:
            self.draining = draining = Draining(self._factory.links)
            done = draining.drain(over)
            self.stop_listening().addErrback(_log_failure).addCallback(lambda _: draining.stopped_listening())
            return done
        return self.draining.drain(over)

    def _when_links_over(self) -> Deferred[None]:
        """The repeater is being shut down, and ``shutdown`` reports what fails."""
        return self.shutdown().addErrback(lambda _: None)

    def shutdown(self) -> Deferred[None]:
        """See `Repeater`."""
        done: Deferred[None] = Deferred()
        self._callers.append(done)
        if self.over:
            self._is_shut_down(self._failure)
        elif not self._stopping:
            self._stopping = True  # first: callbacks may call this again
            if self.draining is not None:
                self.draining.end()
            Deferred.fromCoroutine(self._shut_down()).addBoth(self._is_shut_down)
        return done

    def abort(self) -> Deferred[None]:
        """See `Repeater`."""
        done = self.shutdown()
        self._factory.links.abort_all()
        return done

    async def _shut_down(self) -> None:
        factory = self._factory
        not_listening = self._listening.close(factory.claim.limits.close_timeout)
        try:
            await factory.links.close_all()
            await factory.links.watches.end()
            await not_listening
        finally:
            self._leave()
            factory.claim.give_back()
            factory.faults.stop()
            factory.byte_faults.stop()

    def _is_shut_down(self, result: Failure | None) -> None:
        self.over, self._failure = True, result
        callers, self._callers = self._callers, []
        for done in callers:
            if result is None:
                done.callback(None)
            else:  # a Failure of its own for each, as whoever handles one changes it
                done.errback(Failure(result.value, result.type, result.getTracebackObject()))


def _log_failure(failure: Failure) -> None:
    log.failure("a port could not be closed", failure=failure)
