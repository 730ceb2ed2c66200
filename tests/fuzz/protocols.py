"""The dialects that are fuzzed: what their honest links say, and with which filters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted_repeater import (
    DROP,
    PASS_ON,
    Dialect,
    Direction,
    Link,
    PassOnAndSendBack,
    Send,
    SendBack,
    Side,
    Verdict,
)
from twisted_repeater.dialects import fix, mqtt, postgres, redis
from twisted_repeater.dialects.fix import Message, Orders, refuse
from twisted_repeater.dialects.fix.messages import SessionMessage
from twisted_repeater.dialects.mqtt import Publish, Topics, answered
from twisted_repeater.dialects.postgres import MaskColumns, ReadOnly, Statements
from twisted_repeater.dialects.redis import Command, Commands, Reply, in_turn

from .playing import FuzzedRepeater, Step
from .recording import Recording, recordings

__all__ = ["PROTOCOLS", "Case"]

UP, DOWN = Direction.TO_SERVER, Direction.TO_CLIENT

Options = Callable[[], dict[str, Any]]
"""Makes arguments of `Repeater.start`."""


@dataclass(frozen=True)
class Case:
    """A dialect to fuzz."""

    name: str
    dialect: Callable[[], Dialect]
    greeting: list[Step]
    ping: list[Step]
    passing: dict[str, Options]
    """Filters that pass everything."""
    ruling: dict[str, Options] = field(default_factory=dict)
    """Filters with rules."""
    answer: Callable[[], Callable[[bytearray], bytes]] | None = None
    """See `FuzzedRepeater`."""
    own: Callable[[Recording], frozenset[int]] = lambda recording: frozenset()
    """Returns the numbers of the messages that pass only between the client and the repeater."""

    wrong: frozenset[str] = frozenset()
    """The recordings that come out otherwise: their clients do what the repeater does not allow, or does itself."""
    excused: str = ""
    """See `FuzzedRepeater`."""
    relayed: Callable[[Side, bytes], bytes] = lambda side, received: received
    """Returns the part of what the peer on a side got that the opening of the dialect has not made."""

    def repeater(self, **options: Any) -> FuzzedRepeater:
        """Start a repeater."""
        made = FuzzedRepeater(self.dialect(), self.greeting, self.ping, self.answer, self.relayed, **options)
        made.excused = self.excused
        return made

    @property
    def recordings(self) -> list[Recording]:
        """All recordings of the protocol."""
        return recordings(self.name)


def look(message: object, link: Link) -> Verdict:
    """Look at all of a message, and pass it on."""
    repr(message)
    getattr(message, "value", None)  # a reply of Redis is decoded only when somebody looks at it
    return PASS_ON


def written_again(message: object, link: Link) -> Verdict:
    """Send a message that is equal, in bytes of the repeater's own."""
    return Send(message)


def both(one: Callable[[Any, Link], Verdict]) -> dict[str, Any]:
    """Return a filter for both directions."""
    return {"to_server_filter": one, "to_client_filter": one}


def no_news(message: object, link: Link) -> Verdict:
    """Drop some messages."""
    return DROP if isinstance(message, Publish) and message.topic.startswith("news") else PASS_ON


MQTT = Case(
    "mqtt",
    mqtt,
    [(UP, b"\x10\x15\x00\x04MQTT\x04\x02\x00\x3c\x00\x09bystander"), (DOWN, b"\x20\x02\x00\x00")],
    [(UP, b"\xc0\x00"), (DOWN, b"\xd0\x00"), (UP, b"0\x07\x00\x01ttext"), (DOWN, b"0\x07\x00\x01ttext")],
    {"no filter": dict, "typed filters": lambda: both(look)},
    {
        "written again": lambda: both(written_again),
        "Topics": lambda: {"filters": Topics(deny_publish=("news/#", "q"), deny_subscribe=("w/#", "r"))},
        "answered": lambda: {"filters": answered(no_news)},
    },
    excused="CONNACK",  # in the version of the recording
    wrong=frozenset({"mqtt/refusals-1", "mqtt/refusals-4", "mqtt/refusals-5"}),
)


def between_client_and_repeater(recording: Recording) -> frozenset[int]:
    """Return the numbers of the requests for encryption, and of their answers."""
    messages = [data for _, data in recording.messages]
    asked = [
        number
        for number, data in enumerate(messages)
        if data in (b"\0\0\0\x08\x04\xd2\x16/", b"\0\0\0\x08\x04\xd2\x160")
    ]
    return frozenset(asked) | frozenset(number + 1 for number in asked)


def behind_the_opening(side: Side, received: bytes) -> bytes:
    """Return what came behind the startup packet, or behind the end of the login."""
    if side is Side.SERVER:
        return received[int.from_bytes(received[:4]) :]
    admitted = b"R\0\0\0\x08\0\0\0\0"
    return received.partition(admitted)[2]


