"""Filters of MQTT between mosquitto and its clients, and paho."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from twisted_repeater import DROP, PASS_ON, Send, Verdict
from twisted_repeater.dialects.mqtt import Publish, Topics, answered
from twisted_repeater.filters import FilterPair

from .mqtt_broker import (
    ACCEPTED,
    DISCONNECT,
    MqttCase,
    connect,
    packet,
    paho,
    publish,
    subscribe,
    text,
)
from .servers import talk

DEBIAN_PACKAGES = "mosquitto mosquitto-clients"

NO_SECRETS = Topics(deny_publish=("secret/#",))


def drop_secrets(message: Any, link: Any) -> Verdict:
    """Drop secrets in either direction."""
    return DROP if isinstance(message, Publish) and message.topic.startswith("secret") else PASS_ON


class RefusedTests(MqttCase):
    """Messages that are refused."""

    async def test_mosquitto(self) -> None:
        """What is published is delivered, but for the secrets; who publishes one is not left waiting."""
        port = await self.repeat(filters=NO_SECRETS)
        for version in ("mqttv31", "mqttv311", "mqttv5"):
            subscriber = await self.subscribe(port, version, "-C", "3", "-F", "got %t %p %q")
            for qos in "012":
                status, printed = await self.publish(port, version, "secret/plan", "attack", "-q", qos, "-r")
                self.assertEqual(status, 0, printed)
                await self.publish(port, version, "news", f"rain {qos}", "-q", qos)
            output = (await self.in_thread(subscriber.end))[1]
            got = [line for line in output.splitlines() if line.startswith("got")]
            self.assertEqual(got, [f"got news rain {qos} {qos}" for qos in "012"])
        self.assertNotIn("secret", self.broker.program.output)

    async def test_paho(self) -> None:
        """paho hears which of its messages were refused, where its version can say so, and may go on."""
        port = await self.repeat(filters=NO_SECRETS)

        def run(version: int) -> list[int]:
            with paho(port, version, "pat") as client:
                return [client.publish(topic, "x", qos) for qos in (1, 2) for topic in ("secret/a", "news") * 2]

        self.assertEqual(await self.in_thread(run, 4), [0] * 8)
        codes = await self.in_thread(run, 5)
        self.assertEqual(codes[:4], [0x87, 0x10] * 2)
        self.assertNotIn("secret", self.broker.program.output)

    async def test_retained(self) -> None:
        """A refused message leaves alone what the broker has retained."""
        port = await self.repeat(filters=NO_SECRETS)
        await self.publish(self.broker.port, "mqttv5", "secret/plan", "old", "-r", "-q", "1")
        for message in (("-m", "new"), ("-n",)):
            await self.run_client(self.pub, "-p", str(port), "-V", "5", "-t", "secret/plan", "-r", "-q", "1", *message)
        subscriber = await self.subscribe(self.broker.port, "mqttv5", "-C", "1")
        self.assertIn("old", (await self.in_thread(subscriber.end))[1])

    async def test_will(self) -> None:
        """A client whose will is a secret is refused in its version."""
        port = await self.repeat(filters=NO_SECRETS)
        for version in ("mqttv311", "mqttv5"):
            will = ("--will-topic", "secret/plan", "--will-payload", "attack")
            status, printed = await self.publish(port, version, "news", "rain", *will)
            self.assertRegex(printed, "[Nn]ot authori[sz]ed")
            self.assertNotEqual(status, 0)


class DeliveryTests(MqttCase):
    """Messages that are not delivered."""

    async def test_window(self) -> None:
        """The broker's window is not filled by messages that are dropped: the eleventh arrives, with each QoS."""
        port = await self.repeat(filters=Topics(deny_subscribe=("secret/#",)))

        def run(qos: int) -> list[tuple[str, bytes]]:
            properties = PahoProperties(PacketTypes.CONNECT)
            properties.ReceiveMaximum = 2
            with paho(port, 5, "sub", properties=properties) as client, paho(port, 5, "pub") as other:
                assert client.subscribe("#", 2) == [2]
                for _ in range(10):
                    other.publish("secret/a", "x", qos)
                other.publish("news", "rain", qos)
                return client.receive(1)

        for qos in (1, 2):
            self.assertEqual(await self.in_thread(run, qos), [("news", b"rain")])

    async def test_subscriptions(self) -> None:
        """The answer to a subscription has a code for each topic filter."""
        port = await self.repeat(filters=Topics(deny_subscribe=("secret/#",)))

        def run(version: int) -> list[int]:
            with paho(port, version, "pat") as client:
                number = client.client.subscribe([("a", 1), ("secret/b", 1), ("+/x", 2)])[1]
                client.wait_for(lambda: number in client.subscribed)
                return client.subscribed[number or 0]

        self.assertEqual(await self.in_thread(run, 4), [1, 0x80, 2])
        self.assertEqual(await self.in_thread(run, 5), [1, 0x87, 2])


