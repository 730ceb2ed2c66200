"""The dialect async_extra on whole links: hostile hellos, headers and bodies, and what the original could not bear."""

from __future__ import annotations

import functools
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_repeater import (
    PASS_ON,
    ConnectingError,
    Disconnected,
    DuplicateClient,
    FramingError,
    HelloTimeout,
    InvalidHello,
    Limits,
    ParseError,
    PassOnAndSendBack,
    RefusedByApplication,
    Send,
    Side,
    VersionMismatch,
    WrongMode,
    dialects,
)
from twisted_repeater.codecs.bin_prot import bin_int, bin_prot_codec, bin_text, list_of, option, pair
from twisted_repeater.testing import MemoryRepeater, Peer, SocketRepeater

from .dialects.test_async_extra import NOW, message, recordings
from .drawn import examples

STAMP = struct.pack("<d", 1234.5)
HELLO = bytes.fromhex("05616c69636500010100")
"""What a client called alice says of itself, without the length before it."""
MAX_FRAME = 1000
LIMITS = Limits(max_frame=MAX_FRAME, max_hello=100)

BAD_MESSAGES = {
    "negative header": struct.pack("<q", -1),
    "most negative header": struct.pack("<q", -(1 << 63)),
    "no header": struct.pack("<q", 0),
    "short header": struct.pack("<q", 8),
    "long header": struct.pack("<q", 18),
    "huge header": struct.pack("<q", (1 << 63) - 1),
    "header of 4 GiB and 9 bytes": struct.pack("<q", (1 << 32) + 9),
    "negative body": message(STAMP + b"\xff\xff"),
    "most negative body": message(STAMP + b"\xfc" + struct.pack("<q", -(1 << 63))),
    "huge body": message(STAMP + b"\xfc" + struct.pack("<q", (1 << 62) - 1)),
    "body above what an int holds": message(STAMP + b"\xfc" + struct.pack("<q", (1 << 63) - 1)),
    "body above the limit": message(STAMP + b"\xfe" + struct.pack("<h", MAX_FRAME + 1)),
    "header not used up": message(STAMP + b"\x01\0"),
    "header too short for its fields": message(STAMP + b"\xfd\x01\0"),
    "no such code": message(STAMP + b"\x80"),
}
"""What the original trusts: bytes that must cost their sender its own link and nothing else."""

BAD_HELLOS = {
    "negative length": struct.pack("<q", -1),
    "most negative length": struct.pack("<q", -(1 << 63)),
    "huge length": struct.pack("<q", (1 << 63) - 1),
    "length above the limit": struct.pack("<q", 101),
    "nothing in it": struct.pack("<q", 0),
    "name longer than the hello": struct.pack("<q", 10) + b"\x7falice\0\x01\x01\0",
    "name of 2^64 - 1 bytes": struct.pack("<q", 9) + b"\xfc" + b"\xff" * 8,
    "something left over": struct.pack("<q", 11) + HELLO + b"\0",
    "no such mode": struct.pack("<q", 10) + HELLO.replace(b"\0\x01\x01", b"\x01\x01\x01"),
}


def hello(raw: bytes = HELLO) -> bytes:
    """Make the frame of a hello, right or wrong."""
    return struct.pack("<q", len(raw)) + raw


def body(payload: bytes) -> bytes:
    """Make a message as a peer sends it."""
    return message(STAMP + bytes([len(payload)]), payload)


def dialect(**options: Any) -> Any:
    """Make the dialect, with a clock that stands still."""
    return dialects.async_extra(clock=lambda: NOW, **options)


class BrokenFilter(Exception):
    """What the filters of these tests raise."""


class LinkCase(TestCase):
    """Tests on real sockets."""

    timeout = 60

    async def start(self, **options: Any) -> SocketRepeater:
        """Start a repeater, which is closed at the end of the test."""
        options.setdefault("limits", LIMITS)
        running: SocketRepeater = await SocketRepeater.start(dialect(), **options)
        self.addCleanup(running.close)
        return running

    async def still_relays(self, running: SocketRepeater, client: Peer) -> None:
        """Check that a link works, both ways."""
        server = running.server[client.client_name]
        client.send(b"there?")
        await server.will_get(b"there?")
        server.send(b"here")
        await client.will_get(b"here")


