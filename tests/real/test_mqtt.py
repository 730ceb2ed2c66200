"""The example for MQTT stands between a real broker and its real clients."""

from __future__ import annotations

import threading
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from twisted.internet.defer import gatherResults

from twisted_repeater import Direction, HelloTimeout, InvalidHello, Limits, Repeater

from ..needed import needed
from ..programs import Program
from .servers import RealCase, bytewise, example, talk

DEBIAN_PACKAGES = "mosquitto mosquitto-clients"

mqtt_dialect = example("mqtt_dialect")

VERSIONS = {"mqttv31": 3, "mqttv311": 4, "mqttv5": 5}
"""The versions, as the clients of mosquitto name them and as the protocol does."""
DISCONNECT = b"\xe0\x00"
ACCEPTED = b"\x20\x02\x00\x00"
LIMIT = 4 * 1024 * 1024


def text(data: bytes) -> bytes:
    """Return a string of MQTT."""
    return len(data).to_bytes(2) + data


def packet(kind: int, body: bytes) -> bytes:
    """Return a packet."""
    size, length = len(body), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([kind]) + length + bytes([size]) + body


def connect(client_id: bytes, *, version: int = 4, clean: bool = True, properties: bytes = b"\x00") -> bytes:
    """Return a CONNECT."""
    rest = properties if version == 5 else b""
    return packet(0x10, text(b"MQTT") + bytes([version, clean << 1]) + b"\x00\x3c" + rest + text(client_id))


SUBSCRIBE = packet(0x82, b"\x00\x01" + text(b"news") + b"\x01")
SUBSCRIBED = b"\x90\x03\x00\x01\x01"
PUBLISH = packet(0x32, text(b"news") + b"\x00\x02" + b"rain")
PUBLISHED = b"\x40\x02\x00\x02"


class MQTTCase(RealCase):
    """A test case with a broker, and a repeater before it."""

    repeater: Repeater
    subscribed = 0

    def setUp(self) -> None:
        """Start the broker."""
        super().setUp()
        self.pub = needed("mosquitto_pub", "mosquitto-clients")
        self.sub = needed("mosquitto_sub", "mosquitto-clients")
        broker = needed("mosquitto", "mosquitto")
        settings = self.directory / "mosquitto.conf"

        def command(port: int) -> list[str]:
            settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n")
            return [broker, "-v", "-c", str(settings)]

        self.broker = self.start_server(command)

    async def repeat(self, **settings: Any) -> int:
        """Start a repeater with the example's filter; return its port."""
        settings.setdefault("to_server_filter", mqtt_dialect.no_secrets)
        settings.setdefault("limits", Limits(max_frame=LIMIT))
        self.repeater = await self.start_repeater(mqtt_dialect.mqtt, self.broker.port, **settings)
        return self.repeater.port

    async def subscribe(self, port: int, version: str, *options: str, topic: str = "#") -> Program:
        """Start a client that prints what is published; return when it has subscribed."""
        self.subscribed += 1
        program = self.start_client(self.sub, "-V", version, "-p", str(port), "-q", "2", "-t", topic, *options)
        await self.in_thread(self.broker.program.wait_for, "Sending SUBACK", self.subscribed)
        return program

    async def publish(self, port: int, version: str, topic: str, message: str, *options: str) -> tuple[int, str]:
        """Publish a message with mosquitto_pub; return its status and what it printed."""
        where = ("-V", version, "-p", str(port), "-t", topic, "-m", message)
        return await self.run_client(self.pub, *where, *options)

    async def assert_works(self, port: int) -> None:
        """Another client is served."""
        self.assertEqual(await self.in_thread(talk, port, connect(b"another"), DISCONNECT), ACCEPTED)


