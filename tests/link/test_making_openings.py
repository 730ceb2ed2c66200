"""The making of a link by openings of all kinds: whatever an opening does costs only its own attempt."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.protocol import Factory

from twisted_repeater import PASS_ON, Dialect, Limits, Link, MessageType, Origin, Send, Side, Verdict, WatchedMessage
from twisted_repeater._link.making import Making
from twisted_repeater._link.starting_tls import TLSHandshake
from twisted_repeater.codecs import TextCodec
from twisted_repeater.dialects import Attempt, Versions, first_message, server_first
from twisted_repeater.errors import (
    ClientNotAllowed,
    ConnectingError,
    Disconnected,
    InvalidHello,
    OpeningFailed,
    ParseError,
    RefusedByApplication,
    RepeaterClosed,
    ServerUnreachable,
)
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.testing import OpeningHarness, Step

from ..peers import REPEATER_NAME, SERVER_NAME, frame, kept_by
from .memory_case import MemoryCase

Opening = Callable[[Attempt], Awaitable[None]]


def dialect(opening: Opening, **options: Any) -> Dialect:
    """Return a dialect of frames with a length, and this opening."""
    return Dialect(name="test", framing=lambda limits: Int32Framing(limits.max_frame), opening=opening, **options)


class OpeningCase(MemoryCase):
    """A test case with openings."""

    def world_of(self, opening: Opening, options: dict[str, Any] | None = None, **others: Any) -> Any:
        """Make a repeater whose dialect has an opening; ``options`` are the dialect's."""
        return self.memory(dialect=dialect(opening, **(options or {})), **others)

    def refused(self, world: Any, kind: type[ConnectingError], text: str = "", name: str | None = None) -> Any:
        """Check that the last client was refused once with an error, and return the error."""
        self.assertEqual(world.calls.refusals[-1:], [(name, kind)])
        self.assertIn(text, str(world.calls.refusal))
        self.assertEqual(world.clients[-1].received, [])
        return world.calls.refusal