class HostileTests(LinkCase):
    """Bytes that the original trusts."""

    async def test_messages_of_a_client(self) -> None:
        """A bad header of a client ends its own link, behind what it sent before; the others and the port go on."""
        running = await self.start()
        bob = await running.connect("bob")
        for what, bad in BAD_MESSAGES.items():
            alice = await running.connect("alice")
            server = running.server["alice"]
            alice.send_bytes(body(b"good") + bad)
            await server.will_get(b"good")
            await alice.when_closed()
            await server.when_closed()
            error = running.errors[-1]
            assert isinstance(error, Disconnected), what
            self.assertIsInstance(error.reason, FramingError, what)
            self.assertIs(error.side, Side.CLIENT, what)
            await self.still_relays(running, bob)
        self.assertEqual((len(running.errors), running.refusals), (len(BAD_MESSAGES), []))

    async def test_messages_of_a_server(self) -> None:
        """A bad header of the server ends the link that it came on."""
        running = await self.start()
        bob = await running.connect("bob")
        for what, bad in BAD_MESSAGES.items():
            alice = await running.connect("alice")
            server = running.server["alice"]
            server.send_bytes(body(b"good") + bad)
            await alice.will_get(b"good")
            await server.when_closed()
            await alice.when_closed()
            error = running.errors[-1]
            assert isinstance(error, Disconnected), what
            self.assertIsInstance(error.reason, FramingError, what)
            self.assertIs(error.side, Side.SERVER, what)
            await self.still_relays(running, bob)
        self.assertEqual((len(running.errors), running.refusals), (len(BAD_MESSAGES), []))

    async def test_hellos_of_a_client(self) -> None:
        """A bad hello of a client is refused before the server hears of it, and is answered by nothing."""
        running = await self.start()
        bob = await running.connect("bob")
        for what, bad in BAD_HELLOS.items():
            client = await running.dial(None)
            client.send_bytes(bad)
            await client.when_closed()
            self.assertIs(client.heard, None, what)
            self.assertIsInstance(running.refusals[-1], InvalidHello, what)
            await self.still_relays(running, bob)
        self.assertEqual((len(running.refusals), len(running.server.connections)), (len(BAD_HELLOS), 1))

    async def test_hellos_of_a_server(self) -> None:
        """A bad hello of the server refuses the client that it was for, who may try again."""
        running = await self.start()
        bob = await running.connect("bob")
        good, running.server.hello = running.server.hello, None
        for what, bad in BAD_HELLOS.items():
            alice = await running.dial("alice")
            server = await running.server.when_connected("alice")
            server.send_bytes(bad)
            await alice.when_closed()
            await server.when_closed()
            self.assertIs(alice.heard, None, what)
            self.assertIsInstance(running.refusals[-1], InvalidHello, what)
            await self.still_relays(running, bob)
        running.server.hello = good
        await self.still_relays(running, await running.connect("alice"))
        self.assertEqual(len(running.refusals), len(BAD_HELLOS))


