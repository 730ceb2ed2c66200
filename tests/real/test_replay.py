"""What was recorded between real programs is played against real servers."""

from __future__ import annotations

import math
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import Dialect, Side, dialects
from twisted_repeater.recording import open_recording, record
from twisted_repeater.replay import Pace, Report, replay

from ..peers import StoppedTime
from .mqtt_broker import MqttCase, Paho, paho
from .redis_case import RedisCase, connect
from .servers import RealCase, RealServer, talk

DEBIAN_PACKAGES = "redis-server mosquitto mosquitto-clients"

FAST = Pace(speed=math.inf)


class ReplayCase(RealCase):
    """A test case that records, and plays the recording."""

    async def record(self, dialect: str, make: Dialect, port: int, clients: Callable[[int], object]) -> None:
        """Record what clients say through a repeater.

        Args:
            dialect: the name of the dialect.
            make: the dialect.
            port: the port of the server.
            clients: plays the clients, given the port of the repeater, in a thread.
        """
        self.path = self.directory / "traffic.db"
        repeater = await self.start_repeater(make, port)
        recorder = record(repeater, self.path, dialect=dialect)
        await self.in_thread(clients, repeater.port)
        await self.nothing_left(repeater)
        await recorder.stop()

    async def play(self, port: int, pace: Pace = FAST, **options: Any) -> Report:
        """Play the recording against a server."""
        with open_recording(self.path) as recording:
            return await replay(recording, f"tcp:127.0.0.1:{port}", pace=pace, **options)


class RedisReplayTests(ReplayCase, RedisCase):
    """Recordings of clients of Redis."""

    def command_line(self) -> list[str]:
        """Return the command that plays the recording against the server."""
        server = f"tcp:127.0.0.1:{self.redis.port}"
        return [
            sys.executable,
            "-m",
            "twisted_repeater",
            "replay",
            str(self.path),
            "--server",
            server,
            "--speed",
            "max",
        ]

    async def record_clients(self) -> None:
        """Record several clients: pipelines, transactions, RESP3, subscribers."""

        def clients(port: int) -> None:
            with connect(port) as one, connect(port, protocol=2) as two, connect(port, protocol=3) as three:
                three.ping()
                pubsub, pushes = two.pubsub(), three.pubsub()
                with closing(pubsub), closing(pushes):
                    for each in (pubsub, pushes):
                        each.subscribe("news")
                        each.get_message(timeout=20)
                    for number in range(50):
                        one.set(f"key{number}", number)
                        two.incr("count")
                        three.incr("count")
                        if number % 10 == 0:
                            one.publish("news", f"message {number}")
                            for each in (pubsub, pushes):
                                each.get_message(timeout=20)
                    pipe = one.pipeline(transaction=True)
                    for number in range(100):
                        pipe.get(f"key{number}").incr("count")
                    pipe.execute()
                    one.get("other")

        await self.record("redis", dialects.redis(), self.redis.port, clients)

    async def test_differences(self) -> None:
        """The same server answers the same, however fast it is asked; one with other data is found out."""
        await self.record_clients()
        for pace in (FAST, Pace(speed=10, max_pause=0.01)):
            await self.direct(b"FLUSHALL\r\n")
            report = await self.play(self.redis.port, pace)
            self.assertTrue(report.same, report.text())
            self.assertGreater(report.findings.equal, 250)
        await self.direct(b"FLUSHALL\r\nSET other different\r\n")
        report = await self.play(self.redis.port)
        self.assertEqual(report.findings.counts.total(), 1, report.text())
        text = report.text()
        self.assertIn("Reply(None)", text)
        self.assertIn("Reply(b'different')", text)
        self.assertIn("Command('GET', b'other')", text)
        await self.direct(b"FLUSHALL\r\n")
        status, printed = await self.run_client(*self.command_line())
        self.assertEqual(status, 0, printed)

    async def test_through_a_repeater(self) -> None:
        """What the clients sent can be played against a repeater before the same server."""
        await self.record_clients()
        await self.direct(b"FLUSHALL\r\n")
        port = await self.repeat()
        report = await self.play(port, leg=Side.CLIENT)
        self.assertTrue(report.same, report.text())

    async def test_links_apart(self) -> None:
        """Clients that have nothing to do with each other may be played each for itself."""

        def clients(port: int) -> None:
            for number in range(20):
                with connect(port, protocol=2) as one, connect(port, protocol=2) as two:
                    for client, name in ((one, f"a{number}"), (two, f"b{number}")):
                        client.set(name, number)
                        client.incr(name)

        await self.record("redis", dialects.redis(), self.redis.port, clients)
        report = await self.play(self.redis.port, Pace(speed=math.inf, links_apart=True))
        self.assertTrue(report.same, report.text())
        self.assertEqual(report.findings.links, 40)

    async def test_a_server_that_cannot_be_reached(self) -> None:
        """If nobody listens, this is a difference of each link."""
        await self.record_clients()
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            report = await self.play(nobody.getsockname()[1])
        self.assertEqual(report.findings.links, 5)
        self.assertIn(
            "not connected: Connection was refused by other side: 111: Connection refused. (5 times)", report.text()
        )

    async def test_a_silent_server(self) -> None:
        """A server that accepts connections and says nothing stalls each link, not the replay."""
        await self.record_clients()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            time = StoppedTime()
            playing = Deferred.fromCoroutine(self.play(silent.getsockname()[1], reactor=time))
            await time.pass_until(playing, step=0.25)
            report = await playing
        self.assertEqual(report.findings.links, 5)
        self.assertIn("the server is silent, so the link was given up", report.text())


