"""A programmable, message-aware TCP proxy.

A repeater stands between an existing client and an existing server. For each client it connects to the server in the
client's name. It shows each message to the application's filter, which passes it on, drops, replaces or answers it.

============  =========================================================================================================
link          one client's pair of connections: client to repeater, and repeater to server
side          one of the two connections: `Side.CLIENT` (repeater to client), `Side.SERVER` (repeater to server)
direction     which way a message travels: to the server, or to the client
frame         the bytes of one message on the wire, header included
payload       a frame without its header; for some framings the whole frame
message       a payload as the codec decodes it, and as filters see it
dialect       everything about one wire protocol: framing, opening, message types with their versions and codecs
opening       what happens on a link before its messages are relayed: who speaks first, how the client gets its name
verdict       the answer of a filter
state         the object that the application returned from ``on_connect``, one for each link
============  =========================================================================================================
"""

from . import dialects, filters
from ._link.holding import Hold
from ._link.watching import Watch
from ._repeater import Repeater
from ._repeater_fleet import CallOptions, RepeaterFleet
from ._types import Filter
from .codecs import LEFT_OUT
from .dialects import Conversion, Dialect, MessageType
from .errors import (
    BadLength,
    CallbackFailed,
    ClientGone,
    ClientIPNotAuthorized,
    ClientNotAllowed,
    ConnectingError,
    Disconnected,
    DuplicateClient,
    FilterTimeout,
    FleetUnavailable,
    FrameTooLong,
    FramingError,
    HelloTimeout,
    InjectedFault,
    InvalidHello,
    LinkError,
    MarshalingError,
    MultipleVersionsError,
    NameLost,
    NameTimeout,
    NewClientsDropped,
    OpeningFailed,
    ParseError,
    PartialFrame,
    RefusedByApplication,
    RepeaterClosed,
    RepeaterError,
    Replaced,
    ServerUnreachable,
    SlowConsumer,
    TooManyClients,
    UnexpectedServerName,
    VersionMismatch,
    WrongMode,
    WrongVerdict,
)
from .filters import chain
from .fleet import FleetAnswer, IFleet, NodeAnswer, NodeInfo
from .holding import HeldMessage
from .interfaces import (
    ICodec,
    IFilter,
    IFilterPair,
    IFraming,
    IHandshake,
    IIdentityObserver,
    ILink,
    IMigrating,
    IObserver,
    IPatientFraming,
    IResumingFraming,
    ISelective,
    ISelectiveByCodec,
    ISessionFilter,
    IStatefulFraming,
    ITailedFraming,
    ITypedCodec,
)
from .link import Link
from .model import Direction, Hello, Limits, OnFilterError, SameName, Side
from .verdicts import DO_NOTHING, DROP, PASS_ON, Answer, Close, Later, Mixed, PassOnAndSendBack, Send, SendBack, Verdict
from .watching import ILinkWatcher, IWatcher, Origin, WatchedMessage

__all__ = [
    "DO_NOTHING",
    "DROP",
    "LEFT_OUT",
    "PASS_ON",
    "Answer",
    "BadLength",
    "CallOptions",
    "CallbackFailed",
    "ClientGone",
    "ClientIPNotAuthorized",
    "ClientNotAllowed",
    "Close",
    "ConnectingError",
    "Conversion",
    "Dialect",
    "Direction",
    "Disconnected",
    "DuplicateClient",
    "Filter",
    "FilterTimeout",
    "FleetAnswer",
    "FleetUnavailable",
    "FrameTooLong",
    "FramingError",
    "HeldMessage",
    "Hello",
    "HelloTimeout",
    "Hold",
    "ICodec",
    "IFilter",
    "IFilterPair",
    "IFleet",
    "IFraming",
    "IHandshake",
    "IIdentityObserver",
    "ILink",
    "ILinkWatcher",
    "IMigrating",
    "IObserver",
    "IPatientFraming",
    "IResumingFraming",
    "ISelective",
    "ISelectiveByCodec",
    "ISessionFilter",
    "IStatefulFraming",
    "ITailedFraming",
    "ITypedCodec",
    "IWatcher",
    "InjectedFault",
    "InvalidHello",
    "Later",
    "Limits",
    "Link",
    "LinkError",
    "MarshalingError",
    "MessageType",
    "Mixed",
    "MultipleVersionsError",
    "NameLost",
    "NameTimeout",
    "NewClientsDropped",
    "NodeAnswer",
    "NodeInfo",
    "OnFilterError",
    "OpeningFailed",
    "Origin",
    "ParseError",
    "PartialFrame",
    "PassOnAndSendBack",
    "RefusedByApplication",
    "Repeater",
    "RepeaterClosed",
    "RepeaterError",
    "RepeaterFleet",
    "Replaced",
    "SameName",
    "Send",
    "SendBack",
    "ServerUnreachable",
    "Side",
    "SlowConsumer",
    "TooManyClients",
    "UnexpectedServerName",
    "Verdict",
    "VersionMismatch",
    "Watch",
    "WatchedMessage",
    "WrongMode",
    "WrongVerdict",
    "chain",
    "dialects",
    "filters",
]
