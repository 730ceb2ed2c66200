"""How long the opening, the peers and the application may take."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed

from twisted_repeater import Limits, Side
from twisted_repeater._link.making import Making
from twisted_repeater._link.making_time import TimedMaking
from twisted_repeater._link.starting_tls import TLSHandshake
from twisted_repeater.dialects import Attempt, by_address
from twisted_repeater.errors import (
    ClientGone,
    ClientIPNotAuthorized,
    ClientNotAllowed,
    HelloTimeout,
    OpeningFailed,
    RefusedByApplication,
    RepeaterClosed,
    TooManyClients,
)

from ..peers import hello
from .memory_case import MemoryCase
from .test_making import Pending
from .test_making_openings import OpeningCase


class OpeningTimeTests(OpeningCase):
    """The time of the opening."""

    def test_never_returns(self) -> None:
        """It has as long as a hello may take, and as long again once the client is admitted."""
        cleaned: list[str] = []

        async def opening(attempt: Attempt) -> None:
            try:
                if (await attempt.client.read()).payload == b"ann":
                    await attempt.admit("ann")
                await Deferred()
            finally:
                cleaned.append("up")

        for said, name, at in ((b"x", None, 10), (b"ann", "ann", 19)):
            world = self.world_of(opening)
            client = world.connect()
            world.advance(9)
            client.send(said)
            world.advance(at - 9 - 0.1)
            self.assertEqual(world.calls.refusals, [])
            world.advance(0.2)
            self.refused(world, OpeningFailed, "the opening of test did not end within 10 seconds", name)
        self.assertEqual(cleaned, ["up", "up"])

    def test_who_is_late(self) -> None:
        """While it waits for a peer, the peer is late, and the error shows how that has begun."""

        async def opening(attempt: Attempt) -> None:
            await attempt.client.read()
            await attempt.admit("ann")
            await attempt.dial()
            await attempt.server.read()

        world = self.world_of(opening)
        client = world.connect()
        client.send_bytes(b"\0\0")
        world.advance(10)
        self.refused(world, HelloTimeout, "no message of test from the client in time; it sent only b'\\x00\\x00'")
        world = self.world_of(opening)
        world.connect().send(b"x")
        world.advance(10)
        self.refused(world, HelloTimeout, "no message of test from the server in time", "ann")

    def test_reads_for_ever(self) -> None:
        """Reading on and on takes no longer than waiting."""

        async def opening(attempt: Attempt) -> None:
            while True:
                await attempt.client.read()

        world = self.world_of(opening)
        client = world.connect()
        for _ in range(9):
            client.send(b"x" * 1000)
            world.advance(1)
        self.assertEqual(world.calls.refusals, [])
        world.advance(1)
        self.refused(world, HelloTimeout)

    def test_handshake(self) -> None:
        """A handshake that does not end is what is late."""
        world = self.world_of(by_address)
        client = world.connect()
        world.pair(client).client.handshake = TLSHandshake(Side.CLIENT)
        world.advance(10)
        self.refused(world, HelloTimeout, "no TLS handshake of the client in time")

    def test_forgotten(self) -> None:
        """An opening that returns while it waits for bytes, or for a handshake, is wrong."""

        async def bytes_of_client(attempt: Attempt) -> None:
            attempt.client.peek()

        async def handshake(attempt: Attempt) -> None:
            peer: Any = attempt.client._peer
            peer._connection.handshake = TLSHandshake(Side.CLIENT)

        for opening, what in ((bytes_of_client, "bytes of the client"), (handshake, "the TLS handshake of the client")):
            world = self.world_of(opening)
            world.connect()
            self.refused(world, OpeningFailed, f"the opening of test did not await {what}")

    def test_no_place_in_time(self) -> None:
        """A client waits for a place no longer than the hello timeout, which began with its connection."""
        world = self.memory(limits=Limits(max_clients=1))
        late = world.connect(None)
        world.linked("alice")
        world.advance(6)
        world.say(late, "bob")
        world.advance(3.9)
        self.assertEqual(world.calls.refusals, [])
        world.advance(0.1)
        self.assertEqual(world.calls.refusals, [("bob", TooManyClients)])
        self.assertEqual((len(world.server.connections), late.heard), (1, None))

    def test_cancellers(self) -> None:
        """If the canceller of an answer raises, that is logged; Ctrl-C in it goes through."""

        def cancelled(error: BaseException) -> Any:
            def cancel(deferred: Deferred[Any]) -> None:
                raise error

            def is_client_allowed(name: str) -> Deferred[Any]:
                return Deferred(cancel)

            return is_client_allowed

        world = self.memory(is_client_allowed=cancelled(ArithmeticError()))
        world.connect("alice").abort()
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        world = self.memory(is_client_allowed=cancelled(KeyboardInterrupt()))
        self.assertRaises(KeyboardInterrupt, world.connect("alice").abort)

    def test_nothing_to_let_go(self) -> None:
        """When the link relays, its connections are read by nobody's opening."""
        world = self.memory()
        client, _ = world.linked("alice")
        Making(world.pair(client), world.factory.links)._let_go()

    def test_step_after_the_end(self) -> None:
        """A step that is begun as the attempt ends is not waited for; its error is logged."""
        world = self.memory()
        making = Making(world.pair(world.connect(None)), world.factory.links)
        waiting: Deferred[None] = Deferred()
        step = Deferred.fromCoroutine(making.step(waiting))
        making.stopped = True
        waiting.callback(None)
        self.failureResultOf(step, CancelledError)
        late: Deferred[None] = Deferred()
        step = Deferred.fromCoroutine(making.step(late))
        self.failureResultOf(step, CancelledError)
        late.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertRaises(NotImplementedError, TimedMaking.stop, making, HelloTimeout("late"))

    def test_stopped_by_the_step(self) -> None:
        """An opening that ends its own attempt gets no further, and an error that comes then is logged."""
        world: Any = None

        async def opening(attempt: Attempt) -> None:
            world.factory.links.abort_all()
            await attempt.client.read()

        world = self.world_of(opening)
        world.connect()
        self.assertEqual(len(world.calls.refusals), 1)


