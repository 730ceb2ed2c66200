"""Cuts what one side of a recorded session has sent into messages, by the rules of its protocol.

These are written apart from the framings of the dialects, for sessions that are known to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["CUTTERS", "cut"]

Cutter = Callable[[bytes, int, bool, list[bytes]], int]
"""Returns where the message that begins at an offset ends, 0 if that has not come; gets whether it is on its way to the
server, and the messages before it, the other side's too."""

ENCRYPTION = (80877103, 80877104)


def postgres(data: bytes, at: int, to_server: bool, before: list[bytes]) -> int:
    """Cut PostgreSQL: a length behind a type, in the client's first packets without one."""
    requests = [message for message in before if message[4:8] in [code.to_bytes(4) for code in ENCRYPTION]]
    requests = [message for message in requests if len(message) == 8]
    answers = [message for message in before if message in (b"N", b"S")]
    if not to_server and len(answers) < len(requests):
        return at + 1
    first = to_server and len(requests) + len(answers) == len(before)
    head = 0 if first else 1
    if len(data) < at + head + 4:
        return 0
    return within(data, at + head + int.from_bytes(data[at + head : at + head + 4]))


def mqtt(data: bytes, at: int, to_server: bool, before: list[bytes]) -> int:
    """Cut MQTT: a length of seven bits in each byte."""
    size = place = 0
    for stop in range(at + 1, len(data)):
        size |= (data[stop] & 0x7F) << place
        place += 7
        if data[stop] < 0x80:
            return within(data, stop + 1 + size)
    return 0


def redis(data: bytes, at: int, to_server: bool, before: list[bytes]) -> int:
    """Cut RESP: a value with all that is in it."""
    owed = 1
    while owed:
        end = data.find(b"\n", at) + 1
        if not end:
            return 0
        kind, number = data[at : at + 1], data[at + 1 : end].strip()
        at = end
        owed -= 1
        if kind in (b"$", b"=", b"!") and number != b"-1":
            at += int(number) + 2
        elif kind in (b"*", b"~", b">"):
            owed += max(int(number), 0)
        elif kind in (b"%", b"|"):
            owed += 2 * int(number) + (kind == b"|")
    return within(data, at)


def fix(data: bytes, at: int, to_server: bool, before: list[bytes]) -> int:
    """Cut FIX: BodyLength says how much there is before the checksum."""
    begin, end, rest = data[at:].partition(b"\x01")
    length, also_end, _ = rest.partition(b"\x01")
    if not (end and also_end):
        return 0
    return within(data, at + len(begin) + len(length) + 2 + int(length[2:]) + 7)


def within(data: bytes, end: int) -> int:
    return end if end <= len(data) else 0


CUTTERS: dict[str, Cutter] = {"postgres": postgres, "mqtt": mqtt, "redis": redis, "fix": fix}


def cut(protocol: str, rest: bytearray, to_server: bool, before: list[bytes]) -> Iterator[bytes]:
    """Take complete messages from what one side has sent."""
    while rest and (end := CUTTERS[protocol](bytes(rest), 0, to_server, before)):
        yield bytes(rest[:end])
        del rest[:end]
