"""Tests of admission: who is let in, who is refused, and who waits for a place or a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, dialects
from twisted_repeater._link.admission import Admission
from twisted_repeater._link.application import Application, Settings
from twisted_repeater._link.deadline import Timers
from twisted_repeater._sockets.descriptors import Claim
from twisted_repeater.errors import (
    ClientGone,
    ClientIPNotAuthorized,
    ConnectingError,
    DuplicateClient,
    HelloTimeout,
    NameTimeout,
    NewClientsDropped,
    OpeningFailed,
    RefusedByApplication,
    RepeaterClosed,
    TooManyClients,
)
from twisted_repeater.model import effective

from ..peers import (
    LOST,
    SERVER_NAME,
    Client,
    PeerCase,
    frame,
    hello,
    repeated,
    turn,
)
from ..unprintable import BrokenBool, Mute
from .memory_case import MemoryCase


class Holder:
    """As much of a pair as admission knows."""

    def __init__(self, client_name: str = "") -> None:
        self.client_name = client_name
        self.client: Any = self
        self.address = None
        self.closing = self.finishing = self.silent = False
        self.claim: str | None = None
        self.id = id(self)
        self.gave_way = 0
        self.reason: Any = None
        self.waiting: list[Deferred[None]] = []

    def when_over(self) -> Deferred[None]:
        """See `Pair`."""
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def give_way(self, reason: Any = None) -> None:
        """See `Pair`."""
        self.gave_way += 1
        self.reason = reason


class Gate:
    """As much of a valve as admission knows."""

    closed = False

    def close(self, reason: str) -> None:
        """See `Valve`."""
        self.closed = True

    def open(self, reason: str) -> None:
        """See `Valve`."""
        self.closed = False


class ConnectionMonitor:
    """As much of a monitor as admission knows."""

    def has_vanished(self, connection: Any, at_most: float) -> Deferred[bool]:
        """See `ConnectionMonitor`. The client is there."""
        return succeed(False)


class AdmissionCase(SynchronousTestCase):
    """A test case with an admission."""

    def setUp(self) -> None:
        """Make them."""
        self.clock = Clock()
        monitor: Any = ConnectionMonitor()
        self.claim = Claim(Limits(), self.clock)
        settings = Settings(
            dialect=dialects.int32(), repeater_name="edge", server_name="quotes", is_client_allowed=lambda name: True
        )
        application = Application(settings, self.clock)
        self.admission: Any = Admission(settings, application, self.claim, monitor, self.clock)

    def take(self, link: Holder, places: int, timeout: float) -> Deferred[None]:
        """Take one of so many places."""
        self.claim.limits = effective(Limits(max_clients=places))
        taken: Deferred[None] = self.admission.take_place(link, timeout)
        return taken

    def over(self, link: Holder) -> None:
        """End a link."""
        self.admission.leave(link)
        for deferred in link.waiting:
            if not deferred.called:
                deferred.callback(None)


class PlaceTests(AdmissionCase):
    """So many clients have a place."""

    def test_wait(self) -> None:
        """Who finds no place waits for one, in order of arrival."""
        links = [Holder() for _ in range(4)]
        placed = [self.take(link, 2, 10) for link in links]
        self.assertEqual([deferred.called for deferred in placed], [True, True, False, False])
        self.over(links[1])
        self.assertEqual([deferred.called for deferred in placed], [True, True, True, False])
        self.over(links[1])
        self.assertFalse(placed[3].called)
        self.over(links[2])
        self.successResultOf(placed[3])

    def test_wait_in_vain(self) -> None:
        """Who waits for too long is refused, and waits no more."""
        first, second = Holder(), Holder()
        self.take(first, 1, 10)
        placed = self.take(second, 1, 10)
        self.clock.advance(10)
        self.failureResultOf(placed, TooManyClients)
        self.over(first)
        self.successResultOf(self.take(Holder(), 1, 10))

    def test_cancelled(self) -> None:
        """Who leaves meanwhile waits no more."""
        first = Holder()
        self.take(first, 1, 10)
        gone = self.take(Holder(), 1, 10)
        next_one = self.take(Holder(), 1, 10)
        gone.addErrback(lambda failure: None)
        gone.cancel()
        self.over(first)
        self.successResultOf(next_one)

    def test_ended_meanwhile(self) -> None:
        """Nor does one whose attempt has ended in this turn of the reactor: its place goes to the next one."""
        first, gone, last = (Holder() for _ in range(3))
        self.take(first, 1, 10)
        ended, placed = self.take(gone, 1, 10), self.take(last, 1, 10)
        gone.closing = True
        self.over(first)
        self.failureResultOf(ended, ClientGone)
        self.successResultOf(placed)

    def test_port(self) -> None:
        """While no place is left nobody else is accepted."""
        self.admission.port_valve = gate = Gate()
        links = [Holder(), Holder()]
        closed = []
        for link in links:
            self.take(link, 2, 10)
            closed.append(gate.closed)
        self.over(links[0])
        self.assertEqual([*closed, gate.closed], [False, True, False])

    def test_often(self) -> None:
        """A port that closes and opens again all the time is told of once a second."""
        self.admission.port_valve = Gate()
        with capturedLogs() as captured:
            for _ in range(500):
                link = Holder()
                self.take(link, 1, 10)
                self.over(link)
            self.clock.advance(1)
            self.take(Holder(), 1, 10)
        told = "max_clients, 1, is reached: newcomers wait"
        lines = [formatEvent(event) for event in captured]
        self.assertEqual(lines, [told, f"{told} (and 499 more since the last such line)"])


class SilentTests(AdmissionCase):
    """Clients that have a place and have sent nothing."""

    def setUp(self) -> None:
        """Have a port, and three places for one client that has spoken and two that have not."""
        super().setUp()
        self.admission.port_valve = self.port = Gate()
        self.spoken, self.older, self.newer = links = [Holder() for _ in range(3)]
        for link in links:
            link.silent = link is not self.spoken
            self.successResultOf(self.take(link, 3, 10))

    def test_gives_way(self) -> None:
        """The oldest gives its place to a newcomer, with a reason that people understand; others stay."""
        placed = self.take(Holder(), 3, 10)
        self.assertEqual([link.gave_way for link in (self.spoken, self.older, self.newer)], [0, 1, 0])
        self.assertIsInstance(self.older.reason, TooManyClients)
        self.assertEqual(
            str(self.older.reason),
            "the client has not sent a byte, and a newer one needs its place: max_clients is 3",
        )
        self.assertNoResult(placed)
        self.over(self.older)
        self.successResultOf(placed)

    def test_spoken_meanwhile(self) -> None:
        """One that has spoken meanwhile keeps its place."""
        self.older.silent = False
        placed = self.take(Holder(), 3, 10)
        self.assertEqual((self.older.gave_way, self.newer.gave_way), (0, 1))
        self.newer.silent = False
        self.clock.advance(10)
        self.failureResultOf(placed, TooManyClients)

    def test_port(self) -> None:
        """The port stays open while there is one; without one, newcomers wait in the listen queue."""
        self.assertFalse(self.port.closed)
        newcomers = [Holder(), Holder(), Holder()]
        placed = [self.take(link, 3, 10) for link in newcomers]
        self.assertEqual([link.gave_way for link in (self.older, self.newer)], [1, 1])
        self.assertTrue(self.port.closed)
        self.over(self.older)
        self.over(self.newer)
        self.assertEqual([deferred.called for deferred in placed], [True, True, False])
        self.assertTrue(self.port.closed)
        self.over(self.spoken)
        self.successResultOf(placed[2])
        self.over(newcomers[0])
        self.assertFalse(self.port.closed)

    def test_attempt(self) -> None:
        """An attempt is refused."""
        attempt = Holder()
        stopped: list[ConnectingError] = []
        attempt.silent = True
        self.admission.expect_hello(attempt, stopped.append)
        self.successResultOf(self.take(attempt, 4, 10))
        for link in (self.older, self.newer):
            link.silent = False
        self.take(Holder(), 4, 10)
        self.assertEqual([type(error) for error in stopped], [TooManyClients])

    def test_closing(self) -> None:
        """One that closes already need not be asked to."""
        self.older.closing = True
        self.take(Holder(), 3, 10)
        self.assertEqual((self.older.gave_way, self.newer.gave_way), (0, 1))

    def test_cost(self) -> None:
        """However many have spoken, a newcomer looks at a few only: nobody is looked at twice once it has spoken."""
        looks: list[Holder] = []

        class Looked(Holder):
            @property
            def silent(self) -> bool:
                looks.append(self)
                return len(looks) <= 1001

            @silent.setter
            def silent(self, silent: bool) -> None:
                pass

        for _ in range(1000):
            self.successResultOf(self.take(Looked(), 2000, 10))
        for link in (self.older, self.newer):
            link.silent = False
        for _ in range(997):
            self.successResultOf(self.take(Holder(), 2000, 10))
        looks.clear()
        looks.extend([self.older] * 1001)
        for _ in range(100):
            self.take(Holder(), 2000, 10).addErrback(lambda failure: None)
        self.assertLessEqual(len(looks) - 1001, 1000)
        self.clock.advance(10)


class NameTests(AdmissionCase):
    """A client has a name, or a label. `test_names` has who gets which."""

    def test_taken(self) -> None:
        """A name that is free is taken, another one is not; when its link is over it is free."""
        ann = Holder("ann")
        self.successResultOf(self.admission.take_name(ann, "ann", 10))
        self.assertEqual(self.admission.names.of("ann"), [ann])
        self.failureResultOf(self.admission.take_name(Holder("ann"), "ann", 10), DuplicateClient)
        self.over(Holder("ann"))
        self.assertEqual(self.admission.names.of("ann"), [ann])
        self.over(ann)
        self.assertEqual(self.admission.names.of("ann"), [])

    def test_identify(self) -> None:
        """A link may get another name, which is looked up in the same registry."""
        ann: Any = Holder("ann")
        ann.made, ann.timers = True, Timers(self.clock)
        ann.link = None
        self.admission.take_name(ann, "ann", 10)
        self.successResultOf(self.admission.identify(ann, "bob"))
        self.assertEqual((ann.client_name, self.admission.names.of("bob")), ("bob", [ann]))

    def test_no_name_in_time(self) -> None:
        """A link that has only a label is closed after ``name_timeout``, for a reason that says so."""
        self.claim.limits = effective(Limits(name_timeout=30))
        closed: list[Any] = []
        links = [Holder(), Holder("ann"), Holder()]
        self.successResultOf(self.admission.take_name(links[1], "ann", 10))
        for link in links:
            link.timers = Timers(self.clock)  # type: ignore[attr-defined]
            link.close = closed.append  # type: ignore[attr-defined]
            if link is not links[1]:
                self.admission.take_label(link)
            self.admission.made(link)
        links[2].timers.stop("name")  # type: ignore[attr-defined]
        self.clock.advance(29)
        self.assertEqual(closed, [])
        self.clock.advance(1)
        (error,) = closed
        self.assertEqual((type(error), str(error)), (NameTimeout, "the client has not said its name within 30 seconds"))


class NewcomerTests(PeerCase):
    """Step 1: a connection is accepted, or not."""

    async def test_before_start(self) -> None:
        """Until the repeater is started, connections are accepted and closed at once; nobody is told."""
        world = await self.world(start=False)
        client = await world.connect(hello("alice"))
        await client.lost()
        self.assertEqual((client.seen, world.calls, world.server.peers), ([LOST], [], []))
        world.start()
        await world.linked("alice")

    async def test_address_not_authorized(self) -> None:
        """A client from an address that isn't authorized is closed at once, whatever it has to say."""
        asked: list[str] = []
        answers = [True, False, True]

        def is_client_ip_authorized(ip: str) -> bool:
            asked.append(ip)
            return answers.pop(0)

        world = await self.world(is_client_ip_authorized=is_client_ip_authorized)
        bystander = await world.linked("bystander")
        client = await world.connect(hello("alice"))
        await client.lost()
        self.assertEqual((client.seen, asked), ([LOST], ["127.0.0.1"] * 2))
        await world.refused()
        self.assertEqual(world.refusals, [(None, ClientIPNotAuthorized)])
        self.assertIn("127.0.0.1", str(world.refusal))
        self.assertEqual(world.refusal.client_address.port, client.address.port)
        self.assertEqual(len(world.server.peers), 1)
        await world.still_relays(*bystander)
        await world.linked("alice")

    async def test_asking_for_the_address_fails(self) -> None:
        """Whatever asking raises refuses the client, and so does an answer that is still to come."""
        answers: list[Callable[[], Any]] = [
            lambda: 1 / 0,
            lambda: exec("raise SystemExit"),
            lambda: succeed(True),
            lambda: raises(Mute),
            BrokenBool,
            lambda: True,
        ]
        world = await self.world(is_client_ip_authorized=lambda ip: answers.pop(0)())
        for cause in (ZeroDivisionError, SystemExit, TypeError, Mute, Mute):
            client = await world.connect(hello("alice"))
            await client.lost()
            self.assertEqual(client.seen, [LOST])
            self.assertEqual(world.refusals[-1], (None, RefusedByApplication))
            self.assertIsInstance(world.refusal.__cause__, cause)
        self.assertEqual((len(world.refusals), world.server.peers), (5, []))
        await world.linked("alice")

    async def test_dropping(self) -> None:
        """While new clients are dropped they are closed at once; links stay, and newcomers are accepted again after."""
        world = await self.world()
        bystander = await world.linked("bystander")
        world.repeater.drop_new_clients()
        client = await world.connect(hello("alice"))
        await client.lost()
        await world.refused()
        self.assertEqual((client.seen, world.refusals), ([LOST], [(None, NewClientsDropped)]))
        self.assertEqual(len(world.server.peers), 1)
        await world.still_relays(*bystander)
        world.repeater.accept_new_clients()
        await world.linked("alice")

    async def test_on_its_way_when_dropping_begins(self) -> None:
        """A client that was accepted before is linked yet."""
        world = await self.world()
        client = await world.connect()
        await world.until_accepted()
        world.repeater.drop_new_clients()
        client.write(hello("alice"))
        await client.seen.reach(1)
        self.assertEqual(client.seen, [repeated(SERVER_NAME)])


