"""MQTT 3.1, 3.1.1 and 5, with a filter that keeps some topics from the broker.

Put it before a broker on its usual port, and publish something secret::

    twistd -n repeater --dialect mqtt_dialect:mqtt --to-server-filter mqtt_dialect:no_secrets \\
        --listen tcp:1884:interface=127.0.0.1 --server tcp:127.0.0.1:1883
    mosquitto_pub -p 1884 -q 1 -t secret/plan -m attack

Each packet is one message of bytes. A client is named after its client id, and replaces an older client of that id.
"""

from twisted_repeater import (
    DROP,
    PASS_ON,
    Close,
    ConnectingError,
    Dialect,
    Link,
    ParseError,
    Replaced,
    SameName,
    SendBack,
    Verdict,
)
from twisted_repeater.dialects import Attempt
from twisted_repeater.framings import VarintFraming

CONNECT, PUBLISH = 0x10, 0x30


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number that has seven bits in each of its bytes, and where it ends."""
    end = next(index for index in range(at, at + 4) if data[index] < 0x80) + 1
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data[at:end])), end


def string(data: bytes, at: int) -> tuple[bytes, int]:
    """Return a string, and where it ends."""
    end = at + 2 + int.from_bytes(data[at : at + 2])
    return data[at + 2 : end], end


async def opening(attempt: Attempt) -> None:
    """Look for the client's id in its first packet, and leave that in the stream, for the filters and the broker."""
    packet = (await attempt.client.peek()).payload
    try:
        protocol, at = string(packet, varint(packet, 1)[1])
        version = packet[at] & 0x7F  # a bridge sets the highest bit
        size, properties = varint(packet, at + 4) if version == 5 else (0, at + 4)
        client_id = string(packet, properties + size)[0].decode()
    except (IndexError, StopIteration, UnicodeDecodeError):
        protocol = b""
    if packet[0] != CONNECT or protocol not in (b"MQTT", b"MQIsdp"):
        raise ParseError("expected a CONNECT")
    await attempt.admit(client_id or None, version=version)


def refusal(error: ConnectingError, attempt: Attempt) -> bytes | None:
    """Return a CONNACK of the client's version: not authorized."""
    version = attempt.details.get("version")
    return None if version is None else b"\x20\x03\x00\x87\x00" if version == 5 else b"\x20\x02\x00\x05"


def farewell(reason: BaseException | None, link: Link) -> bytes | None:
    """Return a DISCONNECT: another client took the session over, or the server shuts down. Only version 5 has it."""
    code = b"\x8e" if isinstance(reason, Replaced) else b"\x8b"
    return b"\xe0\x02" + code + b"\x00" if link.details["version"] == 5 else None


mqtt = Dialect(
    name="mqtt",
    framing=lambda limits: VarintFraming(limits.max_frame, at=1, whole=True),
    opening=opening,
    refusal=refusal,
    farewell=farewell,
    same_name=SameName.REPLACE,
)


def no_secrets(packet: bytes, link: Link) -> Verdict:
    """Drop messages whose topic is below ``secret/``, and acknowledge them in the broker's place: the client waits.

    It does not know the aliases that topics can have in version 5.
    """
    topic, at = string(packet, varint(packet, 1)[1])
    if packet[0] & 0xF0 != PUBLISH or not topic.startswith(b"secret/"):
        return PASS_ON
    qos, number = packet[0] >> 1 & 3, packet[at : at + 2]
    if qos == 0:
        return DROP
    if link.details["version"] == 5:
        return SendBack([bytes([0x30 + 0x10 * qos, 3, *number, 0x87])])
    # Earlier versions have no refusal. What is sent with QoS 2 would have to be followed through four packets.
    return SendBack([b"\x40\x02" + number]) if qos == 1 else Close(PermissionError("a secret was published"))
