"""Messages that are held: one winner, a deadline, a budget."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import integers, sampled_from
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Direction, Send, SendBack
from twisted_repeater.holding import HeldMessage
from twisted_repeater.service.admin import held as module
from twisted_repeater.service.admin.held import MOST_BYTES, REMEMBERED, Gone, HeldMessages
from twisted_repeater.service.admin.rules import HoldRule
from twisted_repeater.service.admin.shapes import MOST_HELD, NewRule
from twisted_repeater.testing import Peer

from .debugged import Debugging, Listening


class HeldTests(SynchronousTestCase):
    """All that is held, without a repeater."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[int, str]] = []
        self.held = HeldMessages(
            self.clock,
            lambda item: self.told.append((item.id, "held")),
            lambda item, how: self.told.append((item.id, how)),
        )

    def rule(self, number: int = 1, **asked: Any) -> HoldRule:
        """Return a rule."""
        return HoldRule(number, NewRule("stream", **asked))

    def hold(self, rule: HoldRule | None = None, size: int = 10, repeater: str = "edge") -> Deferred[Any] | None:
        """Hold a message of so many bytes."""
        link: Any = SimpleNamespace()
        message = HeldMessage(
            link, Direction.TO_SERVER, 100.0, b"", payload=bytes(size), decode=None, encode=None, behind=lambda: 0
        )
        return self.held.hold(rule or self.rule(), repeater, message)

    def test_settled(self) -> None:
        """A message is settled once; whoever comes later learns how."""
        waits: Any = self.hold()
        item = self.held.get("edge", 1)
        self.assertEqual((item.since, item.until, item.left(self.clock), len(self.held)), (100.0, 160.0, 60.0, 1))
        self.assertTrue(self.held.holds(item))
        self.held.settle(item, "dropped", DROP)
        self.assertIs(self.successResultOf(waits), DROP)
        self.assertEqual((item.left(self.clock), self.held.size, self.held.count_of(1)), (0.0, 0, 0))
        self.assertEqual(self.assertRaises(Gone, self.held.settle, item, "released").how, "dropped")
        self.assertEqual(self.assertRaises(Gone, self.held.get, "edge", 1).how, "dropped")
        self.assertEqual(self.assertRaises(Gone, self.held.get, "edge", 2).how, None)
        self.assertEqual(self.told, [(1, "held"), (1, "dropped")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_deadline(self) -> None:
        """After its time a message is released."""
        waits: Any = self.hold(self.rule(timeout=5.0))
        self.clock.advance(4.9)
        self.assertNoResult(waits)
        self.clock.advance(0.1)
        self.assertIs(self.successResultOf(waits), PASS_ON)
        self.assertEqual(self.told[-1], (1, "deadline"))

    def test_link_ended(self) -> None:
        """If the link ends, the message is gone, and its deadline with it."""
        waits: Any = self.hold()
        waits.addErrback(lambda failure: None)
        waits.cancel()
        self.assertEqual((self.told[-1], len(self.held), self.clock.getDelayedCalls()), ((1, "link ended"), 0, []))

    def test_budget(self) -> None:
        """So many are held by a rule and in the process, and so many bytes; the next ones pass."""
        few = self.rule(max_held=2)
        self.assertEqual([self.hold(few) is None for _ in range(3)], [False, False, True])
        self.assertEqual(self.held.count_of(1), 2)
        self.held.settle(self.held.get("edge", 1), "released")
        self.assertIsNotNone(self.hold(few))
        self.patch(module, "MOST_HELD", 5)
        many = self.rule(2)
        self.assertEqual([self.hold(many) is None for _ in range(4)], [False, False, False, True])
        self.assertEqual((MOST_HELD, len(self.held)), (1000, 5))
        self.patch(module, "MOST_HELD", 1000)
        self.assertIsNone(self.hold(many, size=MOST_BYTES))
        self.patch(module, "MOST_BYTES", 70)
        self.assertEqual([self.hold(many) is None for _ in range(3)], [False, False, True])
        self.assertEqual(self.held.size, 70)

    def test_of(self) -> None:
        """Each repeater has its own; those of a rule are released in order."""
        order: list[int] = []
        for number, repeater in enumerate(("edge", "other", "edge", "edge")):
            waits: Any = self.hold(self.rule(number % 2), repeater=repeater)
            waits.addCallback(lambda verdict, number=number: order.append(number))
        self.assertEqual([item.id for item in self.held.of("edge")], [1, 3, 4])
        self.assertEqual(self.assertRaises(Gone, self.held.get, "edge", 2).how, None)
        self.held.release_of({0}, "owner gone")
        self.assertEqual((order, len(self.held)), ([0, 2], 2))

    def test_ended_meanwhile(self) -> None:
        """To release one message may end the link of the next."""
        first, second = self.hold(), self.hold()
        assert first is not None and second is not None
        second.addErrback(lambda failure: None)
        first.addCallback(lambda verdict: second.cancel())
        self.held.release_of({1}, "owner gone")
        self.assertEqual(self.told[-2:], [(1, "owner gone"), (2, "link ended")])

    def test_in_turns(self) -> None:
        """If a rule holds many messages, others have their turn while they are released, and each goes once."""
        self.patch(module, "AT_ONCE", 2)
        rule = self.rule()
        for _ in range(5):
            self.hold(rule)
        self.held.release_of({1}, "rule removed")
        self.assertEqual(len(self.held), 3)
        fourth = self.held.get("edge", 4)
        self.assertTrue(self.held.holds(fourth))
        self.held.settle(fourth, "dropped")
        self.assertFalse(self.held.holds(fourth))
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(len(self.held), 0)
        self.assertEqual([number for number, how in self.told if how == "rule removed"], [1, 2, 3, 5])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_remembered(self) -> None:
        """What has become of messages is known for the last thousand."""
        for _ in range(REMEMBERED + 1):
            self.hold()
            self.held.settle(self.held.of("edge")[0], "released")
        self.assertEqual(self.assertRaises(Gone, self.held.get, "edge", 1).how, None)
        self.assertEqual(self.assertRaises(Gone, self.held.get, "edge", 2).how, "released")


class HoldingMachine(RuleBasedStateMachine):
    """Messages are sent, held, settled and overtaken by events in any order; what each client is due is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.it = Debugging()
        self.world = self.it.world
        self.server = self.world.server
        self.listening: Listening
        self.open_stream()
        self.clients: dict[str, tuple[Peer, Peer]] = {}
        self.due: dict[str, list[bytes]] = {}
        """What the server must have got from each client."""
        self.answered: dict[str, list[bytes]] = {}
        """What each client must have got."""
        self.waiting: dict[str, list[bytes]] = {}
        """What was sent and is not decided: the first may be held."""
        self.sent = 0
        self.decided: list[int] = []

    def open_stream(self) -> None:
        """Open a stream whose rule holds everything that has an h in it."""
        self.stream, self.listening = self.it.stream()
        self.number = self.it.rule(self.stream.id, text="h", direction="to_server", timeout=30.0)

    def passes(self, name: str) -> None:
        """Whatever is not held goes on, up to the next that is."""
        waiting = self.waiting[name]
        while waiting and not (b"h" in waiting[0] and self.has_rule):
            self.due[name].append(waiting.pop(0))

    @property
    def has_rule(self) -> bool:
        return bool(self.it.debugged.rules.list())

    def pick(self, at: int) -> Any:
        """Return one of the held messages."""
        return self.it.held[at % len(self.it.held)]

    def decide(self, item: Any, how: str, verdict: Any, forward: list[bytes], back: list[bytes]) -> None:
        """Settle a message, and compute what follows."""
        name = item.message.link.client_name
        assert item.message.message == self.waiting[name][0]
        self.it.settle(item, how, verdict)
        self.decided.append(item.id)
        self.waiting[name].pop(0)
        self.due[name] += forward
        self.answered[name] += back
        self.passes(name)

    @precondition(lambda self: len(self.clients) < 4)
    @rule()
    def connect(self) -> None:
        """A client comes."""
        self.sent += 1
        name = f"c{self.sent}"
        peer = self.world.connect(name)
        self.clients[name] = peer, self.server.connections[-1]
        self.due[name], self.answered[name], self.waiting[name] = [], [], []

    @precondition(lambda self: self.clients)
    @rule(at=integers(0, 3), kind=sampled_from("hhp"), several=integers(1, 3))
    def send(self, at: int, kind: str, several: int) -> None:
        """A client sends messages, some of which are held."""
        name = list(self.clients)[at % len(self.clients)]
        messages = []
        for _ in range(several):
            self.sent += 1
            messages.append(b"%s%d" % (kind.encode(), self.sent))
        self.waiting[name] += messages
        self.clients[name][0].send(*messages)
        self.passes(name)

    @precondition(lambda self: self.it.held)
    @rule(at=integers(0, 3))
    def release(self, at: int) -> None:
        """Somebody releases a message."""
        item = self.pick(at)
        self.decide(item, "released", PASS_ON, [item.message.message], [])

    @precondition(lambda self: self.it.held)
    @rule(at=integers(0, 3))
    def drop(self, at: int) -> None:
        """Somebody drops a message."""
        self.decide(self.pick(at), "dropped", DROP, [], [])

    @precondition(lambda self: self.it.held)
    @rule(at=integers(0, 3))
    def change(self, at: int) -> None:
        """Somebody changes a message."""
        self.decide(self.pick(at), "changed", Send(b"changed"), [b"changed"], [])

    @precondition(lambda self: self.it.held)
    @rule(at=integers(0, 3))
    def answer(self, at: int) -> None:
        """Somebody answers a message."""
        self.decide(self.pick(at), "answered", SendBack([b"answer"]), [], [b"answer"])

    @precondition(lambda self: self.decided)
    @rule(at=integers(0, 100))
    def too_late(self, at: int) -> None:
        """Somebody decides about a message that is decided."""
        number = self.decided[at % len(self.decided)]
        try:
            self.it.debugger.held.get("edge", number)
        except Gone as gone:
            assert gone.how in ("released", "dropped", "changed", "answered")
        else:
            raise AssertionError("it is held still")

    @precondition(lambda self: self.clients)
    @rule(at=integers(0, 3), by_server=sampled_from((False, True)))
    def kill(self, at: int, by_server: bool) -> None:
        """A side of a link is cut off: what is held of it is gone, and nothing of it goes on later."""
        name = list(self.clients)[at % len(self.clients)]
        client, server = self.clients.pop(name)
        self.check(name, client, server)
        link = self.world.repeater.link(name)
        (server if by_server else client).abort()
        self.world.settle()
        if by_server or link is not None:
            self.world.advance(60.0)
            self.all_released(60.0)
        assert not [item for item in self.it.held if item.message.link.client_name == name]
        del self.due[name], self.answered[name], self.waiting[name]

    def all_released(self, seconds: float) -> None:
        """Every deadline is over; those that came behind are held anew, and theirs are over, too."""
        for name in self.clients:
            while self.waiting[name]:
                self.world.advance(31.0)
                self.due[name].append(self.waiting[name].pop(0))
                self.passes(name)

    @rule()
    def wait(self) -> None:
        """All deadlines pass."""
        self.all_released(31.0)

    @rule()
    def leave(self) -> None:
        """The owner goes, and another one comes after its messages are released."""
        self.stream.detach(self.listening)
        self.world.advance(14.9)
        for name in self.clients:
            self.check(name, *self.clients[name])
        self.world.advance(0.2)
        assert not self.it.held
        for name in self.clients:
            self.passes(name)
        self.open_stream()

    @precondition(lambda self: self.has_rule)
    @rule()
    def remove_rule(self) -> None:
        """The rule is removed, and made anew."""
        self.it.debugged.rules.remove(self.number)
        self.world.settle()
        for name in self.clients:
            self.passes(name)
        self.number = self.it.rule(self.stream.id, text="h", direction="to_server", timeout=30.0)

    def check(self, name: str, client: Peer, server: Peer) -> None:
        """Each side has got what it is due, in order."""
        assert server.received == self.due[name], (server.received, self.due[name])
        assert client.received == self.answered[name]

    @invariant()
    def in_order(self) -> None:
        """Nothing is lost, nothing comes twice, and one message of a client is held at most."""
        for name, (client, server) in self.clients.items():
            self.check(name, client, server)
        names = [item.message.link.client_name for item in self.it.held]
        assert sorted(names) == sorted(name for name, waiting in self.waiting.items() if waiting)
        assert len(self.it.debugger.held) == len(names)

    def teardown(self) -> None:
        """At the end everything is freed."""
        self.it.debugger.end()
        self.world.settle()
        for name, (client, server) in self.clients.items():
            self.passes(name)
            self.check(name, client, server)
        assert (len(self.it.debugger.held), self.it.debugger.held.size) == (0, 0)
        self.world.shutdown()
        assert not self.world.clock.getDelayedCalls()


HoldingMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None, derandomize=True)
MachineTests = HoldingMachine.TestCase
