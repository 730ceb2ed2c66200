"""The dialect ``mqtt`` stands between a real broker and its real clients."""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from twisted_repeater import (
    PASS_ON,
    ClientNotAllowed,
    Direction,
    Disconnected,
    HelloTimeout,
    InvalidHello,
    Limits,
    Link,
    MessageType,
    Send,
    Verdict,
)
from twisted_repeater.dialects.mqtt import Connect, MqttCodec, Packet, Property, Publish, mqtt

from ..peers import set_limits
from .mqtt_broker import (
    ACCEPTED,
    DISCONNECT,
    VERSIONS,
    MqttCase,
    connect,
    packet,
    paho,
    publish,
    subscribe,
    text,
)
from .servers import bytewise, talk

DEBIAN_PACKAGES = "mosquitto mosquitto-clients"

PING, PONG = b"\xc0\x00", b"\xd0\x00"
BORDERS = [1, 2, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]
"""Lengths at which the length itself gets longer, and short ones."""


class Faithful(MqttCodec):
    """A codec that makes the same bytes of each packet that it has decoded, or fails."""

    def __init__(self, version: int, seen: list[Packet]) -> None:
        super().__init__(version)
        self.seen = seen

    def decode(self, payload: bytes) -> Packet:
        """Decode a packet, and encode it again."""
        message = super().decode(payload)
        assert self.encode(message) == payload, (self.version, message, payload)
        self.seen.append(message)
        return message


def again(message: Packet, link: Link) -> Verdict:
    """Replace each message with one like it."""
    return Send(message)


def louder(message: Packet, link: Link) -> Verdict:
    """Change the payloads of messages."""
    return Send(replace(message, payload=message.payload.upper())) if isinstance(message, Publish) else PASS_ON


