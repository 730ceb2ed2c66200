"""Filters in `answered`: connecting and subscribing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from twisted_repeater import DROP, PASS_ON, Close, Send, SendBack, Verdict
from twisted_repeater.dialects.mqtt import (
    ConnAck,
    Connect,
    Disconnect,
    PubAck,
    Publish,
    Raw,
    Reason,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    answered,
    mqtt,
)
from twisted_repeater.dialects.mqtt.keep_alive import PING, PONG, KeepAlive
from twisted_repeater.dialects.mqtt.publishing import MOST_WAITING
from twisted_repeater.testing import FilterHarness, MemoryRepeater

from .answered_case import BOTH, AnsweredCase

ABC = Subscribe(7, (Subscription("a"), Subscription("b", 1), Subscription("c", 2)))


def only(*names: str) -> Any:
    """Return a filter that leaves some topic filters in requests."""

    def keep(message: Any, link: Any) -> Verdict:
        if isinstance(message, Subscribe):
            left = tuple(each for each in message.subscriptions if each.topic_filter in names)
            return Send(replace(message, subscriptions=left)) if left else DROP
        if isinstance(message, Unsubscribe):
            kept = tuple(each for each in message.topic_filters if each in names)
            return Send(replace(message, topic_filters=kept)) if kept else DROP
        return PASS_ON

    return keep


class RequestTests(AnsweredCase):
    """Subscriptions."""

    def test_in_part(self) -> None:
        """The answer has a code for each topic filter, in order."""
        for version, no in ((4, 0x80), (5, 0x87)):
            run = self.link(only("b"), version)
            run.client_sends(ABC).expect(to_server=[Subscribe(7, (Subscription("b", 1),))])
            run.server_sends(SubAck(7, (1,))).expect(to_client=[SubAck(7, (no, 1, no))])
            run.client_sends(Unsubscribe(8, ("a", "b"))).expect(to_server=[Unsubscribe(8, ("b",))])
            codes: tuple[tuple[int, ...], tuple[int, ...]] = ((0,), (0x87, 0)) if version == 5 else ((), ())
            run.server_sends(UnsubAck(8, codes[0])).expect(to_client=[UnsubAck(8, codes[1])])

    def test_refused(self) -> None:
        """If no topic filter is left the answer comes from here."""
        for version, no in ((4, 0x80), (5, 0x87)):
            run = self.link(only(), version)
            run.client_sends(ABC).expect(to_client=[SubAck(7, (no, no, no))])
            codes = (no,) if version == 5 else ()
            run.client_sends(Unsubscribe(8, ("a",))).expect(to_client=[UnsubAck(8, codes)])

    def test_passed(self) -> None:
        """A request that passes is answered by the broker; an answer to nothing passes."""
        run = self.link(BOTH)
        run.client_sends(ABC).expect(to_server=[ABC])
        answer = SubAck(7, (0, 1, 2))
        for _ in range(2):
            run.server_sends(answer).expect(to_client=[answer])

    def test_answered_by_the_filter(self) -> None:
        """An answer of the filter's own replaces ours; it may close the link, too."""
        answer = SubAck(7, (0x97,) * 3)
        run = self.link(lambda message, link: SendBack([answer]) if message == ABC else PASS_ON)
        run.client_sends(ABC).expect(to_client=[answer])
        run = self.link(lambda message, link: Close() if message == ABC else PASS_ON)
        self.assertTrue(run.client_sends(ABC).closed)

    def test_numbers(self) -> None:
        """Requests and messages share their numbers: those of added ones are not the client's."""

        def more(message: Any, link: Any) -> Verdict:
            if isinstance(message, Subscribe):
                return Send(message, Subscribe(1, (Subscription("z"),)), Publish("log"))
            return PASS_ON

        run = self.link(more)
        added = Subscribe(65535, (Subscription("z"),))
        run.client_sends(ABC).expect(to_server=[ABC, added, Publish("log")])
        unsubscribe = Unsubscribe(65535, ("a",))
        run.client_sends(unsubscribe).expect(to_server=[replace(unsubscribe, packet_id=65534)])
        run.server_sends(UnsubAck(65534, (0,))).expect(to_client=[UnsubAck(65535, (0,))])
        run.server_sends(SubAck(65535, (0,))).expect()


