"""The pair of filters that belongs to the dialect: it looks at the CONNACK of some links of version 5."""

from __future__ import annotations

from weakref import WeakSet

from zope.interface import implementer

from ..._types import Filters
from ...errors import ConnectingError
from ...interfaces import ICodec, IFilter, IFilterPair, ISelectiveByCodec, ITypedCodec
from ...link import Link
from ...selectors import Selector
from ...verdicts import PASS_ON, Answer, Close, Verdict
from .messages import ConnAck, Connect
from .properties import Property
from .reasons import Reason

__all__ = ["AssignedNames"]


@implementer(IFilterPair)
class AssignedNames:
    """Gives a link the client id that its broker has assigned, and knows which clients have got their CONNACK.

    Only clients without an id, and those that log in in several steps, need that; the others cost nothing.
    """

    def __init__(self) -> None:
        self._unanswered: WeakSet[Link] = WeakSet()
        self._filters: Filters = (None, _ConnAckFilter(self._unanswered))

    def for_link(self, link: Link) -> Filters:
        """See `IFilterPair`."""
        connect: Connect = link.client_hello
        in_steps = connect.properties.get(Property.AUTHENTICATION_METHOD) is not None
        if connect.version != 5 or (connect.client_id and not in_steps):
            return (None, None)
        self._unanswered.add(link)
        return self._filters

    def is_answered(self, link: Link, received: int) -> bool:
        """Return whether a client has got its CONNACK.

        Args:
            link: its link.
            received: how many packets have come from the broker. The CONNACK is the first, unless the client logs in in
                several steps.
        """
        return received > 0 and link not in self._unanswered


@implementer(IFilter, ISelectiveByCodec)
class _ConnAckFilter:
    """Looks at the CONNACK."""

    def __init__(self, unanswered: WeakSet[Link]) -> None:
        self._unanswered = unanswered

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        if not ITypedCodec.providedBy(codec):
            raise TypeError("the filter of the CONNACK needs the codec of MQTT")
        selector: Selector | None = codec.selector_for((ConnAck,))
        return selector

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        if not isinstance(message, ConnAck) or link not in self._unanswered:
            return PASS_ON
        self._unanswered.discard(link)
        name = message.properties.get(Property.ASSIGNED_CLIENT_IDENTIFIER)
        if message.reason != Reason.SUCCESS or not name or link.client_hello.client_id:
            return PASS_ON
        return _named(link, name)


async def _named(link: Link, name: str) -> Verdict:
    """Give a link its name, and pass the CONNACK on; refuse the client if it may not have the name."""
    try:
        await link.identify(name)
    except ConnectingError as error:
        return Close(error, forward=[ConnAck(reason=Reason.NOT_AUTHORIZED)])
    return PASS_ON
