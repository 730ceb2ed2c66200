"""Spoils what one side of a recorded session says, as chance decides.

The same seed gives the same session. A mutation gets all that the side says, as a list of messages, and changes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from twisted_repeater import Direction

from .playing import END, Step
from .recording import Recording

__all__ = ["mutated"]

Mutation = Callable[[Random, list[bytes], "Protocol"], None]

INTERESTING: tuple[int, ...] = (
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    2**24,
    2**31 - 1,
    2**31,
)
INTERESTING += (2**32 - 1, 2**32 - 4)
NUMBER = re.compile(rb"-?\d+")
FIX_NUMBER = re.compile(rb"\x01(9|34|7|16|36|45|789|95|108|369|38|44)=(\d+)")
FIX_FIELDS: tuple[tuple[int, tuple[bytes, ...]], ...] = (
    (35, (*b"0 1 2 3 4 5 A D E F G 8 9 j B x".split(), b"", b"\xff", b"ABCDEFGHIJKLMNOPQRST")),
    (34, (b"0", b"1", b"2", b"3", b"5", b"999999", b"-1", b"", b"0002", b"9223372036854775808")),
    (43, (b"Y", b"N", b"")),
    (123, (b"Y", b"N")),
    (141, (b"Y", b"N")),
    (7, (b"1", b"0", b"3", b"999999", b"x")),
    (16, (b"0", b"999999", b"2", b"100")),
    (36, (b"1", b"0", b"3", b"50", b"999999999999999999", b"x")),
    (45, (b"1", b"2", b"99")),
    (789, (b"1", b"3", b"99", b"")),
    (49, (b"BUYER", b"SELLER", b"OTHER", b"")),
    (56, (b"BUYER", b"SELLER", b"OTHER", b"")),
    (95, (b"3", b"999", b"x", b"")),
    (122, (b"20261126-12:00:00", b"")),
    (8, (b"FIX.4.0", b"FIX.4.4", b"FIXT.1.1")),
    (10, (b"000", b"1")),
)
"""Fields of the session, with values that are right somewhere, or nowhere."""
NUMBERS: tuple[bytes, ...] = (
    b"-1",
    b"-2",
    b"0",
    b"00",
    b"1",
    b"+1",
    b"",
    b"?",
    b"1 ",
    b"1024",
    b"536870912",
    b"2147483647",
    b"2147483648",
)
NUMBERS += (b"4294967296", b"9223372036854775807", b"99999999999999999999999", b"1e3", b"nan", b"\xd9\xa3")


class Protocol:
    """What the mutations know about a protocol."""

    def __init__(
        self,
        types: bytes,
        length: Callable[[Random, bytes], bytes],
        openings: tuple[bytes, ...],
        own: tuple[Mutation, ...] = (),
        mended: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.types = types
        """First bytes of messages."""
        self.length = length
        """Writes another length into a message."""
        self.openings = openings
        """What a long or deep message begins with."""
        self.own = own
        """Mutations of this protocol only."""
        self.mended = mended
        """Returns a message with the right checksum: one with a wrong one is not looked at any further."""


def fixed_length(random: Random, message: bytes) -> bytes:
    """Write another length into a message of PostgreSQL."""
    at = 1 if len(message) > 4 and message[:1].isalpha() else 0
    true = int.from_bytes(message[at : at + 4])
    size = random.choice((true + random.randint(-6, 6), random.choice(INTERESTING), random.getrandbits(32)))
    return message[:at] + (size % 2**32).to_bytes(4) + message[at + 4 :]


def varint_length(random: Random, message: bytes) -> bytes:
    """Write another length into a packet of MQTT."""
    end = next((at for at in range(1, len(message)) if message[at] < 0x80), 1)
    true = max(len(message) - end - 1, 0)
    if random.random() < 0.2:
        return message[:1] + random.randbytes(5) + message[end + 1 :]
    size = max(random.choice((true + random.randint(-6, 6), random.choice(INTERESTING) % 2**28)), 0)
    length = b""
    while size > 0x7F or (not length and random.random() < 0.1):  # one that is longer than it must be, too
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return message[:1] + length + bytes([size]) + message[end + 1 :]


def decimal_length(random: Random, message: bytes) -> bytes:
    """Write another number into RESP."""
    found = list(NUMBER.finditer(message))
    if not found:
        return message
    number = random.choice(found)
    near = b"%d" % (int(number[0]) + random.randint(-3, 3)) if len(number[0]) < 19 else b"1"
    return message[: number.start()] + random.choice((near, random.choice(NUMBERS))) + message[number.end() :]


def of_fix(random: Random, message: bytes) -> bytes:
    """Write another BodyLength into a message of FIX, or another number into a field."""
    found = list(FIX_NUMBER.finditer(message))
    if not found:
        return message
    number = random.choice(found[:1] * 3 + found)
    near = b"%d" % max(int(number[2][:18]) + random.randint(-3, 3), 0)
    return message[: number.start(2)] + random.choice((near, near, random.choice(NUMBERS))) + message[number.end(2) :]


def change_field(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Put a field of the session into a message of FIX, or another value into one that it has."""
    at = somewhere(random, messages)
    tag, values = random.choice(FIX_FIELDS)
    field = b"\x01%d=%b\x01" % (tag, random.choice(values))
    had = re.search(rb"\x01%d=[^\x01]*\x01" % tag, messages[at])
    place = had.span() if had else (random.choice([m.start() for m in re.finditer(b"\x01", messages[at])] or [0]),) * 2
    if not had:
        field = field[:-1]
    messages[at] = messages[at][: place[0]] + field + messages[at][place[1] :]