class ConnectTests(AnsweredCase):
    """Connecting."""

    def test_dropped(self) -> None:
        """A client whose CONNECT is dropped is refused."""
        for version, code in ((4, 5), (5, 0x87)):
            drop = answered(lambda message, link: DROP if isinstance(message, Connect) else PASS_ON)
            client = MemoryRepeater(mqtt(), filters=drop).connect("ann", says=[Connect("ann", version=version)])
            self.assertEqual(client.received, [ConnAck(reason=code)])
            self.assertIsNotNone(client.lost)

    def test_altered(self) -> None:
        """A filter may alter the CONNECT; one that is refused by the broker passes."""

        def slower(message: Any, link: Any) -> Verdict:
            return Send(replace(message, keep_alive=9)) if isinstance(message, Connect) else PASS_ON

        run = FilterHarness(filters=answered(slower), dialect=mqtt(), says=[Connect("ann")])
        run.opened.expect(to_server=[Connect("ann", keep_alive=9)])
        run.server_sends(ConnAck(reason=5)).expect(to_client=[ConnAck(reason=5)])

    def test_early(self) -> None:
        """What is refused before the CONNACK is answered after it: that is the first packet that a client gets."""
        asked: list[Deferred[Verdict]] = []

        def refuse(message: Any, link: Any) -> Any:
            if isinstance(message, Unsubscribe):
                asked.append(Deferred())
                return asked[-1]
            return DROP if isinstance(message, Subscribe) else PASS_ON

        run = FilterHarness(filters=answered(refuse), dialect=mqtt(), says=[Connect("ann")])
        run.client_sends(ABC, Publish("a")).expect(to_server=[Publish("a")])
        run.client_sends(Unsubscribe(8, ("a",))).expect()
        asked[0].callback(DROP)
        run.outcome().expect()
        run.server_sends(ConnAck()).expect(to_client=[ConnAck(), SubAck(7, (0x80,) * 3), UnsubAck(8)])
        run.client_sends(ABC).expect(to_client=[SubAck(7, (0x80,) * 3)])
        run = FilterHarness(filters=answered(refuse), dialect=mqtt(), says=[Connect("ann")])
        run.client_sends(ABC)
        run.server_sends(ConnAck(reason=5)).expect(to_client=[ConnAck(reason=5)])

    def test_too_early(self) -> None:
        """Only some answers can wait."""
        run = FilterHarness(filters=answered(only()), dialect=mqtt(), says=[Connect("ann")])
        self.assertFalse(run.client_sends(*[ABC] * MOST_WAITING).closed)
        self.assertTrue(run.client_sends(ABC).closed)

    def test_twice(self) -> None:
        """A second CONNECT ends the link: it could be another client's."""
        outcome = self.link(BOTH).client_sends(Connect("bob", version=5))
        self.assertEqual((outcome.closed, outcome.to_server), (True, []))
        self.assertEqual(outcome.to_client, [Disconnect(Reason.PROTOCOL_ERROR)])

    def test_kept_alive(self) -> None:
        """The broker gets a ping instead of a dropped message, now and then; its answer ends here."""
        clock = Clock()
        run = self.link(BOTH)
        to_server: Any = run.link._pair.filters[0]  # type: ignore[attr-defined]
        to_server.session.keep_alive = KeepAlive(60, clock.seconds)
        clock.advance(40)
        run.client_sends(Publish("secret"), Publish("secret")).expect(to_server=[PING])
        run.server_sends(PONG, PONG, Raw(b"\xd0\0")).expect(to_client=[PONG, PONG])
        run.server_sends(Publish("secret", b"", 1, packet_id=1)).expect(to_server=[PubAck(1)])
        run.client_sends(Publish("secret", b"", 1, packet_id=1)).expect(to_client=[PubAck(1, Reason.NOT_AUTHORIZED)])