class AlteredTests(MqttCase):
    """Messages that are altered and added."""

    async def test_added(self) -> None:
        """Each message and its copy arrive, whatever their QoS; nothing is acknowledged twice."""

        def copied(message: Any, link: Any) -> Verdict:
            if isinstance(message, Publish):
                return Send(replace(message, payload=message.payload.upper()), Publish("copy", message.payload, 2))
            return PASS_ON

        port = await self.repeat(filters=answered(copied))

        def run(version: int) -> list[tuple[str, bytes]]:
            with paho(self.broker.port, version, "sub") as client, paho(port, version, "pub") as other:
                client.subscribe("#", 2)
                for number in range(30):
                    other.publish("news", f"rain {number}", number % 3)
                return sorted(client.receive(60))

        for version in (4, 5):
            wanted = [("copy", f"rain {n}".encode()) for n in range(30)] + [
                ("news", f"RAIN {n}".encode()) for n in range(30)
            ]
            self.assertEqual(await self.in_thread(run, version), sorted(wanted))

    async def test_alias(self) -> None:
        """A message is published to its topic, although the one that defined its alias was dropped."""

        def first(message: Any, link: Any) -> Verdict:
            return DROP if isinstance(message, Publish) and message.payload == b"no" else PASS_ON

        port = await self.repeat(filters=answered(FilterPair(first)))
        subscriber = await self.subscribe(self.broker.port, "mqttv5", "-C", "2", "-F", "got %t %p")

        def aliased(topic: bytes, payload: bytes, number: int) -> bytes:
            return packet(0x32, text(topic) + number.to_bytes(2) + b"\x03\x23\x00\x01" + payload)

        says = [connect(b"ann", version=5)]

        def run() -> None:
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                client.sendall(says[0])
                client.recv(1000)
                client.sendall(aliased(b"news", b"no", 1) + aliased(b"", b"one", 2) + aliased(b"", b"two", 3))
                received = b""
                while received.count(b"\x40") < 3:
                    received += client.recv(1000)
                client.sendall(DISCONNECT)

        await self.in_thread(run)
        output = (await self.in_thread(subscriber.end))[1]
        self.assertEqual([line for line in output.splitlines() if "got" in line], ["got news one", "got news two"])


class ReconnectedTests(MqttCase):
    """Exchanges that are cut."""

    async def test_exactly_once(self) -> None:
        """A message with QoS 2 is delivered once, wherever its exchange is cut; a secret never."""
        port = await self.repeat(filters=answered(drop_secrets))
        subscriber = await self.subscribe(self.broker.port, "mqttv5", "-C", "5", "-F", "got %t %q")
        for name in (b"secret", b"news"):
            for step in range(4):
                topic = name + b"/%d" % step
                first = connect(b"ann", clean=False)
                message, again = publish(topic, b"x", qos=2, number=9), publish(topic, b"x", qos=2, number=9)
                again = bytes([again[0] | 8]) + again[1:]
                release = packet(0x62, b"\0\x09")
                says = ([first + message], [first, message], [first, message, release], [first, message, release])[step]
                until = (b"\x20\x02", b"\x50\x02\0\x09", b"\x50\x02\0\x09", b"\x70\x02\0\x09")[step]
                await self.in_thread(talk, port, *says, until=until)
                await self.nothing_left(self.repeater)
                back = [first, again, release] if step < 2 else [first, release]
                said = await self.in_thread(talk, port, *back, until=b"\x70\x02\0\x09")
                self.assertIn(b"\x70\x02\0\x09", said)
                await self.nothing_left(self.repeater)
        await self.publish(self.broker.port, "mqttv5", "end", "x", "-q", "2")
        output = (await self.in_thread(subscriber.end))[1]
        got = [line for line in output.splitlines() if line.startswith("got")]
        self.assertEqual(got, [f"got news/{step} 2" for step in range(4)] + ["got end 2"])
        self.assertNotIn("secret", self.broker.program.output)

    async def test_limit_of_the_broker(self) -> None:
        """A client that uses all of the broker's Receive Maximum, 20, does not exceed it because of added messages."""
        copies = 0

        def copied(message: Any, link: Any) -> Verdict:
            nonlocal copies
            if not isinstance(message, Publish):
                return PASS_ON
            copies += 1
            return Send(message, Publish("copy", message.payload, 1 + copies % 2))

        port = await self.repeat(filters=answered(copied))

        def run() -> int:
            with paho(self.broker.port, 4, "sub") as client, paho(port, 5, "pub") as other:
                client.subscribe("#", 0)
                sent = [other.client.publish("news", f"{number}", 2) for number in range(60)]
                for info in sent:
                    info.wait_for_publish(20)
                return len(set(client.receive(120)))

        self.assertEqual(await self.in_thread(run), 120)
        self.assertNotIn("rc151", self.broker.program.output)  # quota exceeded

    async def test_works(self) -> None:
        """Clients without an id, and one that takes over its own session, are served as before."""
        port = await self.repeat(filters=NO_SECRETS)
        said = await self.in_thread(
            talk, port, connect(b""), subscribe(b"news", qos=1), DISCONNECT, until=b"\x90\x03\0\x01\x01"
        )
        self.assertTrue(said.startswith(ACCEPTED))
        first = self.in_thread(talk, port, connect(b"ann"))
        await self.until(lambda: self.repeater.active_clients() == ["ann"])
        await self.in_thread(talk, port, connect(b"ann"), DISCONNECT, until=b"\x20")
        self.assertEqual((await first)[:1], b"\x20")


