"""The end of a connection that a test scripts: how it ends, and what it sees of the repeater's end."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..model import Side
from ._transcript import Event, Remark, Transcript, __tracebackhide__

__all__ = ["ScriptedConnection", "__tracebackhide__"]


@implementer(IHalfCloseableProtocol)
class ScriptedConnection(Protocol):
    """One end of a connection to the repeater. It follows the test, and records all that it does."""

    def __init__(self, side: Side, transcript: Transcript) -> None:
        self.side = side
        """The side of the repeater that it is on."""
        self.stream_ended: bool = False
        """Whether the repeater has ended its stream."""
        self.lost: BaseException | None = None
        """Why the connection was lost, ``None`` while it is there."""
        self.keeps_open: bool = False
        """Whether it stays when the repeater ends its stream, until it ends its own. By default it closes then."""
        self._transcript = transcript

    @property
    def client_name(self) -> str:
        """The name of the client whose link it is on, "" if it is unknown."""
        raise NotImplementedError

    def end_stream(self) -> None:
        """End its stream, but go on reading."""
        self._record(Event.CLIENT_ENDS, Event.SERVER_ENDS, Remark("its stream"))
        self.keeps_open = False
        if self.stream_ended:
            self._transport.loseConnection()
        else:
            self._transport.loseWriteConnection()
        self._settle()

    def close(self) -> None:
        """Close the connection, after all that was sent."""
        self._record(Event.CLIENT_ENDS, Event.SERVER_ENDS, Remark("its connection"))
        self._transport.loseConnection()
        self._settle()

    def abort(self) -> None:
        """Reset the connection."""
        self._record(Event.CLIENT_ENDS, Event.SERVER_ENDS, Remark("by a reset"))
        self._transport.abortConnection()
        self._settle()

    def readConnectionLost(self) -> None:
        """See `IHalfCloseableProtocol`."""
        self.stream_ended = True
        self._look()
        if not self.keeps_open:
            self._transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """See `IHalfCloseableProtocol`."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self.lost = reason.value or ConnectionDone()
        self._look()

    @property
    def _transport(self) -> Any:
        assert self.transport is not None, f"there is no connection of the {self.side.value}"
        return self.transport

    def _settle(self) -> None:
        """It has done something: let happen what follows from it."""

    def _look(self) -> None:
        """Something has changed that the test may wait for."""

    def _record(self, of_client: Event, of_server: Event, value: object, data: bytes = b"") -> None:
        event = of_client if self.side is Side.CLIENT else of_server
        self._transcript.add(event, self.client_name, value, data)