class ClientTests(MqttCase):
    """Real clients."""

    async def test_delivered(self) -> None:
        """What is published is delivered, in all versions and with every QoS."""
        port = await self.repeat()
        for version in VERSIONS:
            subscriber = await self.subscribe(port, version, "-C", "3", "-F", "got %t %p %q")
            for qos in "012":
                await self.publish(port, version, "news", f"rain {qos}", "-q", qos)
            output = (await self.in_thread(subscriber.end))[1]
            got = [line for line in output.splitlines() if line.startswith("got")]
            self.assertEqual(got, [f"got news rain {qos} {qos}" for qos in "012"])

    async def test_every_message_again(self) -> None:
        """Broker and clients notice nothing when all their packets are decoded, and replaced with the same ones."""
        seen: list[Packet] = []
        codecs = {version: Faithful(version, seen) for version in (3, 4, 5)}
        messages = MessageType(codecs, low=3, prod=5, test=5, per_link=True)
        dialect = mqtt().changed(to_server=messages, to_client=messages)
        port = await self.repeat(dialect=dialect, to_server_filter=again, to_client_filter=again)
        for version in VERSIONS:
            will = ("--will-topic", "gone", "--will-payload", "bye", "--will-qos", "1")
            subscriber = await self.subscribe(port, version, "-C", "3", "-F", "got %t %p", *will)
            for qos in "012":
                await self.publish(port, version, "news", "rain", "-q", qos, "-u", "ann", "-P", "secret", "-r")
            output = (await self.in_thread(subscriber.end))[1]
            self.assertEqual(output.count("got news rain"), 3)
        for level in (4, 5):
            await self.in_thread(self.use_paho, port, level)
        self.assertEqual([error for *_, error in self.calls.errors if not isinstance(error, Disconnected)], [])
        kinds = {type(message).__name__ for message in seen}
        self.assertEqual(
            kinds,
            {"Connect", "ConnAck", "Publish", "PubAck", "PubRec", "PubRel", "PubComp", "Subscribe", "SubAck"}
            | {"Unsubscribe", "UnsubAck", "Disconnect"},
        )

    def use_paho(self, port: int, version: int) -> None:
        """Use all that a client of paho can do."""
        with paho(port, version, "pat") as client:
            for qos in range(3):
                self.assertEqual(client.subscribe(f"weather/{qos}/#", qos), [qos])
                self.assertEqual(client.publish(f"weather/{qos}/north", f"sun {qos}", qos), 0)
            client.receive(3)
            client.client.unsubscribe("weather/0/#")
            client.publish("weather/1/south", "x" * 20_000, 1, retain=True)
            topic, payload = client.receive(4)[3]
            self.assertEqual((topic, len(payload)), ("weather/1/south", 20_000))
            client.publish("weather/1/south", "", 1, retain=True)

    async def test_paho(self) -> None:
        """paho's messages are changed by a filter on their class, in both of its versions; its link has its name."""
        port = await self.repeat(to_server_filter=louder)

        def talk_to(version: int) -> tuple[list[str], list[tuple[str, bytes]]]:
            with paho(port, version, "pat") as client:
                client.subscribe("news/#", 2)
                for qos in range(3):
                    client.publish("news/north", f"rain {qos}", qos)
                return self.repeater.active_clients(), sorted(client.receive(3))

        for version in (4, 5):
            names, messages = await self.in_thread(talk_to, version)
            self.assertEqual(names, ["pat"])
            self.assertEqual(messages, [("news/north", b"RAIN %d" % qos) for qos in range(3)])

    async def test_details(self) -> None:
        """A link knows its client's version and user name, and has its CONNECT."""
        links: list[Link] = []
        port = await self.repeat(on_connect=links.append)
        for version in VERSIONS:
            await self.publish(port, version, "news", "rain", "-i", "ann", "-u", "user", "-P", "secret")
        for link, level in zip(links, VERSIONS.values(), strict=True):
            self.assertEqual(dict(link.details), {"version": level, "username": "user", "bridge": False})
            self.assertEqual((link.client_hello.password, link.client_name), (b"secret", "ann"))

    async def test_retained(self) -> None:
        """A retained message is kept by the broker, and marked as such when it is delivered later."""
        port = await self.repeat(to_server_filter=louder, to_client_filter=again)
        for version in VERSIONS:
            await self.publish(port, version, "kept", "rain", "-q", "1", "-r")
            subscriber = await self.subscribe(port, version, "-C", "1", "-F", "got %r %p")
            self.assertIn("got 1 RAIN", (await self.in_thread(subscriber.end))[1])

    async def test_bridge(self) -> None:
        """A bridge of another broker, which marks itself in its level, carries messages both ways."""
        links: list[Link] = []
        port = await self.repeat(on_connect=links.append, to_server_filter=again, to_client_filter=again)
        self.subscribed += 1
        other = self.start_broker(
            f"connection bridge\naddress 127.0.0.1:{port}\ntopic # both 2\nremote_clientid far\n", name="other"
        )
        await self.in_thread(self.broker.program.wait_for, "Sending SUBACK to far", 1)
        await self.in_thread(other.program.wait_for, "Received SUBACK", 1)
        self.assertTrue(links[0].details["bridge"])
        near = await self.subscribe(port, "mqttv5", "-C", "1", topic="up")
        await self.publish(other.port, "mqttv5", "up", "rain", "-q", "2")
        self.assertIn("rain", (await self.in_thread(near.end))[1])
        far = self.start_client(self.sub, "-p", str(other.port), "-t", "down", "-q", "2", "-C", "1")
        await self.in_thread(other.program.wait_for, r"Sending SUBACK to (?!local)", 1)
        await self.publish(port, "mqttv5", "down", "sun", "-q", "2")
        self.assertIn("sun", (await self.in_thread(far.end))[1])
        other.stop()


