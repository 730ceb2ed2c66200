"""What the connections of a link need of others."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from .._sockets.connection_monitor import ConnectionMonitor
from .._types import FramingObject, Handshake
from ..dialects import Dialect
from ..errors import MarshalingError
from ..model import Limits

__all__ = ["ConnectionHost", "ConnectionSettings"]


class ConnectionSettings(Protocol):
    """What the connections of a repeater share."""

    clock: IReactorTime
    limits: Limits
    dialect: Dialect
    framing: FramingObject
    handshake: Handshake
    watch: ConnectionMonitor


class ConnectionHost(Protocol):
    """What a connection needs of its link; ``end`` is the `Connection`."""

    @property
    def closing(self) -> bool:
        """Whether the link closes."""

    def end_connected(self, end: Any) -> None:
        """The connection is there."""

    def end_stopped(self, end: Any) -> None:
        """The peer has ended its stream."""

    def end_stops_unread(self, end: Any) -> None:
        """The peer has ended its stream, after bytes that cannot be read yet. Called again until the end is read."""

    def end_vanished(self, end: Any, reason: BaseException) -> None:
        """The peer's system no longer answers."""

    def end_lost(self, end: Any, reason: BaseException) -> None:
        """The connection is gone."""

    def end_full(self, end: Any) -> None:
        """More waits for the peer than should."""

    def end_drained(self, end: Any) -> None:
        """Nothing waits for the peer any more."""

    def end_overflowed(self, end: Any) -> None:
        """The application sent more than may wait for the peer."""

    def end_marshaling_error(self, end: Any, error: MarshalingError) -> None:
        """A message could not be encoded and is not sent."""
