"""The plain values that all parts share: sides, directions, limits and hellos."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

__all__ = ["Direction", "Hello", "Limits", "OnFilterError", "Side"]

KIB = 1024
MIB = 1024 * 1024


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
    """Every limit of a repeater: times in seconds, sizes in bytes. ``None`` means no limit where it is allowed."""

    hello_timeout: float = 10.0
    """How long a peer may take from its connection to the end of its hello, and the application for an answer that
    comes later (``is_client_allowed``, ``on_connect``)."""
    connect_timeout: float = 10.0
    """How long the connection to the server may take. An endpoint may have a shorter time of its own: those that are
    given by a description have 30 seconds unless it says ``timeout=``."""
    close_timeout: float = 5.0
    """How long a closing connection may make no progress before it is aborted."""
    linger: float = 30.0
    """How long one direction is carried on after the other's stream ended (by the default ``on_error``), and the
    longest that closing may take altogether."""
    filter_timeout: float | None = None
    """How long an asynchronous filter may take for one verdict."""
    stall_timeout: float | None = 300.0
    """How long a side may take nothing at all of what waits for it before it is a `SlowConsumer`."""
    max_frame: int = 16 * MIB
    """The longest payload of one message, either way."""
    max_hello: int = 64 * KIB
    """The longest payload of a hello."""
    max_waiting: int = 1 * MIB
    """How many bytes may wait for a slow side when the application sends it one more message."""
    max_clients: int = 500
    """How many links and attempts there may be at once; newcomers wait in the listen queue."""
    max_unfinished_hellos: int = 500
    """How many connections may be without a complete hello; past it, the one that waits longest is closed."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                if field.name in ("filter_timeout", "stall_timeout"):
                    continue
                raise ValueError(f"{field.name} must be a number, not None")
            if not value > 0:
                raise ValueError(f"{field.name} must be above 0, not {value!r}")
            if field.type == "int" and type(value) is not int:
                raise ValueError(f"{field.name} must be a whole number, not {value!r}")


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
