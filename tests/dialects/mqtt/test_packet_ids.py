"""The numbers of packets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt.packet_ids import HIGHEST, Exchange, PacketIds


class PacketIdTests(SynchronousTestCase):
    """Numbers."""

    def test_same(self) -> None:
        """A packet of the sender keeps its number, and has it again if it is sent again."""
        ids = PacketIds()
        first = ids.begin(5, 1, 1)
        assert first is not None
        self.assertEqual((first.sender_id, first.receiver_id), (5, 5))
        self.assertIs(ids.begin(5, 1, 1), first)
        self.assertIs(ids.of_sender(5), first)
        self.assertIsNot(ids.begin(5, 2, 2), first)
        self.assertEqual(len(ids), 1)

    def test_added(self) -> None:
        """An added packet gets the highest number that is free; a sender that uses it gets another one."""
        ids = PacketIds()
        added, taken = ids.add(1), ids.begin(HIGHEST, 1, 1)
        assert added is not None
        assert taken is not None
        self.assertEqual((added.receiver_id, added.sender_id), (HIGHEST, None))
        self.assertEqual((taken.sender_id, taken.receiver_id), (HIGHEST, HIGHEST - 1))
        ids.end(added)
        self.assertIsNone(ids.of_receiver(HIGHEST))

    def test_all_in_use(self) -> None:
        """If all numbers are in use there is none; when one is free again, it is found."""
        ids = PacketIds()
        for number in range(1, HIGHEST + 1):
            ids.begin(number)
        self.assertIsNone(ids.add())
        exchange = ids.of_sender(7)
        assert exchange is not None
        ids.end(exchange)
        added = ids.add()
        assert added is not None
        self.assertEqual(added.receiver_id, 7)
        self.assertIsNone(ids.begin(7))

    @given(st.lists(st.tuples(st.sampled_from(["begin", "add", "end"]), st.sampled_from([1, 2, HIGHEST, HIGHEST - 1]))))
    def test_unique(self, steps: list[tuple[str, int]]) -> None:
        """No two exchanges have the same number at the receiver, whatever is begun, added and ended."""
        ids = PacketIds()
        running: dict[int, Exchange] = {}
        for step, number in steps:
            exchange = None
            if step == "begin":
                running = {key: each for key, each in running.items() if each.sender_id != number}
                exchange = ids.begin(number, 1, 1)
            elif step == "add":
                exchange = ids.add(1)
            elif (ended := ids.of_receiver(number)) is not None:
                ids.end(ended)
                del running[number]
            if exchange is not None:
                self.assertNotIn(exchange.receiver_id, running)
                running[exchange.receiver_id] = exchange
            self.assertEqual(len(ids), len(running))
            for key, each in running.items():
                self.assertIs(ids.of_receiver(key), each)

    def test_counts_added(self) -> None:
        """It counts the messages that were added, and not the requests."""
        ids = PacketIds()
        message, request = ids.add(1), ids.add()
        assert message is not None
        assert request is not None
        self.assertEqual((ids.added, len(ids)), (1, 2))
        ids.end(request)
        self.assertEqual(ids.added, 1)
        ids.end(message)
        self.assertEqual((ids.added, len(ids)), (0, 0))
