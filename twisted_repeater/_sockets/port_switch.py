"""Stops listening and listens again, at the same port."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.tcp import Port
from twisted.logger import Logger

from .valve import Valve

__all__ = ["PortSwitch", "switch_of"]

log: Logger = Logger()

AGAIN = 1.0
"""How many seconds pass until the switch tries again to listen."""


def switch_of(port: object, valve: Valve, clock: IReactorTime) -> PortSwitch | None:
    """Return the switch of a port; ``None`` if it is not one of TCP, or another program has opened it.

    Args:
        port: what Twisted has made.
        valve: stops and resumes its accepting.
        clock: for trying again.
    """
    if not isinstance(port, Port) or port.addressFamily not in (socket.AF_INET, socket.AF_INET6):
        return None
    # Twisted does not promise this name. False says that the socket was given to it: others may listen at it, too.
    return PortSwitch(port, valve, clock) if getattr(port, "_shouldShutdown", False) else None


class PortSwitch:
    """Switches the listening of a port off and on.

    Switched off, a socket that is bound and does not listen takes the place of the one that did, in the same
    descriptor: the system refuses those who connect, resets those whom nobody has accepted yet, and gives the port to
    nobody else.
    """

    def __init__(self, port: Port, valve: Valve, clock: IReactorTime) -> None:
        self._port = port
        self._valve = valve
        self._clock = clock
        self._on = True
        self._bound = True
        """Whether the socket is bound to its address."""
        self._address: Any = port.socket.getsockname()
        self._timer: IDelayedCall | None = None
        """Runs while the address cannot be bound."""

    def switch(self, on: bool) -> None:
        """Listen, or do not. Does nothing once the port is closed."""
        if on is self._on or not self._port.connected:
            return
        self._on = on
        self.stop()
        if on:
            self._listen()
        else:
            self._valve.close("down")  # first: a reactor must not watch a socket that is replaced
            self._replace()

    def stop(self) -> None:
        """Try no more to listen."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _replace(self) -> None:
        """Replace the socket, unless somebody else has just taken its address."""
        listening = self._port.socket
        with self._port.createInternetSocket() as other:
            os.dup2(other.fileno(), listening.fileno(), inheritable=False)
        try:
            listening.bind(self._address)
            self._bound = True
        except OSError as error:
            self._bound = False
            log.error("{address} cannot be kept: {error}", address=self._address, error=error)

    def _listen(self) -> None:
        self._timer = None
        if not self._port.connected:
            return
        if not self._bound:
            self._replace()
        if self._bound:
            self._port.socket.listen(self._port.backlog)
            self._valve.open("down")
        else:
            self._timer = self._clock.callLater(AGAIN, self._listen)
