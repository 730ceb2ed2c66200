"""Filters in `answered`: messages that are published, in either direction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import DROP, PASS_ON, Close, Mixed, PassOnAndSendBack, Send, SendBack, Verdict
from twisted_repeater.dialects.mqtt import (
    ConnAck,
    Connect,
    Disconnect,
    Properties,
    Property,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Raw,
    Reason,
    Subscribe,
    Subscription,
    Topics,
    answered,
    mqtt,
)
from twisted_repeater.filters import FilterPair
from twisted_repeater.testing import FilterHarness

from .answered_case import ALIASES, BOTH, AnsweredCase, no_secrets

NO = Reason.NOT_AUTHORIZED


def aliased(topic: str, alias: int, **more: Any) -> Publish:
    """Return a message with an alias."""
    return Publish(topic, properties=Properties([(Property.TOPIC_ALIAS, alias)]), **more)


class DroppedTests(AnsweredCase):
    """Messages that are dropped."""

    def test_of_the_client(self) -> None:
        """The client gets the answer of its QoS and version, and the broker nothing."""
        for version, reason in ((4, 0), (5, NO)):
            run = self.link(BOTH, version)
            run.client_sends(Publish("secret"), Publish("secret", b"", 1, packet_id=7)).expect(
                to_client=[PubAck(7, reason)]
            )
            run.client_sends(Publish("secret", b"", 2, packet_id=7)).expect(to_client=[PubRec(7, reason)])
            if version == 4:
                run.client_sends(Publish("secret", b"", 2, packet_id=7, dup=True)).expect(to_client=[PubRec(7)])
                run.client_sends(PubRel(7)).expect(to_client=[PubComp(7)])
            run.client_sends(Publish("news", b"", 2, packet_id=7)).expect(
                to_server=[Publish("news", b"", 2, packet_id=7)]
            )

    def test_of_the_broker(self) -> None:
        """The broker gets the acknowledgements of the client, and the client nothing."""
        for version in (4, 5):
            run = self.link(BOTH, version)
            run.server_sends(Publish("secret"), Publish("secret", b"", 1, packet_id=1)).expect(to_server=[PubAck(1)])
            run.server_sends(Publish("secret", b"", 2, packet_id=2)).expect(to_server=[PubRec(2)])
            run.server_sends(PubRel(2)).expect(to_server=[PubComp(2)])

    def test_closed(self) -> None:
        """With before_5="close" a client of 3.1.1 is closed; one of version 5 is answered."""
        pair = answered(no_secrets, before_5="close")
        outcome = self.link(pair, 4).client_sends(Publish("secret", b"", 1, packet_id=7))
        self.assertTrue(outcome.closed)
        self.link(pair, 5).client_sends(Publish("secret", b"", 1, packet_id=7)).expect(to_client=[PubAck(7, NO)])

    def test_answered_by_the_filter(self) -> None:
        """An answer of the filter's own replaces ours."""

        def busy(message: Any, link: Any) -> Verdict:
            if not isinstance(message, Publish) or not message.packet_id:
                return PASS_ON
            kind = PubAck if message.qos == 1 else PubRec
            return SendBack([kind(message.packet_id, 0 if message.topic == "quiet" else Reason.QUOTA_EXCEEDED)])

        run = self.link(busy)
        run.client_sends(Publish("a", b"", 1, packet_id=7)).expect(to_client=[PubAck(7, 0x97)])
        run.client_sends(Publish("a", b"", 2, packet_id=7)).expect(to_client=[PubRec(7, 0x97)])
        run.client_sends(Publish("quiet", b"", 2, packet_id=7)).expect(to_client=[PubRec(7)])
        run.client_sends(PubRel(7)).expect(to_client=[PubComp(7)])

    def test_later(self) -> None:
        """Verdicts may come later."""
        asked: list[Deferred[Verdict]] = []

        def later(message: Any, link: Any) -> Any:
            if isinstance(message, (Publish, PubRel)):
                asked.append(Deferred())
                return asked[-1]
            return PASS_ON

        run = self.link(later)
        run.client_sends(Publish("a", b"", 1, packet_id=7)).expect()
        asked[0].callback(DROP)
        run.outcome().expect(to_client=[PubAck(7, NO)])
        run.client_sends(PubRel(9)).expect()
        asked[1].callback(PASS_ON)
        run.outcome().expect(to_server=[PubRel(9)])