class NameTests(MqttCase):
    """Who a client is, and who takes its place."""

    async def test_taken_over(self) -> None:
        """A client that comes again replaces itself, once; it is told so where its version can."""
        port = await self.repeat()
        for times, (version, farewell) in enumerate(((4, b""), (5, b"\xe0\x02\x8e\x00")), 1):
            first = self.in_thread(talk, port, connect(b"ann", version=version))
            await self.until(lambda: self.answered() == ["ann"])
            second = await self.in_thread(talk, port, connect(b"ann", version=version), until=b"\x20")
            self.assertEqual(second[2:4], b"\0\0")
            said = await first
            self.assertEqual(said[:1], b"\x20")
            self.assertTrue(said.endswith(farewell))
            await self.nothing_left(self.repeater)
            self.assertEqual(self.broker.program.output.count(" as ann ("), 2 * times)
            self.assertNotIn("already connected", self.broker.program.output)

    def answered(self) -> list[str]:
        """Return the names of the clients that have got a packet."""
        links = self.repeater.links()
        return [link.client_name for link in links if link.received(Direction.TO_CLIENT)[0] > 0]

    async def test_session_resumed(self) -> None:
        """A client that comes again goes on with its session, and gets what it missed."""
        port = await self.repeat()

        def miss_something() -> list[tuple[str, bytes]]:
            with paho(port, 4, "ann", clean_session=False) as client:
                client.subscribe("news", 1)
            with paho(port, 5, "bob") as other:
                other.publish("news", "rain", 1)
            with paho(port, 4, "ann", clean_session=False) as client:
                return client.receive(1)

        self.assertEqual(await self.in_thread(miss_something), [("news", b"rain")])

    async def test_without_id(self) -> None:
        """Clients without an id have their address for a name; the broker says whether it takes them."""
        port = await self.repeat()
        self.assertEqual(await self.in_thread(talk, port, connect(b"", clean=False)), b"\x20\x02\x00\x02")
        clients = [self.in_thread(talk, port, connect(b""), until=b"\xd0") for _ in range(2)]
        await self.until(lambda: len(self.answered()) == 2)
        self.assertEqual([name.split(":")[0] for name in self.answered()], ["127.0.0.1"] * 2)
        self.repeater.send_to_all_clients(Publish("bye"))
        for link in self.repeater.links():
            link.close()
        self.assertEqual(await gatherResults(clients), [ACCEPTED + publish(b"bye", b"")] * 2)

    async def test_assigned_id(self) -> None:
        """In version 5 the id that the broker assigns is the client's name when it gets it."""
        identified: list[tuple[str, str]] = []

        class Observer:
            """Hears of new names."""

            def link_identified(self, link: Link, old_name: str) -> None:
                identified.append((old_name, link.client_name))

            def __getattr__(self, name: str) -> Any:
                return lambda *arguments: None

        port = await self.repeat(observers=[Observer()])

        def connect_without_id() -> tuple[str, list[str]]:
            with paho(port, 5) as client:
                return client.answers[0][1].AssignedClientIdentifier, self.repeater.active_clients()

        assigned, names = await self.in_thread(connect_without_id)
        self.assertEqual(names, [assigned])
        self.assertRegex(assigned, "^auto-")
        ((old, new),) = identified
        self.assertRegex(old, "^127.0.0.1:")
        self.assertEqual(new, assigned)

    async def test_assigned_id_not_allowed(self) -> None:
        """A client that may not have the id that the broker assigns is refused by the CONNACK."""
        port = await self.repeat(is_client_allowed=lambda name: not name.startswith("auto-"))
        said = await self.in_thread(talk, port, connect(b"", version=5))
        self.assertEqual(said, b"\x20\x03\x00\x87\x00")
        await self.nothing_left(self.repeater)
        await self.assert_works(port)


class WillTests(MqttCase):
    """When the broker publishes a will."""

    async def leave(self, port: int, version: int, how: str, *last: bytes) -> str:
        """Let a client with a will leave; return what a subscriber gets: the will, or else what is published after."""
        subscriber = await self.subscribe(port, "mqttv5", "-C", "1", "-F", "got %p", topic="gone")
        await self.in_thread(vanish, port, connect_with_will(version), how, last)
        await self.until(lambda: len(self.repeater.links()) == 1)
        await self.publish(port, "mqttv5", "gone", "nothing", "-q", "1")
        return (await self.in_thread(subscriber.end))[1]

    async def test_vanished(self) -> None:
        """A client that is reset, or ends its stream without a DISCONNECT, leaves its will."""
        port = await self.repeat()
        for version in (4, 5):
            for how in ("reset", "fin"):
                self.assertIn("got bye", await self.leave(port, version, how), (version, how))

    async def test_disconnected(self) -> None:
        """A client that says DISCONNECT, and closes at once, leaves no will; with the reason 0x04 it does."""
        port = await self.repeat()
        for version in (4, 5):
            self.assertIn("got nothing", await self.leave(port, version, "fin", DISCONNECT), version)
        self.assertIn("got bye", await self.leave(port, 5, "fin", b"\xe0\x01\x04"))

    async def test_closed_from_here(self) -> None:
        """A client whose link is closed by the application leaves its will: the repeater says no DISCONNECT for it."""
        port = await self.repeat()
        subscriber = await self.subscribe(port, "mqttv5", "-C", "1", "-F", "got %p", topic="gone")
        client = self.in_thread(talk, port, connect_with_will(5))
        await self.until(lambda: "w5" in self.repeater.active_clients())
        self.repeater.close_connection_from_client("w5")
        await client
        self.assertIn("got bye", (await self.in_thread(subscriber.end))[1])