class AddressTests(MemoryCase):
    """Questions about a newcomer's address."""

    def test_order(self) -> None:
        """The address is looked at first, then whether newcomers are dropped."""
        world = self.memory(is_client_ip_authorized=lambda ip: ip == "127.0.0.1")
        world.factory.admission.dropping = True
        for host in ("192.0.2.1", "127.0.0.1"):
            self.assertFalse(world.connect(host=host).open)
        self.assertEqual(world.calls.refusals, [(None, ClientIPNotAuthorized), (None, NewClientsDropped)])

    def test_behind_a_balancer(self) -> None:
        """The address of a load balancer is not asked about: it is the client's that counts."""
        world = self.memory(is_client_ip_authorized=lambda ip: self.fail("asked"))
        world.factory.admission.proxied = True
        self.assertTrue(world.connect(None).open)

    def test_no_ip(self) -> None:
        """A client without an IP address, on a Unix socket, is asked about as the empty string."""
        asked: list[str] = []
        world = self.memory(is_client_ip_authorized=asked.append)
        self.assertIsNone(world.factory.buildProtocol(UNIXAddress(b"/run/clients")))
        self.assertEqual(asked, [""])
        self.assertIn("/run/clients", str(world.calls.refusal))

    def test_interrupted(self) -> None:
        """Ctrl-C while it is asked goes through."""
        world = self.memory(is_client_ip_authorized=lambda ip: raises(KeyboardInterrupt))
        self.assertRaises(KeyboardInterrupt, world.factory.buildProtocol, world.network.new_address())
        self.assertEqual(world.calls.refusals, [])

    def test_shut_down_by_the_callback(self) -> None:
        """If asking about the address shuts the repeater down, the newcomer is refused."""
        world: Any = None
        world = self.memory(is_client_ip_authorized=lambda ip: bool(world.factory.links.close_all()))
        for _ in range(2):
            self.assertFalse(world.connect().open)
            self.assertEqual(world.calls.refusals, [(None, RepeaterClosed)])


