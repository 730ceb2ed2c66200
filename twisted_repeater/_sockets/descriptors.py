"""File descriptors: all repeaters of a process share those that it may have.

A link needs two, a connection without a complete hello needs one. A reserve for the rest of the process (the log, the
administration, name servers, files of the application) is taken off first. Limits that the application asks for must
fit. Limits that it leaves to their defaults share the rest, and become lower when another repeater is created.
"""

from __future__ import annotations

import errno
import math
import os
import socket
import sys
from typing import TYPE_CHECKING
from weakref import WeakSet

from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.logger import Logger

from ..model import MANY, Limits, effective
from .valve import Valve

if TYPE_CHECKING:
    from ..model import EffectiveLimits

try:
    import resource
except ImportError:  # pragma: no cover - Windows, which has no such limit
    resource = None  # type: ignore[assignment]

__all__ = ["OUT_OF", "Claim", "PortGuard", "claim", "guard_port", "open_now", "raise_soft_limit", "usable"]

log: Logger = Logger()

RESERVE = 32
"""How many descriptors are kept for everything but links, in addition to those that are open already."""

FEWEST = 10
"""Defaults are not lowered below this number: with fewer clients a repeater is useless, and the process needs more
descriptors."""

FD_SETSIZE = 1024
"""The number of descriptors that select() can watch, whatever the limit of the process is."""

AT_ONCE = RESERVE // 2
"""So many clients are accepted before others have their turn of the reactor: their hellos must be read, and those that
are closed must give back their descriptors, before the next ones come. Twisted accepts ever more in a row as long as
some wait, of thousands that a listen queue may hold."""

PAUSE = 1.0
"""How many seconds nobody is accepted after descriptors have run out."""

OUT_OF = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""The errors of a system that lacks descriptors or memory, when it accepts a connection for example."""


# -- how many there are -----------------------------------------------------------------------------------


def is_select(reactor: object) -> bool:
    """Return whether a reactor watches its sockets with select()."""
    module = sys.modules.get("twisted.internet.selectreactor")
    return module is not None and isinstance(reactor, module.SelectReactor)


def _number(limit: int) -> float:
    """Read a limit of the system."""
    return math.inf if limit == resource.RLIM_INFINITY else limit


def usable(reactor: object) -> float:
    """Return how many descriptors this process may have for a reactor; infinity if there is no limit."""
    if resource is None or not IReactorFDSet.providedBy(reactor):
        return math.inf
    limit = _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return min(limit, FD_SETSIZE) if is_select(reactor) else limit


def raise_soft_limit(reactor: object) -> None:
    """Raise the soft limit of this process to the hard one, and log that. Only for a program that is just a repeater.

    The usual soft limit is 1024 for the sake of programs that call select(), so with a reactor that does it is not
    raised above that.
    """
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = FD_SETSIZE if is_select(reactor) else math.inf
    before, wanted = _number(soft), min(_number(hard), highest)
    if before >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if wanted == math.inf else int(wanted), hard))
    except (OSError, ValueError) as error:  # macOS refuses values above a limit that it does not report
        log.warn("the soft limit of {soft} file descriptors stays as it is: {error}", soft=soft, error=error)
    else:
        log.info("the soft limit of file descriptors is raised from {soft} to {wanted}", soft=soft, wanted=wanted)


def open_now() -> int:
    """Return how many descriptors are open."""
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(directory))
        except OSError:
            continue
    return 0


# -- who has how many -------------------------------------------------------------------------------------


class Claim:
    """One repeater's share of the descriptors of its process, until it gives that back or is garbage-collected."""

    def __init__(self, asked: Limits, reactor: object) -> None:
        self.asked = asked
        self.reactor = reactor
        self.limits: EffectiveLimits = effective(asked)
        """The limits that hold now: they change when another repeater is created or has ended."""

    def needs(self, most: int) -> int:
        """Return how many descriptors this repeater needs if its defaults are ``most``."""
        limits = effective(self.asked, most)
        return 2 * limits.max_clients + limits.max_unfinished_hellos + 1  # the port

    def use(self, most: int) -> None:
        """Set the limits that were left to their defaults to ``most``."""
        limits = effective(self.asked, most)
        if limits == self.limits:
            return
        self.limits = limits
        log.warn(
            "for {usable} file descriptors, max_clients is {clients}, max_unfinished_hellos is {hellos}",
            usable=usable(self.reactor),
            clients=limits.max_clients,
            hellos=limits.max_unfinished_hellos,
        )

    def give_back(self) -> None:
        """The repeater has ended."""
        _claims.discard(self)
        _share()


