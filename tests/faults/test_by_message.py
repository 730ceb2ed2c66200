"""The faults by message, on a link in memory."""

from __future__ import annotations

import math
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, Later, Link, Send, Verdict
from twisted_repeater._link.link import pair_of
from twisted_repeater.errors import InjectedFault
from twisted_repeater.faults import Corrupt, Cut, Drop, Duplicate, Fault, Latency, Reorder, Stall
from twisted_repeater.selectors import first_byte
from twisted_repeater.testing import FilterHarness
from twisted_repeater.watching import Origin, WatchedMessage

from .harness import broken

NAMES = [b"%02d" % number for number in range(40)]


def sent(fault: Fault, **options: Any) -> list[Any]:
    """Return what the server gets of 40 messages that a client sends in one write."""
    return broken(fault, **options).client_sends(*NAMES).to_server


class KindTests(SynchronousTestCase):
    """Each kind."""

    def test_drop(self) -> None:
        """Dropped messages are lost whole, in the direction that was said, and the others come in order."""
        harness = broken(Drop(every=2, direction=Direction.TO_SERVER))
        harness.client_sends(b"a", b"b", b"c").expect(to_server=[b"a", b"c"])
        harness.server_sends(b"a", b"b", b"c").expect(to_client=[b"a", b"b", b"c"])

    def test_duplicate(self) -> None:
        """A duplicated message comes again, as often as was said."""
        broken(Duplicate(2, first=1)).client_sends(b"a", b"b").expect(to_server=[b"a", b"a", b"a", b"b"])

    def test_corrupt(self) -> None:
        """A corrupted message keeps its frame and its length, so that the next one can be read."""
        got = sent(Corrupt(seed=1))
        self.assertEqual(len(got), 40)
        for name, message in zip(NAMES, got, strict=True):
            self.assertEqual(len(message), 2)
            self.assertEqual(sum(a != b for a, b in zip(name, message, strict=True)), 1)
        self.assertEqual(got, sent(Corrupt(seed=1)))
        broken(Corrupt()).client_sends(b"").expect(to_server=[b""])

    def test_corrupt_all(self) -> None:
        """No byte is changed twice, which could change it back."""
        pairs = zip(b"".join(NAMES), b"".join(sent(Corrupt(2, seed=1))), strict=True)
        self.assertTrue(all(a != b for a, b in pairs))

    def test_corrupt_the_frame(self) -> None:
        """With ``frame`` any byte of the frame may be changed."""
        harness = broken(Corrupt(6, frame=True, seed=3, first=1))
        frame = b"\0\0\0\x02hi"
        outcome = harness.client_sends(b"hi")
        self.assertNotEqual(outcome.to_server_bytes + harness.server.unfinished, frame)

    def test_corrupt_a_message_of_a_filter(self) -> None:
        """A message that a filter made is corrupted inside of its payload, too."""

        def double(message: bytes, link: Link) -> Verdict:
            return Send(message * 2)

        got = sent(Corrupt(seed=2), to_server_filter=double)
        self.assertEqual([len(message) for message in got], [4] * 40)
        self.assertNotEqual(got, [name * 2 for name in NAMES])

    def test_latency(self) -> None:
        """Twenty messages that are late by 100 ms each take 100 ms."""
        harness = broken(Latency(0.1))
        harness.client_sends(*NAMES[:10]).expect()
        harness.advance(0.05).expect()
        harness.client_sends(*NAMES[10:20]).expect()
        harness.advance(0.051).expect(to_server=NAMES[:10])
        harness.advance(0.05).expect(to_server=NAMES[10:20])

    def test_latencies_add_up(self) -> None:
        """Two faults delay twice, and a delay of the filter is added."""
        harness = broken(Latency(1), to_server_filter=lambda message, link: Later(1))
        harness.repeater.faults.set("other", Latency(1))
        harness.client_sends(b"a").expect()
        harness.advance(2.9).expect()
        harness.advance(0.2).expect(to_server=[b"a"])

    def test_jitter(self) -> None:
        """Times that differ keep the order, are never below 0, and are the same with the same seed."""
        for distribution in ("uniform", "normal"):
            times = []
            for _ in range(2):
                harness = broken(Latency(0.01, 0.05, distribution=distribution, seed=9))
                got: list[tuple[int, bytes]] = []
                first = harness.client_sends(*NAMES).to_server
                for step in range(400):
                    got += [(step, message) for message in first + harness.advance(0.001).to_server]
                    first = []
                self.assertEqual([message for _, message in got], NAMES)
                times.append(got)
            self.assertEqual(*times)
            self.assertGreater(len({step for step, _ in times[0]}), 2)

    def test_times(self) -> None:
        """The times lie on both sides of the average, as the distribution says, and a time below 0 counts as 0."""
        delays: list[float] = []

        def note(message: WatchedMessage) -> None:
            assert message.verdict is not None
            delays.append(message.verdict.delay)

        for distribution, least, most in (("uniform", 0.5, 1.5), ("normal", 0.0, 4.0)):
            for seconds in (1.0, 0.0):
                delays.clear()
                harness = broken(Latency(seconds, 0.5, distribution=distribution, seed=1))
                harness.repeater.watch(note)
                harness.client_sends(*NAMES)
                self.assertLess(min(delays), seconds + 0.01)
                self.assertGreater(max(delays), seconds)
                self.assertTrue(all(max(least - 1 + seconds, 0) <= delay <= most - 1 + seconds for delay in delays))

    def test_stall(self) -> None:
        """A stalled message holds up everything behind it, and removing the fault releases all at once."""
        harness = broken(Stall(first=1))
        harness.client_sends(b"a", b"b").expect()
        harness.client_sends(b"c").expect()
        harness.advance(1000).expect()
        harness.repeater.faults.remove("it")
        harness.outcome().expect(to_server=[b"a", b"b", b"c"])
        harness.client_sends(b"d").expect(to_server=[b"d"])

    def test_stall_for_a_time(self) -> None:
        """A stall that has a time ends then; messages that come meanwhile do not make it longer."""
        harness = broken(Stall(2))
        harness.client_sends(b"a").expect()
        harness.advance(1)
        harness.client_sends(b"b").expect()
        harness.advance(1.1).expect(to_server=[b"a", b"b"])
        harness.client_sends(b"c").expect()
        harness.advance(2.1).expect(to_server=[b"c"])

    def test_a_fault_that_ends_by_itself(self) -> None:
        """A fault with a time limit ends by itself, and what it holds goes on."""
        harness = FilterHarness()
        harness.repeater.faults.set("it", Stall(), seconds=5)
        harness.client_sends(b"a").expect()
        harness.advance(5.1).expect(to_server=[b"a"])
        self.assertEqual(list(harness.repeater.faults), [])

    def test_removing_one_of_two(self) -> None:
        """What waits for two faults still waits for the other one when one is removed."""
        harness = broken(Stall())
        harness.repeater.faults.set("late", Latency(2))
        harness.client_sends(b"a").expect()
        harness.advance(1)
        harness.repeater.faults.remove("it")
        harness.outcome().expect()
        harness.advance(1.1).expect(to_server=[b"a"])

    def test_cut(self) -> None:
        """A cut closes the link in good order: what came before is delivered, and nothing behind."""
        harness = broken(Cut(every=2))
        outcome = harness.client_sends(b"a", b"b", b"c")
        self.assertEqual((outcome.to_server, outcome.closed), ([b"a"], True))
        reason = pair_of(harness.link).reason
        self.assertIsInstance(reason, InjectedFault)
        outcome = broken(Cut(passes=True, where=first_byte(b"b"))).client_sends(b"a", b"b", b"c")
        self.assertEqual((outcome.to_server, outcome.closed), ([b"a", b"b"], True))

    def test_reorder(self) -> None:
        """Reordered messages come after some of those behind them, and none is lost."""
        got = sent(Reorder(3, probability=0.3, seed=4))
        self.assertEqual(sorted(got), NAMES)
        self.assertNotEqual(got, NAMES)
        self.assertTrue(all(abs(got.index(name) - at) <= 12 for at, name in enumerate(NAMES)))
        self.assertEqual(got, sent(Reorder(3, probability=0.3, seed=4)))

    def test_a_reordered_message_waits_for_a_time(self) -> None:
        """A message that nothing overtakes goes on after its time, or when the fault is removed."""
        harness = broken(Reorder(seconds=2))
        harness.client_sends(b"a").expect()
        harness.advance(2.1).expect(to_server=[b"a"])
        harness.client_sends(b"b").expect()
        harness.repeater.faults.clear()
        harness.outcome().expect(to_server=[b"b"])

    def test_what_has_gone_out_is_not_overtaken(self) -> None:
        """A message whose time was over before enough messages had overtaken it does not come twice."""
        harness = broken(Reorder(1, first=1, seconds=1))
        harness.client_sends(b"a").expect()
        harness.advance(1.1).expect(to_server=[b"a"])
        harness.client_sends(b"b", b"c").expect(to_server=[b"b", b"c"])
        self.assertTrue(pair_of(harness.link).lanes[0].idle)

    def test_what_watchers_learn(self) -> None:
        """Those who watch are told of a reordered message when it goes out, also if that is by itself."""
        harness = broken(Reorder(1, first=2, seconds=1))
        leaving: list[tuple[Origin, bytes, bytes]] = []
        harness.repeater.watch(lambda message: leaving.append((message.origin, message.frame, message.to_server)))
        harness.client_sends(b"a")
        harness.client_sends(b"b")
        harness.client_sends(b"c")
        a, b, c = (b"\0\0\0\1" + name for name in (b"a", b"b", b"c"))
        told = [(Origin.MESSAGE, a, b""), (Origin.MESSAGE, b, a), (Origin.MESSAGE, c, c + b)]
        self.assertEqual(leaving, told)
        harness.repeater.faults.set("it", Reorder(1, first=1, seconds=1))
        harness.client_sends(b"a")
        harness.advance(1.1)
        self.assertEqual(leaving[3:], [(Origin.MESSAGE, a, b""), (Origin.OWN, b"", a)])

    def test_a_client_that_leaves(self) -> None:
        """A client's last messages are delivered, late as they are, when it has ended its stream."""
        harness = broken(Latency(3))
        harness.client_sends(b"a", b"b").expect()
        harness.client.transport.loseWriteConnection()  # type: ignore[union-attr]
        harness.outcome()
        self.assertFalse(harness.outcome().closed)
        self.assertEqual(harness.advance(3.1).to_server, [b"a", b"b"])


