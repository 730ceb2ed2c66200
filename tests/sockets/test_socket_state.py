"""The system's answers about a socket."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import struct
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._sockets import socket_state as _system
from twisted_repeater._sockets.socket_state import (
    LONGEST_IDLE,
    HangUp,
    KeepAlive,
    acknowledged,
    hang_up_of,
    hang_ups,
    innermost,
    keep_alive_of,
    keep_alive_within,
    set_keep_alive,
    socket_of,
    tcp_state,
    unacknowledged,
    unread_size,
)

from ..programs import LONGEST
from ..vanishing import can_vanish, come_back, vanish

RESET = struct.pack("ii", 1, 0)

UNIX_ONLY = ("fcntl", "termios", "resource")

RELAYS_ELSEWHERE = f"""
import select, socket, sys

from twisted.internet import selectreactor  # Twisted itself has other code for Windows

selectreactor.install()
for name in {UNIX_ONLY}:
    sys.modules[name] = None
del select.poll, socket.TCP_INFO, socket.TCP_KEEPIDLE, socket.TCP_KEEPCNT

from twisted.internet import defer, endpoints, protocol, task
from twisted_repeater import Repeater, dialects
from twisted_repeater._sockets import socket_state

socket_state.HAS_TCP_INFO = False  # as sys.platform would say


class Peer(protocol.Protocol):
    def __init__(self, name, message):
        self.message, self.received = message, b""
        self.hello = b'{{"name": "%s"}}' % name

    def connectionMade(self):
        for payload in (self.hello, self.message):
            self.transport.write(len(payload).to_bytes(4, "big") + payload)

    def dataReceived(self, data):
        self.received += data


