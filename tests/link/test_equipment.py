"""Tests of the setups of lanes: one for all lanes of a direction and its versions."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import DO_NOTHING, PASS_ON, Direction, RefusedByApplication, Send, Verdict, dialects
from twisted_repeater.codecs import text
from twisted_repeater.faults import Drop
from twisted_repeater.filters import Count, FilterPair, chain, wants
from twisted_repeater.selectors import first_byte

from .memory_case import MemoryCase


def pass_on(message: Any, link: Any) -> Any:
    """Be a filter that passes everything on."""
    return PASS_ON


def tagging(tag: bytes) -> Any:
    """Return a filter that adds a tag to each message."""
    return lambda message, link: Send(message + tag)


class SharedTests(MemoryCase):
    """Setups that lanes share."""

    def test_shared(self) -> None:
        """All lanes of a direction have the same setup, also when filters are replaced."""
        world = self.memory(to_server_filter=pass_on)
        for name in ("ann", "bob"):
            world.linked(name)
        for _ in range(2):
            setups = {lane.setup for pair in world.factory.links for lane in pair.lanes or ()}
            self.assertEqual(len(setups), 2)
            self.assertEqual({setup.direction for setup in setups}, set(Direction))
            world.factory.replace_filters({"to_server_filter": None})
        self.assertEqual({setup.filter for setup in setups}, {None})

    def test_hook(self) -> None:
        """A hook hears what is decided on the links that there are and on later ones, until it is taken away."""
        told: list[tuple[str, Any, Any, bool]] = []
        world = self.memory(to_server_filter=lambda message, link: DO_NOTHING)
        ann, _ = world.linked("ann")
        world.factory.watch_decisions(lambda lane, *rest: told.append((lane.link.client_name, *rest)))
        bob, _ = world.linked("bob")
        for client in (ann, bob):
            client.send(b"m")
        world.factory.watch_decisions(None)
        ann.send(b"n")
        self.assertEqual(told, [(name, b"m", DO_NOTHING, True) for name in ("ann", "bob")])

    def test_faults(self) -> None:
        """A fault by message is in the setups of its direction only, and in none when it is removed."""
        world = self.memory()
        world.linked("ann")
        lanes = next(iter(world.factory.links)).lanes
        without = [lane.setup for lane in lanes]
        world.repeater.faults.set("loss", Drop(direction=Direction.TO_CLIENT))
        self.assertEqual([lane.setup.faults is None for lane in lanes], [True, False])
        world.repeater.faults.remove("loss")
        self.assertEqual([lane.setup.faults for lane in lanes], [None, None])
        self.assertEqual(len(without), 2)

    def test_held(self) -> None:
        """The lanes of a link whose messages may be held have setups of their own, until nobody may hold them."""
        world = self.memory(to_server_filter=pass_on)
        world.linked("ann")
        lanes = next(iter(world.factory.links)).lanes
        shared = [lane.setup for lane in lanes]
        hold = world.repeater.hold(lambda message: None)
        self.assertEqual([lane.setup in shared for lane in lanes], [False, False])
        hold.stop()
        self.assertEqual([lane.setup for lane in lanes], shared)

    def test_watched(self) -> None:
        """The lanes of all watched links share setups, too; without a watch they have those of the others again."""
        world = self.memory()
        for name in ("ann", "bob", "eve"):
            world.linked(name)
        ann, bob, eve = ([lane.setup for lane in pair.lanes] for pair in world.factory.links)
        watch = world.repeater.watch(print, links=("ann", "bob"))
        pairs = list(world.factory.links)
        watched = [[lane.setup for lane in pair.lanes] for pair in pairs]
        self.assertEqual(watched[0], watched[1])
        self.assertEqual([setup.watch for setup in watched[0]], [world.factory.links.watches] * 2)
        self.assertEqual((watched[2], ann, bob), (eve, eve, eve))
        watch.stop()
        self.assertEqual([lane.setup for pair in pairs for lane in pair.lanes], eve * 3)

    def test_wrong_filter(self) -> None:
        """A wrong filter is an error at once, which says which one it is; ``None`` and a function are filters."""
        check = self.memory().factory.equipment.check_filter
        for direction in Direction:
            error = self.assertRaises(TypeError, check, 7, direction)
            self.assertIn(f"{direction.value}_filter: ", str(error))
            check(pass_on, direction)
            check(None, direction)


class Numbering:
    """A pair of filters that number the messages of a link, those of both directions together."""

    def __init__(self) -> None:
        self.states: list[Any] = []

    def for_link(self, link: Any) -> Any:
        """Make a counter for the link."""
        self.states.append(link.state)
        count = 0

        def number(message: bytes, link: Any) -> Verdict:
            nonlocal count
            count += 1
            return Send(b"%d %b" % (count, message))

        return (number, number)


class PairTests(MemoryCase):
    """Pairs of filters."""

    def test_each_link(self) -> None:
        """Each link has filters of its own, which are made when it has its state, before its first message."""
        pair = Numbering()
        world = self.memory(filters=pair, on_connect=lambda link: f"state of {link.client_name}")
        (ann, ann_server), (bob, bob_server) = world.linked("ann"), world.linked("bob")
        self.assertEqual(pair.states, ["state of ann", "state of bob"])
        ann.send(b"a", b"b")
        ann_server.send(b"c")
        bob.send(b"a")
        ann_server.expect(b"1 a", b"2 b")
        ann.expect(b"3 c")
        bob_server.expect(b"1 a")

    def test_setups(self) -> None:
        """Lanes have a setup of their own only where the pair has a filter for them."""
        world = self.memory(filters=FilterPair(to_client=pass_on))
        for name in ("ann", "bob"):
            world.linked(name)
        lanes = [lane for pair in world.factory.links for lane in pair.lanes]
        setups = {lane.setup for lane in lanes if lane.direction is Direction.TO_SERVER}
        self.assertEqual(len(setups), 1)
        self.assertEqual(len({lane.setup for lane in lanes}), 3)

    def test_with_single_filters(self) -> None:
        """In both directions the filter that all links share comes first."""
        world = self.memory(
            filters=Numbering(),
            to_server_filter=lambda message, link: Send(message + b"!"),
            to_client_filter=lambda message, link: Send(message + b"?"),
        )
        ann, server = world.linked("ann")
        ann.send(b"a")
        server.send(b"b")
        server.expect(b"1 a!")
        ann.expect(b"2 b?")

    def test_around(self) -> None:
        """A filter of the dialect that stands around the application's gets them as one."""
        given: list[Any] = []

        class Around:
            filter = staticmethod(pass_on)

            def around(self, inner: Any) -> Any:
                given.append(inner)
                return inner or pass_on

        world = self.memory(dialect=dialects.int32().changed(filters=FilterPair(Around())))
        world.linked("ann")
        world.factory.replace_filters({"to_server_filter": pass_on})
        self.assertEqual(given, [None, pass_on])

    def test_selectors_and_codecs(self) -> None:
        """The filters of a pair see the messages of the codec, and only those that they want."""

        class Wanting:
            def for_link(self, link: Any) -> Any:
                return (wants(str)(lambda message, link: Send(message.upper())), only)

        @wants(first_byte(b"x"))
        def only(message: bytes, link: Any) -> Verdict:
            return DO_NOTHING

        world = self.memory(filters=Wanting(), dialect=dialects.int32(to_server=text()))
        ann, server = world.linked("ann")
        ann.send("a")
        server.send(b"xa", b"b")
        server.expect("A")
        ann.expect(b"b")

    def test_refused(self) -> None:
        """If ``for_link`` raises, returns something else, or closes the link, the client is refused."""

        class Failing:
            def __init__(self, made: Any) -> None:
                self.made = made

            def for_link(self, link: Any) -> Any:
                return self.made(link)

        for made, why in (
            (lambda link: 1 // 0, "ZeroDivisionError"),
            (lambda link: None, "Failing.for_link must return (to_server, to_client), not None"),
            (lambda link: [None, None], "not [None, None]"),
            (lambda link: Deferred(), "not <Deferred"),
            (lambda link: (7, None), "a filter must be a function"),
            (lambda link: (wants(int)(pass_on), None), "wants int; the messages are bytes"),
            (lambda link: (link.close(), None), "for_link closed the link"),
        ):
            world = self.memory(filters=Failing(made))
            world.connect("ann")
            self.assertEqual(world.calls.refusals, [("ann", RefusedByApplication)])
            self.assertIn(why, str(world.calls.refusal))

    def test_not_after_on_connect_closed(self) -> None:
        """A link that ``on_connect`` has closed is not shown to the pair."""
        pair = Numbering()
        world = self.memory(filters=pair, on_connect=lambda link: link.close())
        world.connect("ann")
        self.assertEqual((pair.states, world.calls.refusals), ([], [("ann", RefusedByApplication)]))

    def test_hook(self) -> None:
        """A hook for decisions leaves the links their filters."""
        told: list[Any] = []
        world = self.memory(filters=Numbering())
        ann, server = world.linked("ann")
        ann.send(b"a")
        world.factory.watch_decisions(lambda lane, message, verdict, by_filter: told.append(verdict))
        ann.send(b"b")
        world.factory.watch_decisions(None)
        ann.send(b"c")
        server.expect(b"1 a", b"2 b", b"3 c")
        self.assertEqual(told, [Send(b"2 b")])

    def test_wrong(self) -> None:
        """Something else than a pair is an error at once, and so is a filter in it that is known not to work."""
        check = self.memory().factory.equipment.check_pair
        check(None)
        check(Numbering())
        for wrong, why in (
            (7, "filters: a pair of filters must be an object with a method for_link, not 7"),
            (pass_on, "the filter of one direction: write FilterPair(to_server=...)"),
            (Numbering, "filters: a pair of filters must be an instance, not the class Numbering: write Numbering()"),
            (FilterPair(to_client=wants(int)(pass_on)), "to_client_filter: pass_on wants int; the messages are bytes"),
        ):
            self.assertIn(why, str(self.assertRaises(TypeError, check, wrong)))

    def test_new_pair(self) -> None:
        """Each link gets filters of a new pair, which may take over; without it, a link has no filter of its own."""

        class Kept(Numbering):
            def for_link(self, link: Any) -> Any:
                links.append(Successor())
                return (links[-1], None)

        class Successor:
            before: Any = None

            def filter(self, message: bytes, link: Any) -> Verdict:
                return Send(b"%d %b" % (links.index(self), message))

            def migrate(self, old: Any) -> None:
                self.before = old

        links: list[Successor] = []
        world = self.memory(filters=Kept())
        ann, server = world.linked("ann")
        world.factory.replace_filters({"filters": Kept()})
        self.assertIs(links[1].before, links[0])
        ann.send(b"a")
        world.factory.replace_filters({"filters": None})
        ann.send(b"b")
        server.expect(b"1 a", b"b")

    def test_shared_filters(self) -> None:
        """Filters that a new pair has for all links do not take over for each of them."""
        old, new = Count(), Count()
        world = self.memory(filters=FilterPair(old))
        ann, _ = world.linked("ann")
        ann.send(b"a")
        world.factory.replace_filters({"filters": FilterPair(new)})
        self.assertEqual((old.total, new.total), (1, 0))

    def test_all_or_nothing(self) -> None:
        """If a new pair raises for a link, every link keeps its filters."""

        class Failing(Numbering):
            def for_link(self, link: Any) -> Any:
                raise LookupError

        world = self.memory(filters=Numbering())
        ann, server = world.linked("ann")
        self.assertRaises(LookupError, world.factory.replace_filters, {"filters": Failing()})
        ann.send(b"a")
        world.linked("bob")[0].send(b"b")
        server.expect(b"1 a")
        world.server["bob"].expect(b"1 b")

    def test_dialect_s_own(self) -> None:
        """The dialect's pair is nearest to the server, is asked once for each link, and stays when others replace."""
        asked: list[Any] = []

        class Own:
            def for_link(self, link: Any) -> Any:
                asked.append(link)
                return tagging(b"o"), tagging(b"o")

        world = self.memory(
            dialect=dialects.int32().changed(filters=Own()),
            filters=FilterPair(tagging(b"p"), tagging(b"p")),
            to_server_filter=tagging(b"f"),
            to_client_filter=tagging(b"f"),
        )
        ann, server = world.linked("ann")
        ann.send(b"a ")
        server.send(b"b ")
        world.factory.replace_filters({"filters": None, "to_server_filter": None})
        ann.send(b"c ")
        server.send(b"d ")
        server.expect(b"a fpo", b"c o")
        ann.expect(b"b ofp", b"d of")
        self.assertEqual(len(asked), 1)

    def test_dialect_s_own_for_all(self) -> None:
        """If the dialect has the same filter for all links, lanes share a setup as without it."""
        world = self.memory(dialect=dialects.int32().changed(filters=FilterPair(to_client=tagging(b"o"))))
        clients = [world.linked(name) for name in ("ann", "bob")]
        self.assertEqual(len({lane.setup for pair in world.factory.links for lane in pair.lanes}), 2)
        for client, server in clients:
            server.send(b"a ")
            client.expect(b"a o")

    def test_beside_the_dialect_s_own(self) -> None:
        """A filter that chooses decoded messages by their bytes cannot be in a chain with the dialect's own."""
        own = FilterPair(to_client=tagging(b"o"))
        check = self.memory(dialect=dialects.int32(to_server=text()).changed(filters=own)).factory.equipment
        choosing = wants(first_byte(b"x"))(pass_on)
        error = self.assertRaises(TypeError, check.check_filter, choosing, Direction.TO_SERVER)
        self.assertIn("to_server_filter: pass_on selects messages by their bytes", str(error))
        check.check_filter(choosing, Direction.TO_CLIENT)  # these are bytes
        check.check_filter(wants(str)(pass_on), Direction.TO_SERVER)

    def test_together(self) -> None:
        """Nor can it be in a chain with filters of a pair, as far as these are known before a client comes."""
        check = self.memory(dialect=dialects.int32(to_server=text())).factory.equipment
        choosing = wants(first_byte(b"x"))(pass_on)
        up, down = FilterPair(to_server=pass_on), FilterPair(to_client=pass_on)
        for own, pair in ((choosing, up), (None, chain(up, FilterPair(to_server=choosing)))):
            with self.assertRaisesRegex(TypeError, "^to_server_filter: pass_on selects messages by their bytes"):
                check.check_together(own, None, pair)
        check.check_together(choosing, choosing, down)
        check.check_together(pass_on, choosing, None)
        check.check_together(pass_on, pass_on, Numbering())

    def test_while_on_connect_is_awaited(self) -> None:
        """A link that has no state yet is not shown to a new pair, until it has."""
        ready: Deferred[str] = Deferred()
        old, new = Numbering(), Numbering()
        world = self.memory(filters=old, on_connect=lambda link: ready)
        world.connect("ann")
        world.factory.replace_filters({"filters": new})
        self.assertEqual((old.states, new.states), ([], []))
        ready.callback("state")
        self.assertEqual((old.states, new.states), ([], ["state"]))
