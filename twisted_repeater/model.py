"""The plain values that all parts share: sides, directions, limits and hellos."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from dataclasses import field as having
from typing import Any

__all__ = ["Direction", "Hello", "Limits", "OnFilterError", "Side"]

KIB = 1024
MIB = 1024 * 1024

MANY = 500
"""How many clients, and how many unfinished hellos, there may be if nothing else is said."""


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


class OnFilterError(enum.Enum):
    """What becomes of a message, and of its direction, when its filter fails (raises, times out, gives no verdict)."""

    STOP = "stop"
    """Receiving stops on the side whose message it was, for good; the default ``on_error`` closes the link. The
    default."""
    PASS_ON = "pass-on"
    """The message is passed on untouched, the next is read."""
    DROP = "drop"
    """The message is dropped, the next is read."""
    CLOSE = "close"
    """The link is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every limit of a repeater: times in seconds, sizes in bytes.

    A time of ``None``, where it is allowed, means no limit. `Repeater.limits` has a number for every other ``None``.
    """

    hello_timeout: float = 10.0
    """How long a peer may take from its connection to the end of its hello, and the application for an answer that
    comes later (``is_client_allowed``, ``on_connect``)."""
    connect_timeout: float = 10.0
    """How long the connection to the server may take. An endpoint may have a shorter time of its own: those that are
    given by a description have 30 seconds unless it says ``timeout=``."""
    close_timeout: float = 5.0
    """How long a closing connection may make no progress before it is aborted."""
    linger: float = 30.0
    """How long one direction is carried on after the other's stream ended (by the default ``on_error``); how long a
    link stays on which nothing moves, when a side has ended its stream and messages before that wait; and the longest
    that closing may take altogether."""
    filter_timeout: float | None = None
    """How long an asynchronous filter may take for one verdict."""
    stall_timeout: float | None = 300.0
    """How long a side may take nothing at all of what waits for it before it is a `SlowConsumer`."""
    dead_peer_timeout: float | None = 60.0
    """How long a peer's system may give no answer at all before the peer is taken to have vanished, with its machine or
    its network: its side is then `Disconnected`, the reason being Twisted's ``TCPTimedOutError``. A peer that only
    reads slowly still answers. Needs TCP; takes whole seconds and at least 2 where nothing is under way, and works on
    Linux only (5.4 or newer) where something is. ``None`` leaves it to the system, which takes hours, or a quarter of
    an hour."""
    frame_timeout: float | None = 60.0
    """How long the rest of a frame that has begun may make no progress, while its connection is read, before its sender
    is cut off."""
    max_frame: int = 16 * MIB
    """The longest payload of one message, either way."""
    max_hello: int = 64 * KIB
    """The longest payload of a hello."""
    max_waiting: int = 1 * MIB
    """How many bytes may wait for a slow side when the application sends it one more message."""
    max_unfinished_frames: int | None = None
    """How many bytes frames that have begun and not ended may hold, of all links together; above it, the largest and
    slowest costs its sender its link. ``None`` stands for 256 MiB, or four times ``max_frame`` if that is more."""
    max_clients: int | None = None
    """How many links and attempts there may be at once; newcomers wait in the listen queue. ``None`` stands for 500, or
    for as many as there are file descriptors for."""
    max_unfinished_hellos: int | None = None
    """How many connections may be without a complete hello; above it, the one that waits longest is closed. ``None``
    stands for 500, or for as many as there are file descriptors for."""

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
            if kind.startswith("int") and type(value) is not int:
                raise ValueError(f"{field.name} must be a whole number, not {value!r}")
        if self.max_unfinished_frames is not None and self.max_unfinished_frames < self.max_frame:
            raise ValueError(
                f"max_unfinished_frames must be at least max_frame, {self.max_frame}, not {self.max_unfinished_frames}"
            )


def effective(limits: Limits, most: int = MANY) -> Limits:
    """Return limits with a number for each that was left to its default; ``most`` is that of the connections."""
    return replace(
        limits,
        max_unfinished_frames=limits.max_unfinished_frames or max(256 * MIB, 4 * limits.max_frame),
        max_clients=limits.max_clients or most,
        max_unfinished_hellos=limits.max_unfinished_hellos or most,
    )


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
    """What else it says, where the dialect has room for more: the repeater forwards it to the other peer unchanged."""
