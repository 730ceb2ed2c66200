"""Asks the system about sockets: hang-ups, silence and unread bytes, which a reactor does not report."""

from __future__ import annotations

import enum
import select
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = termios = None  # type: ignore[assignment]

__all__ = [
    "HangUp",
    "KeepAlive",
    "TCPState",
    "acknowledged",
    "hang_up_of",
    "hang_ups",
    "innermost",
    "keep_alive_of",
    "keep_alive_within",
    "set_keep_alive",
    "socket_of",
    "tcp_state",
    "unacknowledged",
    "unread_size",
]

LONGEST_IDLE = 32767
"""The longest keep-alive time, in seconds, that Linux takes."""

PROBES = 3
"""How many keep-alive probes must stay unanswered, where the time allows so many."""

TCP_INFO = struct.Struct("@3xB20xI24xII60xQ100xI")
"""The members of Linux's ``tcp_info`` that `_TCPInfo` names; the last one came with Linux 5.4."""

HAS_TCP_INFO = sys.platform.startswith("linux")
"""Whether this system answers with `TCP_INFO`; others have other structures under the same name."""

NO_NUMBER = bytes(struct.calcsize("i"))
"""The room for a number that the system answers with."""

PEEKED = 64 * 1024
"""Where the system cannot say how many bytes are unread, so many are looked at."""

IDLE_OPTION: int | None = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
"""The option for the time after which a silent connection is probed; macOS has a name of its own for it."""

STREAM_ENDED: int = getattr(select, "POLLRDHUP", 0)
"""The event for the end of a stream while there still are bytes before it. Not every system has it."""


def innermost(transport: Any) -> Any:
    """Return the transport that has the socket, inside of TLS and other wrappers."""
    while (inner := getattr(transport, "transport", None)) is not None:
        transport = inner
    return transport


def socket_of(transport: object) -> socket.socket | None:
    """Return the socket of a transport, ``None`` if it has none."""
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    return handle if isinstance(handle, socket.socket) else None


# -- hang-ups ----------------------------------------------------------------------------------------------------


class HangUp(enum.Enum):
    """The event that ended a connection; bytes that came before may still be unread."""

    ENDED = "the peer has ended its stream"
    CLOSED = "nothing goes either way"
    BROKEN = "an error: reset by the peer, or no answer from it"


def hang_ups(sockets: Sequence[socket.socket]) -> list[HangUp | None]:
    """Return the event on each of the sockets, or ``None`` if it is well."""
    if not hasattr(select, "poll"):
        return [_hang_up(one) for one in sockets]
    poll = select.poll()
    for one in sockets:
        poll.register(one, STREAM_ENDED)  # errors and hang-ups are reported in any case
    events = dict(poll.poll(0))
    return [_meaning(events.get(one.fileno(), 0)) for one in sockets]


def hang_up_of(one: socket.socket) -> HangUp | None:
    """Return the event on one socket: what `hang_ups` does in more steps, which every link would take twice."""
    if not hasattr(select, "poll"):
        return _hang_up(one)
    poll = select.poll()
    poll.register(one, STREAM_ENDED)
    events = poll.poll(0)
    return _meaning(events[0][1]) if events else None


def _meaning(event: int) -> HangUp | None:
    if event & select.POLLERR:
        return HangUp.BROKEN
    if event & select.POLLHUP:
        return HangUp.CLOSED
    return HangUp.ENDED if event & STREAM_ENDED else None


def _hang_up(one: socket.socket) -> HangUp | None:
    """Do the same without ``poll``. Then the end of a stream shows only when no bytes are left before it."""
    if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return HangUp.BROKEN
    try:
        return None if one.recv(1, socket.MSG_PEEK) else HangUp.ENDED
    except BlockingIOError:
        return None
    except OSError:
        return HangUp.BROKEN


# -- bytes and answers -------------------------------------------------------------------------------------------


def _ioctl(one: socket.socket, request: int) -> int:
    """Ask the system for a number that it keeps about a socket."""
    answer: bytes = fcntl.ioctl(one.fileno(), request, NO_NUMBER)
    return int.from_bytes(answer, sys.byteorder, signed=True)


