"""Every exception of the package, in one tree.

::

    RepeaterError
     +-- MultipleVersionsError       the dialect states several versions, conversion was not asked for
     +-- ConnectingError             a client could not be linked; given to on_connecting_error
     |    +-- ClientIPNotAuthorized  accept: is_client_ip_authorized returned false
     |    +-- NewClientsDropped      accept: drop_new_clients() was called
     |    +-- HelloTimeout           opening: a peer did not send what the opening waits for, within hello_timeout
     |    +-- InvalidHello           opening: the first bytes of a peer are not of the dialect, or not TLS
     |    +-- WrongMode              opening with hellos: the peer runs in another mode
     |    +-- VersionMismatch        opening with hellos: no version that both ends have
     |    +-- UnexpectedServerName   opening with hellos: the server has another name than the one configured
     |    +-- OpeningFailed          opening: it raised, or did not end in time
     |    +-- TooManyClients         admit: max_clients are linked, and none ended within the hello timeout
     |    +-- ClientNotAllowed       admit, or link.identify: is_client_allowed returned false
     |    +-- DuplicateClient        admit, or link.identify: the name belongs to another link
     |    +-- FleetUnavailable       admit, or link.identify: the fleet cannot be asked for the name
     |    +-- Replaced               admit, or link.identify: a newcomer took the client's name over
     |    +-- NameLost               any step after admit: another node of the fleet has the name, or may have it soon
     |    +-- ServerUnreachable      dial: no connection to the server; or it closed before the link was made
     |    +-- RefusedByApplication   connect: on_connect, or another callback of the application, raised
     |    +-- ClientGone             any step: the client left before it was linked
     |    +-- RepeaterClosed         any step: the repeater was shut down
     +-- LinkError                   trouble on a complete link; given to on_error
     |    +-- ParseError             the sender's fault: a payload that its codec cannot decode
     |    +-- MarshalingError        the application's fault: a message that its codec cannot encode
     |    +-- Disconnected           a side is gone; why is in its ``reason``
     |    +-- CallbackFailed         the application's fault: a filter raised, or gave no verdict
     +-- FramingError                the sender's fault: bytes that are not frames
     |    +-- BadLength              a length that no frame can have
     |    +-- FrameTooLong           a frame above the limit
     |    +-- PartialFrame           the stream ended inside a frame
     +-- SlowConsumer                a side did not read the messages sent to it
     +-- FilterTimeout               a filter's verdict did not come within ``filter_timeout``
     +-- NameTimeout                 the client said no name within ``name_timeout``
     +-- InjectedFault               a fault that was set on purpose has ended the link, or a side of it
     +-- WrongVerdict                a filter returned something else than a verdict
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ._text import text_of, told

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

    from .model import Side

__all__ = [
    "BadLength",
    "CallbackFailed",
    "ClientGone",
    "ClientIPNotAuthorized",
    "ClientNotAllowed",
    "ConnectingError",
    "Disconnected",
    "DuplicateClient",
    "FilterTimeout",
    "FleetUnavailable",
    "FrameTooLong",
    "FramingError",
    "HelloTimeout",
    "InjectedFault",
    "InvalidHello",
    "LinkError",
    "MarshalingError",
    "MultipleVersionsError",
    "NameLost",
    "NameTimeout",
    "NewClientsDropped",
    "OpeningFailed",
    "ParseError",
    "PartialFrame",
    "RefusedByApplication",
    "RepeaterClosed",
    "RepeaterError",
    "Replaced",
    "ServerUnreachable",
    "SlowConsumer",
    "TooManyClients",
    "UnexpectedServerName",
    "VersionMismatch",
    "WrongMode",
    "WrongVerdict",
]


class RepeaterError(Exception):
    """The base of every exception that this package defines."""


class MultipleVersionsError(RepeaterError):
    """The dialect states more than one version for a message type, and the repeater does not convert."""


# -- while a link is being made ---------------------------------------------------------------------------


class ConnectingError(RepeaterError):
    """A client could not be linked."""

    side: Side | None
    """The connection whose peer is at fault; ``None`` if neither is."""
    client_address: IAddress | None
    """The address that the client connected from; ``None`` if it is not known."""
    client_name: str | None
    """The client's name; ``None`` if it is not known."""

    def __init__(self, message: str, side: Side | None = None) -> None:
        super().__init__(message)
        self.side = side
        self.client_address = None
        self.client_name = None


class ClientIPNotAuthorized(ConnectingError):
    """``is_client_ip_authorized`` returned false for the client's address."""


class NewClientsDropped(ConnectingError):
    """The client came after ``drop_new_clients()``."""


class HelloTimeout(ConnectingError):
    """``side`` did not send the bytes that the opening waits for, or no TLS handshake, within ``limits.hello_timeout``.

    With hellos these bytes are the hello.
    """


class InvalidHello(ConnectingError):
    """``side`` began with bytes that are not of the dialect, or does not speak TLS where it must.

    Raise it in an opening of your own if a peer says something that the protocol does not allow there.
    """

    is_hello: bool = False
    """Whether the bytes are a hello with an error in it, such as a version that is not a number. Then the message does
    not show the bytes, which may be a secret."""


class WrongMode(ConnectingError):
    """The hello of ``side`` names another mode than the dialect's."""


class ClientNotAllowed(ConnectingError):
    """``is_client_allowed`` returned false for the client's name."""


class VersionMismatch(ConnectingError):
    """``side`` and the repeater have no version of a message type in common."""


class TooManyClients(ConnectingError):
    """``limits.max_clients`` clients are linked, and no link ended in time."""


class DuplicateClient(ConnectingError):
    """Another link has the client's name, or is being made with it; see `SameName.REFUSE`."""


