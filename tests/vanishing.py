"""Peers that vanish: their systems drop every packet, like a machine that is switched off."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

__all__ = ["can_vanish", "come_back", "vanish"]

SO_ATTACH_FILTER = 26
SO_DETACH_FILTER = 27
RETURN = 0x06
"""The instruction of a socket filter that says how many bytes of a packet are kept."""


def vanish(handle: socket.socket) -> None:
    """Let the system drop every packet that comes for this TCP socket, before TCP sees it. It must send nothing more.

    A filter on a socket does that on the machine's own interface, without a network of its own.
    """
    program = ctypes.create_string_buffer(struct.pack("HBBI", RETURN, 0, 0, 0))
    handle.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))


def come_back(handle: socket.socket) -> None:
    """Let the system take packets again."""
    handle.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, struct.pack("i", 0))


def can_vanish(case: SynchronousTestCase) -> None:
    """Skip a test where peers cannot vanish; in continuous integration they must be able to."""
    reason = why_not()
    if reason is not None:
        if os.environ.get("CI"):
            case.fail(reason)
        raise SkipTest(reason)


def why_not() -> str | None:
    """Return the reason why no peer can vanish here, if there is one."""
    if not sys.platform.startswith("linux"):
        return "only Linux has socket filters"
    with socket.socket() as handle:
        try:
            vanish(handle)
        except OSError as error:
            return f"this system lets nobody but root filter what a socket receives: {error}"
    return None
