"""Sessions of MQTT to record."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from twisted_repeater import Direction

from ..dialects.mqtt.packets import packet, text
from ..needed import needed
from ..real.servers import RealServer
from .recording import Message
from .sessions import Session, adding_to, say

__all__ = ["SESSIONS", "packet", "start", "text"]

SESSIONS: dict[str, Session] = {}
session = adding_to(SESSIONS)

V3, V4, V5 = MQTTProtocolVersion.MQTTv31, MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5


def start() -> RealServer:
    """Start a broker."""
    program = needed("mosquitto", "mosquitto")
    settings = Path(tempfile.mkdtemp(prefix="record-"), "mosquitto.conf")

    def command(port: int) -> list[str]:
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n")
        return [program, "-c", str(settings)]

    return RealServer(command)


class Paho:
    """A client of paho that waits for what it has asked for."""

    def __init__(self, port: int, version: MQTTProtocolVersion, name: str, **options: Any) -> None:
        if version is not V5:
            options.setdefault("clean_session", True)
        connection = options.pop("connection", {})
        will = options.pop("will", None)
        user = options.pop("user", None)
        self.client = Client(CallbackAPIVersion.VERSION2, name, protocol=version, **options)
        if will is not None:
            self.client.will_set(**will)
        if user is not None:
            self.client.username_pw_set(*user)
        self._changed = threading.Semaphore(0)
        self.came: list[bytes] = []
        for name in ("on_connect", "on_subscribe", "on_unsubscribe", "on_message", "on_publish"):
            setattr(self.client, name, self._release)
        self.client.connect("127.0.0.1", port, **connection)
        self.client.loop_start()
        self.wait()

    def _release(self, *arguments: Any) -> None:
        self._changed.release()

    def wait(self, events: int = 1) -> None:
        """Wait for so many events."""
        for _ in range(events):
            assert self._changed.acquire(timeout=10)

    def subscribe(self, *arguments: Any, **options: Any) -> None:
        """Subscribe, and wait for the answer."""
        self.client.subscribe(*arguments, **options)
        self.wait()

    def publish(self, *arguments: Any, **options: Any) -> None:
        """Publish, and wait until that is acknowledged."""
        self.client.publish(*arguments, **options)
        self.wait()

    def unsubscribe(self, topics: list[str]) -> None:
        """Unsubscribe, and wait for the answer."""
        self.client.unsubscribe(topics)
        self.wait()

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()


def every_quality(port: int, version: MQTTProtocolVersion) -> None:
    """Publish to oneself with each quality of service, with long and short texts."""
    ann = Paho(port, version, "ann", will={"topic": "wills/ann", "payload": "gone", "qos": 1, "retain": True})
    ann.subscribe([("news/#", 2), ("w/+/x", 1), ("zero", 0)])
    for qos in (0, 1, 2):
        ann.publish("news/today", b"rain \x00\xff" + b"." * 30, qos=qos)
        ann.wait()
    ann.publish("w/1/x", "", qos=2)
    ann.wait()
    ann.publish("news/retained", "kept", qos=1, retain=True)
    ann.wait()
    ann.subscribe("news/retained", 1)
    ann.wait()
    ann.publish("news/retained", "", qos=1, retain=True)
    ann.wait(2 if version is V5 else 1)
    for size in (113, 114, 115, 116, 16_400):  # around the sizes that need one byte more
        ann.publish("news/long", "x" * size, qos=0)
        ann.wait()
    ann.unsubscribe(["zero", "never/was"])
    ann.close()


@session
def qualities_3(port: int) -> None:
    """paho in 3.1: all qualities of service, a will, retained messages, sizes around the limits of the length."""
    every_quality(port, V3)


@session
def qualities_4(port: int) -> None:
    """paho in 3.1.1: as in qualities_3."""
    every_quality(port, V4)


@session
def qualities_5(port: int) -> None:
    """paho in 5: as in qualities_3."""
    every_quality(port, V5)


def properties(kind: int, **values: Any) -> Properties:
    """Return properties for packets of a kind."""
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


@session
def properties_5(port: int) -> None:
    """paho in 5: properties of all packets, aliases of topics, identifiers of subscriptions, a will, an expiry."""
    connection = properties(
        PacketTypes.CONNECT,
        SessionExpiryInterval=30,
        ReceiveMaximum=5,
        MaximumPacketSize=10_000,
        TopicAliasMaximum=4,
        RequestResponseInformation=1,
        RequestProblemInformation=1,
        UserProperty=[("a", "1"), ("a", "2")],
    )
    will = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=1, ContentType="text", CorrelationData=b"\x00\x01")
    ann = Paho(
        port,
        V5,
        "ann",
        connection={"properties": connection, "clean_start": True},
        will={"topic": "wills", "payload": "gone", "qos": 2, "properties": will},
        user=("ann", "secret"),
    )
    options = SubscribeOptions(qos=2, noLocal=False, retainAsPublished=True, retainHandling=1)
    about = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=200, UserProperty=("s", "t"))
    ann.subscribe([("news", options), ("$share/group/jobs", SubscribeOptions(qos=1))], properties=about)
    aliased = properties(PacketTypes.PUBLISH, TopicAlias=3, MessageExpiryInterval=60, PayloadFormatIndicator=1)
    again = properties(PacketTypes.PUBLISH, TopicAlias=3, ResponseTopic="answers", CorrelationData=b"\xff\x00")
    again.UserProperty = [("k", "v"), ("k", "w")]
    ann.publish("news", "first", qos=1, properties=aliased)
    ann.wait()
    ann.publish("", "second", qos=0, properties=again)
    ann.wait()
    ann.publish("jobs", "work", qos=2, properties=properties(PacketTypes.PUBLISH, ContentType="job"))
    ann.wait()
    ann.unsubscribe(["news", "$share/group/jobs", "nothing"])
    ann.client.disconnect(properties=properties(PacketTypes.DISCONNECT, SessionExpiryInterval=0))
    ann.client.loop_stop()


@session
def programs_4(port: int) -> None:
    """mosquitto_sub and mosquitto_pub in 3.1.1; the first waits for what the second publishes."""
    programs(port, "mqttv311")


@session
def programs_5(port: int) -> None:
    """mosquitto_sub and mosquitto_pub in 5, with properties."""
    more = ("-D", "publish", "user-property", "k", "v", "-D", "connect", "session-expiry-interval", "9")
    programs(port, "mqttv5", *more)


def programs(port: int, version: str, *more: str) -> None:
    where = ("-V", version, "-p", str(port))
    pub, sub = needed("mosquitto_pub", "mosquitto-clients"), needed("mosquitto_sub", "mosquitto-clients")
    subscriber = subprocess.Popen(
        ["stdbuf", "-oL", sub, *where, "-i", "sam", "-t", "#", "-q", "2", "-C", "3", "-F", "%p", "-d"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert subscriber.stdout is not None
    while "Subscribed" not in subscriber.stdout.readline():
        pass
    for qos in "012":
        publish = ("-i", f"pam{qos}", "-t", "news/pub", "-m", f"quality {qos}", "-q", qos, "-u", "pam", "-P", "secret")
        subprocess.run([pub, *where, *publish, *(more if qos == "2" else ())], check=True)
    assert subscriber.wait(10) == 0
    subscriber.stdout.close()


CONNECT_4 = packet(0x10, text(b"MQTT") + b"\x04\x02\x00\x3c" + text(b"raw"))
CONNECT_5 = packet(0x10, text(b"MQTT") + b"\x05\x02\x00\x3c\x00" + text(b"raw"))


@session
def refusals(port: int) -> None:
    """What the broker refuses: an unknown version, an empty name that is to be kept, a wrong packet, a wrong topic."""
    say(port, (packet(0x10, text(b"MQTT") + b"\x09\x02\x00\x3c" + text(b"raw")), b"\x20\x02\x00\x01"))
    say(port, (packet(0x10, text(b"MQTT") + b"\x04\x00\x00\x3c" + text(b"")), b"\x20\x02\x00\x02"))
    say(port, (CONNECT_4, b"\x20\x02\x00\x00"), (CONNECT_4, b""))
    say(port, (CONNECT_5, b"\x20"), (packet(0x82, b"\x00\x01\x00" + text(b"a/#/b") + b"\x00"), b"\xe0"))
    say(port, (CONNECT_5, b"\x20"), (packet(0x30, text(b"") + b"\x00text"), b"\xe0"))


@session
def by_hand_4(port: int) -> None:
    """Bytes of 3.1.1 that no library sends: all packets in one write, an empty name, a duplicate, an orphan PUBREL."""
    say(port, (packet(0x10, text(b"MQTT") + b"\x04\x02\x00\x3c" + text(b"")), b"\x20\x02\x00\x00"), (b"\xe0\x00", b""))
    publish = text(b"q") + b"\x00\x07twice"
    all_at_once = CONNECT_4 + packet(0x82, b"\x00\x01" + text(b"q") + b"\x01" + text(b"r") + b"\x02") + b"\xc0\x00"
    say(
        port,
        (all_at_once, b"\xd0\x00"),
        (packet(0x34, publish), b"\x50\x02\x00\x07"),
        (packet(0x3C, publish), b"\x50\x02\x00\x07"),
        (b"\x62\x02\x00\x07", b"\x70\x02\x00\x07"),
        (b"\x62\x02\x00\x63", b"\x70\x02\x00\x63"),
        (packet(0xA2, b"\x00\x02" + text(b"q") + text(b"nothing")), b"\xb0\x02\x00\x02"),
        (b"\xe0\x00", b""),
    )


@session
def by_hand_5(port: int) -> None:
    """Bytes of 5 that no library sends: an empty name that the broker replaces, reasons, short and long forms."""
    say(
        port,
        (packet(0x10, text(b"MQTT") + b"\x05\x02\x00\x3c\x05\x11\x00\x00\x00\x09" + text(b"")), b"\x12\x00"),
        (packet(0x82, b"\x00\x01\x02\x0b\x05" + text(b"q") + b"\x2e"), b"\x90"),
        (packet(0x34, text(b"q") + b"\x00\x07\x00five"), b"\x50"),
        (packet(0x62, b"\x00\x07\x00\x00"), b"\x70"),
        (packet(0x50, b"\x00\x01\x10\x00"), b"\x62"),
        (packet(0x70, b"\x00\x01") + b"\xc0\x00", b"\xd0\x00"),
        (packet(0xE0, b"\x04\x05\x11\x00\x00\x00\x00"), b""),
    )


@session
def take_over(port: int) -> None:
    """Two clients of one name in 5, and in 3.1.1: the second takes over."""
    for version in (V5, V4):
        first = Paho(port, version, "same")
        first.client.reconnect_delay_set(60, 60)
        second = Paho(port, version, "same")
        first.client.loop_stop()
        second.close()


@session
def authentication(port: int) -> list[Message]:
    """Written by hand, as the broker has no method for it: AUTH before CONNACK and again later."""
    up, down = Direction.TO_SERVER, Direction.TO_CLIENT
    method, proof = b"\x15" + text(b"SCRAM-SHA-1"), b"\x16" + text(b"proof\x00")
    both = bytes([len(method + proof)]) + method + proof
    return [
        (up, packet(0x10, text(b"MQTT") + b"\x05\x02\x00\x3c" + both + text(b"ann"))),
        (down, packet(0xF0, b"\x18" + both)),
        (up, packet(0xF0, b"\x18" + both)),
        (down, packet(0x20, b"\x00\x00" + both)),
        (up, packet(0xF0, b"\x19" + both)),
        (down, packet(0xF0, b"\x18" + both)),
        (up, packet(0xF0, b"\x18" + both)),
        (down, packet(0xF0, b"\x00" + both)),
        (down, b"\xf0\x00"),
        (down, packet(0xE0, b"\x8b")),
    ]
