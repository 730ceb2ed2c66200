"""Sessions of FIX to record, between two engines of QuickFIX.

An engine serves one session in one version, so each of these sessions has engines of its own, and a tee between them.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from twisted_repeater import Direction

from ..real.fix_engines import Engine
from ..real.servers import free_port
from .recording import Message
from .sessions import Session, adding_to
from .tee import Tee

__all__ = ["SESSIONS", "start"]

SESSIONS: dict[str, Session] = {}
session = adding_to(SESSIONS)

VERSIONS = ("FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1")
UP, DOWN = Direction.TO_SERVER, Direction.TO_CLIENT
LONGEST_WAIT = 20.0


class NoServer:
    """Stands for the server of all sessions, which there is none of."""

    port: int = 0

    def stop(self) -> None:
        """Stop nothing."""


def start() -> NoServer:
    """Start nothing: each session starts its own engines."""
    return NoServer()


class Engines:
    """An acceptor, a tee before it, and an initiator."""

    def __init__(self, version: str = "FIX.4.4", **settings: object) -> None:
        directory = Path(tempfile.mkdtemp(prefix="record-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        settings = {"BeginString": version, "DefaultApplVerID": "FIX.5.0SP2"} | settings
        port = free_port()
        self.acceptor = Engine(directory / "acceptor", "acceptor", port, **settings)
        self.acceptor.start()
        self.tee = Tee("fix", port)
        self.initiator = Engine(directory / "initiator", "initiator", self.tee.port, **settings)
        self.initiator.start()
        self.logged_on()

    def logged_on(self, times: int = 1) -> None:
        """Wait until both have logged on so many times."""
        until(lambda: all(engine.count("logon") >= times for engine in (self.initiator, self.acceptor)))

    def trade(self, first: int, count: int) -> None:
        """Let the initiator send orders, and wait for the reports."""
        before = len(self.initiator.told("got", "8"))
        self.initiator.type(f"orders {first} {count} 0")
        until(lambda: len(self.initiator.told("got", "8")) >= before + count)

    def say(self, engine: Engine, text: str) -> None:
        """Let an engine send a message, and wait until the other has it."""
        other = self.acceptor if engine is self.initiator else self.initiator
        before = len(other.told("came"))
        engine.type(f"send {text}")
        until(lambda: len(other.told("came")) > before)

    def step(self, engine: Engine) -> None:
        """Wait for the answer to a TestRequest."""
        words = f"step {len(engine.lines)}"
        engine.type(f"send 35=1|112={words}")
        until(lambda: any(line.get(112) == words for line in engine.told("came", "0")))

    def end(self, connection: int = 0) -> list[Message]:
        """Log out, and return the messages of one connection."""
        self.initiator.type("logout")
        until(lambda: self.initiator.count("logout") > 0 and self.acceptor.count("logout") > 0)
        return self.stop(connection)

    def stop(self, connection: int = 0) -> list[Message]:
        """End both, and return the messages of one connection."""
        self.initiator.kill()
        self.acceptor.kill()
        self.tee.close()
        return self.tee.connections[connection]


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def in_each_version(function: Callable[[str], list[Message]]) -> Callable[[str], list[Message]]:
    """Add a session for each version."""
    for version in VERSIONS:

        def record(port: int, version: str = version) -> list[Message]:
            return function(version)

        record.__doc__ = f"{version}. {function.__doc__}"
        SESSIONS[f"{function.__name__}_{version[3:].replace('.', '')}"] = record
    return function


@in_each_version
def trade(version: str) -> list[Message]:
    """Orders and reports, requests of other kinds, tests of the connection, and a Logout."""
    engines = Engines(version)
    engines.trade(1, 3)
    for kind in ("F", "G"):
        engines.say(engines.initiator, f"35={kind}|11=9|41=1|55=ACME|54=1|38=200|40=2|44=10.5")
    engines.say(engines.acceptor, "35=9|37=1|11=9|41=1|39=0|434=1|58=too late")
    engines.say(engines.initiator, "35=E|66=list|68=2|73=2|11=10|67=1|55=ACME|54=1|38=5|11=11|67=2|55=ACME|54=2|38=6")
    engines.step(engines.initiator)
    engines.step(engines.acceptor)
    return engines.end()


@in_each_version
def resends(version: str) -> list[Message]:
    """Each engine asks for all messages of the other again, and gets them, with gap fills."""
    engines = Engines(version)
    engines.trade(1, 3)
    for engine in (engines.initiator, engines.acceptor):
        engine.type("set target 1")
        engines.step(engine)
    engines.trade(4, 1)
    return engines.end()


@in_each_version
def reset(version: str) -> list[Message]:
    """Both engines begin with number 1 at each Logon; this is the second connection."""
    engines = Engines(version, ResetOnLogon="Y", ReconnectInterval=1)
    engines.trade(1, 2)
    engines.initiator.type("cut")
    engines.logged_on(2)
    engines.trade(3, 2)
    return engines.end(1)


@session
def data(port: int) -> list[Message]:
    """Fields with data that looks like other fields, in both directions."""
    engines = Engines()
    for engine in (engines.initiator, engines.acceptor):
        engines.say(engine, "35=B|148=caf\xe9|33=1|58=a=b|95=9|96=x\x0110=000\x01|354=3|355=\x01\x01\x01|8001=own")
    return engines.end()


@session
def heartbeats(port: int) -> list[Message]:
    """A session in which nothing happens for some seconds."""
    engines = Engines(HeartBtInt=1)
    until(lambda: len(engines.initiator.told("came", "0")) >= 3 and len(engines.acceptor.told("came", "0")) >= 3)
    return engines.end()


@session
def again(port: int) -> list[Message]:
    """The second connection of a session: the numbers go on."""
    engines = Engines(ReconnectInterval=1)
    engines.trade(1, 3)
    engines.initiator.type("cut")
    engines.logged_on(2)
    engines.trade(4, 3)
    return engines.end(1)


@session
def gap(port: int) -> list[Message]:
    """The second connection of a session in which both have lost messages, and ask for them."""
    engines = Engines(ReconnectInterval=1)
    engines.trade(1, 3)
    for engine in (engines.initiator, engines.acceptor):
        engine.type("set sender 20")
    engines.initiator.type("cut")
    engines.logged_on(2)
    engines.step(engines.initiator)
    engines.trade(4, 2)
    return engines.end(1)


@session
def too_low(port: int) -> list[Message]:
    """The second connection of a session: a number is too low, so the server logs out at once."""
    engines = Engines(ReconnectInterval=1)
    engines.trade(1, 3)
    engines.initiator.type("set sender 2")
    engines.initiator.type("cut")
    until(
        lambda: len(engines.tee.connections) > 1 and any(b"\x0135=5" in data for _, data in engines.tee.connections[1])
    )
    return engines.stop(1)


def by_hand(
    kind: str, number: int, *fields: tuple[int, object], server: bool = False, begin: str = "FIX.4.4"
) -> Message:
    """Return a message."""
    names = ("SELLER", "BUYER") if server else ("BUYER", "SELLER")
    now = datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.000")
    pairs = [(35, kind), (34, number), (49, names[0]), (52, now), (56, names[1]), *fields]
    body = b"".join(b"%d=%b\x01" % (tag, str(value).encode("latin-1")) for tag, value in pairs)
    frame = b"8=%b\x019=%d\x01%b" % (begin.encode(), len(body), body)
    return (DOWN if server else UP, b"%b10=%03d\x01" % (frame, sum(frame) % 256))


LOGON = ((98, 0), (108, 30))


@session
def next_expected(port: int) -> list[Message]:
    """Written by hand: NextExpectedMsgSeqNum in both Logons, and what follows from it."""
    return [
        by_hand("A", 1, *LOGON, (789, 1)),
        by_hand("A", 4, *LOGON, (789, 2), server=True),
        by_hand("4", 1, (43, "Y"), (122, "20261126-12:00:00"), (123, "Y"), (36, 2), server=True),
        by_hand("B", 2, (43, "Y"), (122, "20261126-12:00:00"), (148, "again"), server=True),
        by_hand("4", 3, (43, "Y"), (122, "20261126-12:00:00"), (123, "Y"), (36, 5), server=True),
        by_hand("D", 2, (11, 1), (55, "ACME"), (54, 1), (38, 100)),
        by_hand("8", 5, (37, 1), (11, 1), (17, 1), (150, 0), (39, 0), (55, "ACME"), (54, 1), server=True),
    ]


@session
def sequence_reset(port: int) -> list[Message]:
    """Written by hand: numbers that are only raised, in both directions, and a message that is rejected."""
    return [
        by_hand("A", 1, *LOGON, (553, "ann"), (554, "secret")),
        by_hand("A", 1, *LOGON, server=True),
        by_hand("4", 2, (36, 10)),
        by_hand("4", 2, (123, "N"), (36, 20), server=True),
        by_hand("D", 10, (11, 1), (55, "ACME")),
        by_hand("3", 20, (45, 10), (371, 54), (372, "D"), (373, 1), (58, "Required tag missing"), server=True),
        by_hand("R", 11, (131, "q"), (146, 1), (55, "ACME")),
        by_hand("j", 21, (45, 11), (372, "R"), (380, 3), server=True),
        by_hand("5", 12),
        by_hand("5", 22, server=True),
    ]


@session
def loose(port: int) -> list[Message]:
    """Written by hand: leading zeros, an empty field, fields that nobody knows, and a field twice."""
    frames = [by_hand("A", 1, *LOGON), by_hand("A", 1, *LOGON, server=True)]
    body = (
        b"35=D\x0134=00000002\x0149=BUYER\x0152=20261126-12:00:00\x0156=SELLER\x0111=1\x0158=\x019999=x\x019999=y\x01"
    )
    frame = b"8=FIX.4.4\x019=%06d\x01%b" % (len(body), body)
    return [*frames, (UP, b"%b10=%03d\x01" % (frame, sum(frame) % 256)), by_hand("0", 2, server=True)]
