"""A recording is played against a server: the function `replay`."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, cast

from twisted.internet.endpoints import TCP4ClientEndpoint

from twisted_repeater import Direction, Side, dialects
from twisted_repeater.recording import Origin
from twisted_repeater.replay import Pace, against_server, replay
from twisted_repeater.replay.against_server import dialect_of
from twisted_repeater.replay.through_filters import DAMAGED

from ..peers import Server, frame, hello, reactor
from ..real_sockets import TLSSockets
from .playing import LineServer, PlayCase, recorded
from .recorded import MemoryRecording


def answer(said: bytes, peer: Any, message: bytes) -> None:
    """Answer a message, always in the same way."""
    peer.send(said)


class ReplayTests(PlayCase):
    """`replay`."""

    async def test_defaults(self) -> None:
        """A recording knows its dialect, an endpoint can be given ready-made, and the leg is that of the server."""
        server = LineServer()
        host, port = (await self.listen(server)).split(":")[1:]
        endpoint = TCP4ClientEndpoint(reactor, host, int(port))
        report = await replay(recorded((1, ">a"), (1, "<A")), endpoint)
        self.assertTrue(report.same, report.text())
        self.assertEqual(set(report.facts), {"seconds"})

    async def test_hellos(self) -> None:
        """The hellos of int32 are played as the first messages of a link, and compared."""
        recording = MemoryRecording("int32")
        recording.add_link()
        opening: dict[str, Any] = {"origin": Origin.OPENING}
        recording.add(direction=Direction.TO_SERVER, forward=hello("ann", credentials="edge"), **opening)
        recording.add(direction=Direction.TO_CLIENT, frame=hello("server"), **opening)
        recording.add(direction=Direction.TO_SERVER, frame=frame(b"a"), passed=True, number=1)
        recording.add(direction=Direction.TO_CLIENT, frame=frame(b"A"), passed=True, number=1)
        for said, same in ((b"A", True), (b"B", False)):
            server = Server(hello=hello("server"), answer=partial(answer, said))
            report = await self.play(recording.as_recording(), server, comparison=None)
            self.assertIs(report.same, same, report.text())
            self.assertEqual((report.findings.requests, report.findings.replayed), (2, 2))

    async def test_tls(self) -> None:
        """The server may be reached over TLS; one whose certificate is not trusted is a difference."""
        self.addCleanup(self.flushWarnings)  # Twisted uses what pyOpenSSL would rather not have
        sockets, other = (TLSSockets(self.mktemp()) for _ in range(2))
        server: Any = LineServer()
        port = sockets.listen(server)
        self.addCleanup(port.stopListening)
        recording = recorded((1, ">a"), (1, "<A"))
        report = await self.start(recording, sockets.for_server(port)["server"])
        self.assertTrue(report.same, report.text())
        report = await self.start(recording, other.for_server(port)["server"])
        (trouble,) = report.findings.troubles
        self.assertIn("connection lost: the server's TLS handshake failed", trouble)

    async def test_refused_clients(self) -> None:
        """Clients that were refused before they reached the server are not played, and counted."""
        recording = cast("MemoryRecording", recorded((1, ">a"), (1, "<A")))
        recording.add_link(made=None, refused="full")
        report = await self.play_same(recording.as_recording(), LineServer())
        self.assertEqual(report.facts["links_left_out"], 1)

    async def test_the_leg_of_the_client(self) -> None:
        """On the other leg the server gets what the clients sent, and must answer as the repeater did."""
        recording = MemoryRecording("lines")
        recording.add_link()
        recording.add(direction=Direction.TO_SERVER, frame=b"a\n", back=b"no\n", number=1)
        server = LineServer(lambda peer, line: b"no")
        await self.play_same(recording.as_recording(), server, leg=Side.CLIENT)
        self.assertEqual(server.lines, [b"a"])

    async def test_chosen_links(self) -> None:
        """Only some clients can be played."""
        server = LineServer()
        recording = recorded((1, ">a"), (1, "<A"), (2, ">b"), (2, "<B"))
        await self.play_same(recording, server, chosen=lambda link: link.client_name == "client2")
        self.assertEqual(server.lines, [b"b"])

    async def test_as_many_clients_as_can_be(self) -> None:
        """Without a limit there may be as many clients as there are descriptors."""
        self.patch(against_server, "usable", lambda reactor: 10)
        await self.play_same(recorded((1, ">a"), (1, "<A")), LineServer())
        self.patch(against_server, "usable", lambda reactor: math.inf)
        await self.play_same(recorded((1, ">a"), (1, "<A")), LineServer())

    async def test_late(self) -> None:
        """The report says how late a replay was that a slow server has held up."""
        time = self.stop_time()

        def slow(peer: Any, line: bytes) -> bytes:
            time.clock.advance(3)
            return line.upper()

        recording = recorded(*[(1, said, at) for at in range(3) for said in (">a", "<A")])
        report = await self.play_same(recording, LineServer(slow), speed=1, reactor=time)
        self.assertEqual(report.facts["seconds_late"], 4.0)

    async def test_damage(self) -> None:
        """The report of a damaged recording says so."""
        recording = recorded((1, ">a"), (1, "<A"))
        recording.damaged = True
        report = await self.play_same(recording, LineServer())
        self.assertEqual({DAMAGED: 1}, report.findings.notes)

    async def test_wrong_arguments(self) -> None:
        """What cannot be used is an error at once."""
        recording = recorded((1, ">a"))
        with self.assertRaises(ValueError):
            replay(recording, "ssl:localhost:1", pace=Pace())
        for description, text in (("", "does not say its dialect"), ("no-such", "'no-such'")):
            recording.facts["dialect"] = description
            with self.assertRaises(ValueError) as caught:
                replay(recording, "tcp:localhost:1")
            self.assertIn(text, str(caught.exception))

    def test_dialect_with_options(self) -> None:
        """The dialect of a recording may have options."""
        recording = recorded((1, ">a"))
        recording.facts["dialect"] = "length:size=2"
        self.assertEqual(dialect_of(recording).name, dialects.length(size=2).name)
