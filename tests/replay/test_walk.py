"""Events are played one after the other."""

from __future__ import annotations

from itertools import islice
from typing import Any

from twisted.internet.protocol import Factory, Protocol

from twisted_repeater import Direction, dialects
from twisted_repeater.dialects.mqtt import PubAck, Publish, Subscribe, Subscription
from twisted_repeater.dialects.mqtt.codec import MqttCodec
from twisted_repeater.replay import Comparison, Report
from twisted_repeater.replay.differences import Kind
from twisted_repeater.replay.walk import INCOMPLETE, MOMENT

from ..peers import Seen, StoppedTime, turn
from .playing import FailingComparison, LineServer, PlayCase, recorded
from .recorded import BEGAN, MemoryRecording

MQTT = MqttCodec(4)


class Deaf(Protocol):
    """A connection that nothing is read from."""

    transport: Any

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        self.transport.pauseProducing()
        self.factory.deaf = self


def troubles(report: Report) -> list[str]:
    """Return what is reported of links as such."""
    return [each.text for each in report.findings.differences if each.kind is Kind.TROUBLE]


class Broker(Protocol):
    """A broker that publishes one message after the other, each when the one before was acknowledged."""

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        for frame in (data[:4], data[4:8], data[8:]) if data[:1] == b"\x40" else (data,):
            if frame[:1] == b"\x40":
                self.factory.got.append(frame)
            if frame and frame[:1] != b"\xc0":
                for number in islice(self.factory.ids, 1):
                    publication = Publish("t", b"x", qos=1, packet_id=number)
                    self.transport.write(MQTT.encode(publication))  # type: ignore[union-attr]


