"""What the sessions of all protocols need."""

from __future__ import annotations

import socket
from collections.abc import Callable

from .recording import Message

__all__ = ["Session", "adding_to", "say"]

Session = Callable[[int], list[Message] | None]
"""Lets real clients talk to a port. One that no server can have returns its messages instead, written by hand."""


def adding_to(sessions: dict[str, Session]) -> Callable[[Session], Session]:
    """Return a decorator that adds a session, named as the function is."""

    def add(function: Session) -> Session:
        sessions[function.__name__] = function
        return function

    return add


def say(port: int, *steps: tuple[bytes, bytes]) -> None:
    """Send bytes as they are, and after each wait for what the answer must have; if that is empty, for the end."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for says, expects in steps:
            client.sendall(says)
            got = b""
            while not expects or expects not in got:
                piece = client.recv(65536)
                if not piece:
                    break
                got += piece
