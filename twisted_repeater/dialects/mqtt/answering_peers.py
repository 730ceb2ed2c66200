"""The two filters of a link that `answered` makes. Only the client connects and subscribes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import ClassVar

from ..._pending import verdict_later
from ...link import Link
from ...model import Side
from ...verdicts import DROP, Answer, Close, Mixed, Verdict, plain
from .answering_filters import MESSAGES, NAME, Answering, Method
from .messages import ConnAck, Connect, Raw, SubAck, Subscribe, UnsubAck, Unsubscribe
from .publishing import MOST_WAITING, Publishing
from .reasons import Reason

__all__ = ["ToClient", "ToServer"]


class ToServer(Answering):
    """The filter of what the client says."""

    side = Side.CLIENT

    @property
    def _own(self) -> Publishing:
        return self.session.to_server

    @property
    def _other(self) -> Publishing:
        return self.session.to_client

    @property
    def _refusal(self) -> int:
        return self.session.refused

    def _in_place(self) -> Iterable[object]:
        return self.session.keep_alive.pings()

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        answer = super().filter(message, link)
        if self.session.early is None:
            return answer
        return (
            self._later(answer) if isinstance(answer, Verdict) else verdict_later(answer, NAME).addCallback(self._later)
        )

    def _later(self, verdict: Verdict) -> Verdict:
        """Keep the answers of a verdict until the CONNACK has come."""
        early, back = self.session.early, verdict.back
        if early is None or not back or verdict.closes or isinstance(back[0], ConnAck):
            return verdict
        if len(early) >= MOST_WAITING:
            return Close(self._wrong("too many packets came before the CONNACK", Reason.QUOTA_EXCEEDED))
        early += back
        return Mixed(passes=verdict.passes, forward=verdict.forward, delay=verdict.delay)

    def _connect(self, message: Connect, link: Link) -> Answer:
        if self.session.is_whole:
            return Close(self._wrong("there must be one CONNECT", Reason.PROTOCOL_ERROR))
        self.session.is_whole, self.session.early = True, []
        return self._decided(message, link, partial(self._connecting, message))

    def _connecting(self, came: Connect, verdict: Verdict) -> Verdict:
        """Return the verdict on a CONNECT. A client whose CONNECT is dropped would wait."""
        verdict = plain(verdict)
        if not (verdict.passes or verdict.forward or verdict.back or verdict.closes):
            code = Reason.NOT_AUTHORIZED if came.version == 5 else 5
            return Close(PermissionError("a filter has refused the client"), back=[ConnAck(reason=code)])
        for other in [each for each in (came, *verdict.forward) if isinstance(each, Connect)]:
            self.session.connecting(other)
        return verdict

    def _request(self, message: Subscribe | Unsubscribe, link: Link) -> Answer:
        return self._decided(message, link, partial(self._requested, message))

    def _requested(self, came: Subscribe | Unsubscribe, verdict: Verdict) -> Verdict:
        """Return the verdict on a request."""
        verdict = plain(verdict)
        number, forward = came.packet_id, verdict.forward
        chosen = came if verdict.passes else next((other for other in forward if type(other) is type(came)), None)
        if not isinstance(chosen, (Subscribe, Unsubscribe)):
            back = [] if verdict.closes or _has_answer(verdict, number) else [self._refused(came)]
            return self._mixed(verdict, self._numbered(self._own, forward), back, as_it_came=False)
        exchange = self._own.ids.begin(number)
        number = number if exchange is None else exchange.receiver_id
        sent = chosen if chosen.packet_id == number else replace(chosen, packet_id=number)
        self.session.requests.sent(number, _filters(came), _filters(sent), self.session.refused_subscription)
        if verdict.passes:
            return self._others(came, sent, (), verdict)
        others = self._numbered(self._own, [other for other in forward if other is not chosen])
        return self._mixed(verdict, [sent, *others], (), as_it_came=False)

    def _refused(self, request: Subscribe | Unsubscribe) -> SubAck | UnsubAck:
        """Return the answer to a request that does not reach the broker."""
        codes = (self.session.refused_subscription,) * len(_filters(request))
        if isinstance(request, Subscribe):
            return SubAck(request.packet_id, codes)
        return UnsubAck(request.packet_id, codes if self.session.version == 5 else ())

    methods: ClassVar[dict[type, Method]] = MESSAGES | {Connect: _connect, Subscribe: _request, Unsubscribe: _request}


class ToClient(Answering):
    """The filter of what the broker says."""

    side = Side.SERVER

    @property
    def _own(self) -> Publishing:
        return self.session.to_client

    @property
    def _other(self) -> Publishing:
        return self.session.to_server

    def _connack(self, message: ConnAck, link: Link) -> Answer:
        if message.reason == 0:
            self.session.accepted(message)
        early, self.session.early = self.session.early, None
        return self._decided(message, link, partial(self._accepted, message, early or ()))

    def _accepted(self, message: ConnAck, early: Iterable[object], verdict: Verdict) -> Verdict:
        """Return the verdict on a CONNACK, with the answers that have waited for it."""
        verdict = self._others(message, message, (), verdict)
        if not early or verdict.closes or message.reason:
            return verdict
        forward = (*verdict.forward, *early)
        return Mixed(passes=verdict.passes, forward=forward, back=verdict.back, delay=verdict.delay)

    def _answer(self, message: SubAck | UnsubAck, link: Link) -> Answer:
        number, back, shown = message.packet_id, [], message
        exchange = self._other.ids.of_receiver(number)
        codes = self.session.requests.answered(number, message.reasons)
        if codes is not None:
            shown = replace(shown, reasons=codes)
        if exchange is not None:
            back = self._other.end(exchange)
            if exchange.sender_id is None:
                return Mixed(back=back) if back else DROP
            if exchange.sender_id != number:
                shown = replace(shown, packet_id=exchange.sender_id)
        return self._through(message, shown, back, link)

    def _pong(self, message: Raw, link: Link) -> Answer:
        if self.session.keep_alive.takes(message):
            return DROP
        return self._through(message, message, (), link)

    methods: ClassVar[dict[type, Method]] = MESSAGES | {
        ConnAck: _connack,
        SubAck: _answer,
        UnsubAck: _answer,
        Raw: _pong,
    }


def _has_answer(verdict: Verdict, number: int) -> bool:
    """Return whether the filter has answered a request itself."""
    return any(isinstance(back, (SubAck, UnsubAck)) and back.packet_id == number for back in verdict.back)


def _filters(request: Subscribe | Unsubscribe) -> tuple[str, ...]:
    """Return the topic filters of a request."""
    if isinstance(request, Unsubscribe):
        return request.topic_filters
    return tuple(subscription.topic_filter for subscription in request.subscriptions)
