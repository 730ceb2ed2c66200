"""`answered`: keeps the protocol right when a filter drops, alters or adds messages.

It stands around the filter, and shares what it knows of a link, its `Session`, between the two directions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from zope.interface import implementer

from ..._text import repr_of
from ..._types import Filter, FilterPairObject
from ...filters._migration import hand_over
from ...filters._provider import filters_of, fixed_filters
from ...filters.pair import as_pair
from ...interfaces import IFilterPair, IMigrating
from ...link import Link
from ...model import Direction
from .answering_filters import NAME
from .answering_peers import ToClient, ToServer
from .session import Session

__all__ = ["Answered", "answered"]

Before5 = Literal["acknowledge", "close"]


def answered(provider: Filter | FilterPairObject, /, *, before_5: Before5 = "acknowledge") -> Answered:
    """Return a pair of filters that keeps MQTT right when a filter drops, alters or adds messages.

    The filter decides about `Publish`, `Subscribe` and `Unsubscribe` as if nothing hung on them::

        def no_secrets(message, link):
            if isinstance(message, Publish) and message.topic.startswith("secret/"):
                return DROP
            return PASS_ON

        repeater.start(filters=answered(no_secrets))

    The pair does the rest:

    * If you drop a message of the client, the client gets the answer that its QoS and its version ask for: "not
      authorized" in version 5. If you drop a message of the broker, the broker gets the acknowledgements of the client.
    * If you send back a `PubAck` or `PubRec` with another reason, the client gets that instead.
    * You see the topic of each message, also where an alias stands for it, and never the alias. A message that you pass
      on leaves as it came, unless the receiver does not know its alias.
    * Messages that you add (`Send(message, extra)`, or a `Publish` sent back) need no number. They get one, wait for
      room in the receiver's Receive Maximum, and their acknowledgements end here.
    * You may change the topic, the payload, the properties and the QoS of a message.
    * If you drop a `Subscribe`, or send one with fewer subscriptions, the client reads which ones were refused.
    * If you drop the `Connect`, the client is refused.
    * A broker does not miss a client whose messages are all dropped.

    Use it once, around all filters that do so: ``answered(chain(first, second))``. Messages of ``link.send_to_server``
    and ``link.send_to_client`` go past it, so publish with QoS 0 there.

    Args:
        provider: the filter of messages to the server, or a pair of filters.
        before_5: what to do with a client of MQTT 3.1 or 3.1.1 when its message with QoS 1 or 2 is dropped, as these
            versions have no refusal: acknowledge the message, or close the link.

    Raises:
        TypeError: the argument is not a filter, or is in `answered` already.
        ValueError: ``before_5`` is something else.
    """
    return Answered(provider, before_5)


@implementer(IFilterPair, IMigrating)
class Answered:
    """A pair of filters around a filter or a pair; `answered` makes it.

    Args:
        provider: the filter, or the pair.
        before_5: see `answered`.
        adds: whether it may add messages, or alter their QoS.
    """

    def __init__(self, provider: Filter | FilterPairObject, before_5: Before5, *, adds: bool = True) -> None:
        if before_5 not in ("acknowledge", "close"):
            raise ValueError(f"before_5 must be acknowledge or close, not {repr_of(before_5)}")
        if isinstance(provider, Answered):
            raise TypeError("answered cannot be used twice for the same filter")
        self.__qualname__: str = NAME
        self.inner: FilterPairObject = as_pair(provider)
        self.before_5: Before5 = before_5
        self._adds = adds

    def __repr__(self) -> str:
        return f"{NAME}({self.inner!r})"

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        to_server, to_client = filters_of(self.inner, link)
        session = Session(link.client_hello)
        closes = self.before_5 == "close" and session.version < 5
        return (
            ToServer(to_server, session, closes=closes, adds=self._adds),
            ToClient(to_client, session, closes=False, adds=self._adds),
        )

    def migrate(self, old: object) -> None:
        """See `IMigrating`. The filter or pair inside takes over from the one before it."""
        hand_over(self.inner, old.inner if isinstance(old, Answered) else old)

    def _fixed(self) -> Iterator[tuple[Direction, Filter]]:
        yield from fixed_filters(self.inner)