def mended_fix(message: bytes) -> bytes:
    """Return a message of FIX with the right BodyLength and CheckSum."""
    found = re.fullmatch(rb"(?s)(8=FIX[^\x01]*\x019=)[^\x01]*\x01(.*\x01)10=[^\x01]*\x01?", message)
    if found is None:
        return message
    frame = b"%b%d\x01%b" % (found[1], len(found[2]), found[2])
    return b"%b10=%03d\x01" % (frame, sum(frame) % 256)


PROTOCOLS = {
    "postgres": Protocol(
        bytes(range(256)) + b"QPBDECSHFdcfXpRTDCZEKSAGHWVtnINs123vv~" * 8,
        fixed_length,
        (
            b"Q\x7f\xff\xff\xff",
            b"D\0\xff\xff\xff\xff\xff",
            b"T\0\0\0\x0a\xff\xff",
            b"d\xff\xff\xff\xff",
            b"\0\0\0\x08\x04\xd2\x16/",
        ),
    ),
    "mqtt": Protocol(
        bytes(range(256)) + bytes(range(0x10, 0x100, 0x10)) * 4 + b"\x62\x82\xa2\x32\x34\x3c\x3d" * 4,
        varint_length,
        (
            b"\x30\xff\xff\xff\x7f",
            b"\x82\xff\xff\x7f",
            b"\x10\xff\xff\x03",
            b"\x30\x80\x80\x80\x80\x01",
            b"\x30\x80\x80\x00",
        ),
    ),
    "redis": Protocol(
        bytes(range(256)) + b"+-:$*_#,(!=%~>|.;" * 16 + b"\r\n " * 4,
        decimal_length,
        (
            b"*1\r\n" * 50,
            b"*1\r\n" * 3000,
            b"|1\r\n" * 2000,
            b"%1\r\n" * 2000,
            b"*2147483647\r\n",
            b"$2147483647\r\n",
            b"$536870912\r\n",
            b"*1048576\r\n$536870912\r\n",
            b"$?\r\n;1000000000\r\n",
            b"%9223372036854775807\r\n",
            b"*?\r\n" * 2000,
            b"x" * 70_000,
            b'SET a "' + b"\\x00" * 20_000,
            b":" + b"1" * 70_000,
        ),
    ),
    "fix": Protocol(
        bytes(range(256)) + b"8=FIX\x01" * 16,
        of_fix,
        (
            b"8=FIX.4.4\x019=999999999\x01",
            b"8=FIX.4.4\x019=16000000\x0135=D\x01",
            b"8=FIX.4.4\x019=" + b"0" * 70_000,
            b"8=FIX.4.4\x019=" + b"0" * 17 + b"9\x0135=D\x01",
            b"8=FIX" + b"x" * 70_000,
            b"8=FIX.4.4\x019=70020\x0135=D\x01" + b"1=\x01" * 20_000,
            b"8=FIX.4.4\x019=70020\x0135=D\x0195=60000\x0196=",
        ),
        own=(change_field,) * 8,
        mended=mended_fix,
    ),
}


