"""What both the server and the clients of a chaos speak: ``int32`` with hellos, and numbered messages.

A client sends ``m 1``, ``m 2``, … on each connection. The server answers: ``r 1``, ``r 2``, …. ``b ID`` is a call of
the application to all clients, ``f ID`` one to the server.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import termios
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.basic import Int32StringReceiver
from zope.interface import implementer

__all__ = ["SERVER", "Speaker", "has_ended", "unread"]

SERVER = "ledger"
"""The name in the server's hello."""

OPEN = (1, 4, 5)
"""The states of a TCP socket whose peer has not ended: established, and both of which only this side has ended."""


@implementer(IHalfCloseableProtocol)
class Speaker(Int32StringReceiver):
    """A connection of either side."""

    transport: Any
    ended = False
    """Whether the peer has ended its stream in good order."""

    def say(self, text: str) -> None:
        """Send a message."""
        self.sendString(text.encode())

    def greet(self, **members: Any) -> None:
        """Send a hello."""
        self.say(json.dumps(members))

    def readConnectionLost(self) -> None:
        """The peer has ended its stream: all that it had to say is there."""
        self.ended = True
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our stream has ended."""


def has_ended(connection: Speaker) -> bool:
    """Return whether the end of the peer's stream has arrived at this machine, even if nobody has read it yet."""
    try:
        handle = connection.transport.getHandle()
        state = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except (AttributeError, OSError):
        return True  # it is closed
    return state not in OPEN


def unread(connection: Speaker) -> int:
    """Return how many bytes have arrived at this machine that nobody has read yet."""
    answer = fcntl.ioctl(connection.transport.fileno(), termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])
