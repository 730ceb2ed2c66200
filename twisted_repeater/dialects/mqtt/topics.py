"""`Topics`: rules about who may publish to which topics, and who gets what is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Literal, TypeAlias

from zope.interface import implementer

from ..._types import Filter, FilterPairObject
from ...filters._provider import selector_for_types
from ...interfaces import ICodec, IFilter, IFilterPair, IMigrating, ISelectiveByCodec
from ...link import Link
from ...selectors import Selector
from ...verdicts import DROP, PASS_ON, Answer, Close, Send, Verdict
from .answering import Answered
from .messages import ConnAck, Connect, Packet, Publish, Subscribe, Subscription
from .properties import Property
from .reasons import Reason
from .topic_patterns import shared_part
from .topic_rules import TopicRules

__all__ = ["Topics"]

Decide: TypeAlias = Callable[[Literal["publish", "subscribe"], str, Link], object]


@implementer(IFilterPair, IMigrating)
class Topics:
    """A pair of filters with rules about topics.

    For example, devices publish what they measure below their own id, and nobody reads secrets::

        Topics(publish=("sensors/%c/#",), deny_subscribe=("secret/#",))

    Patterns are written as topic filters are, with ``+`` for one level and ``#`` for the rest. A level may be ``%c``,
    which stands for the client's id, or ``%u``, for its user name. A client without that name may not use the topics of
    such a pattern. As in subscriptions, ``#`` and ``+`` do not stand for topics that begin with ``$``.

    * A message to a topic that its client may not publish to is dropped, and answered as QoS and version ask for. What
      the broker has retained stays. A client whose last will is to such a topic is refused.
    * A subscription is refused if the client may get none of its topics. With others, the client gets the messages
      that it may get: the rules hold for each message, so a subscription to ``#`` gets around none of them.
    * A shared subscription is refused unless the client may get all of its topics: a message that is not delivered to
      this client would be lost for the others.

    Give it as ``start(filters=...)``, or put it into a `chain` with filters that drop and add nothing. With filters
    that do, use one `answered` around all of them, and put the rules alone into it::

        answered(chain(Topics(publish=("sensors/%c/#",)).rules, no_secrets))

    Args:
        publish: patterns of the topics that a client may publish to; ``None`` for all.
        subscribe: patterns of the topics that a client may get messages from; ``None`` for all.
        deny_publish: patterns of topics that no client may publish to, although ``publish`` allows them.
        deny_subscribe: patterns of topics that no client gets messages from, although ``subscribe`` allows them.
        allowed: a function of an action, ``"publish"`` or ``"subscribe"``, a topic and the link. It returns whether the
            client may do that, and is asked if the patterns allow it.
        before_5: what to do with a client of MQTT 3.1 or 3.1.1, whose versions have no refusal, when its message with
            QoS 1 or 2 is dropped: acknowledge the message, or close the link.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: a pattern is not valid, no pattern is given, or ``before_5`` is something else.
    """

    def __init__(
        self,
        *,
        publish: tuple[str, ...] | None = None,
        subscribe: tuple[str, ...] | None = None,
        deny_publish: tuple[str, ...] = (),
        deny_subscribe: tuple[str, ...] = (),
        allowed: Decide | None = None,
        before_5: Literal["acknowledge", "close"] = "acknowledge",
    ) -> None:
        if allowed is not None and not callable(allowed):
            raise TypeError(f"allowed must be a function of an action, a topic and a link, not {allowed!r}")
        if publish is None and subscribe is None and allowed is None and not (deny_publish or deny_subscribe):
            raise ValueError("Topics needs patterns of topics, or a function allowed")
        self.publish: TopicRules = TopicRules(publish, deny_publish)
        self.subscribe: TopicRules = TopicRules(subscribe, deny_subscribe)
        self.allowed: Decide | None = allowed
        self.rules: FilterPairObject = _Rules(self)
        """The rules alone, for an `answered` around them and filters of your own."""
        self._answered = Answered(self.rules, before_5, adds=False)
        self.__qualname__: str = "Topics"

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        return self._answered.for_link(link)

    def migrate(self, old: object) -> None:
        """See `IMigrating`. The rules are new; only the sessions of links go on, which their filters take over."""


class _Rules:
    """Makes the filters that `Topics` has inside `answered`."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self.__qualname__: str = "Topics"

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        client = _Client(self._topics, link.client_hello)
        return _ToServer(client), _ToClient(client)


