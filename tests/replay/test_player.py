"""Events are played when they are due."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from twisted_repeater.replay import player

from ..peers import reactor, turn
from .playing import FailingComparison, LineServer, PlayCase, recorded


class PlayerTests(PlayCase):
    """`Player`."""

    async def test_recorded_times(self) -> None:
        """Requests are sent at their recorded times, whichever link they are on."""
        time = self.stop_time()
        server = LineServer()
        recording = recorded((1, ">a", 0), (1, "<A", 0), (2, ">b", 2), (2, "<B", 2), (1, ">c", 5), (1, "<C", 5))
        playing = self.start(recording, await self.listen(server), speed=1, reactor=time)
        await server.lines.reach(1)
        for count in (2, 3):
            self.assertEqual(len(server.lines), count - 1)
            due = min(call.getTime() for call in time.deadlines())
            self.assertEqual(due, (2, 5)[count - 2])
            time.clock.advance(due - time.seconds())
            await server.lines.reach(count)
        report = await playing
        self.assertTrue(report.same, report.text())
        self.assertNotIn("seconds_late", report.facts)

    async def test_links_apart_in_time(self) -> None:
        """Links apart are played in recorded time, too, while one of them waits."""
        time = self.stop_time()
        server = LineServer(lambda peer, line: None if line == b"a" else line.upper())
        recording = recorded((1, ">a", 0), (1, "<A", 0), (1, ">b", 1), (2, ">c", 2), (2, "<C", 2))
        playing = self.start(recording, await self.listen(server), speed=1, links_apart=True, reactor=time)
        await server.lines.reach(1)
        for _ in range(2):
            time.clock.advance(1)
            await turn()
        await server.lines.reach(2)
        self.assertEqual(server.lines, [b"a", b"c"])
        time.clock.advance(20)
        await server.lines.reach(3)
        report = await playing
        self.assertEqual(report.findings.equal, 1)

    async def test_many_events_of_links_apart(self) -> None:
        """A link that waits does not fill the memory: the recording is read no further."""
        self.patch(player, "MOST_WAITING", 4)
        server = LineServer(lambda peer, line: None if line == b"hold" else line.upper())
        read: list[None] = []
        happened = [(1, ">hold"), (1, "<HOLD")] + [(1, f"{sign}a") for _ in range(20) for sign in ">"]
        playing = self.start(
            recorded(*happened), await self.listen(server), links_apart=True, read=lambda: read.append(None)
        )
        await server.lines.reach(1)
        self.assertLess(len(read), 10)
        server.peers[0].sendLine(b"HOLD")
        report = await playing
        self.assertEqual((len(read), len(server.lines)), (22, 21))
        self.assertGreater(report.findings.equal, 0)

    async def test_others_have_their_turn(self) -> None:
        """Requests without answers leave time for the rest of the program."""
        self.patch(player, "SLICE", 0.0)
        turns: list[int] = []
        server = LineServer(lambda peer, line: None)

        def look() -> None:
            turns.append(len(server.lines))
            if len(server.lines) < 100:
                reactor.callLater(0, look)

        look()
        await self.play_same(recorded(*[(1, f">{number}") for number in range(100)]), server)
        await server.lines.reach(100)
        self.assertGreater(len(turns), 20)

    async def test_cancelled(self) -> None:
        """A replay that is cancelled closes its connections."""
        for links_apart in (False, True):
            server = LineServer(lambda peer, line: None)
            happened = [(1, ">a"), (1, "<A"), (2, ">b"), (2, "<B"), (1, ">c"), (2, ">d")]
            playing = self.start(recorded(*happened), await self.listen(server), links_apart=links_apart)
            await server.lines.reach(2 if links_apart else 1)
            playing.cancel()
            with self.assertRaises(CancelledError):
                await playing
            await server.ended.reach(2 if links_apart else 1)
            self.assertEqual(server.peers, [])

    async def test_a_mistake(self) -> None:
        """A mistake in the comparison of one link fails the replay, and all connections are closed."""
        server = LineServer(lambda peer, line: None)
        recording = recorded((1, ">a"), (1, "<A"), (2, ">b"), (2, "<B"))
        with self.assertRaises(ZeroDivisionError):
            await self.play(recording, server, links_apart=True, comparison=FailingComparison())
        self.assertEqual(reactor.getWriters(), [])

    async def test_a_thousand_clients(self) -> None:
        """A thousand clients at once are played, each on its connection."""
        self.patch(player, "MOST_CONNECTING", 10)
        server = LineServer()
        links = range(1, 1001)
        happened = [(link, said) for said in (">a", "<A", ">b", "<B") for link in links]
        report = await self.play_same(recorded(*happened), server)
        self.assertEqual((report.findings.links, report.findings.equal), (1000, 2000))