class ClientTests(MQTTCase):
    """Real clients."""

    async def test_secrets(self) -> None:
        """What is published is delivered, but for the secrets; who publishes one is not left waiting."""
        port = await self.repeat()
        for version in VERSIONS:
            subscriber = await self.subscribe(port, version, "-C", "3", "-F", "got %t %p %q")
            for qos in "012":
                if version == "mqttv5" or qos != "2":
                    status, printed = await self.publish(port, version, "secret/plan", "attack", "-q", qos)
                    self.assertEqual(status, 0, printed)
                await self.publish(port, version, "news", f"rain {qos}", "-q", qos)
            output = (await self.in_thread(subscriber.end))[1]
            got = [line for line in output.splitlines() if line.startswith("got")]
            self.assertEqual(got, [f"got news rain {qos} {qos}" for qos in "012"])
        self.assertNotIn("attack", self.broker.program.output)

    async def test_secret_exactly_once(self) -> None:
        """Who publishes a secret with QoS 2 in a version without refusals is closed."""
        port = await self.repeat()
        secret = packet(0x34, text(b"secret/plan") + b"\x00\x05" + b"attack")
        said = await self.in_thread(talk, port, connect(b"ann") + secret)
        self.assertIn(said, (b"", ACCEPTED))
        self.assertNotIn("secret", self.broker.program.output)

    async def test_paho(self) -> None:
        """paho hears which of its messages were refused, where its version can say so."""
        port = await self.repeat()
        for version, codes in (
            (MQTTProtocolVersion.MQTTv311, [0, 0]),
            (MQTTProtocolVersion.MQTTv5, [0x87, 0x10]),  # not authorized; no subscribers
        ):
            self.assertEqual(await self.in_thread(publish_with_paho, port, version, 1), codes)
        # It releases what was refused with QoS 2, and hears of that from the broker.
        self.assertEqual(await self.in_thread(publish_with_paho, port, MQTTProtocolVersion.MQTTv5, 2), [0, 0])
        self.assertNotIn("secret", self.broker.program.output)

    async def test_sizes(self) -> None:
        """Packets pass whose length has one byte more than that of a packet one byte shorter."""
        port = await self.repeat()
        for limit in (128, 16_384, 2_097_152):
            for size in (limit - 1, limit):
                publish = packet(0x30, text(b"news") + b"x" * (size - 6))
                pieces = bytewise(publish) if limit < 1000 else (publish,)
                said = (connect(b"ann"), packet(0x82, b"\x00\x01" + text(b"news") + b"\x00"), *pieces)
                got = await self.in_thread(talk, port, *said, until=publish[-(size - 6) :])
                self.assertTrue(got.endswith(publish), size)

    async def test_at_once(self) -> None:
        """Packets that a client sends right behind its CONNECT keep their order."""
        port = await self.repeat()
        says = connect(b"ann") + SUBSCRIBE + PUBLISH + b"\xc0\x00" + DISCONNECT
        for pieces in ((says,), bytewise(says)):
            self.assertTrue((await self.in_thread(talk, port, *pieces)).startswith(ACCEPTED + SUBSCRIBED))

    async def test_without_id(self) -> None:
        """Clients without an id are told apart; the broker says whether it takes them."""
        port = await self.repeat()
        self.assertEqual(await self.in_thread(talk, port, connect(b"", clean=False)), b"\x20\x02\x00\x02")
        subscribers = [await self.subscribe(port, version, "-C", "1") for version in ("mqttv311", "mqttv5")]
        self.assertEqual(len(set(self.repeater.links())), 2)
        await self.publish(port, "mqttv5", "news", "rain", "-q", "1")
        for subscriber in subscribers:
            self.assertIn("rain", (await self.in_thread(subscriber.end))[1])

    async def test_taken_over(self) -> None:
        """A client that comes again replaces itself, once; it is told so where its version can."""
        port = await self.repeat()
        for times, (version, farewell) in enumerate(((4, b""), (5, b"\xe0\x02\x8e\x00")), 1):
            first = self.in_thread(talk, port, connect(b"ann", version=version))
            await self.until(lambda: self.repeater.active_clients() == ["ann"])
            second = await self.in_thread(talk, port, connect(b"ann", version=version), until=b"\x20")
            self.assertEqual(second[2:4], b"\0\0")
            said = await first
            self.assertEqual(said[:1], b"\x20")
            self.assertTrue(said.endswith(farewell))
            await self.nothing_left(self.repeater)
            self.assertEqual(self.broker.program.output.count(" as ann ("), 2 * times)

    async def test_shutdown(self) -> None:
        """When the repeater is shut down, clients of version 5 are told."""
        port = await self.repeat()
        clients = [self.in_thread(talk, port, connect(b"", version=version)) for version in (4, 5)]
        await self.until(lambda: [link.received(Direction.TO_CLIENT)[0] for link in self.repeater.links()] == [1, 1])
        await self.repeater.shutdown()
        said = await gatherResults(clients)
        self.assertEqual(said[0], ACCEPTED)
        self.assertRegex(said[1], rb"(?s)^\x20.*\xe0\x02\x8b\x00$")

    async def test_refused(self) -> None:
        """A client that is not allowed is told so in its version."""
        port = await self.repeat(is_client_allowed=lambda name: name != "eve")
        for version, code in (("mqttv311", "not authori[sz]ed"), ("mqttv5", "[Nn]ot authori[sz]ed")):
            status, printed = await self.publish(port, version, "news", "rain", "-i", "eve")
            self.assertRegex(printed, code)
            self.assertNotEqual(status, 0)
        self.assertEqual([name for name, _ in self.calls.refusals], ["eve", "eve"])

    async def test_properties(self) -> None:
        """The id is found behind the properties of version 5, however long these are."""
        port = await self.repeat(is_client_allowed=lambda name: name == "ann")
        for size in (1, 150):
            user = b"\x26" + text(b"key") + text(b"v" * size)
            length = packet(0, user)[1 : -len(user)]
            said = await self.in_thread(
                talk, port, connect(b"ann", version=5, properties=length + user), b"\xe0\x00", until=b"\x20"
            )
            self.assertEqual(said[3], 0)

    async def test_from_the_command_line(self) -> None:
        """twistd runs it, as its docstring says."""
        port = self.start_twistd(mqtt_dialect, self.broker.port)
        subscriber = await self.subscribe(port, "mqttv5", "-C", "1")
        await self.publish(port, "mqttv5", "secret/plan", "attack", "-q", "1")
        await self.publish(port, "mqttv5", "news", "rain", "-q", "1")
        self.assertNotIn("attack", (await self.in_thread(subscriber.end))[1])