class FleetUnavailable(ConnectingError):
    """The engine of the fleet cannot be asked for the client's name; see `NewcomersWithoutEngine.REFUSE`."""


class ServerUnreachable(ConnectingError):
    """There is no connection to the server, or it closed before the link was made. The cause is ``__cause__``."""


class UnexpectedServerName(ConnectingError):
    """The server's hello has another name than ``server_name``."""


class RefusedByApplication(ConnectingError):
    """A callback of the application raised while the link was being made. The cause is ``__cause__``."""


class ClientGone(ConnectingError):
    """The client closed its connection before it was linked."""


class Replaced(ConnectingError):
    """A newcomer took the client's name over; see `SameName.REPLACE`. Also the reason why the client's link closes.

    A call of ``link.identify`` fails with it if you call ``identify`` again.
    """


class NameLost(ConnectingError):
    """The client's name belongs to another node of the fleet, or may soon. Also the reason why its link closes."""


class OpeningFailed(ConnectingError):
    """The opening of the dialect raised something else than a `ConnectingError`, or did not end in time.

    The cause is ``__cause__``.
    """


class RepeaterClosed(ConnectingError):
    """The repeater was shut down before the client was linked.

    It is also why a link ends when the repeater is drained, and what `Dialect.farewell` gets then, and at shutdown.
    """


# -- on a complete link -----------------------------------------------------------------------------------


class LinkError(RepeaterError):
    """Trouble on a link; ``on_error(link, side, error)`` is called with it."""

    side: Side | None = None
    """The side that the trouble is on; ``None`` until it is known."""


class ParseError(LinkError):
    """A payload cannot be decoded; that message is dropped."""

    offset: int | None
    """The byte of the payload where decoding stopped; ``None`` if the codec does not know it."""
    field: str | None
    """The dotted path of the field that was being read; ``None`` if the codec does not know it."""
    ends_link: bool
    """Whether the link is closed as well: for protocols in which nothing is right after a message that is missing."""

    def __init__(
        self, message: str, *, offset: int | None = None, field: str | None = None, ends_link: bool = False
    ) -> None:
        super().__init__(message)
        self.offset = offset
        self.field = field
        self.ends_link = ends_link


class MarshalingError(LinkError):
    """A message cannot be encoded; it is not sent."""

    field: str | None
    """The dotted path of the field that was being written; ``None`` if the codec does not know it."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Disconnected(LinkError):
    """A side is gone. Reported once for each side of each link."""

    reason: BaseException
    """The exception that says why: Twisted's ``ConnectionDone`` (an orderly end), ``ConnectionLost``,
    ``ConnectionAborted`` or ``TCPTimedOutError`` (the peer's system no longer answers), or a `FramingError` or
    `SlowConsumer` of this package."""
    half_closed: bool
    """Whether the side has ended its stream but can still be written to."""

    def __init__(self, reason: BaseException, *, half_closed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.half_closed = half_closed

    def __str__(self) -> str:
        text = text_of(self.reason)
        return f"end of stream: {text}" if self.half_closed else text


class CallbackFailed(LinkError):
    """A filter raised, gave something else than a verdict, or took too long."""

    callback: str
    """The name of the filter."""
    number: int
    """The number of the message in its direction; the first is 1."""
    reason: BaseException
    """The exception."""
    stopped: bool = False
    """Whether the failure stopped its direction for good, so that the link receives nothing more from ``side``
    (`OnFilterError.STOP`)."""

    def __init__(self, callback: str, number: int, reason: BaseException) -> None:
        super().__init__(f"{callback} failed on message {number}: {told(reason)}")
        self.callback = callback
        self.number = number
        self.reason = reason


# -- the reasons inside Disconnected and CallbackFailed ----------------------------------------------------


class FramingError(RepeaterError):
    """Bytes that are not frames of the dialect. The stream cannot be read any further."""


class BadLength(FramingError):
    """A header with a length that no frame can have."""


class FrameTooLong(FramingError):
    """A header announces a longer payload than is allowed."""

    size: int
    """How many bytes it announces."""
    limit: int
    """How many bytes are allowed."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"frame of {size} bytes, at most {limit} are allowed")
        self.size = size
        self.limit = limit


class PartialFrame(FramingError):
    """The stream ended inside a frame."""

    have: int
    """How many bytes of the frame had come."""

    def __init__(self, have: int) -> None:
        super().__init__(f"the stream ended inside a frame, after {have} of its bytes")
        self.have = have


class SlowConsumer(RepeaterError):
    """A side did not read the messages that were sent to it."""

    waiting: int
    """How many bytes it has not taken."""

    def __init__(self, message: str, waiting: int) -> None:
        super().__init__(message)
        self.waiting = waiting


class FilterTimeout(RepeaterError):
    """A filter's verdict did not come within ``limits.filter_timeout`` seconds."""


class NameTimeout(RepeaterError):
    """The client has not said its name within ``limits.name_timeout`` seconds. The reason why its link closes."""


class InjectedFault(RepeaterError):
    """A fault that was set on purpose, in ``repeater.faults``, has ended the link or a side of it."""


class WrongVerdict(RepeaterError):
    """A filter returned something else than a verdict."""


# -- of framings and selectors, which read their data by offsets ------------------------------------------------------

FARTHEST: int = sys.maxsize
"""The largest offset. Larger ones do not fit into the C integers of compiled code."""


def outside(start: int, end: int) -> Exception:
    """Return the error about offsets that are not within the data."""
    if max(abs(start), abs(end)) > FARTHEST:  # compiled code raises the same
        return OverflowError("offsets too large for any data")
    return ValueError("offsets outside of the data")