class RefusingTests(MemoryCase):
    """Clients are refused."""

    def test_bug(self) -> None:
        """An unexpected error costs the client its attempt, and is logged."""
        world = self.memory()
        world.factory.links.dial = lambda pair: succeed("no connection")
        world.connect("alice")
        self.assertEqual(world.calls.refusals, [("alice", OpeningFailed)])
        self.assertIn("AttributeError", str(world.calls.refusal))
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)

    def test_bug_outside_of_the_opening(self) -> None:
        """So does one that is not even the opening's."""
        world = self.memory()
        client = world.connect(None)
        world.factory.links._attempts[world.pair(client)].done.errback(KeyError("bug"))
        world.settle()
        self.assertEqual(world.calls.refusals, [(None, RefusedByApplication)])
        self.assertEqual((client.open, len(self.flushLoggedErrors(KeyError))), (False, 1))


class NoFramingTests(MemoryCase):
    """A dialect that has no framing for a link."""

    def test_reported(self) -> None:
        """The failure is logged, and the application told whose fault it was."""
        world = self.memory()
        error = ZeroDivisionError("broken")
        world.factory.admission.refuse_without_framing(None, error)
        self.assertEqual(world.calls.refusals, [(None, OpeningFailed)])
        self.assertIs(world.calls.refusal.__cause__, error)
        self.assertEqual(str(world.calls.refusal), "the framing of int32 failed: ZeroDivisionError: broken")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class UnfinishedHelloTests(MemoryCase):
    """Connections without a complete hello have a limit of their own."""

    def test_oldest_goes(self) -> None:
        """Past the limit the connection that waits longest is closed; one byte of a hello doesn't save it."""
        world = self.memory(limits=Limits(max_unfinished_hellos=2))
        first, second = world.connect(None), world.connect(None)
        first.send_bytes(b"\0")
        third = world.connect(None)
        self.assertEqual([client.open for client in (first, second, third)], [False, True, True])
        self.assertEqual(world.calls.refusals, [(None, HelloTimeout)])
        world.connect(None)
        self.assertFalse(second.open)

    def test_silence_keeps_nobody_out(self) -> None:
        """Any number of silent connections keeps no client out, nor a place or a link."""
        asked: list[Deferred[bool]] = []

        def is_client_allowed(name: str) -> Any:
            asked.append(Deferred())
            return asked[-1] if name == "waits" else True

        world = self.memory(limits=Limits(max_clients=3), is_client_allowed=is_client_allowed)
        linked, _ = world.linked("alice")
        waits = world.connect("waits")
        silent = [world.connect(None) for _ in range(1000)]
        self.assertEqual(sum(client.open for client in silent), 500)
        world.linked("bob")
        self.assertTrue(linked.open)
        asked[1].callback(True)
        world.settle()
        self.assertTrue(world.pair(waits).made)
        self.assertEqual(set(world.calls.refusals), {(None, HelloTimeout)})
        world.advance(10)
        self.assertEqual((len(world.calls.refusals), len(world.factory.links)), (1000, 3))

    def test_other_limits(self) -> None:
        """How many there may be can change while the repeater runs."""
        world = self.memory(limits=Limits(max_unfinished_hellos=5))
        world.factory.claim.limits = effective(Limits(max_unfinished_hellos=2))
        silent = [world.connect(None) for _ in range(4)]
        self.assertEqual([client.open for client in silent], [False, False, True, True])

    async def test_silence_on_sockets(self) -> None:
        """The same on real connections."""
        world = await self.world(limits=Limits(max_unfinished_hellos=20, max_clients=5))
        silent = [await world.connect() for _ in range(60)]
        client, peer = await world.linked("alice")
        for each in silent[:41]:
            await each.lost()
        await world.still_relays(client, peer)
        self.assertEqual([client.seen for client in silent], [[LOST]] * 41 + [[]] * 19)
        self.assertEqual(world.refusals, [(None, HelloTimeout)] * 41)