class StepTests(OpeningCase):
    """The steps of an opening."""

    def test_all_left_out(self) -> None:
        """An opening that does nothing gives a link by the address, and the server is dialled at once."""

        async def opening(attempt: Attempt) -> None:
            """Do nothing."""

        world = self.world_of(opening)
        client = world.connect()
        (link,) = world.repeater.links()
        address = client.transport.getHost()
        self.assertEqual(link.client_name, f"{address.host}:{address.port}")
        self.assertEqual((link.client_hello, link.server_hello, dict(link.details)), (None, None, {}))
        client.send(b"question")
        world.server.connections[0].send(b"answer")
        self.assertEqual(world.server.connections[0].received, [b"question"])
        self.assertEqual(client.received, [b"answer"])

    def test_each_step(self) -> None:
        """The name is admitted, then the server dialled, then the link put together; what was learned is the link's."""
        calls: list[Any] = []

        async def opening(attempt: Attempt) -> None:
            login = await attempt.client.read()
            calls.append((attempt.limits.max_hello, attempt.repeater_name, attempt.server_name, attempt.dialect.name))
            await attempt.admit(login.payload.decode(), token="s3cret")
            await attempt.dial()
            attempt.server.send(b"LOGIN " + login.payload)
            await attempt.connect(client="who", server="what", versions=(Versions(1, 1), Versions(1, 1)))
            attempt.client.send(b"\0\0\0\7welcome")

        def on_connect(link: Link) -> str:
            calls.append(link.client_name)
            return "state"

        world = self.world_of(opening, on_connect=on_connect)
        client = world.connect()
        client.send(b"ann", b"first")
        (server,) = world.server.connections
        self.assertEqual(calls, [(65536, REPEATER_NAME, SERVER_NAME, "test"), "ann"])
        link = world.repeater.link("ann")
        self.assertEqual((link.client_hello, link.server_hello, link.state), ("who", "what", "state"))
        self.assertEqual(dict(link.details), {"token": "s3cret"})
        self.assertEqual(client.received, [b"welcome"])
        self.assertEqual(server.received, [])  # LOGIN is the beginning of a frame that never ends
        world.shutdown()

    def test_version_of_a_link(self) -> None:
        """Each link has the version that its opening states, for its filters and for what is sent on it."""

        async def opening(attempt: Attempt) -> None:
            version = (await attempt.client.peek()).payload[0] - ord("0")
            await attempt.admit()
            await attempt.dial()
            await attempt.connect(versions=(Versions(version, version), Versions(version, version)))

        def double(message: str, link: Link) -> Verdict:
            seen.append(message)
            return Send(message, message.upper())

        seen: list[str] = []
        words = MessageType({1: TextCodec("latin-1"), 2: TextCodec("utf-8")}, low=1, prod=1, test=2, per_link=True)
        for sent in ((b"1\xe9", b"1\xc9"), (b"2\xc3\xa9", b"2\xc3\x89")):
            harness = OpeningHarness(dialect(opening, to_server=words, to_client=words), to_server_filter=double)
            harness.client_connects()
            harness.client_sends(frame(sent[0])).expect(Step.LINKED, to_server=b"".join(map(frame, sent)))
        self.assertEqual(seen, ["1\u00e9", "2\u00e9"])

    def test_welcome_comes_first(self) -> None:
        """What the opening sends after ``connect`` goes out before what the server says."""

        async def opening(attempt: Attempt) -> None:
            await attempt.admit("ann")
            await attempt.dial()
            await attempt.server.peek()
            await attempt.connect()
            attempt.client.send(frame(b"welcome"))

        world = self.world_of(opening)
        client = world.connect()
        world.server.connections[0].send(b"one", b"two")
        self.assertEqual(client.received, [b"welcome", b"one", b"two"])

    def test_versions(self) -> None:
        """Without versions of an opening's own, those of the message types count."""

        async def opening(attempt: Attempt) -> None:
            await attempt.admit("ann")

        class Numbered:
            """Adds its version to each message."""

            def __init__(self, version: int) -> None:
                self.version = version

            def decode(self, payload: bytes) -> bytes:
                """See `ICodec`."""
                return payload + bytes([self.version])

            def encode(self, message: bytes) -> bytes:
                """See `ICodec`."""
                return message

        kind = MessageType({3: Numbered(3)}, low=3, prod=3, test=3)
        world = self.world_of(opening, {"to_server": kind}, to_server_filter=lambda message, link: Send(message))
        world.connect().send(b"x")
        self.assertEqual(world.server.connections[0].received, [b"x\3\3"])

    def test_peeked_message_is_filtered(self) -> None:
        """What an opening peeked at goes through the filters as the first message; what it read does not."""
        seen: list[bytes] = []

        async def opening(attempt: Attempt) -> None:
            await attempt.client.read()
            name = (await attempt.client.peek()).payload
            await attempt.admit(name.decode())

        def see(message: bytes, link: Link) -> Verdict:
            seen.append(message)
            return PASS_ON

        world = self.world_of(opening, to_server_filter=see)
        world.connect().send(b"password", b"ann", b"more")
        self.assertEqual(seen, [b"ann", b"more"])
        self.assertEqual(world.server.connections[0].received, [b"ann", b"more"])

    def test_both_at_once(self) -> None:
        """An opening may wait for both peers at the same time."""

        async def opening(attempt: Attempt) -> None:
            await attempt.admit("ann")
            await attempt.dial()
            await gatherResults([attempt.client.peek(), attempt.server.peek()])

        world = self.world_of(opening)
        client = world.connect()
        (server,) = world.server.connections
        server.send(b"hello")
        self.assertEqual(client.received, [])
        client.send(b"hi")
        self.assertEqual((client.received, server.received), ([b"hello"], [b"hi"]))

    def test_not_a_coroutine(self) -> None:
        """An opening may be a function that returns a Deferred."""
        world = self.world_of(lambda attempt: attempt.admit("ann"))
        world.connect()
        self.assertEqual(world.repeater.active_clients(), ["ann"])

    def test_max_frame_of_the_dialect(self) -> None:
        """A dialect may have a default of its own for the longest payload; limits that say one have the last word."""
        for options, longest in (({}, 10), ({"limits": Limits(max_frame=20)}, 20)):
            world = self.world_of(server_first, {"max_frame": 10}, **options)
            client = world.connect()
            self.assertEqual(world.repeater.limits.max_frame, longest)
            client.send_bytes(frame(bytes(longest + 1)))
            self.assertEqual(world.server.connections[0].received, [])


