"""A broker, the packets that tests say by hand, and clients, for the tests of the dialect ``mqtt``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from twisted_repeater import Limits, Repeater
from twisted_repeater.dialects.mqtt import mqtt

from ..dialects.mqtt.packets import packet, text
from ..needed import needed
from ..programs import Program
from .servers import RealCase, RealServer, talk

__all__ = [
    "ACCEPTED",
    "DISCONNECT",
    "LIMIT",
    "PAHO",
    "VERSIONS",
    "MqttCase",
    "Paho",
    "connect",
    "packet",
    "paho",
    "publish",
    "subscribe",
    "text",
]

VERSIONS = {"mqttv31": 3, "mqttv311": 4, "mqttv5": 5}
"""The versions, as the clients of mosquitto name them and as the protocol does."""
PAHO = {4: MQTTProtocolVersion.MQTTv311, 5: MQTTProtocolVersion.MQTTv5}
"""The versions, as the protocol and as paho names them."""
DISCONNECT = b"\xe0\x00"
ACCEPTED = b"\x20\x02\x00\x00"
LIMIT = 4 * 1024 * 1024
WAIT = 20
"""The most seconds that a client waits for anything."""


def connect(client_id: bytes, *, version: int = 4, clean: bool = True, properties: bytes = b"\x00") -> bytes:
    """Return a CONNECT."""
    rest = properties if version == 5 else b""
    protocol = b"MQIsdp" if version == 3 else b"MQTT"
    return packet(0x10, text(protocol) + bytes([version, clean << 1]) + b"\x00\x3c" + rest + text(client_id))


def publish(topic: bytes, payload: bytes, *, version: int = 4, qos: int = 0, number: int = 1) -> bytes:
    """Return a PUBLISH without properties."""
    identifier = number.to_bytes(2) if qos else b""
    return packet(0x30 | qos << 1, text(topic) + identifier + (b"\x00" if version == 5 else b"") + payload)


def subscribe(topic: bytes, *, version: int = 4, qos: int = 0, number: int = 1) -> bytes:
    """Return a SUBSCRIBE to one topic."""
    return packet(0x82, number.to_bytes(2) + (b"\x00" if version == 5 else b"") + text(topic) + bytes([qos]))


class Paho:
    """A client of paho that has connected. Its methods block: call them in a thread.

    `paho` makes it.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.messages: list[MQTTMessage] = []
        self.published: dict[int, int] = {}
        """The reason of the acknowledgement of each message, by its number."""
        self.subscribed: dict[int, list[int]] = {}
        """The reasons of each subscription, by the number of the request."""
        self.disconnected: list[Any] = []
        """The reasons with which it was disconnected."""
        self.answers: list[tuple[Any, Any]] = []
        """The reason of each CONNACK, and its properties."""
        self._changed = threading.Condition()
        client.on_connect = lambda client, userdata, flags, code, properties: self._note(
            self.answers.append, (code, properties)
        )
        client.on_message = lambda client, userdata, message: self._note(self.messages.append, message)
        client.on_publish = lambda client, userdata, number, code, properties: self._note(
            self.published.update, {number: code.value}
        )
        client.on_subscribe = lambda client, userdata, number, codes, properties: self._note(
            self.subscribed.update, {number: [code.value for code in codes]}
        )
        client.on_disconnect = lambda client, userdata, flags, code, properties: self._note(
            self.disconnected.append, code
        )

    def _note(self, note: Callable[[Any], object], what: object) -> None:
        with self._changed:
            note(what)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object], what: str = "it") -> None:
        """Wait until a condition holds about what was noted."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT), f"{what} has not come"

    def subscribe(self, topic: str, qos: int = 0) -> list[int]:
        """Subscribe to a topic; return the reasons of the answer."""
        number = self.client.subscribe(topic, qos)[1]
        assert number is not None
        self.wait_for(lambda: number in self.subscribed, f"the answer to the subscription to {topic}")
        return self.subscribed[number]

    def publish(self, topic: str, payload: bytes | str, qos: int = 0, *, retain: bool = False) -> int:
        """Publish a message; return the reason of its acknowledgement, 0 with QoS 0."""
        info = self.client.publish(topic, payload, qos, retain)
        info.wait_for_publish(WAIT)
        self.wait_for(lambda: info.mid in self.published, f"the acknowledgement of a message to {topic}")
        return self.published[info.mid]

    def receive(self, count: int) -> list[tuple[str, bytes]]:
        """Return topics and payloads of the messages that it got, when there are this many."""
        self.wait_for(lambda: len(self.messages) >= count, f"message {count}")
        return [(message.topic, bytes(message.payload)) for message in self.messages]


@contextmanager
def paho(port: int, version: int, client_id: str = "", **settings: Any) -> Iterator[Paho]:
    """Connect a client of paho, and disconnect it at the end. This blocks: call it in a thread.

    Args:
        port: where to connect to, on 127.0.0.1.
        version: 4 or 5.
        client_id: its id.
        settings: ``clean_session`` for version 4; ``clean_start`` and ``properties`` for version 5.
    """
    clean = {"clean_session": settings.pop("clean_session", True)} if version == 4 else {}
    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=PAHO[version], **clean)
    peer = Paho(client)
    client.connect("127.0.0.1", port, **settings)
    client.loop_start()
    try:
        peer.wait_for(lambda: peer.answers, "the answer to CONNECT")
        assert peer.answers[0][0] == 0, f"not connected: {peer.answers[0]}"
        yield peer
    finally:
        client.disconnect()
        client.loop_stop()
        # They refer to the client, which closes its sockets when nobody does.
        client.on_message = client.on_publish = client.on_subscribe = client.on_disconnect = client.on_connect = None


class MqttCase(RealCase):
    """A test case with a broker, and a repeater before it."""

    repeater: Repeater
    broker: RealServer
    subscribed = 0

    def setUp(self) -> None:
        """Start the broker."""
        super().setUp()
        self.pub = needed("mosquitto_pub", "mosquitto-clients")
        self.sub = needed("mosquitto_sub", "mosquitto-clients")
        self.broker = self.start_broker()

    def start_broker(self, more: str = "", name: str = "mosquitto") -> RealServer:
        """Start a broker.

        Args:
            more: lines of its settings.
            name: the name of the file with its settings.
        """
        program = needed("mosquitto", "mosquitto")
        settings = self.directory / f"{name}.conf"

        def command(port: int) -> list[str]:
            settings.write_text(
                f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n{more}\n"
            )
            return [program, "-v", "-c", str(settings)]

        return self.start_server(command)

    async def repeat(self, **settings: Any) -> int:
        """Start a repeater before the broker; return its port.

        Args:
            settings: arguments of `Repeater.create` and `Repeater.start`; ``dialect`` for another one.
        """
        settings.setdefault("limits", Limits(max_frame=LIMIT))
        dialect = settings.pop("dialect", None) or mqtt()
        self.repeater = await self.start_repeater(dialect, self.broker.port, **settings)
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
