"""Links and messages for the tests of exports."""

from __future__ import annotations

from typing import Any

from twisted_repeater import Direction
from twisted_repeater.recording import RecordedLink, RecordedMessage

__all__ = ["SECOND", "START", "made_link", "made_message"]

START = 1_790_000_000_000_000
"""A time in microseconds: 2026-09-21T14:13:20Z."""

SECOND = 1_000_000


def made_link(number: int = 1, **values: Any) -> RecordedLink:
    """Return a link of a client at port 40000 plus its number."""
    usual: dict[str, Any] = {
        "client_name": f"client-{number}",
        "client_address": f"127.0.0.1:{40_000 + number}",
        "server_name": "server",
        "server_address": "127.0.0.1:6379",
        "made": START,
    }
    return RecordedLink(id=number, link=number, **usual | values)


def made_message(row: int, frame: bytes = b"", *, after: float = 0, to_client: bool = False, **values: Any) -> Any:
    """Return a message to the server, or to the client, that passed so many seconds after `START`."""
    direction = Direction.TO_CLIENT if to_client else Direction.TO_SERVER
    time = START + round(after * SECOND)
    usual: dict[str, Any] = {"link": 1, "passed": True, "verdict": "PASS_ON", "number": 1}
    return RecordedMessage(id=row, time=time, direction=direction, frame=frame, **usual | values)