class _Client:
    """The rules for one client."""

    def __init__(self, topics: Topics, connect: Connect) -> None:
        self._topics = topics
        self._user = connect.username
        self.identify(connect.client_id or None)

    def identify(self, client_id: str | None) -> None:
        """The client has this id from now on."""
        self.id = client_id
        self.publish = self._topics.publish.for_client(client_id, self._user)
        self.subscribe = self._topics.subscribe.for_client(client_id, self._user)

    def may_publish(self, topic: str, link: Link) -> bool:
        """Return whether the client may publish to a topic."""
        return topic in self.publish and self._is_allowed("publish", topic, link)

    def may_get(self, topic: str, link: Link) -> bool:
        """Return whether the client may get a message to a topic."""
        return topic in self.subscribe and self._is_allowed("subscribe", topic, link)

    def may_subscribe(self, subscription: Subscription, link: Link) -> bool:
        """Return whether the client may subscribe to something. Which messages it gets is decided for each of them."""
        is_shared, topic_filter = shared_part(subscription.topic_filter)
        if not (self.subscribe.has_all if is_shared else self.subscribe.has_some)(topic_filter):
            return False
        if "+" in topic_filter or "#" in topic_filter:
            return not is_shared or self._topics.allowed is None
        return self._is_allowed("subscribe", topic_filter, link)

    def _is_allowed(self, action: Literal["publish", "subscribe"], topic: str, link: Link) -> bool:
        decide = self._topics.allowed
        return decide is None or bool(decide(action, topic, link))


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class _Decision:
    """The filter of one direction of a link."""

    __qualname__ = "Topics"
    types: ClassVar[tuple[type, ...]]

    def __init__(self, client: _Client) -> None:
        self.client: _Client = client

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        return selector_for_types(self, self.types, codec)

    def filter(self, message: Packet, link: Link) -> Answer:
        """See `IFilter`."""
        raise NotImplementedError

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It takes over the client id that the broker has assigned."""
        if isinstance(old, _Decision) and self.client.id is None:
            self.client.identify(old.client.id)


class _ToServer(_Decision):
    """Decides about what the client publishes and subscribes to."""

    types = (Connect, Publish, Subscribe)

    def filter(self, message: Packet, link: Link) -> Verdict:
        """See `IFilter`."""
        if isinstance(message, Publish):
            return PASS_ON if self.client.may_publish(message.topic, link) else DROP
        if isinstance(message, Subscribe):
            return self._subscribe(message, link)
        if isinstance(message, Connect) and message.will is not None:
            return self._connect(message, message.will.topic, link)
        return PASS_ON

    def _subscribe(self, message: Subscribe, link: Link) -> Verdict:
        subscriptions = message.subscriptions
        left = tuple(each for each in subscriptions if self.client.may_subscribe(each, link))
        if len(left) == len(subscriptions):
            return PASS_ON
        return Send(replace(message, subscriptions=left)) if left else DROP

    def _connect(self, message: Connect, topic: str, link: Link) -> Verdict:
        if self.client.may_publish(topic, link):
            return PASS_ON
        code = Reason.NOT_AUTHORIZED if message.version == 5 else 5
        return Close(PermissionError(f"the last will is to {topic!r}"), back=[ConnAck(reason=code)])


class _ToClient(_Decision):
    """Decides about what the broker delivers."""

    types = (ConnAck, Publish)

    def filter(self, message: Packet, link: Link) -> Verdict:
        """See `IFilter`."""
        if isinstance(message, Publish):
            return PASS_ON if self.client.may_get(message.topic, link) else DROP
        if isinstance(message, ConnAck):
            client_id = message.properties.get(Property.ASSIGNED_CLIENT_IDENTIFIER)
            if client_id is not None and self.client.id is None:
                self.client.identify(client_id)
        return PASS_ON