class DefectTests(LinkCase):
    """What else ends the original's process or its listener, or keeps clients out."""

    async def test_silent_connections(self) -> None:
        """More silent connections than there may be keep nobody out."""
        running = await self.start(limits=Limits(max_clients=2, max_unfinished_hellos=3))
        for _ in range(10):
            await running.dial(None)
        await self.still_relays(running, await running.connect("alice"))

    async def test_filter_that_raises(self) -> None:
        """It stops that side of that link, which the application lets stand: the other direction, the other links and
        newcomers go on."""

        def fail_on_bad(payload: bytes, link: Any) -> Any:
            if payload == b"bad":
                raise BrokenFilter
            return Send(payload)

        running = await self.start(to_server_filter=fail_on_bad, on_error=lambda link, side, error: None)
        alice, bob = [await running.connect(name) for name in ("alice", "bob")]
        alice.send(b"good", b"bad", b"behind it")
        await running.server["alice"].will_get(b"good")
        running.server["alice"].send(b"reply")
        await alice.will_get(b"reply")
        await self.still_relays(running, bob)
        await self.still_relays(running, await running.connect("carol"))
        running.server["alice"].expect()
        self.assertEqual(len(self.flushLoggedErrors(BrokenFilter)), 1)

    async def test_client_that_connects_again(self) -> None:
        """A name is taken until both connections of its link are closed; the server sees no second one before."""
        running = await self.start(on_error=lambda link, side, error: None)
        alice = await running.connect("alice")
        alice.abort()
        await alice.when_closed()
        again = await running.dial("alice")
        await again.when_closed()
        self.assertEqual([type(error) for error in running.refusals], [DuplicateClient])
        self.assertEqual((len(running.server.connections), running.server["alice"].open), (1, True))
        running.repeater.close_connection_from_client("alice")
        await self.still_relays(running, await running.connect("alice"))

    async def test_refused_by_the_application(self) -> None:
        """A client that ``on_connect`` refuses is answered by nothing, and its name is free."""
        reasons = [ValueError("not now")]

        def on_connect(link: Any) -> None:
            if reasons:
                raise reasons.pop()

        running = await self.start(on_connect=on_connect)
        alice = await running.dial("alice")
        await alice.when_closed()
        self.assertEqual((alice.heard, [type(error) for error in running.refusals]), (None, [RefusedByApplication]))
        self.flushLoggedErrors(ValueError)
        await self.still_relays(running, await running.connect("alice"))

    async def test_refused_address(self) -> None:
        """The server hears nothing of a client whose address is refused, and neither does that client of it."""
        running = await self.start(is_client_ip_authorized=lambda ip: False)
        alice = await running.dial("alice")
        await alice.when_closed()
        self.assertEqual((alice.heard, running.server.connections), (None, []))
        self.assertEqual(len(running.refusals), 1)

    async def test_drop_and_accept(self) -> None:
        """Both only decide what happens to newcomers, as often as they are called."""
        running = await self.start()
        alice = await running.connect("alice")
        for _ in range(3):
            running.repeater.drop_new_clients()
            running.repeater.drop_new_clients()
            await (await running.dial("bob")).when_closed()
            await self.still_relays(running, alice)
            running.repeater.accept_new_clients()
            running.repeater.accept_new_clients()
            bob = await running.connect("bob")
            await self.still_relays(running, bob)
            bob.close()
            await running.server["bob"].when_closed()

    async def test_broadcast_with_a_side_gone(self) -> None:
        """A broadcast leaves out what is gone, and reaches the rest."""
        gone: Deferred[None] = Deferred()

        def on_error(link: Any, side: Side, error: Exception) -> None:
            if not gone.called:
                gone.callback(None)

        running = await self.start(on_error=on_error)
        alice, bob = [await running.connect(name) for name in ("alice", "bob")]
        alice.abort()
        await gone
        running.repeater.send_to_all_clients(b"news")
        await bob.will_get(b"news")
        self.assertEqual(bob.received_bytes, message(struct.pack("<d", NOW) + b"\x04", b"news"))
        running.repeater.send_from_all_clients(b"to the server")
        await running.server["alice"].will_get(b"to the server")
        await running.server["bob"].will_get(b"to the server")

    async def test_end_of_stream(self) -> None:
        """A client that ends its stream behind its last message gets the replies that are still to come."""
        running = await self.start()
        alice = await running.connect("alice")
        server = running.server["alice"]
        server.keeps_open = True
        alice.send(b"last")
        alice.end_stream()
        await server.will_get(b"last")
        server.send(b"reply")
        server.close()
        await alice.will_get(b"reply")
        await alice.when_closed()

    async def test_shutdown(self) -> None:
        """A shutdown ends with the last connection."""
        running = await self.start()
        peers = [await running.connect(name) for name in ("alice", "bob")]
        await running.repeater.shutdown()
        for peer in [*peers, *running.server.connections]:
            await peer.when_closed()