class ClientLimitTests(MemoryCase):
    """So many clients, and not more."""

    async def test_listen_queue(self) -> None:
        """At the limit the repeater accepts nobody: newcomers wait in the listen queue, and get their turn in order."""
        world = await self.world(limits=Limits(max_clients=2))
        alice, _ = await world.linked("alice")
        bob, _ = await world.linked("bob")
        waiting = [await world.connect(hello(name)) for name in ("carol", "dave")]
        self.assertEqual(len(world.repeater.links()), 2)
        await turn(10)
        self.assertEqual(len(world.repeater._factory.links), 2)
        self.assertEqual(([client.seen for client in waiting], world.refusals), ([[], []], []))
        alice.close()
        await waiting[0].seen.reach(1)
        self.assertEqual(waiting[1].seen, [])
        bob.close()
        await waiting[1].seen.reach(1)
        self.assertEqual(sorted(world.repeater.active_clients()), ["carol", "dave"])
        self.assertEqual(world.refusals, [])

    async def test_gone_from_the_queue(self) -> None:
        """A newcomer that leaves the listen queue disturbs nobody."""
        world = await self.world(limits=Limits(max_clients=1))
        alice, _ = await world.linked("alice")
        for leave in (Client.close, Client.abort):
            leave(await world.connect(hello("impatient")))
        alice.close()
        await world.linked("bob")

    def test_accepted_already(self) -> None:
        """Clients that were accepted before the limit was reached, and say hello then, wait for their turn."""
        world = self.memory(limits=Limits(max_clients=1))
        early = [world.connect(None), world.connect(None)]
        world.linked("alice")
        for client, name in zip(early, ("bob", "carol"), strict=True):
            client.send_bytes(hello(name) + frame(b"early"))
        for names in (["alice"], ["alice", "bob"], ["alice", "bob", "carol"]):
            self.assertEqual([server.client_name for server in world.server.connections], names)
            world.link(names[-1]).close()
            world.settle()
        self.assertEqual(world.calls.refusals, [])

    def test_left_while_waiting(self) -> None:
        """One that leaves while it waits is skipped."""
        world = self.memory(limits=Limits(max_clients=1))
        first, second = world.connect(None), world.connect(None)
        world.linked("alice")
        world.say(first, "bob")
        world.say(second, "carol")
        first.abort()
        self.assertEqual(world.calls.refusals, [("bob", ClientGone)])
        world.link("alice").close()
        world.settle()
        world.link("carol")

    def test_refused_clients_free_their_place(self) -> None:
        """A client that is refused behind its hello gives its place back."""
        world = self.memory(limits=Limits(max_clients=1), is_client_allowed=lambda name: name != "mallory")
        for _ in range(3):
            world.connect("mallory")
        world.linked("alice")

    def test_accepting_stops_and_goes_on(self) -> None:
        """The port is paused while every place is taken, also by attempts, and not a moment longer."""
        world = self.memory(answers=False, limits=Limits(max_clients=2))
        valve: Any = world.factory.admission.port_valve
        world.linked("alice")
        self.assertFalse(valve.closed)
        bob = world.connect("bob")
        self.assertTrue(valve.closed)
        bob.abort()
        self.assertFalse(valve.closed)
        world.linked("bob")
        self.assertTrue(valve.closed)
        world.link("alice").close()
        world.settle()
        self.assertFalse(valve.closed)


class NamesOfClientsTests(MemoryCase):
    """The registry of names."""

    def test_in_time(self) -> None:
        """A newcomer that waits for its name doesn't wait beyond its hello timeout, which began when it connected."""
        world = self.memory(limits=Limits(close_timeout=20), to_server_filter=lambda message, link: Deferred())
        alice, _ = world.linked("alice")
        alice.send(b"waits for its verdict")
        world.link("alice").close()
        late = world.connect(None)
        world.advance(9)
        world.say(late, "alice")
        world.advance(1)
        self.assertEqual(world.calls.refusals, [("alice", DuplicateClient)])


def raises(kind: type[BaseException]) -> Any:
    """Raise an exception of this class."""
    raise kind
