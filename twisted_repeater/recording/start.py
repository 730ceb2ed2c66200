"""Begins to record the traffic of a repeater."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, Literal

from .._link.watching import LinksToWatch
from .._repeater import Repeater
from .._types import Reactor
from .file import Settings
from .recorder import Recorder
from .records import RecordingError

__all__ = ["check_numbers", "record"]

MIB: Final = 1024 * 1024

LEAST: Final = {"max_size": MIB, "keep": 0, "max_waiting": 1}
"""The smallest numbers that `record` accepts. An empty file has a tenth of the smallest size."""


def record(
    repeater: Repeater,
    path: str | os.PathLike[str],
    *,
    links: LinksToWatch = None,
    max_size: int = 1024 * MIB,
    keep: int = 4,
    when_slow: Literal["leave-out", "wait"] = "leave-out",
    max_waiting: int = 64 * MIB,
    durable: bool = False,
    dialect: str = "",
    server: str = "",
    reactor: Reactor = None,
) -> Recorder:
    """Record the traffic of a repeater in a file, from now on.

    The file is an SQLite database that only its owner can read. Other programs may read it while it grows. A thread
    writes it; the links never wait for the disk, unless you say so. If the process is killed, the last second is
    missing. If the disk is full, the recording is suspended until there is room; the links go on.

    Call it after the last fork of your process.

    Args:
        repeater: the repeater.
        path: the file. If it has a recording of the same dialect and server, that goes on. A recording of others is
            moved away, as if it were too large.
        links: which links to record; see `Repeater.watch`.
        max_size: when the file has so many bytes, it is moved to ``PATH.1``, an older one to ``PATH.2``, and so on, and
            the next file is begun.
        keep: how many older files are kept.
        when_slow: what to do if the disk is too slow: ``"leave-out"`` leaves messages out, and notes in the file where
            and how many. ``"wait"`` stops reading from the links until the disk has caught up.
        max_waiting: how many bytes of memory the messages may take that wait for the disk.
        durable: whether messages that are written survive a power loss, too. It makes writing slower.
        dialect: the dialect as the command line has it, such as ``"length:size=2"``. An export or a replay uses it.
        server: where the server is, for people who read the file.
        reactor: the global one by default.

    Returns:
        What records. It ends with the repeater's `shutdown`, or when you call its `stop`.

    Raises:
        RecordingError: there is another file, somebody else records into it, or it is on a network file system.
        OSError: the file cannot be made.
        ValueError: a number is too small.
    """
    check_numbers({"max_size": max_size, "keep": keep, "max_waiting": max_waiting})
    if when_slow not in ("leave-out", "wait"):
        raise ValueError(f"when_slow must be 'leave-out' or 'wait', not {when_slow!r}")
    if reactor is None:
        from twisted.internet import reactor
    facts = {
        "dialect": dialect,
        "repeater_name": repeater._factory.settings.repeater_name,
        "server": server,
        "version": version("twisted_repeater"),
    }
    settings = Settings(_place_of(path), facts, max_size, keep, durable)
    recorder = Recorder(settings, reactor, max_waiting=max_waiting, waits=when_slow == "wait")
    recorder.watch(repeater, links)
    return recorder


def check_numbers(arguments: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if a number among the arguments of `record` is too small."""
    for name, least in LEAST.items():
        if arguments.get(name, least) < least:
            raise ValueError(f"{name} must be at least {least}, not {arguments[name]}")


def _place_of(path: str | os.PathLike[str]) -> str:
    """Return the path of the file itself: its log and the older files are beside it, not beside a link to it."""
    if os.path.islink(path) and not os.path.exists(path):
        raise RecordingError(f"{os.fspath(path)} must be a file, not a link to nothing")
    return os.path.realpath(path)