async def main(reactor):
    servers = []
    factory = protocol.Factory.forProtocol(lambda: servers.append(Peer(b"quotes", b"pong")) or servers[-1])
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    repeater = await Repeater.create(
        dialects.int32(), repeater_name="edge", server_name="quotes", is_client_allowed=lambda name: True,
        listen="tcp:0:interface=127.0.0.1", server_ip="127.0.0.1", server_port=port.getHost().port, reactor=reactor,
    )
    repeater.start()
    client = Peer(b"ann", b"ping")
    await endpoints.connectProtocol(endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", repeater.port), client)
    while not (client.received.endswith(b"pong") and servers[0].received.endswith(b"ping")):
        await task.deferLater(reactor, 0)
    client.transport.loseConnection()
    await repeater.shutdown()
    print("pong")


task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
"""
"""Runs a repeater where these modules and functions are missing."""


class ConnectionCase(SynchronousTestCase):
    """A test case with a TCP connection: our end of it, ``own``, and the peer's."""

    def setUp(self) -> None:
        """Connect them."""
        self.own, self.peer = self.connection()

    def connection(self) -> tuple[socket.socket, socket.socket]:
        """Make a connection."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            peer = socket.create_connection(listening.getsockname())
            own, _ = listening.accept()
        for one in (own, peer):
            self.addCleanup(one.close)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        own.setblocking(False)
        return own, peer

    def reset(self, one: socket.socket) -> None:
        """Close a socket by a reset."""
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.close()

    def until(self, condition: Any) -> None:
        """Wait until something is true: what one end does reaches the other in its own time."""
        end = time.monotonic() + LONGEST
        while not condition():
            self.assertLess(time.monotonic(), end)

    def fill(self) -> None:
        """Send until the peer, which does not read, has no room."""

        def full() -> bool:
            try:
                while self.own.send(bytes(100_000)):
                    pass
            except BlockingIOError:
                pass
            state = tcp_state(self.own)
            return state is not None and state.window_closed

        self.until(full)


class SocketTests(ConnectionCase):
    """Which transports have a socket."""

    def test_socket(self) -> None:
        """A transport on a socket gives that; one without, or with something else in its place, has none."""
        transport: Any = SimpleNamespace(getHandle=lambda: self.own)
        self.assertIs(socket_of(transport), self.own)
        self.assertIs(socket_of(SimpleNamespace(getHandle=lambda: "a TLS connection")), None)
        self.assertIs(socket_of(StringTransport()), None)

    def test_innermost(self) -> None:
        """The transport that has the socket is found inside of any number of wrappers, and is its own innermost one."""
        transport = StringTransport()
        wrapped = SimpleNamespace(transport=SimpleNamespace(transport=transport))
        self.assertIs(innermost(wrapped), transport)
        self.assertIs(innermost(transport), transport)


class HangUpTests(ConnectionCase):
    """Events on connections that nobody reads."""

    def hang_up(self) -> HangUp | None:
        """Ask about our end."""
        return hang_up_of(self.own)

    def test_well(self) -> None:
        """A connection that is up has no event, with bytes or without; without connections there are no events."""
        self.assertEqual((self.hang_up(), hang_ups([self.own]), hang_ups([])), (None, [None], []))
        self.peer.send(b"unread")
        self.until(lambda: unread_size(self.own))
        self.assertIs(self.hang_up(), None)

    def test_ended(self) -> None:
        """The end of the peer's stream is seen, also behind bytes that are not read."""
        self.peer.send(b"unread")
        self.peer.shutdown(socket.SHUT_WR)
        self.until(lambda: self.hang_up() is HangUp.ENDED)
        self.assertEqual(self.own.recv(10), b"unread")

    def test_both_ended(self) -> None:
        """When both streams have ended nothing goes either way."""
        self.own.shutdown(socket.SHUT_WR)
        self.peer.close()
        self.until(lambda: self.hang_up() is HangUp.CLOSED)

    def test_broken(self) -> None:
        """A reset is seen, and bytes that came before it can still be read."""
        self.peer.send(b"unread")
        self.until(lambda: unread_size(self.own))
        self.reset(self.peer)
        self.until(lambda: self.hang_up() is HangUp.BROKEN)
        self.assertEqual(self.own.recv(10), b"unread")

    def test_broken_and_written_to(self) -> None:
        """A reset that a write has found out is still seen, as nothing goes either way."""
        self.reset(self.peer)
        self.until(lambda: self.hang_up() is HangUp.BROKEN)
        self.assertRaises(OSError, self.own.send, b"x")
        self.assertIs(self.hang_up(), HangUp.CLOSED)

    def test_several(self) -> None:
        """Of several each has its own answer."""
        other, ended = self.connection()
        ended.shutdown(socket.SHUT_WR)
        self.until(lambda: hang_ups([other]) == [HangUp.ENDED])
        self.assertEqual(hang_ups([self.own, other, self.own]), [None, HangUp.ENDED, None])

    def without_poll(self) -> None:
        """Take ``poll`` away."""
        self.patch(_system, "select", SimpleNamespace())

    def test_without_poll(self) -> None:
        """Without ``poll`` resets are seen, and the ends of streams once nothing is before them."""
        self.without_poll()
        self.assertIs(self.hang_up(), None)
        self.peer.send(b"unread")
        self.peer.shutdown(socket.SHUT_WR)
        self.until(lambda: unread_size(self.own))
        self.assertIs(self.hang_up(), None)
        self.own.recv(10)
        self.until(lambda: self.hang_up() is HangUp.ENDED)

    def test_broken_without_poll(self) -> None:
        """So are errors, whether they are still to be told or were told before."""
        self.without_poll()
        self.reset(self.peer)
        self.until(lambda: self.hang_up() is HangUp.BROKEN)
        unconnected = socket.socket()
        self.addCleanup(unconnected.close)
        self.assertEqual(hang_ups([unconnected]), [HangUp.BROKEN])


class UnreadTests(ConnectionCase):
    """How much was received and not read."""

    def test_unread(self) -> None:
        """Bytes count until they are read, also when the connection is broken; the end of the stream doesn't."""
        self.assertEqual(unread_size(self.own), 0)
        self.peer.send(b"unread")
        self.until(lambda: unread_size(self.own) == 6)
        self.reset(self.peer)
        self.until(lambda: hang_ups([self.own]) == [HangUp.BROKEN])
        self.assertEqual(unread_size(self.own), 6)
        self.own.recv(4)
        self.assertEqual(unread_size(self.own), 2)
        self.own.recv(4)
        self.assertEqual(unread_size(self.own), 0)

    def test_acknowledged(self) -> None:
        """What the peer's system has taken can be told from what it has not."""
        before = acknowledged(self.own)
        self.own.send(b"taken")
        self.until(lambda: acknowledged(self.own) != before)
        here, there = socket.socketpair()
        self.addCleanup(there.close)
        self.addCleanup(here.close)
        self.assertEqual(acknowledged(here), unacknowledged(here))

    def test_other_systems(self) -> None:
        """Where the system does not count them it is still known whether there are some."""
        self.patch(_system, "termios", None)
        self.assertEqual(unread_size(self.own), 0)
        self.peer.send(b"unread")
        self.until(lambda: unread_size(self.own) == 6)
        self.assertEqual(self.own.recv(10), b"unread")
        self.peer.close()
        self.until(lambda: hang_ups([self.own]) != [None])
        self.assertEqual(unread_size(self.own), 0)
        self.assertIs(unacknowledged(self.own), None)


class ElsewhereTests(SynchronousTestCase):
    """Systems without the modules of Unix, such as Windows."""

    def test_import(self) -> None:
        """The module is imported without them."""
        for name in UNIX_ONLY:
            self.patch_module(name)
        spec = importlib.util.spec_from_file_location("elsewhere", _system.__file__)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.assertIs(module.termios, None)

    def patch_module(self, name: str) -> None:
        """Let a module be missing."""
        before = sys.modules.get(name)
        sys.modules[name] = None  # type: ignore[assignment]
        if before is None:
            self.addCleanup(sys.modules.pop, name)
        else:
            self.addCleanup(sys.modules.__setitem__, name, before)

    def test_relays(self) -> None:
        """A repeater relays without them, and without what only Linux tells of sockets."""
        done = subprocess.run(
            [sys.executable, "-c", RELAYS_ELSEWHERE], capture_output=True, text=True, timeout=LONGEST, check=False
        )
        self.assertEqual((done.returncode, done.stdout), (0, "pong\n"), done.stderr)


class StateTests(ConnectionCase):
    """How a TCP connection stands."""

    if not _system.HAS_TCP_INFO:
        skip = "only Linux tells how a TCP connection stands"

    def state(self) -> Any:
        """Ask about our end."""
        state = tcp_state(self.own)
        assert state is not None
        return state

    def test_idle(self) -> None:
        """A connection on which all is answered is not unanswered; its silence lasts until something comes."""
        self.own.send(b"x")
        self.until(lambda: not self.state().unanswered)
        self.until(lambda: self.state().silence > 0.05)
        self.assertFalse(self.state().window_closed)
        self.peer.send(b"x")
        self.until(lambda: self.state().silence < 0.05)

    def test_unanswered(self) -> None:
        """Bytes to a peer that has vanished stay unanswered, until it comes back."""
        can_vanish(self)
        vanish(self.peer)
        self.own.send(b"x")
        self.until(lambda: self.state().unanswered and self.state().silence > 0.01)
        self.assertFalse(self.state().window_closed)
        come_back(self.peer)
        self.until(lambda: not self.state().unanswered)

    def test_window_closed(self) -> None:
        """A peer that reads nothing is not unanswering: all that was sent is acknowledged, the rest waits."""
        self.fill()
        self.until(lambda: not self.state().unanswered)
        self.assertTrue(self.state().window_closed)

    def test_window_shut_on_bytes(self) -> None:
        """Nor is one whose system drops bytes that it had room for: small messages take more than their bytes."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(BlockingIOError):
            while self.own.send(bytes(16)):
                pass
        self.until(lambda: self.state().silence > 0.25 and self.state()[:2] == (False, True))

    def test_unknown(self) -> None:
        """Of Unix sockets, of closed ones, and on other systems nothing is known."""
        pair = socket.socketpair()
        for one in pair:
            self.addCleanup(one.close)
        self.assertIs(tcp_state(pair[0]), None)
        self.patch(_system, "HAS_TCP_INFO", False)
        self.assertIs(tcp_state(self.own), None)
        self.patch(_system, "HAS_TCP_INFO", True)
        self.own.close()
        self.assertIs(tcp_state(self.own), None)

    def test_too_little(self) -> None:
        """A system that tells less than is needed tells nothing."""
        handle: Any = SimpleNamespace(getsockopt=lambda *arguments: b"\1" * 8, fileno=self.own.fileno)
        self.assertIs(tcp_state(handle), None)


class KeepAliveTests(ConnectionCase):
    """When a silent peer is probed."""

    def test_sum(self) -> None:
        """All times together are the time that is allowed, in whole seconds, with the first probe after half of it."""
        for timeout in range(2, 400):
            idle, interval, probes = keep_alive_within(timeout + 0.5)
            self.assertEqual(idle + interval * probes, timeout)
            self.assertTrue(interval >= 1 and 1 <= probes <= 3 and timeout // 2 <= idle <= timeout // 2 + 2, timeout)
        self.assertEqual(keep_alive_within(60), (30, 10, 3))

    def test_bounds(self) -> None:
        """Times that the system doesn't take are not asked for."""
        self.assertEqual(keep_alive_within(0.1), keep_alive_within(2))
        self.assertEqual(sum(keep_alive_within(1e9)[:1]), keep_alive_within(LONGEST_IDLE).idle)
        set_keep_alive(self.own, keep_alive_within(1e9))

    def test_set(self) -> None:
        """The system takes the times, and tells them."""
        set_keep_alive(self.own, KeepAlive(30, 10, 3))
        self.assertEqual(keep_alive_of(self.own), (30, 10, 3))

    def test_not_there(self) -> None:
        """On a system without such times a peer is probed at others, and a socket that is closed is left alone."""
        before = keep_alive_of(self.own)
        pair = socket.socketpair()
        for one in pair:
            self.addCleanup(one.close)
        set_keep_alive(pair[0], KeepAlive(30, 10, 3))
        self.assertIs(keep_alive_of(pair[0]), None)
        self.patch(_system, "IDLE_OPTION", None)
        set_keep_alive(self.own, KeepAlive(7, 7, 7))
        self.assertIs(keep_alive_of(self.own), None)
        self.patch(_system, "IDLE_OPTION", socket.TCP_KEEPIDLE)
        self.assertEqual(keep_alive_of(self.own), before)
        self.assertTrue(self.own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.own.close()
        set_keep_alive(self.own, None)

    def test_of_the_system(self) -> None:
        """Without times of its own a connection is probed at those of the system."""
        before = keep_alive_of(self.own)
        set_keep_alive(self.own, None)
        self.assertEqual(keep_alive_of(self.own), before)
        self.assertTrue(self.own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