_claims: WeakSet[Claim] = WeakSet()
_open_before = 0
"""How many descriptors were open before the first repeater was created."""


def claim(asked: Limits, reactor: object) -> Claim:
    """Take a share of the descriptors for one more repeater.

    Raises:
        ValueError: the limits that were asked for do not fit.
    """
    global _open_before
    newcomer = Claim(asked, reactor)
    if not _claims:
        _open_before = open_now()
    if asked.max_clients is not None or asked.max_unfinished_hellos is not None:
        left = usable(reactor) - RESERVE - _open_before - sum(other.needs(FEWEST) for other in _claims)
        if newcomer.needs(FEWEST) > left:
            raise ValueError(_too_few(newcomer, left, reactor))
    _claims.add(newcomer)
    _share()
    return newcomer


def _too_few(newcomer: Claim, left: float, reactor: object) -> str:
    names = [name for name in ("max_clients", "max_unfinished_hellos") if getattr(newcomer.asked, name) is not None]
    asked = " and ".join(f"{name}={getattr(newcomer.asked, name)}" for name in names)
    return (
        f"{asked} needs {newcomer.needs(FEWEST)} file descriptors, two for each client and one for each unfinished "
        f"hello; of the {usable(reactor)} that this process may have, {max(left, 0):.0f} are left for that"
    )


def _share() -> None:
    """Give every repeater its share."""
    claims = list(_claims)
    left = min((usable(one.reactor) for one in claims), default=math.inf) - RESERVE - _open_before
    most = MANY
    if sum(one.needs(MANY) for one in claims) > left:
        # One more for each default always needs the same number of descriptors, so division finds the most that fit.
        at_fewest = sum(one.needs(FEWEST) for one in claims)
        step = sum(one.needs(FEWEST + 1) for one in claims) - at_fewest
        most = FEWEST + max(int(left - at_fewest) // step, 0) if step else MANY
    for one in claims:
        one.use(most)


# -- when they have run out -----------------------------------------------------------------------------


def guard_port(port: object, valve: Valve, clock: IReactorTime) -> PortGuard | None:
    """Accept nobody for a while whenever descriptors have run out.

    Twisted's port would close the clients that wait, with three lines in the log for each; or, if the descriptor that
    it keeps for that is gone, it would try again without a pause. Twisted has no option for that. So the port's socket
    is replaced by one that then behaves as if nobody waited. Ports without a socket stay as they are.
    """
    listening: socket.socket | None = getattr(port, "socket", None)
    if listening is None or not hasattr(listening, "accept"):
        return None
    guard = PortGuard(listening, valve, clock)
    port.socket = guard  # type: ignore[attr-defined]
    return guard


class PortGuard:
    """Replaces the socket of a port: hides that descriptors have run out, and accepts only some clients in a row."""

    def __init__(self, listening: socket.socket, valve: Valve, clock: IReactorTime) -> None:
        self.listening: socket.socket = listening
        """The socket that it replaces."""
        self._valve = valve
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._told = False
        self._in_a_row = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.listening, name)

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a client. See `socket.socket.accept`."""
        if self._in_a_row == AT_ONCE:
            self._in_a_row = 0
            raise BlockingIOError(errno.EWOULDBLOCK, "the next are accepted in the next turn of the reactor")
        try:
            accepted = self.listening.accept()
        except BlockingIOError:
            self._told = False  # all who waited are accepted: if it happens again, log it again
            self._in_a_row = 0
            raise
        except OSError as error:
            if error.errno not in OUT_OF:
                raise
            self._pause(error)
            raise BlockingIOError(errno.EWOULDBLOCK, "nobody is accepted for a while") from error
        self._in_a_row += 1
        return accepted

    def _pause(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            log.error("no client can be accepted: {error}; newcomers wait until some descriptors are free", error=error)
        if self._timer is None:
            self._valve.close("descriptors")
            self._timer = self._clock.callLater(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        self._valve.open("descriptors")

    def stop(self) -> None:
        """The port has stopped listening."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
