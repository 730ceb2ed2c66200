"""A test case with a link on real sockets, and helpers for its peers."""

from __future__ import annotations

import select
from typing import Any

from twisted_repeater import (
    PASS_ON,
    Limits,
    Side,
)
from twisted_repeater._link.link import pair_of
from twisted_repeater._sockets.socket_state import acknowledged

from ..peers import (
    Peer,
    PeerCase,
    ServerPeer,
    turn,
)

CLIENT, SERVER = Side.CLIENT, Side.SERVER

UNHURRIED = Limits(hello_timeout=1000, linger=1000, close_timeout=1000, stall_timeout=None, frame_timeout=None)
"""With these no bytes come too late. The system may hold bytes for some time, while a test lets much time pass: see
`SHORTEST_TURN`. A test that is not about a certain limit uses these, or a ``replace`` of them."""


def messages(peer: Peer) -> list[bytes]:
    """Return the messages that a peer has received."""
    return [item for item in peer.seen if isinstance(item, bytes)]


def answering(peer: ServerPeer, message: bytes) -> None:
    """Answer, as a server does."""
    peer.send(b"re: " + message)


def taken_from(peer: Peer) -> int:
    """Return how many bytes the other system has taken from a peer."""
    taken = acknowledged(peer.transport.getHandle())
    assert taken is not None
    return taken - 1  # the connection itself counts as one


def unread(peer: Peer) -> bool:
    """Whether something came that a peer has not read."""
    return bool(select.select([peer.transport], [], [], 0)[0])


async def after_a_turn(message: bytes, link: Any) -> Any:
    """Pass on, but not at once."""
    await turn()
    return PASS_ON


class LinkCase(PeerCase):
    """A test case with one client, ann, on a link. ``limits`` are the repeater's."""

    limits = Limits()

    async def link(self, *, client: dict[str, Any] | None = None, **settings: Any) -> None:
        """Make a world with a link in it; ``client`` has the arguments of `Client`."""
        settings.setdefault("limits", self.limits)
        self.here = await self.world(**settings)
        self.client, self.peer = await self.here.linked("ann", **(client or {}))
        link = self.here.repeater.link("ann")
        assert link is not None
        self.ann: Any = pair_of(link)

    @property
    def heard(self) -> dict[Side, tuple[type, bool]]:
        """The sides that are gone: why, as the application heard, and whether they can still be written to."""
        return {side: heard for (_, side), heard in self.here.disconnections.items()}

    async def over(self) -> None:
        """Wait until the link is over."""
        await self.ann.when_over()
        self.assertIsNone(self.here.repeater.link("ann"))

    async def until(self, condition: Any) -> None:
        """Go round until something is true."""
        while not condition():
            await turn()
