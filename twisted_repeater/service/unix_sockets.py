"""Unix sockets that a process has left behind when it died."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress

from twisted.logger import Logger

from .._sockets.endpoints import parts_of

__all__ = ["remove_dead_socket", "socket_path"]

log: Logger = Logger()

TIMEOUT = 1.0
"""How many seconds somebody may take who listens there."""


def socket_path(description: str) -> str | None:
    """Return the path of the Unix socket that an endpoint listens on, ``None`` for other endpoints."""
    while description.startswith("haproxy:"):
        description = description.removeprefix("haproxy:")
    kind, positional, named = parts_of(description)
    if kind != "unix":
        return None
    return positional[0] if positional else named.get("address")


def remove_dead_socket(description: str) -> None:
    """Remove the socket that an endpoint is to listen on, and its lock, if nobody listens there.

    Twisted's lock names a process. In a container the next process often has the same number, so that the lock seems to
    be held, for ever.

    Raises:
        ValueError: something else is there.
    """
    path = socket_path(description)
    if path is None:
        return
    with suppress(OSError):
        mode = os.stat(path).st_mode
        if not stat.S_ISSOCK(mode):
            raise ValueError(f"cannot listen on {path}: something else is there, such as a file; remove it")
        if not _somebody_listens(path):
            os.unlink(path)
            log.info("{path}: removed the socket of a process that is gone", path=path)
            with suppress(OSError):
                os.unlink(f"{path}.lock")


def _somebody_listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(TIMEOUT)
        try:
            client.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:  # it is full, or belongs to others
            return True
    return True
