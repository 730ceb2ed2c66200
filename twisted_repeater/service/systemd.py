"""Tells systemd how the service fares: ready, reloading, stopping, alive; and looks at the sockets that it passes.

The protocol is one datagram with lines of text to the socket that ``NOTIFY_SOCKET`` names. A library for that would
replace fifteen lines.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping

from twisted.logger import Logger

from .._sockets.endpoints import parts_of
from ..model import Limits

__all__ = ["Systemd", "check_passed", "longest_end"]

log: Logger = Logger()

FIRST: int = 3
"""The descriptor of the first socket that systemd passes."""

MORE = 5.0
"""How many seconds longer than the longest deadlines systemd is to wait for the end."""

DOMAINS = ("INET", "INET6", "UNIX")


def check_passed(description: str, environment: Mapping[str, str] = os.environ) -> None:
    """Check an endpoint that is a socket which systemd passes, because Twisted takes the last one of a name.

    Raises:
        ValueError: there is no such socket, there are several, or it is of another kind.
    """
    kind, positional, named = parts_of(description)
    if kind != "systemd":
        return
    free = [name for name in ("domain", "index", "name") if name not in named]
    given = dict(zip(free, positional, strict=False)) | named
    domain, name = given.get("domain", ""), given.get("name", "")
    if domain not in DOMAINS:
        raise ValueError(f"its domain must be one of {', '.join(DOMAINS)}, not {domain!r}")
    if not name:
        return
    passed = environment.get("LISTEN_FDNAMES", "")
    places = [place for place, each in enumerate(passed.split(":")) if each == name]
    if not places:
        others = f"it passes {', '.join(passed.split(':'))}" if passed else "it passes none to this process"
        raise ValueError(f"systemd passes no socket of the name {name!r}; {others}")
    if len(places) > 1:
        raise ValueError(
            f"systemd passes {len(places)} sockets of the name {name!r}; give each its own by FileDescriptorName="
        )
    family = _family(FIRST + places[0])
    if family not in ("", domain):
        raise ValueError(f"the socket that systemd passes has the domain {family}, not {domain}")


def _family(descriptor: int) -> str:
    """Return the domain of a socket, "" if there is none."""
    try:
        passed = socket.socket(fileno=descriptor)
    except OSError:
        return ""
    family = passed.family
    passed.detach()
    return family.name.removeprefix("AF_")


class Systemd:
    """Sends notices to systemd. Without systemd it does nothing.

    Args:
        environment: the environment of the process. The variables are removed from it, so that programs which the
            process starts do not speak for it.
    """

    def __init__(self, environment: dict[str, str] | os._Environ[str] | None = None) -> None:
        given = os.environ if environment is None else environment
        self._path = given.pop("NOTIFY_SOCKET", "")
        self.watchdog: float | None = _watchdog_interval(given)
        """After how many seconds of silence systemd ends the service; ``None`` if it does not watch."""
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
            given.pop(name, None)
        self._alive_at = float("-inf")
        self._failed = False

    def ready(self, status: str) -> None:
        """All ports are bound."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is read again; `ready` follows."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reloading")

    def stopping(self, status: str, seconds: float) -> None:
        """The service ends, within so many seconds."""
        self._send("STOPPING=1", f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def alive(self) -> None:
        """The reactor has answered: say so, twice as often as systemd asks for."""
        now = time.monotonic()
        if self.watchdog is not None and now - self._alive_at >= self.watchdog / 2:
            self._alive_at = now
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._path:
            return
        address = f"\0{self._path[1:]}" if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out:
                out.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            if not self._failed:
                log.warn("systemd cannot be told how the service fares: {error}", error=error)
            self._failed = True
        else:
            self._failed = False


def _watchdog_interval(environment: Mapping[str, str]) -> float | None:
    """Return the interval in seconds, if systemd watches this process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None


def longest_end(timeout: float, limits: Iterable[Limits]) -> float:
    """Return how many seconds the end of a process may take.

    Args:
        timeout: the seconds for draining.
        limits: those of its repeaters.
    """
    return float(timeout) + max((max(each.linger, each.close_timeout) for each in limits), default=0.0) + MORE
