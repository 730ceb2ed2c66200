"""Messages as a watcher sees them, of a link that is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Direction, WatchedMessage
from twisted_repeater.recording import file, writer

__all__ = ["FakeLink", "hurry", "watched"]


class FakeLink:
    """Has what a recorder reads of a link."""

    id = 7
    client_name = "ann"
    client_address = IPv4Address("TCP", "127.0.0.1", 1)
    server_name = "quotes"
    server_address: Any = None
    details: Mapping[object, object] = {"user": b"ann"}


LINK: Any = FakeLink()


def watched(number: int = 1, frame: bytes = b"frame", *, link: Any = LINK, **others: Any) -> WatchedMessage:
    """Return a message that was passed on, unless ``others`` say something else."""
    passed: dict[str, Any] = {"verdict": PASS_ON, "passed": True, "took": 0.25} | others
    way = passed.pop("direction", Direction.TO_SERVER)
    return WatchedMessage(link, way, passed.pop("time", 1.5 + number), number=number, frame=frame, **passed)


def hurry(case: SynchronousTestCase) -> None:
    """Let writers make short pauses, and not wait for the disk, as long as a test runs."""
    case.patch(writer, "PAUSE", 0.001)
    case.patch(writer, "RETRY", 0.001)
    case.patch(file, "PATIENCE", 0.001)
    case.patch(file, "SYNCHRONOUS", "OFF")
