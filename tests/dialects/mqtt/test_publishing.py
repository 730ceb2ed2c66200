"""One direction of what is published."""

from __future__ import annotations

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt import Properties, Property, PubAck, PubComp, Publish, PubRec, PubRel, Reason
from twisted_repeater.dialects.mqtt.publishing import MOST_WAITING, Acknowledgement, Publishing

NO = Reason.NOT_AUTHORIZED


class PublishingTests(SynchronousTestCase):
    """Exchanges."""

    def test_passed(self) -> None:
        """An exchange between the peers keeps its packets as they are."""
        here = Publishing()
        cases: list[tuple[int, list[Acknowledgement]]] = [
            (1, [PubAck(5)]),
            (2, [PubRec(5), PubComp(5, 0x92)]),
            (2, [PubRec(5, NO)]),
        ]
        for qos, acks in cases:
            publish = Publish("a", b"", qos, packet_id=5)
            self.assertIs(here.sent(publish, 5, qos), publish)
            for ack in acks:
                self.assertEqual(len(here.ids), 1)
                told, back = here.acknowledged(ack)
                self.assertIs(told, ack)
                self.assertEqual(back, [])
            self.assertEqual(len(here.ids), 0)

    def test_refused(self) -> None:
        """A refused message with QoS 2 is answered until it is released, or at once with a reason."""
        here = Publishing()
        self.assertEqual(here.answer(5, 1, NO), PubAck(5, NO))
        self.assertEqual(here.answer(5, 2), PubRec(5))
        again = Publish("a", b"", 2, packet_id=5, dup=True)
        self.assertEqual(here.repeated(again), PubRec(5))
        self.assertIsNone(here.repeated(Publish("a", b"", 2, packet_id=5)))
        self.assertEqual(here.released(PubRel(5)), PubComp(5))
        self.assertIsNone(here.repeated(again))
        self.assertEqual(here.answer(6, 2, NO), PubRec(6, NO))
        self.assertEqual(here.released(PubRel(6)), PubRel(6))

    def test_unknown(self) -> None:
        """Packets of an earlier connection pass; a number that is released is not given to others."""
        here = Publishing()
        for ack in (PubAck(1), PubRec(1), PubComp(1)):
            self.assertEqual(here.acknowledged(ack), (ack, []))
        self.assertEqual(here.released(PubRel(65535)), PubRel(65535))
        self.assertEqual(here.added(Publish("a", b"", 1)), Publish("a", b"", 1, packet_id=65534))
        self.assertEqual(here.released(PubRel(65534)), PubRel(65534))

    def test_added(self) -> None:
        """The acknowledgements of an added message end here, and its second packet is sent from here."""
        here = Publishing()
        properties = Properties([(Property.TOPIC_ALIAS, 1), (Property.SUBSCRIPTION_IDENTIFIER, 1)])
        self.assertEqual(here.added(Publish("a", packet_id=3, properties=properties)), Publish("a"))
        self.assertEqual(here.added(Publish("a", b"", 1)), Publish("a", b"", 1, packet_id=65535))
        self.assertEqual(here.acknowledged(PubAck(65535)), (None, []))
        self.assertEqual(here.added(Publish("a", b"", 2, packet_id=1)), Publish("a", b"", 2, packet_id=65534))
        self.assertEqual(here.acknowledged(PubRec(65534)), (None, [PubRel(65534)]))
        self.assertEqual(here.acknowledged(PubComp(65534)), (None, []))

    def test_collision(self) -> None:
        """A sender that uses the number of an added message gets its own number back."""
        here = Publishing()
        here.added(Publish("a", b"", 2))
        sent = here.sent(Publish("b", b"", 2, packet_id=65535), 65535, 2)
        self.assertEqual(sent.packet_id, 65534)
        self.assertEqual(here.acknowledged(PubRec(65534)), (PubRec(65535), []))
        self.assertEqual(here.released(PubRel(65535)), PubRel(65534))
        self.assertEqual(here.acknowledged(PubComp(65534)), (PubComp(65535), []))

    def test_other_qos(self) -> None:
        """If the QoS is altered each peer has the exchange of its own."""
        here = Publishing()
        here.sent(Publish("a", b"", 1, packet_id=5), 5, 2)
        self.assertEqual(here.acknowledged(PubAck(5, 0x10)), (PubRec(5, 0x10), []))
        self.assertEqual(here.released(PubRel(5)), PubComp(5))
        here.sent(Publish("a", b"", 2, packet_id=5), 5, 1)
        self.assertEqual(here.acknowledged(PubRec(5)), (None, [PubRel(5)]))
        self.assertEqual(here.acknowledged(PubComp(5, 0x92)), (PubAck(5), []))
        here.sent(Publish("a", b"", 2, packet_id=5), 5, 1)
        self.assertEqual(here.acknowledged(PubRec(5, NO)), (PubAck(5, NO), []))

    def test_room(self) -> None:
        """Added messages wait for room at the receiver, in order; too many are dropped, and the log says so."""
        here = Publishing()
        here.receive_maximum = 1
        here.sent(Publish("a", b"", 1, packet_id=1), 1, 1)
        with capturedLogs() as events:
            for number in range(MOST_WAITING + 1):
                self.assertIsNone(here.added(Publish(f"a{number}", b"", 1)))
        self.assertEqual(len(events), 1)
        told, back = here.acknowledged(PubAck(1))
        self.assertEqual((told, back), (PubAck(1), [Publish("a0", b"", 1, packet_id=65535)]))
        self.assertEqual(here.acknowledged(PubAck(65535))[1], [Publish("a1", b"", 1, packet_id=65534)])

    def test_wait(self) -> None:
        """Messages of the sender wait in order while added ones take their room, but not without a limit."""
        here = Publishing()
        here.receive_maximum = 2
        here.added(Publish("added", b"", 1))
        here.sent(Publish("a", b"", 1, packet_id=1), 1, 1)
        self.assertFalse(Publishing().must_wait(1))
        self.assertFalse(here.must_wait(1))  # it is sent again
        for number in range(2, MOST_WAITING + 2):
            self.assertTrue(here.must_wait(number))
            here.hold(Publish("b", b"", 1, packet_id=number), number, 1)
        self.assertTrue(here.must_wait(2))
        self.assertFalse(here.must_wait(MOST_WAITING + 2))
        self.assertEqual(here.acknowledged(PubAck(65535)), (None, [Publish("b", b"", 1, packet_id=2)]))

    def test_all_numbers_in_use(self) -> None:
        """If no number is left, a message of the sender passes as it is."""
        here = Publishing()
        for number in range(1, 65535):
            here.ids.begin(number, 1, 1)
        here.added(Publish("a", b"", 1))
        publish = Publish("a", b"", 1, packet_id=65535)
        self.assertIs(here.sent(publish, 65535, 1), publish)
