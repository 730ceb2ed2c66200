"""Faults by message beside filters: what they make of verdicts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    PASS_ON,
    Close,
    Conversion,
    Direction,
    Later,
    Link,
    MessageType,
    Mixed,
    PassOnAndSendBack,
    Send,
    Verdict,
    dialects,
)
from twisted_repeater._link.link import pair_of
from twisted_repeater.codecs import text
from twisted_repeater.errors import MarshalingError
from twisted_repeater.faults import Corrupt, Cut, Drop, Duplicate, Latency, MessageFault, Reorder, Stall
from twisted_repeater.faults._link_faults import Unit, Work
from twisted_repeater.selectors import first_byte
from twisted_repeater.testing import FilterHarness, MemoryRepeater
from twisted_repeater.verdicts import Frame

from .harness import broken


class PlaceTests(SynchronousTestCase):
    """Faults beside filters."""

    def test_a_selector_or_a_function(self) -> None:
        """``where`` chooses messages by their payloads, or as they are decoded."""
        broken(Drop(where=first_byte(b"x"))).client_sends(b"xa", b"b").expect(to_server=[b"b"])
        harness = broken(
            Drop(where=lambda message, link: message.endswith("!")), dialect=dialects.int32(to_server=text())
        )
        harness.client_sends("a!", "b").expect(to_server=["b"])

    def test_a_function_that_fails(self) -> None:
        """A function that fails hits nothing, and is logged once."""
        harness = broken(Drop(where=lambda message, link: 1 / 0))
        harness.client_sends(b"a", b"b").expect(to_server=[b"a", b"b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_after_the_filters(self) -> None:
        """Faults hit what filters let through: what they replaced, not their answers, and not what they dropped."""

        def check(message: bytes, link: Link) -> Verdict:
            if message == b"twice":
                return Send(b"one", b"two")
            return PassOnAndSendBack([b"answer"]) if message == b"ask" else PASS_ON

        harness = broken(Drop(where=lambda message, link: message in (b"one", b"ask")), to_server_filter=check)
        harness.client_sends(b"twice", b"ask").expect(to_server=[b"two"], to_client=[b"answer"])
        self.assertEqual([(fault.seen, fault.hit) for fault in harness.repeater.faults], [(2, 2)])

    def test_a_verdict_that_comes_later_or_closes(self) -> None:
        """The last messages before a close can be hit, and the link is closed all the same."""
        harness = broken(Drop(), to_server_filter=lambda message, link: Close(forward=[b"bye"]))
        outcome = harness.client_sends(b"a")
        self.assertEqual((outcome.to_server, outcome.closed), ([], True))

    def test_messages_that_filters_have_made(self) -> None:
        """What a filter has made is chosen by its payload too, goes on as it is, or is hit before it is encoded."""

        def twice(message: bytes, link: Link) -> Verdict:
            return Later(1, Mixed(passes=True, forward=[message + b"!", b""], back=[b"back"]))

        harness = broken(Duplicate(where=first_byte(b"ab")), to_server_filter=twice)
        harness.client_sends(b"a", b"x").expect()
        outcome = harness.advance(1.1)
        self.assertEqual(outcome.to_server, [b"a", b"a", b"a!", b"a!", b"", b"x", b"x!", b""])
        self.assertEqual(outcome.to_client, [b"back", b"back"])

    def test_a_reordered_message_takes_the_place_of_others(self) -> None:
        """A message that was overtaken goes on behind the one that came, whole."""
        harness = broken(Reorder(1, first=1))
        harness.client_sends(b"a", b"b", b"c").expect(to_server=[b"b", b"a", b"c"])

    def test_messages_of_other_versions(self) -> None:
        """On a link that converts versions, a message is hit as the receiver gets it."""
        same = Conversion(lambda message: message, lambda message: message)
        kind = MessageType({1: text(), 2: text("utf-16-le")}, prod=2, test=2, conversions={2: same})
        dialect = dialects.int32(to_server=kind)
        for fault, expected in ((Duplicate(), ["hi", "hi"]), (Drop(), []), (Corrupt(seed=1), None)):
            members = {"client_members": {"send_version": 1}, "server_members": {"recv_version": 2}}
            harness = broken(fault, dialect=dialect, convert_versions=True, **members)
            outcome = harness.client_sends("hi")
            if expected is None:
                self.assertEqual(len(outcome.to_server_bytes), 8)
                self.assertNotEqual(outcome.to_server, ["hi"])
            else:
                self.assertEqual(outcome.to_server, expected)

    def test_a_frame_that_its_framing_does_not_read(self) -> None:
        """A frame whose payload cannot be found may be changed anywhere."""
        lane: Any = SimpleNamespace(setup=SimpleNamespace(translates=False, decode=None))

        def find(*arguments: object) -> int:
            raise ValueError

        for framing in (SimpleNamespace(follows=True), SimpleNamespace(follows=False, find=find)):
            self.assertEqual(Unit(lane, Frame(b"abc"), None, None).payload_range(framing), (0, 3))
            self.assertEqual(Unit(lane, b"b", b"abc", b"b", True).payload_range(framing), (1, 2))

    def test_without_an_effect(self) -> None:
        """A message that a fault does not change keeps its verdict, whatever the fault remembers."""
        harness = broken(Stall(first=1), to_server_filter=lambda message, link: PASS_ON)
        seen: list[Verdict | None] = []
        harness.repeater.watch(lambda message: seen.append(message.verdict))
        harness.client_sends(b"a", b"b").expect()
        self.assertEqual((seen[0] is PASS_ON, seen[1] is PASS_ON), (False, True))

    def test_ctrl_c(self) -> None:
        """Ctrl-C in a function that chooses messages is not kept."""

        def interrupted(message: object, link: Link) -> bool:
            raise KeyboardInterrupt

        harness = broken(Drop(where=interrupted))
        active = next(iter(harness.repeater.faults))
        lane: Any = pair_of(harness.link).lanes[0]
        work = Work(active, harness.link, Direction.TO_SERVER)
        self.assertRaises(KeyboardInterrupt, work.concerns, Unit(lane, b"m", None, None))

    def test_wrong_choices(self) -> None:
        """``where`` must be a selector or a function."""
        wrong: Any = 3
        self.assertRaisesRegex(TypeError, "where must be a selector", Drop, where=wrong)

    def test_delays_and_cuts(self) -> None:
        """A delay and a cut are effects on the whole verdict: nothing goes on behind a message that closes the link."""
        harness = broken(Latency(1), to_server_filter=lambda message, link: Send(b"a", b"b"))
        harness.repeater.faults.set("end", Cut(passes=True, clients="cl*"))
        harness.repeater.faults.set("others", Drop(clients="x*"))
        harness.client_sends(b"m").expect()
        harness.advance(1)
        outcome = harness.advance(1.1)
        self.assertEqual((harness.server.received, outcome.closed), ([b"a"], True))

    def test_a_fault_must_say_what_it_does(self) -> None:
        """A fault by message without a method ``strike`` cannot hit anything."""
        unit: Any = None
        self.assertRaises(NotImplementedError, MessageFault().strike, unit, unit)

    def test_a_fault_that_is_removed_meanwhile(self) -> None:
        """A message whose verdict is awaited, or that a filter looks at, as a fault is removed is not hit."""
        awaited: Deferred[Verdict] = Deferred()
        harness = broken(Stall(), to_server_filter=lambda message, link: awaited)
        harness.client_sends(b"a")
        harness.repeater.faults.remove("it")
        awaited.callback(PASS_ON)
        harness.outcome().expect(to_server=[b"a"])

        def removes(message: bytes, link: Link) -> Verdict:
            harness.repeater.faults.clear()
            return PASS_ON

        harness = broken(Stall(), to_server_filter=removes)
        harness.client_sends(b"a").expect(to_server=[b"a"])

    def test_a_fault_that_is_replaced_meanwhile(self) -> None:
        """A message whose verdict is awaited as a fault is replaced is not held by the old one."""
        awaited: Deferred[Verdict] = Deferred()
        harness = broken(Stall(), to_server_filter=lambda message, link: awaited)
        harness.client_sends(b"a")
        harness.repeater.faults.set("it", Drop(first=1))
        awaited.callback(PASS_ON)
        harness.outcome().expect(to_server=[b"a"])

    def test_a_link_that_gets_another_name(self) -> None:
        """A link that a fault was not for gets its random numbers when they are needed first."""
        harness = broken(Drop(clients="edge-*"))
        active = next(iter(harness.repeater.faults))
        work = Work(active, harness.link, Direction.TO_SERVER)
        self.assertIs(work.chance, active.chance_of(harness.link, Direction.TO_SERVER))

    def test_the_numbers_of_links(self) -> None:
        """A link of a fault has the same faults, however many links there are that the fault is not for."""
        got = []
        for others in (0, 2):
            running = MemoryRepeater()
            running.repeater.faults.set("it", Drop(clients="edge-*", probability=0.5, seed=1))
            for number in range(others):
                running.connect(f"other {number}")
            client = running.connect("edge-1")
            client.send(*(b"%d" % number for number in range(64)))
            got.append(running.server[client].received)
        self.assertEqual(got[0], got[1])

    def test_the_number_of_a_link_without_messages(self) -> None:
        """A link counts among those of a fault from its beginning, even if others have messages first."""
        got = []
        for early in (False, True):
            running = MemoryRepeater()
            running.repeater.faults.set("it", Drop(probability=0.5, seed=1))
            first, client = running.connect("first"), running.connect("second")
            if early:
                first.send(b"a")
            client.send(*(b"%d" % number for number in range(64)))
            got.append(running.server[client].received)
        self.assertEqual(got[0], got[1])

    def test_a_client_that_gets_another_name(self) -> None:
        """A fault for a name hits the messages of a client as long as it has that name."""
        harness = broken(Drop(clients="bob"))
        for name, expected in (("bob", []), ("ann", [b"a"])):
            harness.client_sends(b"a").expect(to_server=[] if name == "ann" else [b"a"])
            harness.link.identify(name)
            harness.advance(0)
            harness.client_sends(b"a").expect(to_server=expected)

    def test_a_message_that_cannot_be_encoded(self) -> None:
        """A message that a filter made and that cannot be encoded is reported, and nothing comes of it."""
        harness = broken(Corrupt(3), to_server_filter=lambda message, link: Send("no bytes"))
        outcome = harness.client_sends(b"a")
        self.assertEqual((outcome.to_server, outcome.closed), ([], False))
        self.assertIsInstance(outcome.errors[0], MarshalingError)

    def test_several(self) -> None:
        """Several faults hit in the order in which they were set."""
        harness = broken(Duplicate(1))
        harness.repeater.faults.set("second", Drop(every=2))
        harness.client_sends(b"a", b"b").expect(to_server=[b"a", b"b"])
        harness.repeater.faults.clear()
        harness.repeater.faults.set("first", Drop(every=2))
        harness.repeater.faults.set("second", Duplicate())
        harness.client_sends(b"a", b"b").expect(to_server=[b"a", b"a"])

    def test_nothing_set_costs_nothing(self) -> None:
        """Without a fault the lanes of a link have the setup that they would have without a registry."""
        harness = FilterHarness()
        before = [lane.setup.faults for lane in pair_of(harness.link).lanes]
        harness.repeater.faults.set("it", Drop(direction=Direction.TO_CLIENT))
        to_server, to_client = (lane.setup.faults for lane in pair_of(harness.link).lanes)
        self.assertIsNone(to_server)
        self.assertIsNotNone(to_client)
        harness.repeater.faults.clear()
        self.assertEqual([lane.setup.faults for lane in pair_of(harness.link).lanes], before)