class MqttReplayTests(ReplayCase, MqttCase):
    """Recordings of clients of MQTT."""

    async def record_clients(self) -> None:
        """Record subscribers and publishers of each quality of service, in both versions."""

        def clients(port: int) -> None:
            with paho(port, 4, "reader") as reader, paho(port, 5, "reader5") as newer:
                reader.subscribe("home/#", 2)
                newer.subscribe("home/#", 1)
                with paho(port, 5, "writer") as writer:
                    for number in range(30):
                        writer.publish(f"home/{number % 3}", f"value {number}", number % 3)
                        for each in (reader, newer):
                            each.receive(number + 1)

        await self.record("mqtt", dialects.mqtt(), self.broker.port, clients)

    async def test_differences(self) -> None:
        """The same broker answers the same; one that retains a message sends it, too."""
        await self.record_clients()
        report = await self.play(self.broker.port)
        self.assertTrue(report.same, report.text())
        self.assertGreater(report.findings.equal, 100)
        await self.publish(self.broker.port, "mqttv311", "home/old", "retained", "-r")
        report = await self.play(self.broker.port)
        self.assertEqual({difference.kind.value for difference in report.findings.differences}, {"extra"})
        self.assertEqual(report.text().count("retained"), 2)

    async def test_publishers_that_race(self) -> None:
        """The order of what several publish is chance, and so are packet ids; neither is a difference."""

        def clients(port: int) -> None:
            with paho(port, 4, "reader") as reader, paho(port, 5, "one") as one, paho(port, 4, "other") as other:
                reader.subscribe("home/#", 2)

                def say(writer: Paho, name: str) -> None:
                    for number in range(40):
                        writer.publish(f"home/{name}", f"value {number}", number % 3)

                threads = [threading.Thread(target=say, args=each) for each in ((one, "one"), (other, "other"))]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                reader.receive(80)

        await self.record("mqtt", dialects.mqtt(), self.broker.port, clients)
        report = await self.play(self.broker.port)
        self.assertTrue(report.same, report.text())


class LinesReplayTests(ReplayCase):
    """Recordings of clients of protocols whose server speaks first."""

    async def test_smtp(self) -> None:
        """The greeting of a mail server is awaited, and its answers are compared."""
        server = self.start_mail_server()

        def clients(port: int) -> None:
            mail = b"EHLO here\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nVRFY nobody\r\nQUIT\r\n"
            for _ in range(3):
                talk(port, *mail.splitlines(keepends=True))

        await self.record("lines", dialects.lines(), server.port, clients)
        report = await self.play(server.port)
        self.assertTrue(report.same, report.text())
        self.assertEqual((report.findings.links, report.findings.requests), (3, 15))
        other = self.start_mail_server("--size", "1000")
        report = await self.play(other.port)
        self.assertEqual({kind.value: count for kind, count in report.findings.counts.items()}, {"extra": 3})
        self.assertIn("SIZE 1000", report.text())

    def start_mail_server(self, *options: str) -> RealServer:
        """Start a mail server."""
        return self.start_server(
            lambda port: [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", *options]
        )