class WireTests(LinkCase):
    """The bytes that peers see."""

    async def test_recorded_hello(self) -> None:
        """Recorded hellos of clients are understood, and go to the server with the repeater's name in them."""
        recorded = [
            (meta, raw)
            for meta, raw in recordings("hello")
            if meta["mode"] == "Dont_care_about_mode" and meta["send_version"] == meta["recv_version"] == 1
        ]
        self.assertTrue(recorded)
        running = await self.start(repeater_name="rep-1")
        for meta, raw in recorded:
            client = await running.dial(None)
            client.send_bytes(raw)
            await client.when_linked()
            server = running.server[meta["name"]]
            assert client.heard is not None
            assert server.heard is not None
            self.assertEqual((client.heard.name, client.heard.credentials), ("server", "rep-1"))
            self.assertEqual(server.heard.credentials, "rep-1")
            client.close()
            await server.when_closed()

    async def test_time_stamps(self) -> None:
        """What is passed on keeps its sender's time stamp; what the repeater says carries the present time."""
        running = await self.start(to_server_filter=lambda payload, link: PassOnAndSendBack([b"seen"]))
        alice = await running.connect("alice")
        alice.send_bytes(body(b"") + body(b"x"))
        await running.server["alice"].will_get(b"", b"x")
        await alice.will_get(b"seen", b"seen")
        self.assertEqual(running.server["alice"].received_bytes, body(b"") + body(b"x"))
        self.assertEqual(alice.received_bytes, 2 * message(struct.pack("<d", NOW) + b"\x04", b"seen"))


# -- fuzz ------------------------------------------------------------------------------------------------------

FUZZED = settings(max_examples=examples(600))
CODEC = bin_prot_codec(list_of(pair(bin_int, option(bin_text))))

lengths = st.one_of(st.integers(0, 40), st.integers(-(1 << 63), (1 << 63) - 1)).map(
    lambda value: struct.pack("<q", value)
)
codes = st.sampled_from([b"\xff", b"\xfe", b"\xfd", b"\xfc", b"\xfb", b"\x80", b"\x7f", b"\0", b"\x01", b"\x02"])
noise = st.one_of(st.binary(max_size=20), st.lists(codes, max_size=12).map(b"".join))


def cut(raw: bytes, change: tuple[int, int, bytes]) -> bytes:
    """Replace some bytes by others."""
    start, count, other = change
    start %= len(raw) + 1
    return raw[:start] + other + raw[start + count :]


changes = st.tuples(st.integers(0, 100), st.integers(0, 9), noise)


def hostile(good: bytes) -> st.SearchStrategy[bytes]:
    """Give bytes that are like good ones, and such as have nothing in common with them."""
    changed = st.lists(changes, max_size=3).map(lambda each: functools.reduce(cut, each, good))
    return st.one_of(changed, st.builds(bytes.__add__, lengths, noise), noise)


headers = st.one_of(
    hostile(message(STAMP + b"\x03", b"abc")), noise.map(lambda length: message(STAMP + length, b"abc"))
)
bodies = hostile(CODEC.encode([(1, None), (-70_000, "abc")]))


def parsed(data: bytes) -> tuple[list[bytes], str]:
    """Read a stream of messages as the page that describes the wire does.

    Gives the bodies, and whether the stream is "good" to its end, "bad", or stops "within" a message.
    """
    found: list[bytes] = []
    while data:
        if len(data) < 8:
            return found, "within"
        (header,) = struct.unpack_from("<q", data)
        if not 9 <= header <= 17:
            return found, "bad"
        if len(data) < 8 + header:
            return found, "within"
        code, form = data[16], {0xFE: "<h", 0xFD: "<i", 0xFC: "<q"}.get(data[16])
        if code >= 0x80 and form is None:
            return found, "bad"
        used = 9 + (struct.calcsize(form) if form else 0)
        if used != header:
            return found, "bad"
        size = struct.unpack_from(form, data, 17)[0] if form else code
        if not 0 <= size <= MAX_FRAME:
            return found, "bad"
        if len(data) < 8 + header + size:
            return found, "within"
        found.append(data[8 + header : 8 + header + size])
        data = data[8 + header + size :]
    return found, "good"


