r"""MySQL and MariaDB: the server speaks first, and the client says later who it is.

    twistd -n repeater --dialect mysql_dialect:mysql --to-server-filter mysql_dialect:guard \
        --listen tcp:3307:interface=127.0.0.1 --server tcp:127.0.0.1:3306

A packet is a length of three bytes, a number, and a body. The messages of this dialect are whole packets, because
filters need the number. The links are not encrypted: the repeater takes the offer of TLS out of the server's greeting.
"""

import re

from twisted_repeater import (
    PASS_ON,
    Answer,
    Close,
    ConnectingError,
    Dialect,
    Direction,
    InvalidHello,
    Link,
    SameName,
    Send,
    Side,
    Verdict,
)
from twisted_repeater.dialects import Attempt
from twisted_repeater.framings import LengthFraming

LARGEST = 0xFFFFFF
"""The longest body of a packet. What is longer goes on in the next packet."""


def mysql() -> Dialect:
    """Return the dialect."""
    return Dialect(
        name="mysql",
        framing=lambda limits: LengthFraming(limits.max_frame, size=3, order="little", adds=1, whole=True),
        opening=greet,
        refusal=lambda error, attempt: error_packet(0, error),
        same_name=SameName.SHARE,  # a user may have any number of connections
        max_frame=4 + LARGEST,
    )


async def greet(attempt: Attempt) -> None:
    """Let the server speak first. Until the client logs in, the link is named after its address."""
    await attempt.admit()
    await attempt.dial()
    greeting = without_offers((await attempt.server.read()).data)
    await attempt.connect()  # a client that is refused up to here has not seen the greeting
    attempt.client.send(greeting)


def without_offers(greeting: bytes, keep_tls: bool = False) -> bytes:
    """Return the server's greeting without its offers of compression and TLS, which would hide the packets from us."""
    if greeting[4:5] == b"\xff":
        return greeting  # it is an error, such as "Too many connections"
    flags = greeting.find(b"\0", 5) + 14  # after the version, the number of the connection, and a challenge
    if greeting[4:5] != b"\x0a" or len(greeting) < flags + 7:
        raise InvalidHello("expected the greeting of MySQL 4.1 or newer", Side.SERVER)
    changed = bytearray(greeting)
    changed[flags] &= ~0x20  # compression
    changed[flags + 6] &= ~0x04  # compression by zstd
    if not keep_tls:
        changed[flags + 1] &= ~0x08  # TLS
    return bytes(changed)


CHANGE_USER, QUERY, PREPARE = b"\x11", b"\x03", b"\x16"
DROP_TABLE = re.compile(rb"\bdrop\s+table\b", re.IGNORECASE)
REFUSAL = b"SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = 1142, MESSAGE_TEXT = 'DROP TABLE is not allowed here'"


def guard(packet: bytes, link: Link) -> Answer:
    """Learn the client's name, and let the server refuse DROP TABLE."""
    if link.received(Direction.TO_SERVER)[0] == 1:
        return log_in(packet, link)
    number, command, argument = packet[3], packet[4:5], packet[5:]
    if number == 0 and command == CHANGE_USER:
        return name_link(link, argument, number + 1, PASS_ON)
    if number == 0 and command in (QUERY, PREPARE) and DROP_TABLE.search(argument):
        if len(packet) == 4 + LARGEST:
            return Close(ValueError("a DROP TABLE in a statement that goes on in the next packet"))
        return Send(packet_of(0, command + REFUSAL))
    return PASS_ON


def log_in(packet: bytes, link: Link) -> Answer:
    """Read the packet in which the client says who it is."""
    flags = int.from_bytes(packet[4:8], "little")
    if not flags & 0x200:
        return Close(InvalidHello("expected the login of MySQL 4.1 or newer"))
    flags &= ~0x80  # the server must not ask the client for files: their packets could look like statements
    return name_link(link, packet[36:], packet[3] + 1, Send(packet[:4] + flags.to_bytes(4, "little") + packet[8:]))


async def name_link(link: Link, user: bytes, number: int, verdict: Verdict) -> Verdict:
    """Name the link after the user, up to the first zero byte. A user who is not allowed gets a packet that says so."""
    try:
        await link.identify(user.partition(b"\0")[0].decode(errors="surrogateescape"))
    except ConnectingError as error:
        return Close(error, back=[error_packet(number, error)])
    return verdict


def error_packet(number: int, error: Exception) -> bytes:
    """Return a packet with an error, which the client shows its user."""
    return packet_of(number, b"\xff" + (1045).to_bytes(2, "little") + b"#28000" + str(error).encode(errors="replace"))


def packet_of(number: int, body: bytes) -> bytes:
    """Return a packet."""
    return len(body).to_bytes(3, "little") + bytes([number]) + body
