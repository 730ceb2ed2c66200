"""What the two filters of a link that `answered` makes have in common: messages that are published, in one direction.

Client and broker do the same there: one is the sender, the other the receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, TypeAlias

from zope.interface import implementer

from ..._pending import verdict_later
from ..._types import Filter, FilterFunction
from ...filters._migration import Around
from ...filters._provider import common_selector, guarded, name_of, pass_on
from ...interfaces import ICodec, IFilter, IMigrating, ISelectiveByCodec, ITypedCodec
from ...link import Link
from ...model import Side
from ...selectors import Gate, Selector, any_of
from ...verdicts import DROP, PASS_ON, Answer, Close, Mixed, Verdict, delayed_like, plain
from .messages import (
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Subscribe,
    Unsubscribe,
)
from .properties import Property
from .publishing import FAILED, Acknowledgement, Publishing
from .reasons import Reason
from .session import Session
from .wire import MalformedPacket

__all__ = ["COUNTED", "MESSAGES", "NAME", "Answering", "Method"]

NAME = "answered"
"""The name of the pair and of its filters. It is always the same, so that in a chain they take over from each other."""

Method: TypeAlias = Callable[[Any, Any, Link], Answer]
Decide: TypeAlias = Callable[[Verdict], Verdict]
NOTHING: Verdict = Mixed()
COUNTED = (PubAck, PubRec, PubComp)
"""The packets by which a message is no longer under way."""


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class Answering(Around):
    """The filter of one direction of a link.

    Args:
        inner: the filter that decides.
        session: what is known of the link.
        closes: whether a message that cannot be refused ends the link.
        adds: whether the filter may add messages, or alter their QoS. If not, nobody counts which are under way, and
            acknowledgements pass undecoded.
    """

    __qualname__ = NAME
    side: ClassVar[Side]
    """The sender."""
    methods: ClassVar[dict[type, Method]]
    """What to do with the packets of each class. Others only pass through the inner filter."""

    def __init__(self, inner: Filter | None, session: Session, *, closes: bool, adds: bool) -> None:
        self.inner: Filter | None = inner
        self.session: Session = session
        self._closes = closes
        self._counts = adds
        self._sees_all = Gate()
        self._sees_all.is_open = adds
        self._ask: FilterFunction = pass_on if inner is None else guarded(inner)

    def __repr__(self) -> str:
        return f"{NAME}({self.inner!r})"

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        method = self.methods.get(type(message))
        if method is None:
            return self._through(message, message, (), link)
        return method(self, message, link)

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It goes on with the session of the link."""
        if isinstance(old, Answering):
            self.session = old.session
            self._sees_all.is_open = self._counts = self._counts or old._counts

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`. It wants what the inner filter wants, and what it has to know of."""
        if not ITypedCodec.providedBy(codec):
            raise TypeError(f"{NAME} needs the messages of the dialect mqtt")
        wanted = [codec.selector_for(tuple(self.methods))]
        if not self._counts:
            rest = codec.selector_for(tuple(kind for kind in self.methods if kind not in COUNTED))
            counted = codec.selector_for(COUNTED)
            assert rest is not None and counted is not None
            wanted[0] = rest | (counted & self._sees_all)
        if self.inner is not None:
            wanted.append(common_selector((self.inner,), codec))
        return None if None in wanted else any_of(selector for selector in wanted if selector is not None)

    @property
    def _own(self) -> Publishing:
        """What is published in this direction."""
        raise NotImplementedError

    @property
    def _other(self) -> Publishing:
        """What is published in the other direction. Its acknowledgements come in this one."""
        raise NotImplementedError

    @property
    def _refusal(self) -> int:
        """The reason in the answer to a message that the filter has dropped."""
        return Reason.SUCCESS

    def _in_place(self) -> Iterable[object]:
        """Return what the receiver gets instead of a packet that is dropped."""
        return ()

    def _decided(self, message: object, link: Link, decide: Decide) -> Answer:
        """Ask the inner filter about a message; return what follows from its verdict."""
        answer = self._ask(message, link)
        if isinstance(answer, Verdict):
            return decide(answer)
        return verdict_later(answer, name_of(self.inner)).addCallback(decide)

    def _through(self, came: object, shown: object, back: Iterable[object], link: Link) -> Answer:
        """Ask the inner filter about a packet that needs no answer; the arguments are those of `_others`."""
        answer = self._ask(shown, link)
        if isinstance(answer, Verdict):
            return self._others(came, shown, back, answer)
        decide = partial(self._others, came, shown, back)
        return verdict_later(answer, name_of(self.inner)).addCallback(decide)

    def _others(self, came: object, shown: object, back: Iterable[object], verdict: Verdict) -> Verdict:
        """Return the verdict on a packet that needs no answer.

        Args:
            came: the packet as it came.
            shown: the packet that the receiver gets for it; ``None`` if it gets none now.
            back: packets that the sender also gets.
            verdict: the verdict of the inner filter.
        """
        if verdict is PASS_ON and came is shown and not back:
            return PASS_ON
        forward: list[object] = [] if not verdict.passes or shown is came or shown is None else [shown]
        return self._mixed(verdict, [*forward, *self._numbered(self._own, verdict.forward)], back, came is shown)

    def _mixed(self, verdict: Verdict, forward: list[object], back: Iterable[object], as_it_came: bool) -> Verdict:
        """Return a verdict with other messages; those that it sends back get their numbers."""
        verdict = plain(verdict)
        passes = verdict.passes and as_it_came
        back = [*self._numbered(self._other, verdict.back), *back]
        if not passes and not forward and not verdict.closes:
            forward = [*self._in_place()]
        mixed = Mixed(passes=passes, forward=forward, back=back, closes=verdict.closes, error=verdict.error)
        return DROP if mixed == NOTHING else delayed_like(mixed, verdict)

    def _publish(self, message: Publish, link: Link) -> Answer:
        shown = message
        if message.properties:
            alias = message.properties.get(Property.TOPIC_ALIAS)
            if alias is not None:
                topic = self._own.aliases.topic_of(alias, message.topic)
                if topic is None:
                    return self._bad_alias(alias)
                shown = replace(message, topic=topic, properties=message.properties.without(Property.TOPIC_ALIAS))
        if message.dup and (repeated := self._own.repeated(message)) is not None:
            return Mixed(back=[repeated])
        answer = self._ask(shown, link)
        if answer is PASS_ON and shown is message:
            number = message.packet_id
            if number is None:
                return PASS_ON
            if not self._counts:
                self._own.is_answered(number, False)
                return PASS_ON
        if isinstance(answer, Verdict):
            return self._published(message, shown, answer)
        return verdict_later(answer, name_of(self.inner)).addCallback(partial(self._published, message, shown))

    def _bad_alias(self, alias: int) -> Verdict:
        """Return the verdict on an alias that stands for no topic: no rule can be asked about such a message."""
        if not self.session.is_whole:
            text = f"the topic of alias {alias} was given before the filters were loaded: the client must connect again"
            return Close(PermissionError(text))
        text = f"the topic alias {alias} has not been given to a topic"
        return Close(self._wrong(text, Reason.TOPIC_ALIAS_INVALID))

    def _wrong(self, text: str, reason: int) -> MalformedPacket:
        """Return an error of the sender."""
        error = MalformedPacket(text, reason)
        error.side = self.side
        return error

    def _published(self, came: Publish, shown: Publish, verdict: Verdict) -> Verdict:
        """Return the verdict on a message that was published."""
        verdict = plain(verdict)
        if verdict.passes:
            passed = self._passed(came, shown)
            return self._others(came, passed, (), verdict)
        chosen = _chosen(came, verdict.forward)
        fitted = None if chosen is None else self._fitted(came, chosen)
        sent = None if fitted is None else self._sent(came, fitted)
        forward: list[object] = []
        for message in verdict.forward:
            if message is not chosen:
                forward += self._numbered(self._own, [message])
            elif sent is not None:
                forward.append(sent)
        if came.packet_id is None or verdict.closes or fitted is not None:
            return self._mixed(verdict, forward, (), as_it_came=False)
        if not verdict.forward and self._closes:
            return Close(PermissionError(f"a filter has refused a message to {shown.topic!r}"))
        back = self._answers(came, came.packet_id, verdict, too_large=chosen is not None)
        return self._mixed(verdict, forward, back, as_it_came=False)

    def _passed(self, came: Publish, shown: Publish) -> Publish | None:
        """Return the packet for a message that is passed on: as it came, or with its topic, or another number."""
        if shown is came or (came.packet_id is not None and self._own.must_wait(came.packet_id)):
            return self._sent(came, shown)
        alias = came.properties.get(Property.TOPIC_ALIAS)
        knows = self._own.aliases.tell(alias, shown.topic, in_message=bool(came.topic))
        return self._sent(came, came if knows else replace(came, topic=shown.topic))

    def _sent(self, came: Publish, packet: Publish) -> Publish | None:
        """Return the packet that takes the place of a message, with its number; ``None`` if it has to wait."""
        number = came.packet_id
        if number is None or not self._counts:
            return packet
        if self._own.must_wait(number):
            self._own.hold(packet, number, came.qos)
            return None
        return self._own.sent(packet, number, came.qos)

    def _fitted(self, came: Publish, chosen: Publish) -> Publish | None:
        """Return the packet for a message that the filter has altered; ``None`` if it is too large."""
        properties = chosen.properties.without(Property.TOPIC_ALIAS)
        altered = replace(chosen, packet_id=came.packet_id, dup=came.dup, properties=properties)
        return self.session.fitted(altered, self._own.max_packet)

    def _answers(self, came: Publish, number: int, verdict: Verdict, *, too_large: bool) -> list[object]:
        """Return what the sender gets for a message that does not go on: nothing if the filter has answered it."""
        for answer in verdict.back:
            if isinstance(answer, (PubAck, PubRec)) and answer.packet_id == number:
                self._own.is_answered(number, isinstance(answer, PubRec) and answer.reason < FAILED)
                return []
        reason = self._refusal
        if too_large and reason:
            reason = Reason.PACKET_TOO_LARGE
        elif verdict.forward and not too_large:
            reason = Reason.SUCCESS
        return [self._own.answer(number, came.qos, reason)]

    def _acknowledged(self, message: Acknowledgement, link: Link) -> Answer:
        acknowledgement, back = self._other.acknowledged(message)
        if acknowledgement is None:
            return Mixed(back=back) if back else DROP
        return self._through(message, acknowledgement, back, link)

    def _released(self, message: PubRel, link: Link) -> Answer:
        release = self._own.released(message)
        if isinstance(release, PubComp):
            return Mixed(forward=self._in_place(), back=[release])
        return self._through(message, release, (), link)

    def _numbered(self, direction: Publishing, messages: Iterable[object]) -> list[object]:
        """Return messages that the inner filter has added, with numbers, as far as there is room for them."""
        numbered: list[object] = []
        for message in messages:
            if isinstance(message, Publish):
                fitted = self.session.fitted(message, direction.max_packet)
                added = None if fitted is None else direction.added(fitted)
                if added is not None:
                    numbered.append(added)
            elif isinstance(message, (Subscribe, Unsubscribe)):
                exchange = direction.ids.add()
                if exchange is not None:
                    numbered.append(replace(message, packet_id=exchange.receiver_id))
            else:
                numbered.append(message)
        return numbered


def _chosen(came: Publish, messages: Iterable[object]) -> Publish | None:
    """Return the message that takes the place of the one that came, and with QoS 1 or 2 its acknowledgement."""
    ours = [message for message in messages if isinstance(message, Publish)]
    if came.qos == 0:
        return next((message for message in ours if message.qos == 0), None)
    acknowledged = [message for message in ours if message.qos]
    same = [message for message in acknowledged if message.packet_id == came.packet_id]
    return next(iter(same or acknowledged), None)


MESSAGES: dict[type, Method] = {
    Publish: Answering._publish,
    PubAck: Answering._acknowledged,
    PubRec: Answering._acknowledged,
    PubComp: Answering._acknowledged,
    PubRel: Answering._released,
}
