"""Engines of FIX for tests: the program in ``tests/real/quickfix``, its settings, and what its log says."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from ..needed import cannot_test, needed
from ..paths import TESTS
from ..programs import Program, environment

__all__ = ["Engine", "Line", "State", "engine_program", "fields_of"]

TRIES = 20
"""How often an engine is started if its port is in use."""
PAUSE = 0.1
"""Seconds between two tries."""


@functools.cache
def engine_program() -> str:
    """Build the engine once for all tests, and return its path."""
    needed("g++", "g++")
    if not Path("/usr/include/quickfix/Session.h").exists():
        cannot_test("QuickFIX is missing: apt-get install libquickfix-dev")
    directory = tempfile.mkdtemp(prefix="quickfix-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    script = TESTS / "real" / "quickfix" / "build.sh"
    build = subprocess.run(["sh", script, directory], capture_output=True, text=True, check=False)
    if build.returncode:
        raise AssertionError(f"the engine does not build:\n{build.stderr}")
    return f"{directory}/engine"


def fields_of(text: str) -> dict[int, str]:
    """Return the fields of a message as the log has it. Of a repeated field the last counts."""
    pairs = (field.partition("=") for field in text.split("|") if field)
    return {int(tag): value for tag, _, value in pairs}


class Line(NamedTuple):
    """A line of an engine's log."""

    kind: str
    """``start``, ``logon``, ``logout``, ``sent``, ``came``, ``got`` or ``event``."""
    text: str
    """The message, with ``|`` for SOH, or the text of the event."""

    @property
    def type(self) -> str:
        """MsgType."""
        return self.get(35)

    @property
    def number(self) -> int:
        """MsgSeqNum."""
        return int(self.get(34))

    @property
    def is_again(self) -> bool:
        """Whether the message may have been sent before (PossDupFlag)."""
        return "|43=Y|" in self.text

    def get(self, tag: int) -> str:
        """Return the first field of this tag, an empty text if there is none."""
        _, found, rest = self.text.partition(f"|{tag}=")
        return rest.partition("|")[0] if found else ""


@dataclass
class State:
    """How far an engine is."""

    sender: int
    """The number of its next message."""
    target: int
    """The number that it expects next."""
    is_logged_on: bool
    left: int
    """How many orders it has still to send."""


class Engine:
    """An engine that can be killed and started again: its store, and its log, stay.

    Args:
        directory: an empty directory for it.
        role: "initiator" or "acceptor".
        port: where it connects to, or listens at, on 127.0.0.1.
        settings: what QuickFIX's settings shall be, besides those that all tests have.
    """

    program: Program

    def __init__(self, directory: Path, role: str, port: int, **settings: object) -> None:
        directory.mkdir()
        self.directory = directory
        self.role = role
        self.port = port
        self.log = directory / "log"
        self._read = 0
        self._lines: list[Line] = []
        self._states = 0
        # QuickFIX begins a new session each day at this time, and each test shall be over then.
        time = (datetime.now(UTC) + timedelta(hours=12)).strftime("%H:%M:%S")
        own, other = ("BUYER", "SELLER") if role == "initiator" else ("SELLER", "BUYER")
        where = (
            {"SocketConnectHost": "127.0.0.1", "SocketConnectPort": port}
            if role == "initiator"
            else {"SocketAcceptPort": port}
        )
        defaults = {
            "ConnectionType": role,
            "BeginString": "FIX.4.4",
            "SenderCompID": own,
            "TargetCompID": other,
            "FileStorePath": directory,
            "StartTime": time,
            "EndTime": time,
            "HeartBtInt": 30,
            "ReconnectInterval": 0,
            "SocketNodelay": "Y",
            "SocketReuseAddress": "Y",
            "UseDataDictionary": "N",
        }
        chosen = defaults | where | settings
        names = {name: chosen.pop(name) for name in ("BeginString", "SenderCompID", "TargetCompID")}
        # QuickFIX's sockets look at the defaults only.
        text = "".join(f"{name}={value}\n" for name, value in chosen.items())
        session = "".join(f"{name}={value}\n" for name, value in names.items())
        (directory / "settings").write_text(f"[DEFAULT]\n{text}[SESSION]\n{session}")

    def start(self) -> None:
        """Start it; return when it is ready. A port that a connection has by chance is free again in a moment."""
        command = engine_program(), self.role, str(self.directory / "settings"), str(self.log)
        self._states = 0
        for _ in range(TRIES):
            self.program = Program(*command, cwd=str(self.directory), env=environment())
            if self.program.wait_for(r"^ready$|.*in use.*")[0] == "ready":
                return
            self.program.kill()
            time.sleep(PAUSE)
        raise AssertionError(self.program.output)

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self.program.kill()

    def type(self, line: str) -> None:
        """Tell it what to do."""
        self.program.type(line)

    def ask(self) -> State:
        """Return how far it is. This blocks for a moment."""
        self.program.type("state")
        self._states += 1
        found = self.program.wait_for(r"^state (\d+) (\d+) ([01]) (\d+)$", self._states)
        sender, target, logged_on, left = map(int, found.groups())
        return State(sender, target, bool(logged_on), left)

    def last_order(self) -> int:
        """Return the ClOrdID of the last order in its store. Ask once after each start. This blocks for a moment."""
        self.program.type("last")
        return int(self.program.wait_for(r"^last (\d+)$")[1])

    @property
    def lines(self) -> list[Line]:
        """What its log says so far."""
        if self.log.exists():
            with self.log.open("rb") as file:
                file.seek(self._read)
                data = file.read()
            complete = data[: data.rfind(b"\n") + 1]
            self._read += len(complete)
            for line in complete.decode("latin-1").splitlines():
                kind, _, text = line.partition(" ")
                self._lines.append(Line(kind, text))
        return self._lines

    def told(self, kind: str, types: Iterable[str] | None = None) -> list[Line]:
        """Return the lines of a kind, of all types of messages or of some."""
        wanted = None if types is None else set(types)
        return [line for line in self.lines if line.kind == kind and (wanted is None or line.type in wanted)]

    def count(self, kind: str) -> int:
        """Return how many lines of a kind there are."""
        return sum(line.kind == kind for line in self.lines)
