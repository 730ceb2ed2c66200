"""The calls of a repeater across its fleet, in a process that is its only node."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from twisted_repeater import DuplicateClient, MarshalingError, MessageType, NameLost, SameName, dialects
from twisted_repeater._alone import Alone
from twisted_repeater._repeater_fleet import RepeaterEntrant, message_of, payload_of
from twisted_repeater.codecs import text
from twisted_repeater.dialects.fix import FixCodec, Message
from twisted_repeater.fleet import Call
from twisted_repeater.service.handover import PortOf

from .peers import LOST, PeerCase, World, hello, reactor, repeated
from .service.admin.debugged import Debugging, fix_logon


class Broken:
    """A codec that fails, in its own way."""

    def decode(self, payload: bytes) -> bytes:
        """Return the payload."""
        return payload

    def encode(self, message: object) -> bytes:
        """End the program, or be interrupted."""
        raise KeyboardInterrupt if message == "interrupt" else SystemExit(3)


@implementer(IStreamClientEndpoint)
class Dials:
    """Calls ``begun`` when the server is dialled."""

    server: TCP4ClientEndpoint
    begun: Callable[[], None]

    def connect(self, protocolFactory: Any) -> Any:
        """See `IStreamClientEndpoint`."""
        dialled = self.server.connect(protocolFactory)
        self.begun()
        return dialled


def lose_alice(entrant: RepeaterEntrant) -> None:
    """Another node has got the name."""
    entrant.name_lost("alice")


class CallTests(PeerCase):
    """`Repeater.fleet`, where this process is the only node."""

    async def linked(self, **settings: Any) -> tuple[World, Any, Any]:
        """Link two clients."""
        world = await self.world(**settings)
        return world, await world.linked("alice"), await world.linked("bob")

    async def test_send_to_all_clients(self) -> None:
        """Every client gets the message once, and the answer says how many there are."""
        world, (alice, _), (bob, _) = await self.linked()
        answer = await world.repeater.fleet.send_to_all_clients(b"news")
        self.assertEqual(answer.done, {"this process": 2})
        again = await world.repeater.fleet.send_to_all_clients(b"news", call_id=answer.id)
        self.assertEqual(again, answer)
        world.repeater.send_to_all_clients(b"end")
        for client in (alice, bob):
            await client.seen.holds(b"end")
            self.assertEqual(client.seen[1:], [b"news", b"end"])

    async def test_send_from_all_clients(self) -> None:
        """The server gets the message on every link."""
        world, (_, alice), (_, bob) = await self.linked()
        self.assertEqual((await world.repeater.fleet.send_from_all_clients(b"vote")).done, {"this process": 2})
        await alice.seen.holds(b"vote")
        await bob.seen.holds(b"vote")

    async def test_send_to_server_from(self) -> None:
        """The server gets the message on the links of one client; from one that is not linked nothing goes out."""
        world, (_, alice), (_, bob) = await self.linked()
        fleet = world.repeater.fleet
        self.assertEqual((await fleet.send_to_server_from("alice", b"order")).done, {"this process": 1})
        self.assertEqual((await fleet.send_to_server_from("nobody", b"order")).done, {"this process": 0})
        await alice.seen.holds(b"order")
        self.assertEqual(bob.seen, [repeated("bob")])

    async def test_send_to_client(self) -> None:
        """One client gets the message; if it is not linked nobody does."""
        world, (alice, _), (bob, _) = await self.linked()
        fleet = world.repeater.fleet
        self.assertEqual((await fleet.send_to_client("alice", b"hint")).done, {"this process": 1})
        self.assertEqual((await fleet.send_to_client("nobody", b"hint")).done, {"this process": 0})
        await alice.seen.holds(b"hint")
        self.assertEqual(bob.seen[1:], [])

    async def test_clients(self) -> None:
        """The names of the clients are told, as many as are asked for; and where one is."""
        world, *_ = await self.linked()
        fleet = world.repeater.fleet
        self.assertEqual((await fleet.active_clients()).done, {"this process": ["alice", "bob"]})
        self.assertEqual((await fleet.active_clients(most=1)).done, {"this process": ["alice"]})
        self.assertEqual([await fleet.find(name) for name in ("bob", "carol")], [["this process"], []])

    async def test_close_connection(self) -> None:
        """The links of one client are closed, and counted."""
        world, (alice, _), _ = await self.linked()
        answer = await world.repeater.fleet.close_connection_from_client("alice")
        self.assertEqual(answer.done, {"this process": 1})
        await alice.lost()

    async def test_newcomers(self) -> None:
        """Newcomers are dropped, and accepted again, and the nodes tell which."""
        world, *_ = await self.linked()
        fleet = world.repeater.fleet
        for call, drops in ((fleet.drop_new_clients, True), (fleet.accept_new_clients, False)):
            self.assertTrue((await call()).complete)
            (node,) = await fleet.nodes()
            told = {"links": 2, "drops_new_clients": drops, "draining": False}
            self.assertEqual(node.repeaters, {"edge-1": told})

    async def test_drain(self) -> None:
        """A node answers when it has begun to drain, and tells that it does; a time that cannot pass is refused."""
        world, (alice, _), _ = await self.linked()
        fleet = world.repeater.fleet
        with self.assertRaisesRegex(ValueError, "over must be at least 0, in seconds, not -1"):
            await fleet.drain(-1)
        self.assertEqual((await fleet.drain(1.0)).done, {"this process": None})
        (node,) = await fleet.nodes()
        self.assertEqual(node.repeaters, {"edge-1": {"links": 2, "drops_new_clients": False, "draining": True}})
        await alice.lost()

    async def test_same_name(self) -> None:
        """Two repeaters of a process cannot have one name in a fleet: no port of the second one stays bound."""
        fleet = Alone()
        world = await self.world(fleet=fleet)
        with self.assertRaisesRegex(ValueError, "'repeater:edge-1' takes part in the fleet already"):
            await world.create(fleet=fleet)

    async def test_lent_port(self) -> None:
        """If a repeater that is to take a port over cannot be made, that port stays open."""
        fleet = Alone()
        world = await self.world(fleet=fleet)
        giver, port = world.repeater, PortOf(world.repeater)
        with self.assertRaisesRegex(ValueError, "takes part in the fleet already"):
            await world.create(fleet=fleet, listen=port)
        port.give_back(None)
        self.assertIs(world.repeater, giver)
        await world.linked("alice")

    async def test_shutdown(self) -> None:
        """The answer to a shutdown comes when every connection is gone."""
        world, (alice, _), _ = await self.linked()
        self.assertTrue((await world.repeater.fleet.shutdown()).complete)
        self.assertEqual(world.repeater.links(), [])
        await alice.lost()

    async def test_abort(self) -> None:
        """An abort ends every connection."""
        world, (alice, _), _ = await self.linked()
        self.assertTrue((await world.repeater.fleet.abort()).complete)
        await alice.lost()

    async def test_wrong_arguments(self) -> None:
        """A timeout that is none, and one name for several, are refused before anything is done."""
        world, *_ = await self.linked()
        fleet = world.repeater.fleet
        self.assertEqual((fleet.node, fleet.problem), ("this process", None))
        for timeout in (0, 61):
            with self.assertRaisesRegex(ValueError, f"at most 60 seconds, not {timeout}"):
                await fleet.abort(timeout=timeout)
        with self.assertRaisesRegex(TypeError, "nodes must be several names, such as .'edge'., not 'edge'"):
            await fleet.abort(nodes="edge")
        with self.assertRaises(MarshalingError):
            await fleet.send_to_all_clients("no bytes")

    async def test_an_unknown_call(self) -> None:
        """A call that this version does not know is an error of this node."""
        world = await self.world()
        entrant = RepeaterEntrant(world.repeater, world.repeater._factory.links)
        with self.assertRaisesRegex(ValueError, "knows no call 'dance'"):
            await entrant.carry_out(Call("dance"))


class NameTests(PeerCase):
    """`RepeaterEntrant`: what a fleet does with the names of a repeater."""

    async def entered(self, same_name: SameName) -> tuple[World, RepeaterEntrant]:
        """Return a world, and the entrant of its repeater."""
        world = await self.world(dialect=dialects.int32().changed(same_name=same_name))
        return world, RepeaterEntrant(world.repeater, world.repeater._factory.links)

    async def test_same_name(self) -> None:
        """It tells what becomes of a client whose name is taken."""
        _, entrant = await self.entered(SameName.SHARE)
        self.assertEqual(entrant.same_name, SameName.SHARE)

    async def test_contest(self) -> None:
        """A client of another node is refused while the link of its name lives, and gets a name that is free."""
        world, entrant = await self.entered(SameName.REFUSE)
        await world.linked("alice")
        with self.assertRaises(DuplicateClient):
            await entrant.contest("alice", 5)
        await entrant.contest("bob", 5)

    async def test_name_lost(self) -> None:
        """When another node has got a name, the link that had it is closed for that reason, and no other."""
        world, entrant = await self.entered(SameName.REFUSE)
        (alice, _), (bob, peer) = await world.linked("alice"), await world.linked("bob")
        entrant.name_lost("nobody")
        entrant.name_lost("alice")
        await alice.lost()
        await world.still_relays(bob, peer)

    async def test_lease(self) -> None:
        """When the lease is in danger, links with a name are closed; when it is lost, they are aborted."""
        for same_name in (SameName.SHARE, SameName.REPLACE):
            for lose in ("lease_endangered", "lease_lost"):
                world, entrant = await self.entered(same_name)
                (alice, _), (bob, _) = await world.linked("alice"), await world.linked("bob")
                getattr(entrant, lose)()
                await alice.lost()
                await bob.lost()
                self.assertEqual(bob.seen[1:], [LOST])

    async def test_while_a_client_is_linked(self) -> None:
        """A client whose name is lost while its server is dialled is refused for it, whatever the dial does."""
        for lose in (RepeaterEntrant.lease_endangered, RepeaterEntrant.lease_lost, lose_alice):
            dials = Dials()
            world = await self.world(via=dials)
            dials.server = TCP4ClientEndpoint(reactor, "127.0.0.1", world.server_port.getHost().port)
            dials.begun = partial(lose, RepeaterEntrant(world.repeater, world.repeater._factory.links))
            client = await world.connect(hello("alice"))
            await client.lost()
            self.assertEqual(world.refusals, [("alice", NameLost)])


class MessageTests(PeerCase):
    """How a message travels between nodes."""

    def test_there_and_back(self) -> None:
        """A message is encoded in the newest version, and decoded from it."""
        for kind, message in (
            (MessageType.of(None), b"\x00news"),
            (MessageType.of(text()), "n\u00e9ws"),
            (MessageType.of(FixCodec()), Message("B", {148: "closing early"})),
        ):
            self.assertEqual(message_of(kind, payload_of(kind, message)), message)

    def test_without_a_header(self) -> None:
        """A message of FIX gets its header on each link, with the next number of that, as if it were sent there."""
        own = Debugging(dialects.fix())
        client, _ = fix_logon(own)
        for _ in range(2):
            answered = own.world.repeater.fleet.send_to_all_clients(Message("B", {148: "closing early"}))
            own.world.settle()
            self.assertEqual(self.successResultOf(answered).done, {"this process": 1})
        got = [(each.type, each.sequence_number, each.text(148)) for each in client.received[1:]]
        self.assertEqual(got, [("B", 2, "closing early"), ("B", 3, "closing early")])

    def test_a_broken_codec(self) -> None:
        """A codec that ends the program has failed to encode, no more; an interrupt goes on."""
        kind = MessageType.of(Broken())
        with self.assertRaises(MarshalingError):
            payload_of(kind, "exit")
        with self.assertRaises(KeyboardInterrupt):
            payload_of(kind, "interrupt")
