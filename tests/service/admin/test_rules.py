"""Rules that hold messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, Send, dialects
from twisted_repeater._link.link import pair_of
from twisted_repeater.dialects.fix.messages import ExecutionReport, NewOrderSingle
from twisted_repeater.dialects.redis.messages import Command
from twisted_repeater.service.admin import rules as module
from twisted_repeater.service.admin.criteria import Criteria
from twisted_repeater.service.admin.rules import TooManyRules
from twisted_repeater.service.admin.setting import with_fields

from .debugged import Debugging, fix_logon, fix_message


class RuleTests(SynchronousTestCase):
    """Which messages are held."""

    def begin(self, *arguments: Any, **options: Any) -> None:
        """Start a repeater with a debugger."""
        self.it = Debugging(*arguments, **options)

    def texts(self) -> list[Any]:
        """Return what is held."""
        return [item.message.message for item in self.it.held]

    def test_every(self) -> None:
        """Every nth message that matches is held; the others pass, and are counted."""
        self.begin()
        client = self.it.world.connect("ann")
        self.it.rule("s", every=3, text="h")
        client.send(b"h1", b"x", b"h2", b"h3", b"h4")
        self.assertEqual(self.texts(), [b"h3"])
        self.it.world.server["ann"].expect(b"h1", b"x", b"h2")
        (rule,) = self.it.debugged.rules.list()
        self.assertEqual((rule.matched, rule.held, rule.full, rule.every), (3, 1, False, 3))

    def test_direction_and_client(self) -> None:
        """A rule may be for one direction, and for some clients; other links pay nothing."""
        self.begin()
        ann, bob = self.it.world.connect("ann"), self.it.world.connect("bob")
        self.it.rule("s", client="b*", direction="to_client")
        ann.send(b"1")
        bob.send(b"2")
        for client in ("ann", "bob"):
            self.it.world.server[client].send(b"reply")
        self.assertEqual(self.texts(), [b"reply"])
        self.assertEqual(
            [link.client_name for link in self.it.world.repeater.links() if pair_of(link).lanes[0].setup.filter],
            ["bob"],
        )
        ann.expect(b"reply")
        self.it.settle(self.it.held[0])
        bob.expect(b"reply")

    def test_type(self) -> None:
        """A rule may be for a type; a message of no type is not of it."""
        self.begin(dialects.redis())
        client = self.it.world.connect()
        self.it.rule("s", type="se*", direction="to_server")
        client.send(Command("GET", "k"), Command("SET", "k", "v"))
        self.assertEqual(self.texts(), [Command("SET", "k", "v")])

    def test_renamed(self) -> None:
        """A rule for some names holds messages of a client while it has such a name, however many names there are."""
        self.begin()
        self.patch(module, "MOST_CHOSEN", 1)
        client = self.it.world.connect("ann")
        self.it.rule("s", client="b*", text="h")
        self.it.rule("s", client="x")
        (link,) = self.it.world.repeater.links()
        for name in ("bob", "ann", "ben"):
            link.identify(name)
            self.it.world.advance(0)
            client.send(b"h" + name.encode())
            for item in self.it.held:
                self.it.settle(item, "dropped", DROP)
        self.it.world.server.connections[0].expect(b"hann")

    def test_made_between(self) -> None:
        """A rule that is made when messages have passed already holds those that come."""
        self.begin()
        client = self.it.world.connect("ann")
        self.it.rule("s", text="x")
        client.send(b"1")
        self.it.rule("s", text="2")
        client.send(b"2")
        self.assertEqual(self.texts(), [b"2"])

    def test_types_are_found_once(self) -> None:
        """However many rules there are, a message is asked once for its type, and once for its bytes."""
        self.begin(dialects.redis())
        client = self.it.world.connect()
        asked: list[str] = []

        def counting(name: str) -> Callable[[Any], Any]:
            real = getattr(module, name)
            return lambda it: (asked.append(name), real(it))[1]  # type: ignore[func-returns-value]

        for name in ("types_of", "payload_of"):
            self.patch(module, name, counting(name))
        for _ in range(3):
            self.it.rule("s", type="set", text="k", direction="to_server")
            self.it.rule("s", type="ge*", text="k")
        client.send(Command("EXISTS", "k"))
        self.assertEqual(sorted(asked), ["payload_of", "types_of"])

    def test_is_wanted(self) -> None:
        """Any criteria can be asked about a held message; one that cannot be looked at is not wanted."""
        self.begin()
        self.it.world.connect("ann")
        self.it.rule("s")
        self.it.world.server["ann"].send(b"reply")
        (item,) = self.it.held
        rules, message = self.it.debugged.rules, item.message
        for wanted in (Criteria(), Criteria("a*", "to_client", None, "rep")):
            self.assertTrue(rules.is_wanted(message, wanted))
        for other in (Criteria("b"), Criteria(direction="to_server"), Criteria(kind="x"), Criteria(text="no")):
            self.assertFalse(rules.is_wanted(message, other))
        self.patch(module, "payload_of", lambda held: 1 // 0)
        self.assertTrue(rules.is_wanted(message, Criteria("ann")))
        self.assertFalse(rules.is_wanted(message, Criteria(text="r")))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_secret(self) -> None:
        """A rule finds no passwords: of a message with a secret, only what is shown counts."""
        self.begin(dialects.redis())
        client = self.it.world.connect()
        rule = self.it.rule("s", text="geheim")
        other = self.it.rule("s", text="AUTH")
        client.send(Command("AUTH", "geheim"))
        self.assertEqual([(each.id, each.matched) for each in self.it.debugged.rules.list()], [(rule, 0), (other, 1)])

    def test_text_of_unencodable(self) -> None:
        """A message that a filter has made so that it cannot be encoded has no bytes."""
        self.begin(to_server_filter=lambda message, link: Send(5))
        client = self.it.world.connect("ann")
        self.it.rule("s", text="5")
        client.send(b"x")
        self.assertEqual(self.texts(), [])
        self.assertEqual(len(self.it.world.errors), 1)

    def test_full(self) -> None:
        """If too much is held, messages pass, and the rule says so, until it can hold again."""
        self.begin()
        ann, bob = self.it.world.connect("ann"), self.it.world.connect("bob")
        self.it.rule("s", max_held=1)
        ann.send(b"1")
        bob.send(b"2")
        self.it.world.server["bob"].expect(b"2")
        self.assertTrue(self.it.debugged.rules.list()[0].full)
        self.it.settle(self.it.held[0], "dropped", DROP)
        bob.send(b"3")
        self.assertFalse(self.it.debugged.rules.list()[0].full)

    def test_two(self) -> None:
        """The first rule that can holds a message."""
        self.begin()
        client = self.it.world.connect("ann")
        self.it.rule("one", every=2)
        self.it.rule("two")
        client.send(b"1", b"2")
        self.assertEqual(self.it.held[0].rule.asked.stream, "two")
        self.it.settle(self.it.held[0])
        self.assertEqual(self.it.held[0].rule.asked.stream, "one")
        self.it.debugged.rules.remove_of("one")
        self.it.world.settle()
        self.assertEqual((self.texts(), len(self.it.debugged.rules.list())), ([], 1))
        self.it.world.server["ann"].expect(b"1", b"2")

    def test_removed(self) -> None:
        """A rule that is removed holds nothing more, and what it holds is released."""
        self.begin()
        client = self.it.world.connect("ann")
        number = self.it.rule("s")
        client.send(b"1", b"2")
        self.assertTrue(self.it.debugged.rules.remove(number))
        self.it.world.settle()
        self.it.world.server["ann"].expect(b"1", b"2")
        self.assertFalse(self.it.debugged.rules.remove(number))
        self.it.debugged.rules.remove_of("s")
        self.assertIsNone(pair_of(self.it.world.repeater.links()[0]).lanes[0].setup.filter)

    def test_links_are_left_alone(self) -> None:
        """A rule that is made or removed concerns only the links that are wanted now and were not, or no more."""
        self.begin()
        for name in ("ann", "bob"):
            self.it.world.connect(name)
        lanes = [pair_of(link).lanes[0] for link in self.it.world.repeater.links()]

        def setups() -> list[object]:
            return [lane.setup for lane in lanes]

        plain = setups()
        ann = self.it.rule("s", client="a*")
        first = setups()
        self.assertEqual([new is old for new, old in zip(first, plain, strict=True)], [False, True])
        everyone = self.it.rule("s")
        second = setups()
        self.assertEqual([new is old for new, old in zip(second, first, strict=True)], [True, False])
        self.it.debugged.rules.remove(everyone)
        self.assertEqual([setups()[0] is second[0], setups()[1] is plain[1]], [True, True])
        self.it.debugged.rules.remove(ann)
        self.assertEqual(setups(), plain)
        self.it.rule("s")
        self.assertNotEqual(setups()[0], plain[0])

    def test_limits(self) -> None:
        """There may be so many rules, and none of a repeater that is shut down."""
        self.begin()
        self.patch(module, "MOST_RULES", 2)
        self.it.rule("s")
        self.it.rule("s")
        self.assertRaises(TooManyRules, self.it.rule, "s")
        self.it.debugged.rules.remove_of(None)
        self.it.world.shutdown()
        self.assertRaises(RuntimeError, self.it.rule, "s")
        self.assertEqual(self.it.debugged.rules.list(), [])

    def test_failing(self) -> None:
        """A message whose methods fail is held by no rule that looks at them, and passes."""
        self.begin()
        client = self.it.world.connect("ann")
        self.patch(module, "payload_of", lambda held: 1 // 0)
        self.it.rule("s", text="x")
        client.send(b"x")
        self.it.world.server["ann"].expect(b"x")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_fix(self) -> None:
        """An order that is held and changed goes on with the right length, sum and number, as those behind it do."""
        self.begin(dialects.fix())
        client, server = fix_logon(self.it)
        self.it.rule("s", type="NewOrderSingle", every=2)
        orders = [fix_message(NewOrderSingle({11: str(at), 55: "MSFT", 38: 1000}), at) for at in (2, 3, 4)]
        client.send(*orders)
        (item,) = self.it.held
        self.it.settle(item, "changed", Send(with_fields(item.message.message, {"OrderQty": "500"})))
        expected = fix_message(NewOrderSingle({11: "3", 55: "MSFT", 38: 500}), 3)
        self.assertEqual([each.data for each in server.received[1:]], [orders[0].data, expected.data, orders[2].data])

    def test_fix_dropped(self) -> None:
        """If an order is dropped or answered, the numbers of both sides stay right."""
        self.begin(dialects.fix())
        client, server = fix_logon(self.it)
        self.it.rule("s", type="D", direction="to_server")
        client.send(*(fix_message(NewOrderSingle({11: str(at)}), at) for at in (2, 3)))
        self.it.settle(self.it.held[0], "dropped", DROP)
        self.it.settle(self.it.held[0])
        server.send(fix_message(ExecutionReport({37: "1"}), 2, "MARKET", "BANK"))
        got = [(each.type, each[34], each.get(36)) for each in server.received[1:]]
        self.assertEqual(got, [("4", b"2", b"3"), ("D", b"3", None)])
        self.assertEqual(client.received[-1][34], b"2")
