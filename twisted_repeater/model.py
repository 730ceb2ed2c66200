"""The plain values that all parts share: sides, directions, limits and hellos."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from dataclasses import field as having
from typing import TYPE_CHECKING, Any, cast

__all__ = ["Direction", "Hello", "Limits", "OnFilterError", "SameName", "Side"]

KIB = 1024
MIB = 1024 * 1024

MANY = 500
"""How many clients, and how many unfinished hellos, there may be by default."""


class DefaultSize(int):
    """A default of a limit, which can be told from the same number that was asked for."""


DEFAULT_MAX_FRAME = DefaultSize(16 * MIB)
"""The longest payload, unless the dialect or `Limits` say otherwise."""


class Side(enum.Enum):
    """One of the two connections of a link."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> Side:
        """The side across the link."""
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


class Direction(enum.Enum):
    """Which way a message travels."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"

    @property
    def source(self) -> Side:
        """The side whose messages travel this way."""
        return Side.CLIENT if self is Direction.TO_SERVER else Side.SERVER

    @property
    def target(self) -> Side:
        """The side that they travel to."""
        return self.source.other


for _kind in (Side, Direction):  # sets and tables of them are made for each link: the hash of `Enum` is Python code
    _kind.__hash__ = object.__hash__  # type: ignore[method-assign]


class OnFilterError(enum.Enum):
    """What becomes of a message, and of its direction, when its filter fails (raises, times out, gives no verdict)."""

    STOP = "stop"
    """Nothing more is received from the side whose message it was. The default ``on_error`` then closes the link. This
    policy is the default."""
    PASS_ON = "pass-on"
    """The message is passed on untouched, the next is read."""
    DROP = "drop"
    """The message is dropped, the next is read."""
    CLOSE = "close"
    """The link is closed."""


class SameName(enum.Enum):
    """What to do with a newcomer whose name belongs to another link."""

    REFUSE = "refuse"
    """The newcomer is refused, unless the other link is ending or its client has vanished."""
    REPLACE = "replace"
    """The newcomer takes the name over. The other client gets the dialect's farewell, and its link is flushed and
    closed. If it was not linked yet, it is refused with `Replaced`."""
    SHARE = "share"
    """Any number of links may have the name. Calls that take a name act on all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every limit of a repeater: times in seconds, sizes in bytes.

    A time of ``None``, where it is allowed, means no limit. Other limits of ``None`` depend on something, as their
    descriptions say; `Repeater.limits` has their numbers.
    """

    hello_timeout: float = 10.0
    """How long a client may take until it is admitted: in most dialects, until its first message is there. The time
    begins with the connection, with the PROXY header behind a load balancer, or after the TLS handshake. The rest of
    the opening, such as the server's hello, has this time once more. So has each answer of the application that comes
    later (``is_client_allowed``, ``on_connect``), a TLS handshake, and `Link.identify`."""
    connect_timeout: float = 10.0
    """How long the connection to the server may take. An endpoint may have a shorter timeout of its own: one that is
    made from a description has 30 seconds, unless it says ``timeout=``."""
    close_timeout: float = 5.0
    """How long a closing connection may make no progress before it is aborted."""
    linger: float = 30.0
    """How long one direction goes on after the stream of the other one has ended. This is what the default ``on_error``
    allows. Also the longest time that closing may take, and how long a link may stand still after a side has ended its
    stream while messages that it sent before still wait."""
    filter_timeout: float | None = None
    """How long an asynchronous filter may take for one verdict."""
    name_timeout: float | None = None
    """How long a link may go without a name other than its client's address. After that it is closed. Only dialects
    whose clients give their name later need it."""
    stall_timeout: float | None = 300.0
    """How long a side may read nothing at all of what waits for it. After that it is a `SlowConsumer`."""
    dead_peer_timeout: float | None = 60.0
    """How long a peer's system may give no answer at all. After that its side is `Disconnected`, with Twisted's
    ``TCPTimedOutError`` as the reason: its machine or its network is gone. The system of a peer that only reads slowly
    still answers. Needs TCP. If no bytes are on their way, whole seconds count, at least 2; if some are, it needs Linux
    5.4 or newer. ``None`` leaves it to the system, which takes hours, or 15 minutes if bytes are on their way."""
    frame_timeout: float | None = 60.0
    """How long an unfinished frame may make no progress while its connection is read. After that its sender is
    disconnected."""
    max_frame: int = DEFAULT_MAX_FRAME
    """The longest payload of one message, either way. If not given: the limit that the dialect says, or else
    16 MiB."""
    max_hello: int = 64 * KIB
    """The longest payload of a hello."""
    max_waiting: int = 1 * MIB
    """How many bytes may wait for a slow side when the application sends it one more message."""
    max_unfinished_frames: int | None = None
    """How many bytes the unfinished frames of all links may hold together. Above it, the sender of the largest and
    slowest one is disconnected. ``None`` means 256 MiB, or four times ``max_frame`` if that is more."""
    max_clients: int | None = None
    """How many links and attempts there may be at once. More clients wait in the listen queue. ``None`` means 500, or
    fewer to fit the file descriptors of the process."""
    max_unfinished_hellos: int | None = None
    """How many connections may be waiting to be admitted: those without a complete hello, for example. Above it, the
    one that has waited longest is closed. ``None`` means 500, or fewer to fit the file descriptors of the process."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kind = str(field.type)
            if value is None:
                if "None" in kind:
                    continue
                raise ValueError(f"{field.name} must be a number, not None")
            if not value > 0:
                raise ValueError(f"{field.name} must be above 0, not {value!r}")
            if kind.startswith("int") and type(value) not in (int, DefaultSize):
                raise ValueError(f"{field.name} must be a whole number, not {value!r}")
        if self.max_unfinished_frames is not None and self.max_unfinished_frames < self.max_frame:
            raise ValueError(
                f"max_unfinished_frames must be at least max_frame, {self.max_frame}, not {self.max_unfinished_frames}"
            )


if TYPE_CHECKING:

    class EffectiveLimits(Limits):
        """`Limits` with a number for each ``None`` that stands for one."""

        max_unfinished_frames: int
        max_clients: int
        max_unfinished_hellos: int


def effective(limits: Limits, most: int = MANY) -> EffectiveLimits:
    """Return limits with a number for each ``None`` that stands for one; ``most`` is that of clients and of hellos."""
    numbers = replace(
        limits,
        max_unfinished_frames=limits.max_unfinished_frames or max(256 * MIB, 4 * limits.max_frame),
        max_clients=limits.max_clients or most,
        max_unfinished_hellos=limits.max_unfinished_hellos or most,
    )
    return cast("EffectiveLimits", numbers)


@dataclass(frozen=True, slots=True)
class Hello:
    """What one peer says of itself in the first frame of a connection."""

    name: str
    """Who it is. Bytes that are not UTF-8 are kept as surrogate escapes, where the wire allows them."""
    mode: object = ""
    """The mode it runs in; both ends of a connection must be equal."""
    send_version: int = 1
    """The newest version it sends."""
    recv_version: int = 1
    """The newest version it receives."""
    credentials: str = ""
    """Free text; a repeater puts its own name here."""
    extra: Mapping[str, Any] = having(default_factory=dict, hash=False, repr=False)
    """Further members, where the dialect allows some: the repeater forwards them to the other peer unchanged."""