POSTGRES = Case(
    "postgres",
    lambda: postgres(),
    [
        (UP, b"\0\0\0\x18\0\x03\0\0user\0bystander\0\0"),
        (DOWN, b"R\0\0\0\x08\0\0\0\0"),
        (DOWN, b"S\0\0\0\x25default_transaction_read_only\0on\0"),
        (DOWN, b"Z\0\0\0\x05I"),
    ],
    [
        (UP, b"Q\0\0\0\x0dSELECT 1\0"),
        (DOWN, b"C\0\0\0\x0dSELECT 1\0"),
        (DOWN, b"Z\0\0\0\x05I"),
    ],
    {"no filter": dict, "typed filters": lambda: both(look)},
    {
        "written again": lambda: both(written_again),
        "Statements": lambda: {"filters": Statements(refuse=["INSERT", "COPY"])},
        "ReadOnly": lambda: {"filters": ReadOnly()},
        "MaskColumns": lambda: {"filters": MaskColumns(columns=["one", "more", "a"])},
    },
    own=between_client_and_repeater,
    wrong=frozenset({"postgres/by_hand_startups-1", "postgres/by_hand_startups-2"}),
    relayed=behind_the_opening,
)

MARK = re.compile(rb"\*1\r\n\$\d+\r\n(TWISTED-REPEATER:[0-9A-F:]+)\r\n")


def answering_marks() -> Callable[[bytearray], bytes]:
    """Return what answers the commands that the dialect puts between those of the client, and takes them out."""

    def answer(received: bytearray) -> bytes:
        names = MARK.findall(received)
        if names:
            received[:] = MARK.sub(b"", received)
        return b"".join(b"-ERR unknown command '%s', with args beginning with: \r\n" % name for name in names)

    return answer


TORN_ANSWER = re.compile(rb"(?<!\r\n)-ERR unknown command 'TWISTED-REPEATER:[0-9A-F:]+', [^\r]*\r\n")
"""The answer to a mark, where the server has not ended what it said before: there it is a part of that."""


def without_torn_answers(side: Side, received: bytes) -> bytes:
    """Return what came without such answers, which a recorded server has not given."""
    return TORN_ANSWER.sub(b"", received) if side is Side.CLIENT else received


def no_get(command: object, link: Link) -> Verdict:
    """Answer some commands."""
    refused = isinstance(command, Command) and command.name in ("GET", "INCR", "HELLO", "SUBSCRIBE")
    return SendBack([Reply.failure("NOPERM no")]) if refused else PASS_ON


REDIS = Case(
    "redis",
    redis,
    [(UP, b"*1\r\n$4\r\nPING\r\n"), (DOWN, b"+PONG\r\n")],
    [(UP, b"*1\r\n$4\r\nPING\r\n"), (DOWN, b"+PONG\r\n"), (DOWN, b">1\r\n+push\r\n")],
    {"no filter": dict, "typed filters": lambda: both(look)},
    {
        "written again": lambda: both(written_again),
        "in turn": lambda: {"filters": in_turn(no_get)},
        "Commands": lambda: {"filters": Commands(refuse=("INCR", "CONFIG|SET"))},
        "keys": lambda: {"filters": Commands(keys=("key*", "a*"), channels=("news*",))},
    },
    answer=answering_marks,
    relayed=without_torn_answers,
    wrong=frozenset({"redis/garbage-1", "redis/garbage-2", "redis/replica", "redis/inline"}),
)


def fix_message(kind: str, number: int, *fields: tuple[int, object], server: bool = False) -> Step:
    """Return a message of the honest link."""
    names = ("EXCHANGE", "BYSTANDER") if server else ("BYSTANDER", "EXCHANGE")
    header: dict[int, str | int] = {49: names[0], 56: names[1], 34: number, 52: "20261126-12:00:00"}
    message = Message(kind, [(tag, str(value)) for tag, value in fields])
    return (DOWN if server else UP, message.with_header("FIX.4.4", header).frame)


def by_chance(message: Message, link: Link) -> Verdict:
    """Drop, change, answer and add, by ids and types."""
    kind, number = message.type, message.get(11) or b""
    if isinstance(message, SessionMessage):
        return PASS_ON
    choice = sum(number + kind.encode()) % 6
    more = Message("B", {148: "added"})
    return (
        PASS_ON,
        DROP,
        Send(message.changed({58: "changed"}), more),
        SendBack([more]),
        PassOnAndSendBack([more]),
        refuse(message, "no"),
    )[choice]


FIX = Case(
    "fix",
    lambda: fix(),
    [fix_message("A", 1, (98, 0), (108, 30)), fix_message("A", 1, (98, 0), (108, 30), server=True)],
    [
        fix_message("1", 2, (112, "there?")),
        fix_message("0", 2, (112, "there?"), server=True),
    ],
    {"no filter": dict, "typed filters": lambda: both(look)},
    {
        "Orders": lambda: {"filters": Orders(max_quantity=99, max_rate=1000, symbols=("ACME",))},
        "drops and adds": lambda: both(by_chance),
    },
    excused="before both engines have logged on",  # the recorded peer goes on without the other's Logon
)

PROTOCOLS = {case.name: case for case in (POSTGRES, REDIS, MQTT, FIX)}
