"""A programmable, message-aware TCP repeater.

It stands between an existing client and an existing server: for each client it opens a connection to the server in the
client's name, and shows each message to the application's filter, which passes it on, drops, replaces or answers it.
"""

from . import dialects, filters
from ._link.link import Link
from ._repeater import Repeater
from .codecs import LEFT_OUT
from .dialects import Conversion, Dialect, MessageType
from .errors import *  # noqa: F403
from .errors import __all__ as _errors
from .filters import chain
from .interfaces import ICodec, IFilter, IFraming, IHandshake, ILink, IObserver, ITypedCodec
from .model import Direction, Hello, Limits, OnFilterError, Side
from .verdicts import DO_NOTHING, PASS_ON, Close, Mixed, PassOnAndSendBack, Send, SendBack, Verdict

__all__ = [
    "DO_NOTHING",
    "LEFT_OUT",
    "PASS_ON",
    "Close",
    "Conversion",
    "Dialect",
    "Direction",
    "Hello",
    "ICodec",
    "IFilter",
    "IFraming",
    "IHandshake",
    "ILink",
    "IObserver",
    "ITypedCodec",
    "Limits",
    "Link",
    "MessageType",
    "Mixed",
    "OnFilterError",
    "PassOnAndSendBack",
    "Repeater",
    "Send",
    "SendBack",
    "Side",
    "Verdict",
    "chain",
    "dialects",
    "filters",
]
__all__ += _errors