def somewhere(random: Random, messages: list[bytes]) -> int:
    """Return the number of a message, early ones more often than others: openings are judged there."""
    return min(random.randrange(len(messages)), random.randrange(len(messages) * 2))


def flip(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Flip some bits of a message."""
    at = somewhere(random, messages)
    data = bytearray(messages[at])
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    messages[at] = bytes(data)


def set_bytes(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Write other bytes over some of a message."""
    at = somewhere(random, messages)
    data = bytearray(messages[at])
    place = min(random.randrange(len(data) + 1), random.randrange(20))
    size = random.choice((1, 1, 2, 4))
    data[place : place + size] = (random.choice(INTERESTING) % 2 ** (8 * size)).to_bytes(size)
    messages[at] = bytes(data)


def change_size(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Take bytes out of a message, or put some in, so that its length is wrong."""
    at = somewhere(random, messages)
    data = messages[at]
    start = random.randrange(len(data) + 1)
    stop = start + random.choice((0, 0, 1, 2, 5))
    messages[at] = data[:start] + random.randbytes(random.choice((0, 0, 1, 2, 5))) + data[stop:]


def cut_short(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Cut the end of a message off."""
    at = somewhere(random, messages)
    messages[at] = messages[at][: random.randrange(len(messages[at]) + 1)]


def duplicate(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Say a message again, at once or later."""
    at = somewhere(random, messages)
    messages.insert(random.choice((at, random.randrange(len(messages) + 1))), messages[at])


def swap(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Swap two messages."""
    one, other = somewhere(random, messages), somewhere(random, messages)
    messages[one], messages[other] = messages[other], messages[one]


def leave_out(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Leave a message out."""
    messages[somewhere(random, messages)] = b""


def change_length(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Raise or lower a length."""
    at = somewhere(random, messages)
    messages[at] = protocol.length(random, messages[at])


def change_type(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Make a message one of another type."""
    at = somewhere(random, messages)
    messages[at] = bytes([random.choice(protocol.types)]) + messages[at][1:]


def add_garbage(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Put bytes without a meaning between messages."""
    garbage = random.randbytes(random.choice((1, 4, 30, 3000)))
    if random.random() < 0.3:
        garbage = bytes([random.choice(protocol.types)]) * len(garbage)
    messages.insert(somewhere(random, messages), garbage)


def add_long(random: Random, messages: list[bytes], protocol: Protocol) -> None:
    """Begin a message that is long or deep by its own account."""
    at = somewhere(random, messages)
    messages.insert(at, random.choice(protocol.openings) + messages[at][: random.randrange(40)])


MUTATIONS: tuple[Mutation, ...] = (
    flip,
    set_bytes,
    set_bytes,
    change_size,
    cut_short,
    duplicate,
    swap,
    leave_out,
    change_length,
    change_length,
    change_type,
    add_garbage,
    add_long,
)


def mutated(random: Random, name: str, recordings: list[Recording], direction: Direction) -> tuple[list[Step], str]:
    """Return a session with one to three mutations in a direction, and what was done to which recording."""
    recording = random.choice([one for one in recordings if one.sent(direction)])
    said = [data for way, data in recording.messages if way is direction]
    count = len(said)
    protocol = PROTOCOLS[name]
    chosen = random.choices(MUTATIONS + protocol.own, k=random.choice((1, 1, 1, 2, 3)))
    if random.random() < 0.1:  # a message of another session
        other = random.choice([one for one in recordings if one.sent(direction)])
        said[somewhere(random, said)] = random.choice([data for way, data in other.messages if way is direction])
    for mutation in chosen:
        mutation(random, said, protocol)
    if protocol.mended is not None and random.random() < 0.8:
        said = [protocol.mended(data) for data in said]
    while len(said) > count:  # each message keeps its turn; what was added is said together with the next
        at = random.randrange(len(said) - 1)
        said[at : at + 2] = [said[at] + said[at + 1]]
    turns = iter(said)
    steps: list[Step] = [(way, next(turns, b"") if way is direction else data) for way, data in recording.messages]
    if random.random() < 0.2:  # the stream ends somewhere
        places = [number for number, (way, _) in enumerate(steps) if way is direction]
        at = random.choice(places)
        steps = [*steps[: at + 1], (direction, END), *(step for step in steps[at + 1 :] if step[0] is not direction)]
    return steps, f"{recording.name}: {', '.join(mutation.__name__ for mutation in chosen)}"