class AlteredTests(AnsweredCase):
    """Messages that are altered or added."""

    def altered(self, verdict: Any) -> FilterHarness:
        """Return a link on which a filter answers with this to messages to the topic x."""

        def alter(message: Any, link: Any) -> Verdict:
            if isinstance(message, Publish) and message.topic == "x":
                made: Verdict = verdict(message)
                return made
            return PASS_ON

        return self.link(alter)

    def test_payload(self) -> None:
        """An altered message has the exchange of the one that came."""
        run = self.altered(lambda message: Send(replace(message, payload=b"y")))
        run.client_sends(Publish("x"), Publish("x", b"", 1, packet_id=7)).expect(
            to_server=[Publish("x", b"y"), Publish("x", b"y", 1, packet_id=7)]
        )
        run.server_sends(PubAck(7)).expect(to_client=[PubAck(7)])

    def test_qos_0(self) -> None:
        """A message that goes on with QoS 0 is acknowledged from here."""
        run = self.altered(lambda message: Send(replace(message, qos=0)))
        run.client_sends(Publish("x", b"", 2, packet_id=7)).expect(to_server=[Publish("x")], to_client=[PubRec(7)])

    def test_added(self) -> None:
        """Added messages get numbers, and their acknowledgements end here."""
        run = self.altered(lambda message: Send(Publish("copy", b"", 1), message, Publish("log"), Raw(b"\xc0\0")))
        run.client_sends(Publish("x", b"", 1, packet_id=7)).expect(
            to_server=[
                Publish("copy", b"", 1, packet_id=65535),
                Publish("x", b"", 1, packet_id=7),
                Publish("log"),
                Raw(b"\xc0\0"),
            ]
        )
        run.server_sends(PubAck(65535)).expect()
        run.server_sends(PubAck(7)).expect(to_client=[PubAck(7)])

    def test_sent_back(self) -> None:
        """A message that a filter publishes to the sender gets a number there; one that is mixed in is added."""
        run = self.altered(lambda message: PassOnAndSendBack([Publish("echo", b"", 2)]))
        run.client_sends(Publish("x")).expect(
            to_server=[Publish("x")], to_client=[Publish("echo", b"", 2, packet_id=65535)]
        )
        run.client_sends(PubRec(65535)).expect(to_client=[PubRel(65535)])
        run.client_sends(PubComp(65535)).expect()
        run = self.altered(lambda message: Mixed(passes=True, forward=[Publish("copy", b"", 1)]))
        run.client_sends(Publish("x")).expect(to_server=[Publish("x"), Publish("copy", b"", 1, packet_id=65535)])

    def test_subscription_added(self) -> None:
        """A filter may subscribe for the client; the answer ends here."""
        wanted = Subscribe(1, (Subscription("a"),))
        run = self.altered(lambda message: Send(message, wanted))
        run.client_sends(Publish("x")).expect(to_server=[Publish("x"), replace(wanted, packet_id=65535)])

    def test_no_number_left(self) -> None:
        """If no number is left, a subscription that a filter adds is not sent."""
        wanted = Subscribe(1, (Subscription("a"),))
        run = self.altered(lambda message: Send(message, wanted))
        run.client_sends(*(Publish("y", b"", 1, packet_id=number) for number in range(1, 65536)))
        run.client_sends(Publish("x")).expect(to_server=[Publish("x")])

    def test_too_large(self) -> None:
        """A message that has become too large for the receiver is refused, or dropped if it was added."""
        most = Properties([(Property.MAXIMUM_PACKET_SIZE, 50)])

        def grow(message: Any, link: Any) -> Verdict:
            if isinstance(message, Publish):
                return Send(replace(message, payload=b"x" * 100), Publish("copy", b"x" * 100))
            return PASS_ON

        run = self.link(FilterPair(grow, grow), properties=most)
        run.client_sends(Publish("a", b"", 1, packet_id=7)).expect(to_client=[PubAck(7, Reason.PACKET_TOO_LARGE)])
        run.server_sends(Publish("a", b"", 1, packet_id=7)).expect(to_server=[PubAck(7)])

    def test_closed(self) -> None:
        """A filter may close the link."""
        run = self.altered(lambda message: Close(ValueError("x"), forward=[Publish("y")]))
        self.assertTrue(run.client_sends(Publish("x", b"", 1, packet_id=7)).closed)


