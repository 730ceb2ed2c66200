"""The token of the administration: when it is needed, and the file that holds it."""

from __future__ import annotations

import re

from ..._sockets.endpoints import parts_of
from ..addresses import ip_of
from ..secret_file import MAX_SECRET, read_secret

__all__ = ["needs_token", "read_token"]

MIN_TOKEN = 16
"""The shortest token, in characters: none that short can be found by trying, as wrong ones are slowed down."""


def needs_token(endpoint: str) -> bool:
    """Return whether others than the owner of the process could connect to an administration.

    Args:
        endpoint: the description of its endpoint, such as ``tcp:8090:interface=127.0.0.1``.
    """
    kind, positional, named = parts_of(endpoint)
    if kind == "systemd":
        return False  # the unit of the socket says who can connect
    if kind == "unix":
        mode = positional[1] if len(positional) > 1 else named.get("mode", "600")
        return not re.fullmatch("0*[0-7]00", mode)
    interface = named.get("interface", "")
    ip = ip_of(interface)
    return interface != "localhost" and (ip is None or not ip.is_loopback)


def read_token(path: str) -> str:
    """Read the token of the administration from a file.

    Args:
        path: a file with the token on a line. Others than its owner and its group may not read it.

    Raises:
        ValueError: the file cannot be read, others may read it, or there is no good token in it.
    """
    token = read_secret(path)
    if not re.fullmatch(rb"[!-~]{%d,%d}" % (MIN_TOKEN, MAX_SECRET), token):
        raise ValueError(f"must have one token of at least {MIN_TOKEN} letters and digits, without spaces: {path!r}")
    return token.decode("ascii")