class LateTests(OpeningCase):
    """What comes when the attempt has ended."""

    def test_late_results(self) -> None:
        """The end of the steps, or of one, changes nothing any more."""
        world = self.world_of(server_first)
        making = Making(world.pair(world.connect()), world.factory.links)
        making.stopped = True
        making._made(None)
        making._taken(None)
        self.assertFalse(making.done.called)
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_closed_by_the_application(self) -> None:
        """If the application closes the link before it is made, that is the reason."""
        links: list[Link] = []

        def on_connect(link: Link) -> Deferred[None]:
            links.append(link)
            return Deferred()

        world = self.world_of(server_first, on_connect=on_connect)
        world.connect()
        links[0].close()
        world.settle()
        self.refused(world, RefusedByApplication, "the application closed the link", world.calls.refusals[0][0])

    def test_tls_first(self) -> None:
        """On a TLS listener the opening begins when the handshake is done."""
        world = self.world_of(server_first)
        build = world.factory.buildProtocol

        def secured(address: Any) -> Any:
            protocol = build(address)

            def find_tls() -> None:
                protocol.handshake = TLSHandshake(Side.CLIENT)
                protocol.handshake.done = True

            protocol._find_tls = find_tls
            return protocol

        world.factory.buildProtocol = secured
        world.connect()
        self.assertEqual(len(world.server.connections), 1)


class KeptAttemptTests(OpeningCase):
    """An attempt that somebody keeps after its end."""

    def test_relaying(self) -> None:
        """When the link relays, nothing can be sent or read by the attempt any more."""
        kept: list[Attempt] = []

        async def opening(attempt: Attempt) -> None:
            kept.append(attempt)
            await attempt.admit("ann")

        world = self.world_of(opening)
        client = world.connect()
        (attempt,) = kept
        for peer in (attempt.client, attempt.server):
            self.assertRaises(RuntimeError, peer.send, b"x")
            self.assertRaises(RuntimeError, peer.read)
        for step in (attempt.admit, attempt.dial, attempt.connect):
            self.assertRaises(RuntimeError, step)
        client.send(b"question")
        self.assertEqual(world.server.connections[0].received, [b"question"])


