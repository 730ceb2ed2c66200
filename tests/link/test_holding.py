"""Messages that a holder holds, behind the filters of the application and before those of the dialect."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from twisted_repeater import (
    DROP,
    PASS_ON,
    FilterTimeout,
    HeldMessage,
    Limits,
    MessageType,
    Send,
    SendBack,
    Verdict,
)
from twisted_repeater.dialects import int32
from twisted_repeater.faults import Drop
from twisted_repeater.filters import FilterPair, wants
from twisted_repeater.selectors import first_byte

from ..peers import frame
from .memory_case import MemoryCase


class Holder:
    """Holds the messages that begin with an h."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.held: list[tuple[HeldMessage, Deferred[Verdict]]] = []
        self.cancelled = 0

    def __call__(self, message: HeldMessage) -> Deferred[Verdict] | None:
        self.asked.append(message.message)
        if message.payload[:1] != b"h":
            return None
        answer: Deferred[Verdict] = Deferred(self._cancel)
        self.held.append((message, answer))
        return answer

    def _cancel(self, answer: Deferred[Verdict]) -> None:
        self.cancelled += 1

    def decide(self, verdict: Verdict) -> None:
        """Let the oldest message go by a verdict."""
        self.held.pop(0)[1].callback(verdict)


class Words:
    """A codec of words."""

    def decode(self, payload: bytes) -> str:
        """See `ICodec`."""
        return payload.decode("ascii")

    def encode(self, message: str) -> bytes:
        """See `ICodec`."""
        return message.encode("ascii")


