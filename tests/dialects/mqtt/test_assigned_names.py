"""The names that a broker assigns to its clients."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, ClientNotAllowed, Link
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects.mqtt import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    MqttCodec,
    Packet,
    Properties,
    Property,
    Publish,
    Reason,
    mqtt,
)
from twisted_repeater.dialects.mqtt.assigned_names import AssignedNames
from twisted_repeater.testing import FilterHarness, MemoryRepeater

ASSIGNED = ConnAck(properties=Properties([(Property.ASSIGNED_CLIENT_IDENTIFIER, "auto-7")]))
METHOD = Properties([(Property.AUTHENTICATION_METHOD, "X")])
WITHOUT_ID = Connect("", version=5)


class AssignedNameTests(SynchronousTestCase):
    """A client without an id."""

    def test_named(self) -> None:
        """It has its address for a name until its CONNACK has a better one; the CONNACK passes as it came."""
        run = FilterHarness(dialect=mqtt(), says=[WITHOUT_ID])
        self.assertRegex(run.link.client_name, r"^127\.0\.0\.1:")
        run.server_sends(ASSIGNED).expect(to_client=[ASSIGNED])
        self.assertEqual(run.link.client_name, "auto-7")
        run.server_sends(Publish("a")).expect(to_client=[Publish("a")])

    def test_before_the_filters(self) -> None:
        """The application's filter of the CONNACK finds the link with its name; the CONNACK waits for the answer."""
        names: list[str] = []
        asked: list[Deferred[bool]] = []

        def look(message: Packet, link: Link) -> object:
            names.append(link.client_name)
            return PASS_ON

        def allow(name: str) -> Deferred[bool]:
            asked.append(Deferred())
            return asked[-1]

        run = FilterHarness(None, look, dialect=mqtt(), says=[WITHOUT_ID], is_client_allowed=allow)
        run.server_sends(ASSIGNED, Publish("a")).expect()
        asked[0].callback(True)
        run.outcome().expect(to_client=[ASSIGNED, Publish("a")])
        self.assertEqual(names, ["auto-7", "auto-7"])

    def test_not_allowed(self) -> None:
        """If it may not have that name, it is refused by a CONNACK, and closed without a DISCONNECT."""
        run = FilterHarness(dialect=mqtt(), says=[WITHOUT_ID], is_client_allowed=lambda name: False)
        outcome = run.server_sends(ASSIGNED)
        self.assertEqual(outcome.to_client, [ConnAck(reason=Reason.NOT_AUTHORIZED)])
        self.assertTrue(outcome.closed)
        self.assertIsInstance(run.running.repeater.link("auto-7"), type(None))
        self.assertEqual(run.client.received, [ConnAck(reason=Reason.NOT_AUTHORIZED)])

    def test_replaced(self) -> None:
        """Whoever had the name before is replaced."""
        running = MemoryRepeater(mqtt())
        old = running.connect(says=[Connect("auto-7", version=5)])
        running.server[old].send(ConnAck())
        new = running.connect(says=[WITHOUT_ID])
        running.server[new].send(ASSIGNED)
        self.assertEqual(old.received, [ConnAck(), Disconnect(Reason.SESSION_TAKEN_OVER)])
        self.assertEqual(new.received, [ASSIGNED])
        self.assertEqual(running.repeater.active_clients(), ["auto-7"])

    def test_refused(self) -> None:
        """A client that the broker refuses gets no name."""
        refused = ConnAck(reason=Reason.NOT_AUTHORIZED, properties=ASSIGNED.properties)
        run = FilterHarness(dialect=mqtt(), says=[WITHOUT_ID])
        run.server_sends(refused).expect(to_client=[refused])
        self.assertNotEqual(run.link.client_name, "auto-7")

    def test_not_assigned(self) -> None:
        """A broker that assigns nothing breaks nothing; nor does one that answers twice, or names who has a name."""
        for connect in (WITHOUT_ID, Connect("ann", version=5, properties=METHOD)):
            run = FilterHarness(dialect=mqtt(), says=[connect])
            name = run.link.client_name
            run.server_sends(ConnAck() if not connect.client_id else ASSIGNED)
            run.server_sends(ASSIGNED).expect(to_client=[ASSIGNED])
            self.assertEqual(run.link.client_name, name)


class AnsweredTests(SynchronousTestCase):
    """Whether a client has got its CONNACK."""

    def test_in_steps(self) -> None:
        """A client that logs in by several steps is told nothing before the last of them; all pass both ways."""
        connect = Connect("ann", version=5, properties=METHOD)
        step = Auth(Reason.CONTINUE_AUTHENTICATION, METHOD)
        for answered in (False, True):
            run = FilterHarness(dialect=mqtt(), says=[connect])
            run.server_sends(step).expect(to_client=[step])
            run.client_sends(step).expect(to_server=[step])
            if answered:
                run.server_sends(ConnAck(properties=METHOD))
                again = Auth(Reason.REAUTHENTICATE, METHOD)
                run.client_sends(again).expect(to_server=[again])
                run.server_sends(Auth()).expect(to_client=[Auth()])
            run.link.close()
            run.outcome()
            self.assertEqual(Disconnect(Reason.ADMINISTRATIVE_ACTION) in run.client.received, answered)

    def test_costs_nothing(self) -> None:
        """Other clients have no filter."""
        for connect in (Connect("ann", version=5), Connect("", version=4), Connect("ann")):
            run = FilterHarness(dialect=mqtt(), says=[connect])
            self.assertEqual(AssignedNames().for_link(run.link), (None, None))

    def test_selector(self) -> None:
        """Only the CONNACK is looked at."""
        run = FilterHarness(dialect=mqtt(), says=[WITHOUT_ID])
        own = AssignedNames().for_link(run.link)[1]
        selector = own.selector_for(MqttCodec(5))  # type: ignore[union-attr]
        self.assertTrue(selector.matches(b"\x20\2\0\0", 0, 4))
        self.assertFalse(selector.matches(b"\x30\2\0\0", 0, 4))
        self.assertRaises(TypeError, own.selector_for, RawCodec())  # type: ignore[union-attr]
        self.assertTrue(issubclass(ClientNotAllowed, Exception))