class AliasTests(AnsweredCase):
    """Topic aliases."""

    def test_defined_by_a_dropped_message(self) -> None:
        """If the message that defines an alias is dropped or altered, the next one has the topic, both ways."""

        def first(message: Any, link: Any) -> Verdict:
            return DROP if isinstance(message, Publish) and message.payload == b"no" else PASS_ON

        run = self.link(FilterPair(first, first))
        for sends, got in ((run.client_sends, "to_server"), (run.server_sends, "to_client")):
            sends(aliased("a", 1, payload=b"no")).expect()
            sends(aliased("", 1)).expect(**{got: [aliased("a", 1)]})  # type: ignore[arg-type]
            sends(aliased("", 1)).expect(**{got: [aliased("", 1)]})  # type: ignore[arg-type]

    def test_rules_hold(self) -> None:
        """A filter is asked about the topic that an alias stands for."""
        run = self.link(BOTH)
        run.client_sends(aliased("secret", 1), aliased("", 1)).expect()
        run.client_sends(aliased("news", 1), aliased("", 1)).expect(to_server=[aliased("news", 1), aliased("", 1)])

    def test_altered(self) -> None:
        """An altered message has its topic, and no alias."""

        def alter(message: Any, link: Any) -> Verdict:
            return Send(replace(message, payload=b"y")) if message == Publish("a") else PASS_ON

        run = self.link(alter)
        run.client_sends(aliased("a", 1)).expect(to_server=[Publish("a", b"y")])

    def test_unknown(self) -> None:
        """An alias that stands for nothing closes the link: no rule can be asked."""
        outcome = self.link(BOTH).client_sends(aliased("", 9))
        self.assertTrue(outcome.closed)
        self.assertEqual(outcome.to_server, [])

    def test_given_before(self) -> None:
        """A link whose filters were loaded later is closed at an alias that was given before, as no rule can be asked.

        Aliases that are given after that are known.
        """
        run = FilterHarness(dialect=mqtt(), says=[Connect("ann", version=5)])
        run.server_sends(ConnAck(properties=ALIASES))
        run.client_sends(aliased("secret", 1))
        run.repeater.replace_filters(filters=answered(BOTH))
        run.client_sends(aliased("news", 2), aliased("", 2)).expect(to_server=[aliased("news", 2), aliased("", 2)])
        outcome = run.client_sends(aliased("", 1))
        self.assertTrue(outcome.closed)
        self.assertEqual(outcome.to_client, [Disconnect(Reason.ADMINISTRATIVE_ACTION)])


class RoomTests(AnsweredCase):
    """Added messages take some of the receiver's Receive Maximum, of which the sender knows nothing."""

    def room(self, verdict: Any) -> FilterHarness:
        """Return a link whose receivers take two messages at a time, with a filter for messages with QoS."""
        few = Properties([(Property.RECEIVE_MAXIMUM, 2), (Property.TOPIC_ALIAS_MAXIMUM, 10)])

        def add(message: Any, link: Any) -> Verdict:
            if isinstance(message, Publish) and message.topic == "x":
                made: Verdict = verdict(message)
                return made
            return PASS_ON

        return self.link(FilterPair(add, add), properties=few)

    def test_waits(self) -> None:
        """The sender's message waits until there is room, before added ones, and with its topic."""
        copy = Publish("copy", b"", 1)
        run = self.room(lambda message: Send(message, copy, copy))
        for sends, answers, out in (
            (run.client_sends, run.server_sends, ("to_server", "to_client")),
            (run.server_sends, run.client_sends, ("to_client", "to_server")),
        ):
            x, a = Publish("x", b"", 1, packet_id=1), aliased("a", 1, qos=1, packet_id=2)
            sends(x).expect(**{out[0]: [x, replace(copy, packet_id=65535)]})  # type: ignore[arg-type]
            sends(a, Publish("b")).expect(**{out[0]: [Publish("b")]})  # type: ignore[arg-type]
            sends(aliased("", 1)).expect(**{out[0]: [aliased("a", 1)]})  # type: ignore[arg-type]
            first = Publish("a", b"", 1, packet_id=2)
            answers(PubAck(65535)).expect(**{out[0]: [first]})  # type: ignore[arg-type]
            answers(PubAck(1)).expect(**{out[1]: [PubAck(1)], out[0]: [replace(copy, packet_id=65534)]})  # type: ignore[arg-type]
            answers(PubAck(2), PubAck(65534)).expect(**{out[1]: [PubAck(2)]})  # type: ignore[arg-type]

    def test_altered(self) -> None:
        """An altered message waits as well."""
        run = self.room(lambda message: Send(replace(message, payload=b"y"), Publish("copy", b"", 1)))
        one, two = (Publish("x", b"y", 1, packet_id=number) for number in (1, 2))
        run.client_sends(replace(one, payload=b""), replace(two, payload=b"")).expect(
            to_server=[one, Publish("copy", b"", 1, packet_id=65535)]
        )
        run.server_sends(PubAck(65535)).expect(to_server=[two])


