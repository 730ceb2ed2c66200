"""One of the processes that share the ports, as its parent sees it: started, told what to do, and started again.

A process is *starting* until it says that it is ready, then it *runs*, until its end. After its end another one takes
its place: at once if it has run for a while, otherwise later and later.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._types import Reactor
from .parent_process import CHANNEL
from .process_number import NUMBER

__all__ = ["ChildProcess", "Command"]

log: Logger = Logger()

ORDERS, NOTICES = 3, 4
"""The descriptors of the child for the pipes from and to its parent."""

STABLE = 10.0
"""A process that has run for so many seconds has not failed to start."""

LONGEST_DELAY = 30.0
"""After how many seconds at most another process is started."""


class Command(NamedTuple):
    """How a process is started."""

    arguments: Sequence[str]
    """The program, and what follows it."""
    directory: str
    """Where it starts."""


class ChildProcess:
    """A place for a process, and the process that has it now.

    Args:
        number: its number.
        command: how to start it.
        reactor: the reactor.
        changed: called with this object after each change: the process is ready, has reloaded, or has ended.
    """

    def __init__(
        self, number: str, command: Command, reactor: Reactor, changed: Callable[[ChildProcess], object]
    ) -> None:
        self.number: str = number
        """Its number."""
        self.ready: bool = False
        """Whether it runs: its ports are bound."""
        self.was_ready: bool = False
        """Whether any process was ready at this place."""
        self.reloading: bool = False
        """Whether it is to reload, and has not said that this is over."""
        self.heard: float = 0.0
        """When the process has said something for the last time."""
        self.ended: str = ""
        """How the last process has ended."""
        self._command = command
        self._reactor = reactor
        self._changed = changed
        self._transport: Any = None
        self._ready_at = 0.0
        self._failures = 0
        self._next: IDelayedCall | None = None
        """Starts the next process."""

    @property
    def exists(self) -> bool:
        """Whether there is a process."""
        return self._transport is not None

    def start(self) -> None:
        """Start a process."""
        self._next = None
        arguments = [os.fsencode(argument) for argument in self._command.arguments]
        own = {NUMBER: self.number, CHANNEL: f"{ORDERS},{NOTICES}"}
        self._transport = self._reactor.spawnProcess(
            _Notices(self),
            arguments[0],
            arguments,
            {**os.environb, **{name.encode(): value.encode() for name, value in own.items()}},
            os.fsencode(self._command.directory),
            childFDs={0: 0, 1: 1, 2: 2, ORDERS: "w", NOTICES: "r"},
        )

    def start_again(self) -> None:
        """Start another process in the place of one that has ended, unless this has failed lately: then do it later."""
        delay = min(2.0 ** (self._failures - 2), LONGEST_DELAY) if self._failures > 1 else 0.0
        when = f"in {delay:.0f} seconds" if delay else "now"
        log.warn(
            "process {number} has ended, {how}; it is started again {when}",
            number=self.number,
            how=self.ended,
            when=when,
        )
        self._next = self._reactor.callLater(delay, self.start)

    def stop(self) -> None:
        """Start no other process, and do not reload any more."""
        self.reloading = False
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def order(self, order: str) -> None:
        """Give an order, if there is a process."""
        if self._transport is not None:
            with suppress(KeyError):  # it is ending, and its pipe is closed
                self._transport.writeToChild(ORDERS, f"{order}\n".encode())

    def reload(self) -> None:
        """Have the process reload: now, or when it is ready, because it may have read its files before."""
        if self.exists:
            self.reloading = True
            if self.ready:
                self.order("reload")

    def kill(self) -> None:
        """End the process at once, if there is one."""
        if self._transport is not None:
            with suppress(ProcessExitedAlready):
                self._transport.signalProcess("KILL")

    def is_silent(self, seconds: float) -> bool:
        """Return whether it should have said that it lives, and has not for so long."""
        return self.ready and self._reactor.seconds() - self.heard > seconds

    def _said(self, transport: object, notice: str) -> None:
        if transport is not self._transport:
            return  # the process has ended, and may have left some notices in the pipe
        now = self.heard = self._reactor.seconds()
        if notice == "stopping":
            self.ready = self.reloading = False
        elif notice == "ready" and not self.ready:
            self.ready = self.was_ready = True
            self._ready_at = now
            if self.reloading:
                self.order("reload")
        elif notice == "ready":
            self.reloading = False
        else:
            return
        self._changed(self)

    def _has_ended(self, reason: Failure) -> None:
        for pipe in (ORDERS, NOTICES):  # programs that the process has started may have them open
            self._transport.closeChildFD(pipe)
        self._transport = None
        self.ended = _how(reason.value)
        stable = self.ready and self._reactor.seconds() - self._ready_at >= STABLE
        self._failures = 0 if stable else self._failures + 1
        self.ready = self.reloading = False
        self._changed(self)


class _Notices(ProcessProtocol):
    """The pipes to one process."""

    def __init__(self, child: ChildProcess) -> None:
        self._child = child
        self._part = b""

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Read notices. See `IProcessProtocol`."""
        *notices, self._part = (self._part + data).split(b"\n")
        for notice in notices:
            self._child._said(self.transport, notice.decode())

    def processExited(self, reason: Failure) -> None:
        """See `IProcessProtocol`. Not `processEnded`, which waits for what the process has started."""
        self._child._has_ended(reason)


def _how(ended: Any) -> str:
    """Return how a process has ended."""
    if ended.signal is not None:
        return f"by {signal.Signals(ended.signal).name}"
    return f"with status {ended.exitCode}"