def unread_size(one: socket.socket) -> int:
    """Return how many bytes the system has received and nobody has read yet.

    Without ``ioctl`` more than `PEEKED` bytes count as so many.
    """
    if termios is not None:
        return _ioctl(one, termios.FIONREAD)
    try:
        return len(one.recv(PEEKED, socket.MSG_PEEK))
    except OSError:  # nothing to read, or the connection is broken
        return 0


def unacknowledged(one: socket.socket) -> int | None:
    """Return how many written bytes the peer's system has not taken yet; ``None`` where that cannot be known."""
    try:
        return None if termios is None else _ioctl(one, termios.TIOCOUTQ)
    except (OSError, ValueError):  # closed meanwhile
        return None


class _TCPInfo(NamedTuple):
    """What Linux says of a TCP connection, times in milliseconds."""

    probes: int
    unacknowledged: int
    """In packets."""
    data_received: int
    """How long ago."""
    ack_received: int
    """How long ago."""
    bytes_acknowledged: int
    window: int
    """How many bytes the peer has room for."""


def _tcp_info(one: socket.socket) -> _TCPInfo | None:
    """Return the state of a TCP connection, ``None`` where the system does not tell it."""
    if not HAS_TCP_INFO:
        return None
    try:
        info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO.size)
    except OSError:  # not TCP, or closed meanwhile
        return None
    return _TCPInfo(*TCP_INFO.unpack(info)) if len(info) == TCP_INFO.size else None


def acknowledged(one: socket.socket) -> int | None:
    """Return a number that changes when the peer's system takes bytes; ``None`` where that cannot be known."""
    info = _tcp_info(one)
    return unacknowledged(one) if info is None else info.bytes_acknowledged


class TCPState(NamedTuple):
    """How a TCP connection stands."""

    unanswered: bool
    """Whether bytes, or a probe, were sent that the peer's system should have acknowledged, and has not.

    Bytes for which it has no room do not count: it drops them, and says so only in answer to probes, which may be two
    minutes apart.
    """
    window_closed: bool
    """Whether bytes wait here because the peer has no room: its program reads slowly, or not at all."""
    silence: float
    """For how many seconds nothing was heard from the peer's system, neither bytes nor acknowledgements."""


def tcp_state(one: socket.socket) -> TCPState | None:
    """Return how a TCP connection stands, ``None`` where the system cannot say, and for Unix sockets."""
    info, waiting = _tcp_info(one), unacknowledged(one)
    if info is None or waiting is None:
        return None
    under_way = info.unacknowledged and info.window
    silence = min(info.data_received, info.ack_received) / 1000
    return TCPState(bool(info.probes or under_way), bool(waiting and not under_way), silence)


# -- keep-alive --------------------------------------------------------------------------------------------------


class KeepAlive(NamedTuple):
    """When the system probes a silent peer, in whole seconds, and how many probes must stay unanswered."""

    idle: int
    interval: int
    probes: int


def keep_alive_within(timeout: float) -> KeepAlive:
    """Return the times with which the system gives up a silent peer after ``timeout`` seconds, at least 2."""
    whole = min(max(int(timeout), 2), LONGEST_IDLE)
    probing = whole - whole // 2
    count = min(PROBES, probing)
    interval = probing // count
    return KeepAlive(whole - count * interval, interval, count)


def keep_alive_of(one: socket.socket) -> KeepAlive | None:
    """Return the times of a connection, ``None`` where the system has none."""
    if IDLE_OPTION is None or not hasattr(socket, "TCP_KEEPCNT"):
        return None
    options = (IDLE_OPTION, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    try:
        return KeepAlive(*(one.getsockopt(socket.IPPROTO_TCP, option) for option in options))
    except OSError:  # not TCP, or closed meanwhile
        return None


def set_keep_alive(one: socket.socket, times: KeepAlive | None) -> None:
    """Have the system probe a silent peer, at these times if it can. A probe that is due is sent at once.

    With ``None``, and where a connection cannot have times of its own, it is probed at those of the system.
    """
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)
    except OSError:  # closed meanwhile
        return
    if times is None or keep_alive_of(one) is None:
        return
    assert IDLE_OPTION is not None
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, times.interval)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, times.probes)
    one.setsockopt(socket.IPPROTO_TCP, IDLE_OPTION, times.idle)