class HoldingTests(MemoryCase):
    """What becomes of held messages."""

    def holding(self, **options: Any) -> tuple[Any, Any, Any, Holder]:
        """Return a repeater whose holder is asked about all links, with the peers of one, and the holder."""
        world = self.memory(**options)
        holder = Holder()
        world.repeater.hold(holder)
        client, server = world.linked("ann")
        return world, client, server, holder

    def test_verdicts(self) -> None:
        """A held message goes on, is dropped, replaced or answered, as its holder decides."""
        world, client, server, holder = self.holding()
        client.send(b"h1", b"h2", b"h3", b"h4", b"end")
        for verdict in (PASS_ON, DROP, Send(b"other"), SendBack([b"no"])):
            holder.decide(verdict)
            world.settle()
        self.assertEqual(server.received, [b"h1", b"other", b"end"])
        self.assertEqual(client.received, [b"no"])

    def test_waits(self) -> None:
        """Messages behind a held one wait, and their bytes are counted; those of the other direction go on."""
        world, client, server, holder = self.holding()
        client.send(b"h1", b"a", b"b")
        server.send(b"from the server")
        self.assertEqual((server.received, client.received), ([], [b"from the server"]))
        ((message, _),) = holder.held
        self.assertEqual((message.link.client_name, message.message, message.behind), ("ann", b"h1", 10))
        holder.decide(PASS_ON)
        world.settle()
        self.assertEqual((server.received, message.behind), ([b"h1", b"a", b"b"], 0))

    def test_both_directions(self) -> None:
        """Messages of the server are held as well."""
        world, client, server, holder = self.holding()
        server.send(b"h1")
        self.assertEqual(client.received, [])
        self.assertEqual(holder.held[0][0].decode(b"x"), b"x")
        holder.decide(Send(b"other"))
        world.settle()
        self.assertEqual(client.received, [b"other"])

    def test_behind_filters(self) -> None:
        """A holder sees what the application's filters pass on and what they make, not what they drop."""

        def judge(message: bytes, link: Any) -> Verdict:
            return {b"d": DROP, b"s": Send(b"h made")}.get(message[:1], PASS_ON)

        world, client, server, holder = self.holding(to_server_filter=judge)
        client.send(b"d", b"s", b"p")
        self.assertEqual(holder.asked, [b"h made"])
        self.assertEqual(holder.held[0][0].payload, b"h made")
        holder.decide(PASS_ON)
        world.settle()
        self.assertEqual((holder.asked, server.received), ([b"h made", b"p"], [b"h made", b"p"]))

    def test_unwanted(self) -> None:
        """A filter still sees only what its selector wants, and a holder sees the others, too."""
        seen: list[bytes] = []

        @wants(first_byte(b"w"))
        def judge(message: bytes, link: Any) -> Verdict:
            seen.append(message)
            return PASS_ON

        _, client, server, holder = self.holding(to_server_filter=judge)
        client.send(b"w1", b"x")
        self.assertEqual((seen, holder.asked, server.received), ([b"w1"], [b"w1", b"x"], [b"w1", b"x"]))

    def test_unreadable(self) -> None:
        """A message that cannot be decoded, and that no filter wants, passes as it is, without the holder."""
        dialect = int32(to_server=MessageType({1: Words()}))
        world, client, server, holder = self.holding(dialect=dialect)
        client.send_payloads(b"\xff")
        client.send_payloads(b"hold")
        self.assertEqual(holder.asked, ["hold"])
        held = holder.held[0][0]
        self.assertEqual((held.decode(b"x"), held.encode("y")), ("x", b"y"))
        holder.decide(Send("other"))
        world.settle()
        self.assertEqual(server.received_bytes[-14:], frame(b"\xff") + frame(b"other"))

    def test_unreadable_and_wanted(self) -> None:
        """A message that cannot be decoded is an error of its sender as ever, if a filter wants it."""
        world = self.memory(
            dialect=int32(to_server=MessageType({1: Words()})), to_server_filter=lambda message, link: PASS_ON
        )
        world.repeater.hold(Holder())
        client, server = world.linked("ann")
        client.send_payloads(b"\xff")
        self.assertEqual(server.received, [])
        self.assertEqual([name for name, *_ in world.calls], ["on_connect", "on_error"])

    def test_watched(self) -> None:
        """Who watches is told of each message what would be told if none were held, but for one that is."""
        world, client, _, holder = self.holding(dialect=int32(to_server=MessageType({1: Words()})))
        told: list[Any] = []
        world.repeater.watch(told.append)
        client.send_payloads(b"x", b"\xff", b"hold", b"y")
        holder.decide(PASS_ON)
        world.settle()
        self.assertEqual([each.by_filter for each in told], [False, False, True, False])
        self.assertEqual([each.message for each in told], ["x", None, "hold", "y"])

    def test_watched_filter(self) -> None:
        """Who watches is told which messages the application's filter has decided about, as ever."""

        @wants(first_byte(b"w"))
        def judge(message: bytes, link: Any) -> Verdict:
            return PASS_ON

        world, client, _, _ = self.holding(to_server_filter=judge)
        told: list[Any] = []
        world.repeater.watch(told.append)
        client.send(b"w1", b"x")
        self.assertEqual([each.by_filter for each in told], [True, False])
        self.assertEqual([each.message for each in told], [b"w1", b"x"])

    def test_unreadable_and_wanted_by_the_dialect(self) -> None:
        """If a filter of the dialect wants a message that cannot be decoded, it is an error of its sender, too."""
        seen: list[object] = []

        def own(message: str, link: Any) -> Verdict:
            seen.append(message)
            return PASS_ON

        dialect = int32(to_server=MessageType({1: Words()})).changed(filters=FilterPair(to_server=own))
        world, client, _, holder = self.holding(dialect=dialect)
        client.send_payloads(b"\xff", b"x")
        self.assertEqual((seen, holder.asked), (["x"], ["x"]))
        self.assertEqual([name for name, *_ in world.calls], ["on_connect", "on_error"])

    def test_choose_again(self) -> None:
        """When ``links`` answers otherwise, messages of others are held; a hold that is stopped holds none."""
        world = self.memory()
        holder, names = Holder(), {"ann"}
        hold = world.repeater.hold(holder, links=lambda link: link.client_name in names)
        ann, _ = world.linked("ann")
        bob, _ = world.linked("bob")
        world.linked("eve")
        names.symmetric_difference_update(("ann", "bob"))
        hold.choose_again()
        ann.send(b"1")
        bob.send(b"2")
        self.assertEqual(holder.asked, [b"2"])
        hold.stop()
        hold.choose_again()
        bob.send(b"3")
        self.assertEqual(holder.asked, [b"2"])

    def test_before_the_dialect(self) -> None:
        """A holder is asked behind the application's filters, and before those of the dialect, both ways."""
        seen: list[tuple[str, bytes]] = []

        def member(name: str) -> Any:
            def see(message: bytes, link: Any) -> Verdict:
                seen.append((name, message))
                return PASS_ON

            return see

        own = FilterPair(to_server=member("dialect"), to_client=member("dialect"))
        world = self.memory(
            dialect=int32().changed(filters=own),
            filters=FilterPair(to_server=member("application"), to_client=member("application")),
        )
        world.repeater.hold(lambda message: seen.append(("holder", message.message)))
        client, server = world.linked("ann")
        client.send(b"a")
        server.send(b"b")
        self.assertEqual([name for name, message in seen if message == b"a"], ["application", "holder", "dialect"])
        self.assertEqual([name for name, message in seen if message == b"b"], ["dialect", "application", "holder"])

    def test_around(self) -> None:
        """A dialect's filter that stands around those of the application stands around the holders, too."""
        seen: list[object] = []

        class Around:
            def around(self, inner: Any) -> Any:
                def outer(message: bytes, link: Any) -> Any:
                    answer = inner(message, link) if inner is not None else PASS_ON
                    seen.append(answer)
                    return answer

                return outer

            def filter(self, message: bytes, link: Any) -> Verdict:
                return PASS_ON

            def failed(self, verdict: Verdict, link: Any) -> Verdict:
                return verdict

        _, client, _, holder = self.holding(dialect=int32().changed(filters=FilterPair(Around())))
        client.send(b"a", b"h")
        self.assertEqual((seen[0], type(seen[1])), (PASS_ON, Deferred))
        holder.decide(PASS_ON)

    def test_before_faults(self) -> None:
        """Faults break what a holder lets go, not what it looks at."""
        world, client, server, holder = self.holding()
        world.repeater.faults.set("lost", Drop())
        client.send(b"h1")
        holder.decide(PASS_ON)
        world.settle()
        self.assertEqual((holder.asked, server.received), ([b"h1"], []))

    def test_chosen_links(self) -> None:
        """Only the messages of chosen links are held, also of one that gets its name later."""
        world = self.memory()
        holder = Holder()
        world.repeater.hold(holder, links="bob")
        ann, server_of_ann = world.linked("ann")
        bob, _ = world.linked("bob")
        eve, _ = world.linked("eve")
        ann.send(b"h of ann")
        bob.send(b"h of bob")
        self.assertEqual((holder.asked, server_of_ann.received), ([b"h of bob"], [b"h of ann"]))
        world.pair(bob).abort()
        world.settle()
        holder.held.clear()
        world.pair(eve).link.identify("bob")
        eve.send(b"h of eve")
        self.assertEqual(holder.asked[-1], b"h of eve")
        world.pair(eve).link.identify("eve")
        holder.decide(PASS_ON)
        world.settle()
        world.pair(ann).link.identify("tom")
        eve.send(b"h again")
        ann.send(b"h again")
        self.assertEqual(holder.asked[-1], b"h of eve")

    def test_made_links(self) -> None:
        """A hold concerns links that are made already, if they are chosen, and none that are over."""
        world = self.memory()
        client, server = world.linked("ann")
        world.linked("bob")
        holder = Holder()
        hold = world.repeater.hold(holder, links="ann")
        client.send(b"h")
        self.assertEqual((holder.asked, server.received), ([b"h"], []))
        kept = world.pair(client)
        kept.abort()
        world.settle()
        hold.stop()
        self.assertTrue(kept.over)

    def test_stop(self) -> None:
        """After its end a holder is asked no more, and what it holds still waits for it."""
        world = self.memory()
        holder = Holder()
        hold = world.repeater.hold(holder)
        client, server = world.linked("ann")
        client.send(b"h1", b"h2")
        hold.stop()
        hold.stop()
        self.assertEqual((server.received, hold.over), ([], True))
        holder.decide(PASS_ON)
        world.settle()
        client.send(b"h3")
        self.assertEqual((server.received, holder.asked), ([b"h1", b"h2", b"h3"], [b"h1"]))

    def test_stopped_by_another(self) -> None:
        """A holder that another one has ended in the same call is not asked."""
        world = self.memory()
        holder = Holder()
        world.repeater.hold(lambda message: second.stop())
        second = world.repeater.hold(holder)
        client, server = world.linked("ann")
        client.send(b"h1")
        self.assertEqual((holder.asked, server.received), ([], [b"h1"]))

    def test_two_holders(self) -> None:
        """The first holder that holds a message decides about it."""
        world, client, _, first = self.holding()
        second = Holder()
        world.repeater.hold(second)
        client.send(b"h", b"x")
        first.decide(Send(b"other"))
        world.settle()
        self.assertEqual((first.asked, second.asked), ([b"h", b"x"], [b"x"]))

    def test_no_filter_timeout(self) -> None:
        """The time for which a message is held does not count for the filters, whose own time still does."""
        answers: list[Deferred[Verdict]] = []

        def later(message: bytes, link: Any) -> Deferred[Verdict]:
            answers.append(Deferred())
            return answers[-1]

        world, client, server, holder = self.holding(to_server_filter=later, limits=Limits(filter_timeout=5))
        client.send(b"h1", b"h2")
        world.advance(4)
        answers[0].callback(PASS_ON)
        world.advance(100)
        self.assertEqual(len(holder.held), 1)
        holder.decide(PASS_ON)
        world.settle()
        self.assertEqual(server.received, [b"h1"])
        world.advance(6)
        self.assertEqual([name for name, *_ in world.calls], ["on_connect", "on_error"])
        self.assertEqual(len(self.flushLoggedErrors(FilterTimeout)), 1)

    def test_name(self) -> None:
        """An error of the application's filter names this filter, held or not."""

        def judge(message: bytes, link: Any) -> Verdict:
            raise ValueError("no")

        world, client, _, _ = self.holding(to_server_filter=judge)
        client.send(b"a")
        self.flushLoggedErrors(ValueError)
        ((_, _, _, error),) = [call for call in world.calls if call[0] == "on_error"]
        self.assertIn("judge", error.callback)

    def test_at_once(self) -> None:
        """A holder may decide at once, by a Deferred that has fired."""
        world = self.memory()
        world.repeater.hold(lambda message: succeed(Send(b"other")))
        client, server = world.linked("ann")
        client.send(b"a")
        self.assertEqual(server.received, [b"other"])

    def test_link_ends(self) -> None:
        """If the link ends, the holder's Deferred is cancelled, and nothing waits any more."""
        world, client, server, holder = self.holding(limits=Limits(filter_timeout=5))
        client.send(b"h1")
        world.pair(client).abort()
        world.settle()
        self.assertEqual((holder.cancelled, server.received), (1, []))
        self.assertEqual(world.factory.links.holds.held, set())

    def test_wrong_holder(self) -> None:
        """A holder that raises, or returns something else, is stopped and logged, and its message goes on."""

        def raises(message: HeldMessage) -> Any:
            raise ValueError("no")

        world = self.memory()
        world.repeater.hold(raises)
        returns_a_number: Any = lambda message: 7  # noqa: E731
        world.repeater.hold(returns_a_number)
        client, server = world.linked("ann")
        client.send(b"a", b"b")
        self.assertEqual(server.received, [b"a", b"b"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_wrong_choice(self) -> None:
        """A function that chooses links and raises ends its hold."""
        world = self.memory()
        hold = world.repeater.hold(Holder(), links=lambda link: 1 / 0)
        world.linked("ann")
        self.assertTrue(hold.over)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_interrupted(self) -> None:
        """Ctrl-C in the code of an application is not taken for its failure."""

        def interrupts(*arguments: object) -> Any:
            raise KeyboardInterrupt

        world = self.memory()
        world.linked("ann")
        with self.assertRaises(KeyboardInterrupt):
            world.repeater.hold(Holder(), links=interrupts)

        class Interrupting(Words):
            decode: Any = interrupts

        for codec, holder in ((Words(), interrupts), (Interrupting(), Holder())):
            world = self.memory(dialect=int32(to_server=MessageType({1: codec})))
            client, _ = world.linked("ann")
            world.repeater.hold(holder)
            self.assertRaises(KeyboardInterrupt, client.send_payloads, b"a")

    def test_wrong_arguments(self) -> None:
        """A holder that is no function is refused, and so is any when the repeater is shut down."""
        world = self.memory()
        self.assertRaises(TypeError, world.repeater.hold, 7)
        world.shutdown()
        self.assertRaises(RuntimeError, world.repeater.hold, Holder())
