"""The port of a repeater: it accepts clients until it is closed, at once or after those who wait are accepted."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._slices import in_slices
from .descriptors import PortGuard, guard_port
from .port_switch import PortSwitch, switch_of
from .valve import Valve

__all__ = ["Listening"]

log: Logger = Logger()

MAX_WAITING = 4096
"""How many clients are accepted at most before the port is closed: as many as wait at a usual system."""


class Listening:
    """A port with what stops and resumes its accepting.

    Args:
        port: what an endpoint made.
        clock: for trying again, and for timeouts.
    """

    def __init__(self, port: IListeningPort, clock: IReactorTime) -> None:
        self.address: Any = port.getHost()
        """The address that is, or was, listened on."""
        self.valve: Valve | None = None
        """Stops and resumes the accepting; ``None`` if the port cannot do that."""
        self.switch: PortSwitch | None = None
        """Stops and resumes the listening; ``None`` if the port cannot do that."""
        self._port = port
        self._clock = clock
        self._guard: PortGuard | None = None
        self._closed: Deferred[None] | None = None
        if hasattr(port, "pauseProducing"):
            self.valve = Valve(port)  # type: ignore[arg-type]
            self._guard = guard_port(port, self.valve, clock)
            self.switch = switch_of(port, self.valve, clock)

    def hand_over(self) -> IListeningPort:
        """Return the port, which reads, to somebody who listens at it from now on, and closes it. This one is closed.

        Raises:
            ValueError: it cannot be handed over.
        """
        if self._closed is not None or self.valve is None or self.valve.has("down"):
            raise ValueError("its port cannot be taken over now: it is closed, by a fault for example")
        self.valve.detach()
        if self.valve.closed:
            self._port.resumeProducing()  # type: ignore[attr-defined]
        if self._guard is not None:
            self._guard.stop()
            self._port.socket = self._guard.listening  # type: ignore[attr-defined]
        self._closed = succeed(None)
        return self._port

    def take_back(self) -> None:
        """Listen again at the port that was handed over, which reads."""
        assert self.valve is not None
        self._closed = None
        if self._guard is not None:
            self._port.socket = self._guard  # type: ignore[attr-defined]
            self.valve.open("descriptors")  # the guard, which was stopped, closes it again if need be
        self.valve.attach(self._port)  # type: ignore[arg-type]

    async def close_in_order(self, timeout: float) -> None:
        """Accept those who wait in the listen queue, then close: the system would reset them."""
        if self._closed is None and self._guard is not None:
            await in_slices(self._clock, self._accept_waiting())
        await self.close(timeout)

    def _accept_waiting(self) -> Iterator[None]:
        poll = select.poll()
        poll.register(self._port.fileno(), select.POLLIN)  # type: ignore[attr-defined]
        for _ in range(MAX_WAITING):
            if self._closed is not None or (self.valve is not None and self.valve.closed) or not poll.poll(0):
                break
            self._port.doRead()  # type: ignore[attr-defined]
            yield

    def close(self, timeout: float) -> Deferred[None]:
        """Close the port.

        Returns:
            A Deferred of its own for each call. It fires when the port is closed, or after so many seconds. That of the
            first call fails if the port does.
        """
        done: Deferred[None] = Deferred()
        if self._closed is None:
            if self.valve is not None:
                self.valve.detach()
            if self._guard is not None:
                self._guard.stop()
            stop: Callable[[], Any] = self._port.stopListening
            self._closed = maybeDeferred(stop)
            self._closed.addTimeout(timeout, self._clock, onTimeoutCancel=_still_listening)
        self._closed.addBoth(_passed_to, done)
        return done


def _passed_to(result: Any, done: Deferred[None]) -> None:
    if not done.called:  # it was cancelled, say
        done.callback(result if isinstance(result, Failure) else None)


def _still_listening(result: object, timeout: float) -> None:
    log.error("the port has not stopped listening within {timeout} seconds; nobody is accepted", timeout=timeout)