class CountedTests(AnsweredCase):
    """Messages that are under way."""

    def test_request_later(self) -> None:
        """The verdict on a request may come later, too."""
        verdict: Deferred[Verdict] = Deferred()

        def later(message: Any, link: Any) -> Any:
            return verdict if isinstance(message, Subscribe) else PASS_ON

        run = self.link(later)
        asked = Subscribe(7, (Subscription("a"),))
        run.client_sends(asked).expect()
        verdict.callback(PASS_ON)
        run.outcome().expect(to_server=[asked])

    def test_other_properties(self) -> None:
        """A message with properties, and without an alias, is shown as it came."""

        def same(message: Any, link: Any) -> Verdict:
            return PASS_ON

        message = Publish("a", properties=Properties([(Property.CONTENT_TYPE, "x")]))
        self.link(same).client_sends(message).expect(to_server=[message])

    def test_another_answer(self) -> None:
        """What a filter sends back besides is no answer to the message that it drops."""

        def note(message: Any, link: Any) -> Verdict:
            return SendBack([Publish("note")]) if isinstance(message, Publish) else PASS_ON

        run = self.link(note)
        run.client_sends(Publish("a", b"", 1, packet_id=7)).expect(to_client=[Publish("note"), PubAck(7, NO)])

    def test_not_counted(self) -> None:
        """Where a filter adds nothing, acknowledgements pass undecoded, whatever they are."""
        run = self.link(Topics(deny_publish=("none",)), ready=True)
        run.server_sends(Publish("a", b"", 1, packet_id=7)).expect(to_client=[Publish("a", b"", 1, packet_id=7)])
        wrong = Raw(b"\x40\x02\0\0")
        run.client_sends(wrong).expect(to_server=[b"\x40\x02\0\0"])
        self.assertEqual(len(_session(run).to_client.ids), 0)

    def test_released(self) -> None:
        """A number that was answered from here is the sender's again when it uses it for another message."""
        run = self.link(Topics(deny_publish=("secret",)), 4, ready=True)
        run.client_sends(Publish("secret", b"", 2, packet_id=7)).expect(to_client=[PubRec(7)])
        run.client_sends(Publish("a", b"", 2, packet_id=7), PubRel(7)).expect(
            to_server=[Publish("a", b"", 2, packet_id=7), PubRel(7)]
        )
        run = self.link(answered(FilterPair(None, None), before_5="close"), 4)
        run.client_sends(Publish("a", b"", 2, packet_id=7)).expect(to_server=[Publish("a", b"", 2, packet_id=7)])

    def test_taken_over(self) -> None:
        """Filters that take over from some that counted go on counting."""

        def add(message: Any, link: Any) -> Verdict:
            return Send(message, Publish("copy", b"", 1)) if isinstance(message, Publish) else PASS_ON

        run = self.link(add)
        run.client_sends(Publish("a")).expect(to_server=[Publish("a"), Publish("copy", b"", 1, packet_id=65535)])
        run.repeater.replace_filters(filters=Topics(deny_publish=("none",)))
        run.server_sends(PubAck(65535)).expect()


def _session(run: FilterHarness) -> Any:
    pair: Any = run.link
    return pair._pair.filters[0].session


class FilterTests(AnsweredCase):
    """The filters themselves."""

    def test_repr(self) -> None:
        """Its text names the filter inside; messages that nobody wants pass."""
        to_server, _ = answered(no_secrets).for_link(self.link(BOTH).link)
        self.assertIn("no_secrets", repr(to_server))
        self.assertRaises(TypeError, to_server.selector_for, None)  # type: ignore[union-attr]
        to_server.migrate(None)  # type: ignore[union-attr]
        run = self.link(FilterPair(None, None))
        run.client_sends(Raw(b"\xc0\0")).expect(to_server=[Raw(b"\xc0\0")])

    def test_others(self) -> None:
        """Packets that need no answer go through the filter."""
        run = self.link(lambda message, link: DROP if isinstance(message, Raw) else PASS_ON)
        run.client_sends(Raw(b"\xc0\0")).expect()
