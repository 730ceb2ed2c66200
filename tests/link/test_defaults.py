"""What happens where the application gave no callback."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface import implementer

from twisted_repeater import PASS_ON, Direction, ICodec, dialects
from twisted_repeater.errors import ParseError
from twisted_repeater.observers import LogObserver

from ..peers import END, LOST, PeerCase, Server, StoppedTime, hello, reactor, turn

LOG_OBSERVER = "twisted_repeater.observers._log"


class DefaultsTests(PeerCase):
    """The default callbacks."""

    async def test_default_on_error_ends(self) -> None:
        """By default a link ends when a side is lost, and when a side ends its stream no reply is lost."""
        world = await self.world(server=Server(half_close=True), start=False)
        world.repeater.start()
        client, peer = await world.linked("alice", half_close=True)
        client.end_stream()
        await peer.seen.holds(END)
        peer.send(b"last reply")
        peer.close()
        await client.lost()
        self.assertEqual(client.seen[1:], [b"last reply", END, LOST])
        client, peer = await world.linked("alice")
        client.abort()
        await peer.seen.holds(END)
        peer.close()
        await peer.lost()

    async def test_default_on_error_logs(self) -> None:
        """By default trouble with a message is logged, in a line a second, however often it comes."""

        @implementer(ICodec)
        class Codec:
            """Reads nothing."""

            def decode(self, payload: bytes) -> Any:
                raise ParseError("nonsense")

            def encode(self, message: Any) -> bytes:
                return bytes(message)

        with capturedLogs() as captured:
            world = await self.world(dialect=dialects.int32(to_server=Codec()), reactor=StoppedTime(), start=False)
            world.repeater.start(to_server_filter=lambda *_: PASS_ON)
            client, peer = await world.linked("alice")
            client.send(*[b"one"] * 1000)
            link: Any = world.repeater.link("alice")
            while link.received(Direction.TO_SERVER)[0] < 1000:
                await turn()
            peer.send(b"still up")
            await client.seen.holds(b"still up")
        (event,) = [event for event in captured if event["log_namespace"].startswith(LOG_OBSERVER)]
        self.assertEqual((event["log_level"], event["client"], event["side"]), (LogLevel.warn, "alice", "client"))
        self.assertEqual(event["error"], "ParseError: nonsense")

    async def test_default_callbacks_beside_a_log(self) -> None:
        """Events that an observer logs are not logged a second time."""
        with capturedLogs() as captured:
            world = await self.world(observers=[LogObserver(reactor)], start=False)
            world.repeater.start()
            client = await world.connect(b"\0\0\0\1[")
            await client.lost()
            alice, peer = await world.linked("alice")
            alice.write(b"\xff\xff\xff\xff")
            world.repeater.send_to_all_clients("no bytes")
            await alice.lost()
            await peer.lost()
            await world.repeater.shutdown()
        lines = [formatEvent(event) for event in captured if event["log_namespace"].startswith(LOG_OBSERVER)]
        told = ("refused", "linked", "MarshalingError", "ended")
        self.assertEqual([word for line in lines for word in told if word in line], list(told))

    async def test_default_on_connecting_error(self) -> None:
        """By default a refusal is logged in a line."""
        with capturedLogs() as captured:
            world = await self.world(is_client_allowed=lambda name: False, start=False)
            world.repeater.start()
            client = await world.connect(hello("alice"))
            await client.lost()
        (event,) = [event for event in captured if event["log_namespace"].startswith(LOG_OBSERVER)]
        self.assertEqual((event["log_level"], event["client"]), (LogLevel.info, "alice"))
        self.assertRegex(event["error"], "^ClientNotAllowed: ")