class WalkTests(PlayCase):
    """`Walk`."""

    async def test_order_among_links(self) -> None:
        """A request waits for all answers before it, so links that depend on each other see what they saw."""
        last = b""

        def answer(peer: object, line: bytes) -> bytes:
            nonlocal last
            last, before = line, last
            return before or b"-"

        server = LineServer(answer)
        happened = [(1, ">a"), (1, "<-"), (2, ">b"), (2, "<a"), (1, ">c"), (1, "<b"), (3, ">d"), (3, "<c")]
        report = await self.play_same(recorded(*happened), server)
        self.assertEqual((report.findings.links, server.lines), (3, [b"a", b"b", b"c", b"d"]))

    async def test_pipelines(self) -> None:
        """Requests that were sent before the answers are sent so again."""
        happened = [(1, f">{number}") for number in range(50)] + [(1, f"<{number}") for number in range(50)]
        await self.play_same(recorded(*happened), LineServer())

    async def test_greeting(self) -> None:
        """A server that speaks first is awaited."""
        server = LineServer(greeting=b"hello")
        await self.play_same(recorded((1, "<hello"), (1, ">a"), (1, "<A")), server)
        self.assertEqual(len(server.ended), 1)

    async def test_unasked(self) -> None:
        """Messages that come because of another link are awaited before the next request."""

        def answer(peer: object, line: bytes) -> None:
            for each in server.peers:
                each.sendLine(line)

        server = LineServer(answer)
        happened = [(1, ">hello"), (1, "<hello"), (2, ">news"), (2, "<news"), (1, "<news"), (1, ">bye"), (1, "<bye")]
        await self.play_same(recorded(*happened, (2, "<bye")), server)
        self.assertEqual(server.lines, [b"hello", b"news", b"bye"])

    async def test_a_missing_answer(self) -> None:
        """An answer that does not come delays the next request by the timeout, and is a difference."""
        server = LineServer(lambda _, line: None if line == b"b" else line.upper())
        happened = [(1, ">a"), (1, "<A"), (1, ">b"), (1, "<B"), (1, ">c"), (1, "<C")]
        time = StoppedTime()
        playing = self.start(recorded(*happened), await self.listen(server), reactor=time)
        await server.lines.reach(2)
        time.clock.advance(11)
        report = await playing
        self.assertEqual(server.lines, [b"a", b"b", b"c"])
        self.assertEqual(report.findings.counts, {Kind.MISSING: 1})

    async def test_no_request_overtakes(self) -> None:
        """A request that gets no answer is read before the next one of another link, also at full speed."""
        server = LineServer(lambda _, line: None if line.startswith(b"set") else line.upper())
        happened = [(1, ">a"), (1, "<A"), (2, ">a"), (2, "<A")]
        for number in range(20):
            happened += [(1, f">set {number}"), (1, f">set {number}!"), (2, ">get"), (2, "<GET")]
        await self.play_same(recorded(*happened), server)
        said = [line for number in range(20) for line in (b"set %d" % number, b"set %d!" % number, b"get")]
        self.assertEqual(server.lines, [b"a", b"a", *said])

    async def test_stopped_meanwhile(self) -> None:
        """If the system stops the replay for a while, the server still has a part of its moment after that."""
        server = LineServer(lambda _, line: None if line == b"set" else line.upper())
        time = StoppedTime()
        recording = recorded((1, ">set"), (2, ">get"), (2, "<GET"))
        playing = self.start(recording, await self.listen(server), reactor=time)
        await server.lines.reach(1)
        while [call.getTime() for call in time.deadlines()] != [MOMENT / 2]:
            await turn()
        time.clock.advance(3600)
        await turn(5)
        self.assertEqual(server.lines, [b"set"])
        time.clock.advance(MOMENT / 2)
        report = await playing
        self.assertTrue(report.same, report.text())
        self.assertEqual(server.lines, [b"set", b"get"])

    async def test_acknowledgements_do_not_wait_for_their_turn(self) -> None:
        """A broker that sends no more before it has an acknowledgement gets it, although others are awaited first."""
        publications = [MQTT.encode(Publish("t", b"x", qos=1, packet_id=number)) for number in (1, 2, 3)]
        acknowledgements = [MQTT.encode(PubAck(number)) for number in (1, 2, 3)]
        recording = MemoryRecording("mqtt")
        recording.add_link(made=BEGAN)
        subscribe, ping = MQTT.encode(Subscribe(1, (Subscription("t"),))), b"\xc0\0"
        frames = [subscribe, publications[0], acknowledgements[0], *publications[1:], ping, *acknowledgements[1:]]
        for number, frame in enumerate(frames):
            direction = Direction.TO_CLIENT if frame in publications else Direction.TO_SERVER
            recording.add(link=1, time=BEGAN + number, direction=direction, number=0, frame=frame, passed=True)
        for apart in (False, True):
            server: Any = Factory.forProtocol(Broker)
            server.noisy, server.ids, server.got = False, iter((7, 8, 9)), Seen()
            comparison = Comparison(dialects.mqtt())
            playing = self.start(
                recording.as_recording(), await self.listen(server), comparison=comparison, links_apart=apart
            )
            report = await playing
            self.assertTrue(report.same, report.text())
            self.assertEqual([MQTT.encode(PubAck(number)) for number in (7, 8, 9)], [*server.got])

    async def test_another_link_goes_on(self) -> None:
        """A link that stalls is given up; the others are played to the end."""
        server = LineServer(lambda peer, line: None if line == b"silent" else line.upper())
        happened = [(1, ">silent"), (1, "<SILENT"), (2, ">a"), (2, "<A"), (1, ">silent"), (1, "<SILENT")]
        time = StoppedTime()
        recording = recorded(*happened, (2, ">b"), (2, "<B"))
        playing = self.start(recording, await self.listen(server), reactor=time)
        await time.pass_until(playing, 0.25)
        report = await playing
        self.assertEqual(report.findings.equal, 2)
        self.assertEqual(["no answer in time: the server is silent, so the link was given up"], troubles(report))

    async def test_a_server_that_reads_nothing(self) -> None:
        """A server that reads nothing gets no more than its buffers hold, and the link is given up."""
        large = "x" * 1_000_000
        happened = [(1, f">{large}") for _ in range(30)]
        time = StoppedTime()
        server: Any = Factory.forProtocol(Deaf)
        server.noisy = False
        playing = self.start(recorded(*happened), await self.listen(server), reactor=time)
        while not time.deadlines():
            await turn()
        time.clock.advance(10)
        report = await playing
        server.deaf.transport.abortConnection()
        await turn(2)
        (text,) = troubles(report)
        self.assertIn("no answer in time: the server has read nothing for 10 seconds; ", text)
        self.assertIn("; requests not sent: ", text)

    async def test_too_many_clients(self) -> None:
        """Links above the limit are not played, and reported."""
        happened = [(1, ">a"), (1, "<A"), (2, ">b"), (2, "<B")]
        report = await self.play(recorded(*happened), LineServer(), max_clients=1)
        self.assertEqual(
            troubles(report),
            [
                (
                    "not connected: more than 1 links would be open at once; "
                    "requests not sent: 1, recorded answers not compared: 1"
                )
            ],
        )
        ends = [(1, 0.0025), (2, 1.0)]
        await self.play_same(recorded(*happened, ends=ends), LineServer(), max_clients=1)

    async def test_incomplete(self) -> None:
        """The report notes that a recording does not have all messages of a link."""
        recording = recorded((1, ">a"), (1, "<A"))
        for message in recording.messages():
            message.number += 5
        report = await self.play_same(recording, LineServer())
        self.assertEqual(report.findings.notes, {INCOMPLETE: 2})

    async def test_links_apart(self) -> None:
        """Links apart wait for nobody else."""

        def answer(peer: object, line: bytes) -> bytes | None:
            if line == b"slow":
                return None
            if line == b"b":
                server.peers[0].sendLine(b"SLOW")
            return line.upper()

        server = LineServer(answer)
        happened = [(1, ">slow"), (1, "<SLOW"), (1, ">c"), (1, "<C"), (2, ">a"), (2, "<A"), (2, ">b"), (2, "<B")]
        await self.play_same(recorded(*happened), server, links_apart=True)
        self.assertEqual(sorted(server.lines), [b"a", b"b", b"c", b"slow"])

    async def test_a_failure_in_links_apart(self) -> None:
        """A mistake in the comparison fails the replay, and leaves no connection."""
        recording = recorded((1, ">a"), (1, "<A"), (2, ">b"), (2, "<B"))
        server = LineServer()
        comparison = FailingComparison()
        with self.assertRaises(ZeroDivisionError):
            await self.play(recording, server, links_apart=True, comparison=comparison)