class FuzzTests(SynchronousTestCase):
    """Hundreds of hostile streams, each through a whole repeater in memory, with another link beside it.

    What is logged as an error fails these tests, too.
    """

    def start(self, **options: Any) -> tuple[MemoryRepeater, Peer]:
        """Start a repeater with one link."""
        running = MemoryRepeater(dialect(**options), limits=LIMITS, to_server_filter=look, to_client_filter=look)
        return running, running.connect("bob")

    def check_others(self, running: MemoryRepeater, bob: Peer, good: Any) -> None:
        """Check that the other link works, both ways, and that newcomers are let in."""
        for client in (bob, running.connect("carol")):
            server = running.server[client.client_name]
            client.send(good)
            server.expect(good)
            server.send(good)
            client.expect(good)

    @FUZZED
    @given(hostile(hello()))
    def test_hello_of_a_client(self, raw: bytes) -> None:
        """It ends in a link, in a `ConnectingError`, or, if only what is behind it is bad, in the end of its link."""
        running, bob = self.start()
        client = running.connect(None)
        client.send_bytes(raw)
        running.advance(11)
        if running.errors:
            self.check_ended(running, Side.CLIENT, FramingError)
        elif client.heard is None:
            (error,) = running.refusals
            self.assertIsInstance(error, (InvalidHello, WrongMode, VersionMismatch, DuplicateClient, HelloTimeout))
            self.assertEqual((client.open, len(running.server.connections)), (False, 1))
        else:
            self.assertEqual((running.refusals, client.open), ([], True))
        self.check_others(running, bob, b"x")

    @FUZZED
    @given(hostile(hello(b"\x06server\0\x01\x01\0")))
    def test_hello_of_a_server(self, raw: bytes) -> None:
        """It ends in a link, or in a `ConnectingError` of that client alone, who may try again."""
        running, bob = self.start()
        good, running.server.hello = running.server.hello, None
        alice = running.connect("alice")
        running.server["alice"].send_bytes(raw)
        running.advance(11)
        linked = alice.heard is not None
        if running.errors:
            self.check_ended(running, Side.SERVER, FramingError)
        elif not linked:
            (error,) = running.refusals
            self.assertIsInstance(error, ConnectingError)
            self.assertEqual((alice.open, running.server["alice"].open), (False, False))
        running.server.hello = good
        self.check_others(running, bob, b"x")
        if not alice.open:
            self.assertIsNotNone(running.connect("alice").heard)

    @FUZZED
    @given(st.lists(headers, min_size=1, max_size=3).map(b"".join), st.sampled_from(Side), st.integers(1, 60))
    def test_headers(self, raw: bytes, side: Side, piece: int) -> None:
        """What is good before a bad header arrives; a bad header is a `FramingError` of its side, at once."""
        running, bob = self.start()
        alice = running.connect("alice")
        server = running.server["alice"]
        sender, receiver = (alice, server) if side is Side.CLIENT else (server, alice)
        expected, end = parsed(raw)
        for start in range(0, len(raw), piece):
            if sender.open:
                sender.send_bytes(raw[start : start + piece])
        receiver.expect(*expected)
        if end == "bad":
            self.check_ended(running, side, FramingError)
        else:
            self.assertEqual((alice.open, server.open, running.errors), (True, True, []))
            sender.close()
            if end == "within":
                self.check_ended(running, side, FramingError)
        self.assertEqual(running.refusals, [])
        self.check_others(running, bob, b"x")

    def check_ended(self, running: MemoryRepeater, side: Side, reason: type[Exception]) -> None:
        """Check that one link is over, because of what one side did."""
        error = running.errors[0]
        assert isinstance(error, Disconnected)
        self.assertIs(error.side, side)
        self.assertIsInstance(error.reason, reason)
        self.assertEqual([link.client_name for link in running.repeater.links()], ["bob"])

    @FUZZED
    @given(st.lists(bodies, min_size=1, max_size=3), st.sampled_from(Side))
    def test_bodies(self, raws: list[bytes], side: Side) -> None:
        """A body that doesn't read is a `ParseError` of its side; it is dropped, and the link goes on."""
        running, bob = self.start(to_server=CODEC, to_client=CODEC)
        alice = running.connect("alice")
        server = running.server["alice"]
        sender, receiver = (alice, server) if side is Side.CLIENT else (server, alice)
        sender.send_payloads(*raws)
        good = [raw for raw in raws if reads(raw)]
        self.assertEqual(
            receiver.received_bytes, b"".join(message(struct.pack("<d", NOW) + bytes([len(raw)]), raw) for raw in good)
        )
        self.assertEqual(len(running.errors), len(raws) - len(good))
        for error in running.errors:
            self.assertIsInstance(error, ParseError)
            self.assertIs(error.side, side)
        self.assertEqual((alice.open, server.open), (True, True))
        self.check_others(running, bob, [(7, "x")])


def look(received: Any, link: Any) -> Any:
    """Pass a message on, having had it decoded."""
    return PASS_ON


def reads(raw: bytes) -> bool:
    """Return whether a body can be read."""
    try:
        CODEC.decode(raw)
    except ParseError:
        return False
    return True