class AnswerTests(MemoryCase):
    """The time of hellos and of the application's answers."""

    def test_answers(self) -> None:
        """The application may answer by a Deferred or a coroutine; if it raises, the client is refused."""

        async def coroutine(name: str) -> bool:
            return True

        async def refusing(name: str) -> bool:
            raise ClientNotAllowed("not today")

        for answer, error in (
            (lambda name: succeed(True), None),
            (coroutine, None),
            (refusing, ClientNotAllowed),
            (lambda name: 1 / 0, RefusedByApplication),
        ):
            world = self.memory(is_client_allowed=answer)
            world.connect("alice")
            self.assertEqual(world.calls.refusals, [("alice", error)] if error else [])

    def test_closed_by_the_answer(self) -> None:
        """A callback may end everything and answer, or raise: the attempt has ended."""
        for answer in (lambda: True, lambda: 1 / 0):
            world: Any = None

            def asked(name: str, answer: Any = answer) -> object:
                world.factory.links.abort_all()  # noqa: B023
                return answer()

            world = self.memory(is_client_allowed=asked)
            world.connect("alice")
            self.assertEqual(world.calls.refusals, [("alice", RepeaterClosed)])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_drop_by_drop(self) -> None:
        """The timeout is for the whole hello: a byte now and then doesn't put it off."""
        world = self.memory()
        client = world.connect(None)
        for byte in hello("alice")[:9]:
            client.send_bytes(bytes([byte]))
            world.advance(1)
        self.assertEqual(world.calls.refusals, [])
        world.advance(1)
        self.assertEqual(world.calls.refusals, [(None, HelloTimeout)])
        self.assertFalse(client.open)

    def test_behind_a_balancer(self) -> None:
        """The address is checked when the PROXY header has told it, and the time for the hello begins there."""
        asked: list[str] = []

        def is_authorized(ip: str) -> bool:
            asked.append(ip)
            return len(asked) == 1

        world = self.memory(is_client_ip_authorized=is_authorized)
        world.factory.admission.proxied = True
        first, second = world.connect(None), world.connect(None)
        world.advance(9)
        self.assertEqual(asked, [])
        for client in (first, second):
            world.pair(client).client.address_known()
        self.assertEqual((len(asked), world.calls.refusals), (2, [(None, ClientIPNotAuthorized)]))
        world.advance(9)
        world.say(first, "alice")
        self.assertTrue(world.pair(first).made)

    def test_application_that_never_answers(self) -> None:
        """A callback that promises an answer is waited for as long as for a hello, and then refuses the client."""
        for name in ("is_client_allowed", "on_connect"):
            answer = Pending()
            world = self.memory(limits=Limits(hello_timeout=3), **{name: lambda _, answer=answer: answer})
            world.connect("alice")
            world.advance(2.9)
            self.assertEqual(world.calls.refusals, [])
            world.advance(0.1)
            self.assertEqual(world.calls.refusals, [("alice", RefusedByApplication)])
            self.assertIn("no answer of the application within 3 seconds", str(world.calls.refusal))
            self.assertTrue(answer.cancelled)

    def test_obstinate_callback(self) -> None:
        """A callback that goes on although it is cancelled delays nothing, and its result is ignored."""
        again: Deferred[Any] = Deferred()

        async def on_connect(link: Any) -> None:
            try:
                await Deferred()
            except CancelledError:
                await again

        world = self.memory(on_connect=on_connect)
        client = world.connect("alice")
        client.abort()
        self.assertEqual(world.calls.refusals, [("alice", ClientGone)])
        self.check()
        again.callback("state")
        self.assertEqual(world.calls.refusals, [("alice", ClientGone)])
        self.assertIsNone(client.heard)

    def test_callback_fails_at_its_end(self) -> None:
        """An exception that a cancelled callback raises is logged: no other place would show it."""

        async def on_connect(link: Any) -> None:
            try:
                await Deferred()
            finally:
                raise ValueError("cannot clean up")

        world = self.memory(on_connect=on_connect)
        world.connect("alice").abort()
        self.assertEqual(world.calls.refusals, [("alice", ClientGone)])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