class HostileTests(MqttCase):
    """Clients that try to get around the rules, or to break what keeps them."""

    async def test_dodged(self) -> None:
        """No trick with aliases, numbers, copies, ids or topics gets a secret to the broker, or from it."""
        rules = Topics(
            publish=("%c/#", "news", "a/#"), deny_publish=("secret/#", "a/+/%c"), deny_subscribe=("secret/#",)
        )
        port = await self.repeat(filters=rules)
        alias = b"\x03\x23\x00\x01"

        def aliased(topic: bytes, number: int, *, dup: bool = False) -> bytes:
            return packet(0x34 | dup << 3, text(topic) + number.to_bytes(2) + alias + b"x")

        release = packet(0x62, b"\0\x07")
        tries: list[tuple[bytes, ...]] = [
            (aliased(b"news", 7), aliased(b"secret/x", 8), aliased(b"", 9), aliased(b"", 9, dup=True)),
            (aliased(b"news", 7), aliased(b"secret/x", 7, dup=True), release, aliased(b"", 7)),
            (aliased(b"secret/x", 7), release, release, aliased(b"secret/x", 7, dup=True), release),
            (release, packet(0x50, b"\0\x07"), packet(0x70, b"\0\x07"), publish(b"secret", b"x", version=5)),
            (publish(b"secret/" + b"x" * 65_528, b"x", version=5), publish(b"secret//", b"x", version=5)),
            (connect(b"secret", version=5), publish(b"secret/x", b"x", version=5)),
            (packet(0xF0, b"\x19\x00"), publish(b"secret/x", b"x", version=5)),
            (publish(b"a/b/$SYS", b"secret", version=5), publish(b"$SYS/secret", b"secret", version=5)),
        ]
        for name in (b"ann", b"%c", b"%u", b"$SYS", b"+", b"#", b"a/b"):
            for says in tries:
                await self.in_thread(talk, port, connect(name, version=5), *says, DISCONNECT)
                await self.nothing_left(self.repeater)
        for topic in (b"$share/x/#", b"$share/x/secret/#", b"$share/x/+/+", b"secret", b"secret/#"):
            said = await self.in_thread(
                talk, port, connect(b"ann", version=5), subscribe(topic, version=5), until=b"\x90\x04\0\x01\0"
            )
            self.assertTrue(said.endswith(b"\x90\x04\0\x01\0\x87"), (topic, said))
        self.assertNotIn("secret", self.broker.program.output)
        await self.assert_works(port)

    async def test_many_topics(self) -> None:
        """A request with a thousand topic filters gets a thousand codes, in order."""
        port = await self.repeat(filters=Topics(deny_subscribe=("secret/#",)))
        topics = b"".join(text(b"secret/%d" % n if n % 2 else b"news/%d" % n) + b"\0" for n in range(1000))
        codes = b"\0\x80" * 500
        said = await self.in_thread(
            talk, port, connect(b"ann"), packet(0x82, b"\0\x01" + topics), DISCONNECT, until=codes
        )
        self.assertTrue(said.endswith(packet(0x90, b"\0\x01" + codes)))

    async def test_broker_says_garbage(self) -> None:
        """A broker that says what the protocol does not allow ends only that link."""
        port = await self.repeat(filters=Topics(deny_publish=("none",)))
        self.broker.stop()
        for garbage in (packet(0x30, b"\0\x01"), packet(0x36, text(b"a") + b"\0\1"), b"\xff" * 50, packet(0x90, b"\0")):
            with socket.create_server(("127.0.0.1", self.broker.port)) as server:
                client = self.in_thread(talk, port, connect(b"ann"))
                peer, _ = await self.in_thread(server.accept)
                with peer:
                    peer.sendall(ACCEPTED + garbage + publish(b"news", b"rain"))
                    self.assertIn(await client, (b"", ACCEPTED))
            await self.nothing_left(self.repeater)
