"""The load of MQTT: publishers and as many subscribers, each pair with a topic and a few messages under way.

Started as ``python -m tests.bench.programs.mqtt PORT QOS MESSAGES PAIRS SIZE``; prints how fast the messages came. It
checks every byte that it receives. Each message that a subscriber has received is followed by another.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
from collections.abc import Callable
from time import perf_counter

UNDER_WAY = 16
"""How many messages are under way for each pair: fewer than a broker sends without an acknowledgement."""
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90
LONGEST_WAIT = 30.0
"""Seconds without an answer."""


def packet(kind: int, body: bytes) -> bytes:
    """Return a packet; no body here is longer than 127 bytes."""
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def string(text: str) -> bytes:
    """Return a string with its length."""
    return struct.pack(">H", len(text)) + text.encode()


def connect(port: int, client_id: str) -> socket.socket:
    """Connect as a client of MQTT 3.1.1."""
    connection = socket.create_connection(("127.0.0.1", port), LONGEST_WAIT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(packet(CONNECT, string("MQTT") + b"\x04\x02" + struct.pack(">H", 60) + string(client_id)))
    expect(connection, packet(CONNACK, b"\x00\x00"))
    return connection


def expect(connection: socket.socket, wanted: bytes) -> None:
    """Read an answer, where no other follows."""
    received = connection.recv(len(wanted), socket.MSG_WAITALL)
    if received != wanted:
        raise SystemExit(f"the broker answered {received!r}, not {wanted!r}")


class Pair:
    """A publisher and a subscriber of one topic."""

    def __init__(self, port: int, number: int, qos: int, size: int, messages: int) -> None:
        topic = f"bench/{number}"
        self.publisher = connect(port, f"publisher-{number}")
        self.subscriber = connect(port, f"subscriber-{number}")
        self.subscriber.sendall(packet(SUBSCRIBE, b"\x00\x01" + string(topic) + bytes([qos])))
        expect(self.subscriber, packet(SUBACK, b"\x00\x01" + bytes([qos])))
        self.kind = PUBLISH | qos << 1
        self.head, self.payload = string(topic), b"." * size
        self.width = len(packet(self.kind, self.head + bytes(2 * qos) + self.payload))
        self.qos = qos
        self.to_send = self.to_receive = messages
        self.to_acknowledge = messages * qos
        self.sent = 0
        self.unread = {self.publisher: b"", self.subscriber: b""}

    def publish(self, count: int) -> None:
        """Send messages, if so many are still to be sent."""
        count = min(count, self.to_send)
        self.to_send -= count
        numbers = range(self.sent, self.sent + count)
        self.sent += count
        self.publisher.sendall(b"".join(self.message(number) for number in numbers))

    def message(self, number: int) -> bytes:
        """Return a message. Of QoS 1 it has a number from 1 to 65535."""
        between = struct.pack(">H", number % 65535 + 1) if self.qos else b""
        return packet(self.kind, self.head + between + self.payload)

    def received(self) -> None:
        """Check the messages that the subscriber has received, acknowledge them and let as many follow."""
        messages = self.read(self.subscriber, self.width)
        at = 2 + len(self.head)
        answers = []
        for message in messages:
            between = message[at : at + 2 * self.qos]
            if message != packet(self.kind, self.head + between + self.payload):
                raise SystemExit(f"a subscriber received {message!r}")
            if self.qos:
                answers.append(packet(PUBACK, between))
        self.subscriber.sendall(b"".join(answers))
        self.to_receive -= len(messages)
        self.publish(len(messages))

    def acknowledged(self) -> None:
        """Count what the publisher was told."""
        for answer in self.read(self.publisher, 4):
            if answer[:2] != b"\x40\x02":
                raise SystemExit(f"a publisher received {answer!r}")
            self.to_acknowledge -= 1

    def read(self, connection: socket.socket, width: int) -> list[bytes]:
        """Read whole packets, all of one length."""
        received = connection.recv(256 * 1024)
        if not received:
            raise SystemExit("a connection of the load was closed")
        data = self.unread[connection] + received
        whole = len(data) // width * width
        self.unread[connection] = data[whole:]
        return [data[at : at + width] for at in range(0, whole, width)]

    @property
    def waits(self) -> bool:
        """Whether anything is still to come."""
        return bool(self.to_receive or self.to_acknowledge)


def run(pairs: list[Pair]) -> None:
    """Publish until all messages have come."""
    poll = select.epoll()
    actions: dict[int, Callable[[], None]] = {}
    for pair in pairs:
        for connection, action in ((pair.subscriber, pair.received), (pair.publisher, pair.acknowledged)):
            poll.register(connection, select.EPOLLIN)
            actions[connection.fileno()] = action
        pair.publish(UNDER_WAY)
    while any(pair.waits for pair in pairs):
        ready = poll.poll(LONGEST_WAIT)
        if not ready:
            raise SystemExit(f"nothing came for {LONGEST_WAIT:.0f} s")
        for number, _ in ready:
            actions[number]()


def main() -> None:
    """Put the load on, and say how fast it went."""
    port, qos, messages, count, size = map(int, sys.argv[1:6])
    each = -(-messages // count)
    pairs = [Pair(port, number, qos, size, each) for number in range(count)]
    started = perf_counter()
    run(pairs)
    print(f"{each * count} messages, {each * count / (perf_counter() - started):.1f} for each second")


if __name__ == "__main__":
    main()
