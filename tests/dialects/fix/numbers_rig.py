"""The numbers of a session between two engines, with a store in memory, and messages in short."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from twisted_repeater import PASS_ON, Direction, Verdict
from twisted_repeater.dialects.fix import ExecutionReport, Logon, Message, NewOrderSingle, ResendRequest, SequenceReset
from twisted_repeater.dialects.fix.codec import decode
from twisted_repeater.dialects.fix.numbers import Numbers
from twisted_repeater.dialects.fix.store import Entry, Store

__all__ = ["DOWN", "NOW", "UP", "Rig", "brief", "fill", "frame", "order", "report", "request"]

UP, DOWN = Direction.TO_SERVER, Direction.TO_CLIENT
NOW = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)


def frame(message: Message, number: object, way: Direction = UP, version: str = "FIX.4.4", **more: Any) -> Message:
    """Return a message as an engine sends it; further header fields as ``f43="Y"``."""
    names = ("ANN", "EX") if way is UP else ("EX", "ANN")
    header = {49: names[0], 56: names[1], 34: str(number), 52: more.pop("time", "20261126-12:00:00.000")}
    header |= {int(name[1:]): value for name, value in more.items()}
    return decode(message.with_header(version, header).frame)


def order(text: str = "a") -> NewOrderSingle:
    """Return an order without a header."""
    return NewOrderSingle({11: text})


def report(text: str = "x") -> ExecutionReport:
    """Return an answer."""
    return ExecutionReport({11: text})


def fill(new: int) -> SequenceReset:
    """Return a gap fill."""
    return SequenceReset({123: True, 36: new})


def request(begin: object, end: object = 0) -> ResendRequest:
    """Return a request."""
    return ResendRequest({7: str(begin), 16: str(end)})


def brief(message: Any) -> str:
    """Return a message in short: ``D5 a``, ``4:5>7`` for a gap fill, with ``*`` for a possible duplicate."""
    mark = "*" if message.possible_duplicate else ""
    what = f"{message.type}{message.sequence_number}{mark}"
    if isinstance(message, SequenceReset):
        return f"{what}>{message.new_number}"
    if isinstance(message, ResendRequest):
        return f"{what} {message.begin}-{message.end}"
    return f"{what} {message.text(11)}" if 11 in message else what


class Rig:
    """A session."""

    def __init__(self, store: Store | None = None, version: str = "FIX.4.4") -> None:
        self.version = version
        self.store = store or Store()
        self.commits: list[list[Entry]] = []
        self.numbers = Numbers(self.store.load("session", self.contents), self.commit, lambda: NOW)

    def commit(self, entries: list[Entry], highest: Mapping[Direction, int], forget: list[Direction]) -> None:
        """Keep entries."""
        self.commits.append(entries)
        self.store.commit("session", entries, highest, forget=forget)

    def contents(self, flow: Direction, start: int, stop: int) -> list[tuple[int, bytes]]:
        """Return what is kept."""
        return self.store.contents("session", flow, start, stop)

    def again(self) -> Rig:
        """Return the session after the process was killed."""
        return Rig(self.store, self.version)

    def logged_on(self, up: int = 1, down: int = 1) -> Rig:
        """Let both engines log on."""
        self.says(Logon({98: 0, 108: 30}), up)
        self.says(Logon({98: 0, 108: 30}), down, DOWN)
        return self

    def says(
        self, message: Message, number: object, way: Direction = UP, verdict: Verdict = PASS_ON, **more: Any
    ) -> list[list[str]]:
        """An engine says something; return what the other one gets, and what it gets itself."""
        made = frame(message, number, way, self.version, **more)
        asked = self.numbers.arrived(way, made)
        return self.outcome(made, self.numbers.settle(way, made, verdict if asked else PASS_ON))

    def outcome(self, message: Message, verdict: Verdict) -> list[list[str]]:
        """Return what a verdict sends on, and back."""
        forward = [*([message] if verdict.passes else []), *verdict.forward]
        return [[brief(one) for one in forward], [brief(one) for one in verdict.back]]