class OptionTests(SynchronousTestCase):
    """Options of the kinds."""

    def test_wrong_options(self) -> None:
        """An option out of range, or of another kind, is refused with its name."""
        make: Any
        for make, reason in (
            (lambda: Duplicate(0), "copies must be at least 1"),
            (lambda: Duplicate(1001), "copies must be at most 1000"),
            (lambda: Corrupt(0), "size must be at least 1"),
            (lambda: Corrupt(frame=1), "frame must be True or False"),  # type: ignore[arg-type]
            (lambda: Latency(0), "seconds must be above 0"),
            (lambda: Latency(math.nan), "seconds must be a number"),
            (lambda: Latency(1, -1), "jitter must be at least 0"),
            (lambda: Latency(1, "x"), "jitter must be a number"),  # type: ignore[arg-type]
            (lambda: Latency(1, distribution="flat"), "distribution must be"),  # type: ignore[arg-type]
            (lambda: Stall(0), "seconds must be above 0"),
            (lambda: Cut(1), "passes must be True or False"),  # type: ignore[arg-type]
            (lambda: Reorder(0), "window must be at least 1"),
            (lambda: Reorder(seconds=0), "seconds must be above 0"),
            (lambda: Drop(where=3), "where must be a selector"),  # type: ignore[arg-type]
        ):
            self.assertRaisesRegex((TypeError, ValueError), reason, make)
