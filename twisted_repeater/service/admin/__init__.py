"""The administration of running repeaters over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..._types import Reactor
from .own import OwnProgram, OwnRepeater
from .recent_errors import RecentErrors

if TYPE_CHECKING:
    from .site import GuardedSite
    from .subject import Administered

__all__ = ["OwnProgram", "OwnRepeater", "RecentErrors", "administration"]


def administration(
    administered: Administered, *, hosts: Iterable[str] = (), token: str | None = None, reactor: Reactor
) -> GuardedSite:
    """Return a site for the administration of the repeaters of this process.

    It answers only requests whose ``Host`` is ``localhost``, a loopback address, the address that the connection was
    made to, or one of ``hosts``, so that web pages in a browser cannot use it. Without a token, everybody who can
    connect controls the repeaters: then listen on loopback, or on a Unix socket.

    Args:
        administered: the repeaters, and what can be done to all of them; `OwnProgram` in a program of your own.
        hosts: more names of this site, without a port.
        token: what clients must know; ``None`` if they need not know anything.
        reactor: the reactor.

    Raises:
        ImportError: msgspec is not installed.
    """
    try:
        from .api import make_site
    except ImportError as error:
        if error.name != "msgspec":
            raise
        why = "the administration needs msgspec: pip install 'twisted_repeater[admin]'"
        raise ImportError(why, name="msgspec") from error
    return make_site(administered, hosts=hosts, token=token, reactor=reactor)