def publish_with_paho(port: int, version: MQTTProtocolVersion, qos: int) -> list[int]:
    """Publish a secret and something else; return the codes of their acknowledgements. This blocks."""
    client = Client(CallbackAPIVersion.VERSION2, "pat", protocol=version)
    connected = threading.Event()
    codes: dict[int, int] = {}
    client.on_connect = lambda *arguments: connected.set()
    client.on_publish = lambda client, userdata, number, code, properties: codes.update({number: code.value})
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert connected.wait(20)
        sent = [client.publish(topic, "text", qos=qos) for topic in ("secret/plan", "news")]
        for message in sent:
            message.wait_for_publish(20)
        return [codes[message.mid] for message in sent]
    finally:
        client.disconnect()
        client.loop_stop()


class HostileTests(MQTTCase):
    """Peers that do what they should not cost only themselves."""

    async def test_garbage(self) -> None:
        """What does not begin with a CONNECT is closed, and never reaches the broker."""
        port = await self.repeat()
        web = b"GET / HTTP/1.1\r\nHost: here.example.org\r\nUser-Agent: a browser, by its own account\r\n\r\n"
        others = (SUBSCRIBE, packet(0x10, text(b"HTTP") + b"\x04\x02\x00\x3c" + text(b"ann")), packet(0x10, b""))
        bad_length = b"\x10\xff\xff\xff\xff\x01" + b"x" * 100
        not_text = connect(b"\xff\xfe")
        tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        for garbage in (web, tls, *others, bad_length, not_text, b"\x10\x04\x00\x04MQ"):
            self.assertEqual(await self.in_thread(talk, port, garbage), b"")
        self.assertEqual({kind for _, kind in self.calls.refusals}, {InvalidHello})
        self.assertIn("GET /", str(self.calls[0]))
        await self.assert_works(port)

    async def test_long_connect(self) -> None:
        """A CONNECT that is longer than a hello may be is refused at its header."""
        port = await self.repeat()
        long = connect(b"ann", version=5, properties=packet(0, b"\x26" + text(b"k") + text(b"v" * 65_000))[1:])
        long = packet(0x10, long[4:] + b"x" * 2000)
        self.assertEqual(await self.in_thread(talk, port, long[:5]), b"")
        await self.assert_works(port)

    async def test_silence(self) -> None:
        """Who says nothing, or half a CONNECT, is closed when its time is over."""
        port = await self.repeat(limits=Limits(hello_timeout=1))
        clients = [self.in_thread(talk, port, *pieces) for pieces in ((), (connect(b"ann")[:8],))]
        self.assertEqual(await gatherResults(clients), [b"", b""])
        self.assertEqual(self.calls.refusals, [(None, HelloTimeout)] * 2)
        await self.assert_works(port)

    async def test_end_in_the_middle(self) -> None:
        """A packet that is not complete when its client leaves is not carried out."""
        port = await self.repeat()
        for says in (connect(b"ann")[:-1], connect(b"ann") + PUBLISH[:-1]):
            await self.in_thread(talk, port, says, ends=True)
        await self.nothing_left(self.repeater)
        self.assertNotIn("PUBLISH", self.broker.program.output)

    async def test_bad_length_on_a_link(self) -> None:
        """A length of five bytes ends the link; nothing behind it is carried out."""
        port = await self.repeat()
        said = await self.in_thread(talk, port, connect(b"ann") + b"\x30\xff\xff\xff\xff\x00" + PUBLISH)
        self.assertIn(said, (b"", ACCEPTED))
        await self.nothing_left(self.repeater)
        self.assertNotIn("PUBLISH", self.broker.program.output)

    async def test_broker_closes(self) -> None:
        """If the broker goes, its clients' links end; newcomers are refused in their version."""
        port = await self.repeat()
        client = self.in_thread(talk, port, connect(b"ann"))
        await self.until(lambda: self.repeater.active_clients() == ["ann"])
        self.broker.program.terminate()
        self.assertIn(await client, (b"", ACCEPTED))
        await self.nothing_left(self.repeater)
        self.assertEqual(await self.in_thread(talk, port, connect(b"ann")), b"\x20\x02\x00\x05")
        self.assertEqual(await self.in_thread(talk, port, connect(b"ann", version=5)), b"\x20\x03\x00\x87\x00")
