"""Rules about topics, on a link."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from twisted_repeater import DROP, PASS_ON, IFilterPair, Send, Verdict
from twisted_repeater.dialects.mqtt import (
    ConnAck,
    Connect,
    Properties,
    Property,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    Topics,
    Unsubscribe,
    Will,
    answered,
    mqtt,
)
from twisted_repeater.dialects.mqtt.topics import _Decision
from twisted_repeater.filters import FilterPair, chain
from twisted_repeater.testing import FilterHarness, MemoryRepeater

from .answered_case import AnsweredCase

ASSIGNED = ConnAck(properties=Properties([(Property.ASSIGNED_CLIENT_IDENTIFIER, "auto-7")]))


class TopicsTests(AnsweredCase):
    """Rules."""

    def topics(self, version: int = 5, **rules: Any) -> FilterHarness:
        """Return a link with rules."""
        return self.link(Topics(**rules), version, ready=True)

    def test_publish(self) -> None:
        """A message passes if its client may publish it, and is refused if not."""
        run = self.topics(publish=("sensors/%c/#",), deny_publish=("sensors/+/secret",))
        good = Publish("sensors/ann/a", b"", 1, packet_id=7)
        run.client_sends(good).expect(to_server=[good])
        for topic in ("sensors/bob/a", "sensors/ann/secret", "a"):
            run.client_sends(Publish(topic, b"", 1, packet_id=8)).expect(to_client=[PubAck(8, 0x87)])

    def test_deliveries(self) -> None:
        """A subscription to # gets around no rule: each message is looked at."""
        run = self.topics(deny_subscribe=("secret/#",))
        wanted = Subscribe(7, (Subscription("#"), Subscription("+/x"), Subscription("secret/a"), Subscription("a")))
        left = tuple(each for each in wanted.subscriptions if each.topic_filter != "secret/a")
        run.client_sends(wanted).expect(to_server=[Subscribe(7, left)])
        run.server_sends(SubAck(7, (0, 0, 0))).expect(to_client=[SubAck(7, (0, 0, 0x87, 0))])
        run.server_sends(Publish("secret/x", b"", 1, packet_id=1)).expect(to_server=[PubAck(1)])
        run.server_sends(Publish("a")).expect(to_client=[Publish("a")])
        run.client_sends(Unsubscribe(8, ("#",))).expect(to_server=[Unsubscribe(8, ("#",))])

    def test_all_refused(self) -> None:
        """Subscriptions to topics that the client never gets are refused."""
        run = self.topics(4, subscribe=("news/#",))
        run.client_sends(Subscribe(7, (Subscription("a/#"), Subscription("$SYS/#")))).expect(
            to_client=[SubAck(7, (0x80, 0x80))]
        )

    def test_shared(self) -> None:
        """A shared subscription is refused if the client may not get all of it."""
        run = self.topics(deny_subscribe=("secret/#",))
        run.client_sends(Subscribe(7, (Subscription("$share/g/#"),))).expect(to_client=[SubAck(7, (0x87,))])
        good = Subscribe(8, (Subscription("$share/g/a/#"),))
        run.client_sends(good).expect(to_server=[good])

    def test_function(self) -> None:
        """A function decides about what the patterns allow; it cannot say yes to a shared wildcard."""
        asked: list[tuple[str, str]] = []

        def allowed(action: str, topic: str, link: Any) -> bool:
            asked.append((action, topic))
            return topic != "no"

        run = self.topics(deny_publish=("never",), allowed=allowed)
        run.client_sends(Publish("never"), Publish("no"), Publish("a")).expect(to_server=[Publish("a")])
        run.server_sends(Publish("no"), Publish("a")).expect(to_client=[Publish("a")])
        wanted = Subscribe(7, tuple(map(Subscription, ("no", "#", "$share/g/#"))))
        run.client_sends(wanted).expect(to_server=[Subscribe(7, (Subscription("#"),))])
        self.assertEqual(
            asked, [("publish", "no"), ("publish", "a"), ("subscribe", "no"), ("subscribe", "a"), ("subscribe", "no")]
        )

    def test_will(self) -> None:
        """A client whose will is to a topic that it may not publish to is refused in its version."""
        for version, code in ((4, 5), (5, 0x87)):
            for topic, refused in (("secret/a", True), ("a", False)):
                says = Connect("ann", version=version, will=Will(topic))
                running = MemoryRepeater(mqtt(), filters=Topics(deny_publish=("secret/#",)))
                client = running.connect("ann", says=[says])
                self.assertEqual(client.received, [ConnAck(reason=code)] if refused else [])
                self.assertIs(client.lost is not None, refused)

    def test_assigned_id(self) -> None:
        """The id that the broker assigns is the client's from then on, also when the rules are replaced."""
        rules = Topics(publish=("d/%c",))
        run = FilterHarness(filters=rules, dialect=mqtt(), says=[Connect("", version=5)])
        run.server_sends(ASSIGNED)
        run.client_sends(Publish("d/auto-7"), Publish("d/x")).expect(to_server=[Publish("d/auto-7")])
        run.repeater.replace_filters(filters=Topics(publish=("d/%c",)))
        run.client_sends(Publish("d/auto-7"), Publish("d/x")).expect(to_server=[Publish("d/auto-7")])

    def test_with_other_filters(self) -> None:
        """The rules alone are put into one `answered`, with filters that drop and add."""

        def copy(message: Any, link: Any) -> Verdict:
            if isinstance(message, Publish) and message.topic == "no":
                return DROP
            return Send(message, Publish("copy", b"", 1)) if isinstance(message, Publish) else PASS_ON

        rules = Topics(deny_publish=("secret",), deny_subscribe=("secret",)).rules
        run = self.link(answered(chain(rules, FilterPair(copy))))
        run.client_sends(Publish("secret", b"", 1, packet_id=7)).expect(to_client=[PubAck(7, 0x87)])
        run.client_sends(Publish("no", b"", 1, packet_id=7)).expect(to_client=[PubAck(7, 0x87)])
        a = Publish("a", b"", 1, packet_id=65535)
        run.client_sends(a).expect(to_server=[a, Publish("copy", b"", 1, packet_id=65534)])
        run.server_sends(PubAck(65534)).expect()
        run.server_sends(PubAck(65535)).expect(to_client=[PubAck(65535)])
        run.server_sends(Publish("secret", b"", 1, packet_id=1)).expect(to_server=[PubAck(1)])

    def test_interface(self) -> None:
        """It is a pair; wrong arguments are named."""
        verifyObject(IFilterPair, Topics(publish=()))
        self.assertIn("allowed must be", str(self.assertRaises(TypeError, Topics, allowed=3)))
        self.assertRaises(TypeError, Topics, publish="a")
        self.assertIn("Topics needs patterns", str(self.assertRaises(ValueError, Topics, before_5="close")))
        self.assertRaises(NotImplementedError, _Decision(None).filter, None, None)  # type: ignore[arg-type]