class WrongOpeningTests(OpeningCase):
    """Openings that do what they must not."""

    def tearDown(self) -> None:
        """Each of them was logged."""
        self.flushLoggedErrors()

    def test_raises(self) -> None:
        """Whatever it raises ends its attempt only, and is logged with what the client sent."""
        for error in (LookupError("lost"), SystemExit(3), KeyboardInterrupt()):

            async def opening(attempt: Attempt, error: BaseException = error) -> None:
                await attempt.client.peek()
                raise error

            world = self.world_of(opening)
            world.connect().send(b"x")
            text = f"the opening of test failed: {type(error).__name__}"
            refusal = self.refused(world, OpeningFailed, text)
            self.assertIn("; the client began with b'\\x00\\x00\\x00\\x01x'", str(refusal))
            self.assertIs(refusal.__cause__, error)
            self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)

    def test_cannot_parse(self) -> None:
        """A message that it cannot decode is the client's fault, and not logged as a failure."""

        async def parses(attempt: Attempt) -> None:
            raise ParseError("not a login")

        async def decodes(attempt: Attempt) -> None:
            (await attempt.client.peek()).payload.decode()

        for opening, text in ((parses, "not a login"), (decodes, "'utf-8' codec can't decode byte 0xff")):
            world = self.world_of(opening)
            world.connect().send(b"\xff")
            self.refused(world, InvalidHello, f"the client does not speak test: {text}")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_result(self) -> None:
        """If it returns something, such as an opening that nobody plays, the client is refused."""
        makes_one: Any = lambda attempt: server_first  # noqa: E731
        world = self.world_of(makes_one)
        world.connect()
        self.refused(world, OpeningFailed, "TypeError: an opening must return None, not <function ser")
        self.flushLoggedErrors(TypeError)

    def test_refuses(self) -> None:
        """It may refuse a client itself."""

        async def opening(attempt: Attempt) -> None:
            raise ClientNotAllowed("not today")

        world = self.world_of(opening)
        world.connect()
        self.refused(world, ClientNotAllowed, "not today")

    def test_tries_again(self) -> None:
        """One that catches every error and tries again ends with its attempt."""
        tried: list[Exception] = []

        async def opening(attempt: Attempt) -> None:
            while True:
                try:
                    await attempt.client.read()
                except Exception as error:
                    tried.append(error)

        for leave in (lambda client: client.send_bytes(b"\xff\xff\xff\xff"), lambda client: client.abort()):
            tried.clear()
            world = self.world_of(opening)
            client = world.connect()
            client.send(b"x")
            leave(client)
            world.settle()
            self.assertEqual(len(world.calls.refusals), 1)
            self.assertLessEqual(len(tried), 2)

    def test_ignores_that_it_was_cancelled(self) -> None:
        """Nothing that it asks for after its attempt has ended comes, and it is collected."""
        cleaned: list[str] = []

        async def opening(attempt: Attempt) -> None:
            try:
                for step in (attempt.client.peek, attempt.admit, attempt.dial, attempt.connect, attempt.client.peek):
                    try:
                        await step()
                    except CancelledError:
                        continue
            finally:
                cleaned.append("up")

        world = self.world_of(opening)
        world.connect().abort()
        world.settle()
        world._pairs.clear()
        gc.collect()
        self.assertEqual(cleaned, ["up"])
        self.assertEqual(world.server.connections, [])

    def test_goes_on_after_a_refusal(self) -> None:
        """A client that was refused is not linked by an opening that goes on, by whatever way."""

        async def returns(attempt: Attempt) -> None:
            """Return, so that the steps that are left out would follow."""

        async def dials(attempt: Attempt) -> None:
            await attempt.dial()

        async def waits(attempt: Attempt) -> None:
            await Deferred()

        async def admits(attempt: Attempt) -> None:
            await attempt.admit("bob")

        for then in (returns, dials, waits, admits):

            async def opening(attempt: Attempt, then: Opening = then) -> None:
                try:
                    await attempt.admit("ann")
                except ClientNotAllowed:
                    await then(attempt)

            world = self.world_of(opening, is_client_allowed=lambda name: name != "ann")
            world.connect()
            if not world.calls.refusals:
                world.advance(10)
            self.assertEqual(len(world.calls.refusals), 1)
            self.assertEqual((world.repeater.links(), world.server.connections), ([], []))

    def test_order(self) -> None:
        """Steps in another order, or twice, are its mistake."""

        async def dials_first(attempt: Attempt) -> None:
            await attempt.dial()

        async def connects_first(attempt: Attempt) -> None:
            await attempt.admit("ann")
            await attempt.connect()

        async def admits_twice(attempt: Attempt) -> None:
            await attempt.admit("ann")
            await attempt.admit("ann")

        async def dials_twice(attempt: Attempt) -> None:
            await attempt.admit("ann")
            await attempt.dial()
            await attempt.dial()

        async def connects_twice(attempt: Attempt) -> None:
            await attempt.admit("ann")
            await attempt.dial()
            await attempt.connect()
            await attempt.connect()

        async def reads_the_server(attempt: Attempt) -> None:
            await attempt.server.read()

        async def reads_after_connect(attempt: Attempt) -> None:
            await attempt.admit("ann")
            await attempt.dial()
            await attempt.connect()
            await attempt.client.read()

        async def connects_while_it_reads(attempt: Attempt) -> None:
            await attempt.admit("ann")
            await attempt.dial()
            attempt.client.read()
            await attempt.connect()

        async def forgets_to_wait(attempt: Attempt) -> None:
            attempt.admit("ann")

        for opening, name, text in (
            (dials_first, None, "attempt.dial() must be called once, after attempt.admit() is done"),
            (connects_first, "ann", "attempt.connect() must be called once, after attempt.dial() is done"),
            (admits_twice, "ann", "attempt.admit() must be called once"),
            (dials_twice, "ann", "attempt.dial() must be called once"),
            (connects_twice, "ann", "attempt.connect() must be called once"),
            (reads_the_server, None, "the server must be dialled first"),
            (reads_after_connect, "ann", "after attempt.connect() an opening can only send"),
            (connects_while_it_reads, "ann", "the opening still waits for bytes of the client"),
            (forgets_to_wait, "ann", "the opening of test did not await attempt.admit()"),
        ):
            answer: Any = Deferred() if opening is forgets_to_wait else True
            world = self.world_of(opening, is_client_allowed=lambda name, answer=answer: answer)
            world.connect()
            self.refused(world, OpeningFailed, text, name)
            self.assertEqual(world.repeater.links(), [])

    def test_forgets_to_wait(self) -> None:
        """What it has not awaited is cancelled at the end of its attempt. Nothing is left, and nobody hears twice."""

        async def admits(attempt: Attempt) -> None:
            attempt.admit("ann")

        async def admits_and_raises(attempt: Attempt) -> None:
            attempt.admit("ann")
            raise ClientNotAllowed("no")

        async def dials(attempt: Attempt) -> None:
            await attempt.admit("bob")
            attempt.dial()

        async def peeks(attempt: Attempt) -> None:
            attempt.client.peek()

        async def peeks_at_the_server(attempt: Attempt) -> None:
            await attempt.admit("bob")
            await attempt.dial()
            attempt.server.peek()

        cancelled: list[str] = []
        for opening, text in (
            (admits, "did not await attempt.admit()"),
            (admits_and_raises, "no"),
            (dials, "did not await attempt.dial()"),
            (peeks, "did not await bytes of the client"),
            (peeks_at_the_server, "did not await bytes of the server"),
        ):

            def ask(name: str) -> Any:
                return name != "ann" or Deferred(lambda _: cancelled.append(name))

            world = self.world_of(opening, is_client_allowed=ask)
            if opening is dials:
                world.factory.links.dial = lambda pair: Deferred(lambda _: cancelled.append("the dial"))
            client = world.connect()
            self.assertIn(text, str(world.calls.refusal))
            client.send(b"late")
            world.settle()
            self.assertEqual(len(world.calls.refusals), 1)
            self.assertEqual(kept_by(world.factory), {})
            self.assertEqual(world.clock.getDelayedCalls(), [])
        self.assertEqual(cancelled, ["ann", "ann", "the dial"])
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_forgets_what_fails(self) -> None:
        """A failure that it does not wait for ends its attempt, and is no unhandled error."""

        async def peeks(attempt: Attempt) -> None:
            attempt.client.peek()
            await Deferred()

        async def admits(attempt: Attempt) -> None:
            attempt.admit("ann")
            await attempt.client.peek_bytes(1)

        for opening, kind in ((peeks, OpeningFailed), (admits, ClientNotAllowed)):
            world = self.world_of(opening, is_client_allowed=lambda name: False)
            client = world.connect()
            client.send_bytes(b"\xff\xff\xff\xff")
            world.advance(10)
            self.assertEqual([refusal for _, refusal in world.calls.refusals], [kind])
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_ignores_wrong_bytes(self) -> None:
        """A peer whose bytes were wrong is not linked, although the opening goes on."""

        async def opening(attempt: Attempt) -> None:
            try:
                await attempt.client.peek()
            except InvalidHello:
                await attempt.admit("ann")

        world = self.world_of(opening)
        world.connect().send_bytes(b"GET / HTTP/1.1\r\n\r\n")
        self.refused(world, InvalidHello, "the client does not speak test")

    def test_cancelled_by_itself(self) -> None:
        """An opening whose own work was cancelled has failed."""

        async def opening(attempt: Attempt) -> None:
            raise CancelledError

        world = self.world_of(opening)
        world.connect()
        self.refused(world, OpeningFailed, "the opening of test failed: CancelledError")

    def test_name(self) -> None:
        """A name that is not a string is its mistake."""

        async def opening(attempt: Attempt) -> None:
            await attempt.admit(b"ann")  # type: ignore[arg-type]

        world = self.world_of(opening)
        world.connect()
        self.refused(world, OpeningFailed, "name must be a string or None, not b'ann'")


