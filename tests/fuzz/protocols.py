"""The dialects that are fuzzed: what their honest links say, and with which filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted_repeater import PASS_ON, Dialect, Direction, Link, Send, Verdict
from twisted_repeater.dialects import mqtt

from .playing import Step
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
    """The recordings whose clients do what the repeater does not allow."""

    @property
    def recordings(self) -> list[Recording]:
        """All recordings of the protocol."""
        return recordings(self.name)


def look(message: object, link: Link) -> Verdict:
    """Look at all of a message, and pass it on."""
    repr(message)
    return PASS_ON


def written_again(message: object, link: Link) -> Verdict:
    """Send a message that is equal, in bytes of the repeater's own."""
    return Send(message)


def both(one: Callable[[Any, Link], Verdict]) -> dict[str, Any]:
    """Return a filter for both directions."""
    return {"to_server_filter": one, "to_client_filter": one}


MQTT = Case(
    "mqtt",
    mqtt,
    [(UP, b"\x10\x15\x00\x04MQTT\x04\x02\x00\x3c\x00\x09bystander"), (DOWN, b"\x20\x02\x00\x00")],
    [(UP, b"\xc0\x00"), (DOWN, b"\xd0\x00"), (UP, b"0\x07\x00\x01ttext"), (DOWN, b"0\x07\x00\x01ttext")],
    {"no filter": dict, "typed filters": lambda: both(look)},
    {"written again": lambda: both(written_again)},
    wrong=frozenset({"mqtt/refusals-1", "mqtt/refusals-4", "mqtt/refusals-5"}),
)

PROTOCOLS = {case.name: case for case in (MQTT,)}
