"""`LogObserver`: writes what happens to Twisted's log."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from .._text import address_text, class_name, printable, shortened, text_of, told
from ..errors import (
    CallbackFailed,
    ConnectingError,
    Disconnected,
    FramingError,
    InjectedFault,
    PartialFrame,
    SlowConsumer,
)
from ..interfaces import IIdentityObserver
from ..link import Link
from ..model import Direction, Side
from ._throttle import LeftOut, LogThrottle

log = Logger()

REFUSALS = 20
"""How many refusals of one kind are logged at once; after that, one a second is."""

LINKS = 1000
"""How many links that are made, and how many that end, are logged at once: twice the default limit of links."""

LINKS_EVERY = 0.2
"""After that, one in this many seconds is: at 200 bytes each, that is less than 100 MB a day."""


@implementer(IIdentityObserver)
class LogObserver:
    """Logs a line for each link that is made, refused or ended, and for trouble on one.

    Names and texts of strangers are cut, and escaped so that they stay on their line. If many events of a kind come,
    only some are logged, with the number of the others.

    Args:
        clock: the reactor.
        repeater: the name of the repeater, for logs of processes that have several.
    """

    def __init__(self, clock: IReactorTime, *, repeater: str | None = None) -> None:
        self._repeater = repeater
        self._troubles = LogThrottle(clock)
        self._refusals = LogThrottle(clock, burst=REFUSALS)
        self._links = LogThrottle(clock, burst=LINKS, every=LINKS_EVERY)

    def link_made(self, link: Link) -> None:
        """See `IObserver`."""
        more = self._links.take("made")
        if more is None:
            return
        to = "server {server!r}" if link.server_name else "the server"
        log.info(
            f"client {{client!r}} linked: from {{client_address}} to {to} at {{server_address}}{{more}}",
            server=shortened(link.server_name) if link.server_name else None,
            client_address=address_text(link.client_address),
            server_address=address_text(link.server_address),
            **self._about(link, more),
        )

    def link_identified(self, link: Link, old_name: str) -> None:
        """See `IIdentityObserver`."""
        more = self._links.take("identified")
        if more is None:
            return
        log.info(
            "client {old_client!r} is now {client!r}{more}", old_client=shortened(old_name), **self._about(link, more)
        )

    def link_refused(self, client_name: str | None, error: ConnectingError) -> None:
        """See `IObserver`."""
        more = self._refusals.take(type(error).__name__)
        if more is None:
            return
        who = "of unknown name" if client_name is None else "{client!r}"
        log.info(
            f"client {who} from {{client_address}} refused: {{error}}{{more}}",
            repeater=self._repeater,
            client=None if client_name is None else shortened(client_name),
            client_address=address_text(error.client_address),
            error=_reason_text(error),
            more=more,
        )

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `IObserver`."""
        more = self._links.take("ended")
        if more is None:
            return
        messages_to_server, bytes_to_server = link.received(Direction.TO_SERVER)
        messages_to_client, bytes_to_client = link.received(Direction.TO_CLIENT)
        log.info(
            "client {client!r} ended: {reason}; "
            "to the server {messages_to_server} messages, {bytes_to_server} bytes; "
            "to the client {messages_to_client} messages, {bytes_to_client} bytes{more}",
            reason=_reason_text(reason),
            messages_to_server=messages_to_server,
            bytes_to_server=bytes_to_server,
            messages_to_client=messages_to_client,
            bytes_to_client=bytes_to_client,
            **self._about(link, more),
        )

    def link_error(self, link: Link, side: Side, error: Exception) -> None:
        """See `IObserver`."""
        if isinstance(error, (Disconnected, CallbackFailed)):
            return  # `link_ended` logs the first, the repeater logs the second with its traceback
        more = self._troubles.take(class_name(error))
        if more is None:
            return
        log.warn(
            "client {client!r}, {side} side: {error}{more}",
            side=side.value,
            error=_reason_text(error),
            **self._about(link, more),
        )

    def _about(self, link: Link, more: LeftOut) -> dict[str, Any]:
        """Return the fields of all lines about a link."""
        return {"repeater": self._repeater, "client": shortened(link.client_name), "link": link.id, "more": more}

    def relayed(self, link: Link, direction: Direction, messages: int, size: int) -> None:
        """See `IObserver`. The link counts messages itself, so the repeater does not even call this."""


def _reason_text(error: BaseException | None) -> str:
    if error is None:
        return "closed by the repeater"
    if isinstance(error, Disconnected) and isinstance(error.reason, InjectedFault):
        return printable(shortened(text_of(error).rstrip(".")))  # no side has left
    if isinstance(error, Disconnected) and error.side is not None:
        happened = "was cut off" if _is_cut_off(error.reason) else "left"
        return printable(shortened(f"the {error.side.value} {happened}: {text_of(error)}".rstrip(".")))
    return printable(shortened(told(error).rstrip(".")))


def _is_cut_off(reason: BaseException) -> bool:
    """Return whether the repeater cut a side off because it broke a rule; else it went down by itself."""
    return isinstance(reason, (FramingError, SlowConsumer)) and not isinstance(reason, PartialFrame)