def connect_with_will(version: int) -> bytes:
    """Return the CONNECT of a client with a will."""
    properties = b"\x00" if version == 5 else b""
    flags = bytes([version, 0x06])
    will = properties + text(b"gone") + text(b"bye")
    return packet(0x10, text(b"MQTT") + flags + b"\x00\x3c" + properties + text(b"w%d" % version) + will)


def vanish(port: int, hello: bytes, how: str, last: tuple[bytes, ...]) -> None:
    """Connect, wait for the answer, say last words, and leave. This blocks."""
    with closing(socket.create_connection(("127.0.0.1", port), 20)) as client:
        client.sendall(hello)
        assert client.recv(1) == b"\x20"
        for words in last:
            client.sendall(words)
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            client.shutdown(socket.SHUT_WR)
            while client.recv(1024):
                pass


class PacketTests(MqttCase):
    """Packets as they come."""

    async def test_sizes(self) -> None:
        """Packets of all sizes pass, whether a filter looks at them, changes them, or there is none."""
        for settings in ({}, {"to_server_filter": louder, "to_client_filter": louder}):
            port = await self.repeat(**settings)
            for version in (4, 5):
                overhead = 6 if version == 4 else 7
                for size in BORDERS:
                    if size < overhead:
                        continue
                    payload = b"X" * (size - overhead)
                    sent = publish(b"news", payload, version=version)
                    pieces = bytewise(sent) if size < 1000 else (sent,)
                    said = (connect(b"ann", version=version), subscribe(b"news", version=version), *pieces)
                    got = await self.in_thread(talk, port, *said, until=sent)
                    self.assertTrue(got.endswith(sent), (version, size))
            await self.repeater.shutdown()

    async def test_at_once(self) -> None:
        """Packets right behind a CONNECT keep their order while a filter thinks about it."""
        later: list[Deferred[Verdict]] = []

        def think(message: Packet, link: Link) -> Verdict | Deferred[Verdict]:
            if isinstance(message, Connect):
                later.append(Deferred())
                return later[-1]
            return PASS_ON

        port = await self.repeat(to_server_filter=think)
        for version in (4, 5):
            rest = subscribe(b"news", version=version) + publish(b"news", b"rain", version=version) + PING + DISCONNECT
            client = self.in_thread(talk, port, connect(b"ann", version=version) + rest)
            await self.until(lambda: later)
            later.pop().callback(PASS_ON)
            said = await client
            kinds = [kind for kind in (b"\x20", b"\x90", b"\x30", PONG) if kind in said]
            self.assertEqual(len(kinds), 4)
            self.assertLess(said.index(b"\x90"), said.index(b"\x30"))

    async def test_untouched(self) -> None:
        """What a filter passes on is what the broker said, such as its own keep-alive and its limits."""
        self.broker.stop()
        self.broker = self.start_broker("max_keepalive 30\nmax_packet_size 70000\nmax_inflight_messages 7\n", "limited")
        port = await self.repeat(to_client_filter=lambda message, link: PASS_ON)
        direct = await self.in_thread(talk, self.broker.port, connect(b"ann", version=5), DISCONNECT)
        self.assertEqual(await self.in_thread(talk, port, connect(b"ann", version=5), DISCONNECT), direct)
        self.assertIn(b"\x13\x00\x1e", direct)

    async def test_properties(self) -> None:
        """A filter reads and changes the properties of version 5."""

        def mark(message: Packet, link: Link) -> Verdict:
            if not isinstance(message, Publish):
                return PASS_ON
            seen = message.properties.having(Property.USER_PROPERTY, ("seen-by", "edge"))
            return Send(replace(message, properties=seen))

        port = await self.repeat(to_server_filter=mark)
        subscriber = await self.subscribe(port, "mqttv5", "-C", "1", "-F", "got %p %P %C")
        properties = ("-D", "PUBLISH", "user-property", "site", "north", "-D", "PUBLISH", "content-type", "text")
        await self.publish(port, "mqttv5", "news", "rain", *properties, "-q", "1")
        output = (await self.in_thread(subscriber.end))[1]
        self.assertIn("got rain site:north seen-by:edge text", output)