class EndTests(OpeningCase):
    """Peers that end their streams, and a repeater that is shut down, while a link is made."""

    def test_client_half_closes(self) -> None:
        """A client that has finished sending gets its replies."""
        world = self.world_of(first_message(lambda message: "ann"))
        client = world.connect()
        client.send(b"question")
        client.end_stream()
        (server,) = world.server.connections
        server.keeps_open = True
        self.assertEqual(server.received, [b"question"])
        server.send(b"answer")
        self.assertEqual(client.received, [b"answer"])

    def test_silent_listener(self) -> None:
        """A client that ends its stream without a word gets what a server that speaks first says."""
        answer: Deferred[None] = Deferred()
        world = self.world_of(server_first, on_connect=lambda link: answer)
        client = world.connect()
        client.end_stream()
        (server,) = world.server.connections
        server.keeps_open = True
        server.send(b"banner")
        answer.callback(None)
        world.settle()
        self.assertEqual(client.received, [b"banner"])

    def test_last_word_of_a_server(self) -> None:
        """A server that answers with its own error, and goes, is relayed like any message."""
        for leave in ("end_stream", "close"):
            answer: Deferred[None] = Deferred()
            world = self.world_of(server_first, on_connect=lambda link, answer=answer: answer)
            client = world.connect()
            (server,) = world.server.connections
            server.send(b"too many connections")
            getattr(server, leave)()
            self.assertEqual(client.received, [])
            answer.callback(None)
            world.settle()
            self.assertEqual(client.received, [b"too many connections"])
            self.assertEqual(world.calls.refusals, [])
            self.assertEqual([type(call[-1]) for call in world.calls if call[0] == "on_error"], [Disconnected])

    def test_shutdown(self) -> None:
        """Shutdown ends an attempt, whatever its opening waits for."""

        async def opening(attempt: Attempt) -> None:
            await Deferred()

        world = self.world_of(opening)
        world.connect()
        world.shutdown()
        self.refused(world, RepeaterClosed)

    def test_shutdown_from_within(self) -> None:
        """An opening may shut the repeater down, and is then cancelled."""
        world: Any = None

        async def opening(attempt: Attempt) -> None:
            world.repeater.shutdown()
            await attempt.client.read()

        world = self.world_of(opening)
        world.connect()
        world.settle()
        self.refused(world, RepeaterClosed)

    def test_unreachable(self) -> None:
        """A server that cannot be reached is told as such, and the opening may say so in its own words."""

        async def opening(attempt: Attempt) -> None:
            await attempt.admit("ann")
            try:
                await attempt.dial()
            except ServerUnreachable:
                attempt.client.send(frame(b"sorry"))
                raise

        world = self.world_of(opening)
        world.stop_listening()
        client = world.connect()
        world.settle()
        self.assertEqual(world.calls.refusals, [("ann", ServerUnreachable)])
        self.assertEqual(client.received, [b"sorry"])