class RefusedTests(MqttCase):
    """Clients that are not linked, or not any longer."""

    async def test_not_allowed(self) -> None:
        """A client that is not allowed is told so in its version."""
        port = await self.repeat(is_client_allowed=lambda name: name != "eve")
        for version, level in VERSIONS.items():
            status, printed = await self.publish(port, version, "news", "rain", "-i", "eve")
            self.assertRegex(printed, "[Nn]ot authori[sz]ed")
            self.assertNotEqual(status, 0)
            said = await self.in_thread(talk, port, connect(b"eve", version=level))
            self.assertEqual(said, b"\x20\x03\x00\x87\x00" if level == 5 else b"\x20\x02\x00\x05")
        self.assertEqual(set(self.calls.refusals), {("eve", ClientNotAllowed)})

    async def test_unknown_version(self) -> None:
        """A client of an unknown version is answered in a form that it may know; the broker never sees it."""
        port = await self.repeat()
        for level, answer in ((2, b"\x20\x02\x00\x01"), (0x82, b"\x20\x02\x00\x01"), (6, b"\x20\x03\x00\x84\x00")):
            said = await self.in_thread(talk, port, connect(b"ann", version=level))
            self.assertEqual(said, answer)
        self.assertNotIn("New client", self.broker.program.output)

    async def test_not_valid(self) -> None:
        """A CONNECT that is not valid is answered in version 5 only."""
        port = await self.repeat()
        twice = b"\x0a" + 2 * b"\x11\x00\x00\x00\x05"
        self.assertEqual(
            await self.in_thread(talk, port, connect(b"ann", version=5, properties=twice)), b"\x20\x03\x00\x82\x00"
        )
        for name in (b"\xff\xfe", b"a\0b"):
            self.assertEqual(await self.in_thread(talk, port, connect(name, version=5)), b"\x20\x03\x00\x81\x00")
            self.assertEqual(await self.in_thread(talk, port, connect(name)), b"")
        self.assertEqual({kind for _, kind in self.calls.refusals}, {InvalidHello})
        await self.assert_works(port)

    async def test_other_protocols(self) -> None:
        """What does not begin with the CONNECT of MQTT is closed at once, and never reaches the broker."""
        port = await self.repeat(limits=Limits(hello_timeout=60))
        others = (
            b"GET /mqtt HTTP/1.1\r\n",
            b"\x16\x03\x01",
            PING,
            packet(0x10, text(b"HTTP") + b"\x04\x02"),
            b"\x11\x00",
        )
        for said in others:
            self.assertEqual(await self.in_thread(talk, port, said), b"")
        self.assertIn("expected a CONNECT", str(self.calls[0]))

    async def test_long_connect(self) -> None:
        """A CONNECT that is too long is refused at its header."""
        port = await self.repeat(dialect=mqtt(max_connect=1000))
        for size, works in ((900, True), (1100, False)):
            hello = connect(b"a" * size, version=5)
            said = await self.in_thread(talk, port, hello if works else hello[:3], DISCONNECT if works else b"")
            self.assertEqual(said[:1], b"\x20" if works else b"")

    async def test_broker_gone(self) -> None:
        """Without a broker clients are told that it is not available."""
        port = await self.repeat()
        self.broker.stop()
        self.assertEqual(await self.in_thread(talk, port, connect(b"ann")), b"\x20\x02\x00\x03")
        self.assertEqual(await self.in_thread(talk, port, connect(b"ann", version=5)), b"\x20\x03\x00\x88\x00")

    async def test_invalid_packets(self) -> None:
        """A packet that is not allowed ends its client's link, and nobody else's; nothing behind it is carried out."""
        port = await self.repeat(to_server_filter=lambda message, link: PASS_ON)
        for version in (4, 5):
            empty = b"\x00" if version == 5 else b""
            for wrong in (
                packet(0x30, text(b"\xff") + empty),
                packet(0x30, text(b"a\0b") + empty),
                packet(0x36, text(b"news") + b"\x00\x01" + empty),
                packet(0x32, text(b"news") + b"\x00\x00" + empty),
                packet(0x80, b"\x00\x01" + empty + text(b"news") + b"\x00"),
                packet(0x82, b"\x00\x01" + empty + text(b"news") + b"\xc0"),
                b"\xc1\x00",
            ):
                hello = connect(b"ann", version=version)
                said = await self.in_thread(
                    self.say_after_answer, port, hello, wrong + publish(b"no", b"", version=version)
                )
                self.assertEqual(said[-4:-2] if version == 5 else said[-1:], b"\xe0\x02" if version == 5 else b"")
        self.assertNotIn("PUBLISH from ann", self.broker.program.output)
        await self.assert_works(port)

    def say_after_answer(self, port: int, hello: bytes, words: bytes) -> bytes:
        """Say something after the CONNACK; return what comes then. This blocks."""
        with closing(socket.create_connection(("127.0.0.1", port), 20)) as client:
            client.sendall(hello)
            kind, size = client.recv(1), client.recv(1)[0]
            assert kind == b"\x20"
            while size:
                size -= len(client.recv(size))
            client.sendall(words)
            said = b""
            while data := client.recv(1024):
                said += data
            return said

    async def test_silence(self) -> None:
        """Who says nothing, or half a CONNECT, is closed when its time is over."""
        port = await self.repeat(limits=Limits(hello_timeout=1))
        clients = [self.in_thread(talk, port, *pieces) for pieces in ((), (connect(b"ann")[:8],))]
        self.assertEqual(await gatherResults(clients), [b"", b""])
        self.assertEqual(self.calls.refusals, [(None, HelloTimeout)] * 2)
        set_limits(self.repeater)
        await self.assert_works(port)

    async def test_end_in_the_middle(self) -> None:
        """A packet that is not complete when its client leaves is not carried out, wherever it ends."""
        port = await self.repeat(to_server_filter=again)
        hello, message = connect(b"ann"), publish(b"news", b"rain", qos=1)
        for says in (*(hello[:end] for end in range(1, len(hello))), *(hello + message[:-end] for end in (1, 5, 11))):
            await self.in_thread(talk, port, says, ends=True)
        await self.nothing_left(self.repeater)
        self.assertNotIn("PUBLISH", self.broker.program.output)
        await self.assert_works(port)

    async def test_bad_length(self) -> None:
        """A length of five bytes ends the link; nothing behind it is carried out."""
        port = await self.repeat()
        wrong = b"\x30\xff\xff\xff\xff\x00" + publish(b"news", b"rain")
        said = await self.in_thread(talk, port, connect(b"ann") + wrong)
        self.assertIn(said, (b"", ACCEPTED))
        await self.nothing_left(self.repeater)
        self.assertNotIn("PUBLISH", self.broker.program.output)

    async def test_broker_closes(self) -> None:
        """If the broker goes, its clients' links end."""
        port = await self.repeat()
        client = self.in_thread(talk, port, connect(b"ann"))
        await self.until(lambda: self.repeater.active_clients() == ["ann"])
        self.broker.program.terminate()
        self.assertIn(await client, (b"", ACCEPTED))
        await self.nothing_left(self.repeater)

    async def test_shutdown(self) -> None:
        """When the repeater is shut down, clients of version 5 are told, those before it just closed."""
        port = await self.repeat()
        clients = [self.in_thread(talk, port, connect(b"", version=version)) for version in (4, 5)]
        await self.until(lambda: [link.received(Direction.TO_CLIENT)[0] for link in self.repeater.links()] == [1, 1])
        await self.repeater.shutdown()
        said = await gatherResults(clients)
        self.assertEqual(said[0], ACCEPTED)
        self.assertRegex(said[1], rb"(?s)^\x20.*\xe0\x02\x8b\x00$")