class RefusalTests(OpeningCase):
    """Refusals in the protocol."""

    def test_words(self) -> None:
        """A refused client gets the words of the dialect, and is closed in good order."""
        told: list[Any] = []

        def refusal(error: ConnectingError, attempt: Attempt) -> bytes:
            told.append((type(error), attempt.client.address.host))  # type: ignore[attr-defined]
            return frame(f"-ERR {error}".encode())

        world = self.world_of(
            first_message(lambda message: "ann"), {"refusal": refusal}, is_client_allowed=lambda name: False
        )
        client = world.connect()
        client.send(b"question", b"unread")
        self.assertEqual(client.received, [b"-ERR client 'ann' is not allowed"])
        self.assertEqual(told, [(ClientNotAllowed, "127.0.0.1")])
        self.assertIsNotNone(client.lost)

    def test_wrong_bytes(self) -> None:
        """A client that does not speak the protocol is told so, too."""
        words = frame(b"-ERR not our protocol")
        world = self.world_of(first_message(lambda message: "ann"), {"refusal": lambda error, attempt: words})
        client = world.connect()
        client.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
        client.send_bytes(b"more")
        self.assertEqual(client.received, [b"-ERR not our protocol"])
        self.assertEqual([refusal for _, refusal in world.calls.refusals], [InvalidHello])

    def test_details(self) -> None:
        """A refusal can depend on what the opening has learned, if it came so far."""

        async def opening(attempt: Attempt) -> None:
            frame = await attempt.client.peek()
            if frame.payload != b"nobody":
                await attempt.admit("ann", version=5)
            raise ParseError("not a hello")

        words = {"refusal": lambda error, attempt: frame(repr(dict(attempt.details)).encode())}
        world = self.world_of(opening, words)
        for said, heard in ((b"question", b"{'version': 5}"), (b"nobody", b"{}")):
            client = world.connect()
            client.send(said)
            self.assertEqual(client.received, [heard])

    def test_none(self) -> None:
        """The dialect may have no words for an error, and is not asked about a client that has gone."""
        asked: list[object] = []
        world = self.world_of(
            first_message(lambda message: "ann"),
            {"refusal": lambda error, attempt: asked.append(error)},
            on_connect=lambda link: 1 / 0,
        )
        client = world.connect()
        client.send(b"question")
        self.assertEqual([type(error) for error in asked], [RefusedByApplication])
        self.assertEqual(client.received, [])
        client = world.connect()
        client.send_bytes(b"x")
        client.abort()
        self.assertEqual(len(asked), 1)
        self.flushLoggedErrors()

    def test_failing(self) -> None:
        """A refusal that raises, or returns something else than bytes, is logged, and the client closed."""
        for refusal in (lambda error, attempt: 1 / 0, lambda error, attempt: "text"):
            world = self.world_of(server_first, {"refusal": refusal}, on_connect=lambda link: 1 / 0)
            client = world.connect()
            self.assertIsNotNone(client.lost)
            self.assertEqual(client.received, [])
            self.assertTrue(self.flushLoggedErrors())

    def test_slow_reader(self) -> None:
        """A client that does not read its refusal is closed by force within the close timeout."""
        world = self.world_of(
            server_first,
            {"refusal": lambda error, attempt: frame(bytes(1 << 20))},
            on_connect=lambda link: 1 / 0,
        )
        client = world._new_client(None, (), {})
        world.listening.connect(Factory.forProtocol(lambda: client), "127.0.0.1")
        client.pause()
        world.settle()
        self.assertIsNone(client.lost)
        world.advance(40)
        self.assertEqual(client.received, [])
        self.assertEqual(len(world.calls.refusals), 1)
        self.assertEqual(world.repeater.links(), [])
        self.flushLoggedErrors()


class WatchedTests(OpeningCase):
    """What the opening of a link does while somebody watches."""

    def test_noted(self) -> None:
        """It is noted with its time if anybody watches as the opening begins, and not otherwise."""
        seen: list[WatchedMessage] = []
        world = self.memory()
        world.advance(4)
        world.linked("ann")
        world.repeater.watch(seen.append)
        self.assertEqual(seen, [])
        world.linked("bob")
        self.assertEqual([(each.time, each.origin) for each in seen], [(4.0, Origin.OPENING)] * 4)
