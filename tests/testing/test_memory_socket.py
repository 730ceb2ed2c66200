"""Sockets in memory behave as those of the system do."""

from __future__ import annotations

import itertools
import socket
import struct

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.testing._memory_socket import CAPACITY, MemorySocket


class MemorySocketTests(SynchronousTestCase):
    """Two connected sockets."""

    def setUp(self) -> None:
        """Connect two."""
        self.one, self.other = MemorySocket.pair(itertools.count())

    def test_bytes(self) -> None:
        """What one sends the other receives, as much as it asks for."""
        self.one.setblocking(False)
        self.assertEqual((self.one.send(b"hello"), self.one.send(b"")), (5, 0))
        self.assertEqual((self.one.readable, self.other.readable), (False, True))
        self.assertEqual((self.other.recv(2), self.other.recv(9)), (b"he", b"llo"))
        self.assertRaises(BlockingIOError, self.other.recv, 9)

    def test_full(self) -> None:
        """One that is not read takes no more than it has room for."""
        self.assertEqual(self.one.send(b"x" * CAPACITY + b"y"), CAPACITY)
        self.assertFalse(self.one.writable)
        self.assertRaises(BlockingIOError, self.one.send, b"y")
        self.other.recv(1)
        self.assertEqual((self.one.writable, self.one.send(b"yz")), (True, 1))

    def test_end_of_stream(self) -> None:
        """After the end of a stream the rest is received, then nothing; the other way stays open."""
        self.one.send(b"last")
        self.one.shutdown(socket.SHUT_WR)
        self.assertRaises(BrokenPipeError, self.one.send, b"more")
        self.assertEqual((self.other.recv(9), self.other.readable, self.other.recv(9)), (b"last", True, b""))
        self.assertEqual((self.other.send(b"reply"), self.one.recv(9)), (5, b"reply"))

    def test_close(self) -> None:
        """Closing ends both ways in good order when everything was read."""
        self.one.close()
        self.assertEqual(self.other.recv(9), b"")

    def test_end_after_close(self) -> None:
        """One that is closed is not woken by the other's end of stream."""
        self.one.close()
        self.other.shutdown(socket.SHUT_WR)
        self.assertNotIn(self.one, self.one._awake)

    def test_close_with_unread_data(self) -> None:
        """Closing with unread data is a reset, which loses what was under way."""
        self.one.send(b"lost")
        self.other.send(b"unread")
        self.one.close()
        self.assertTrue(self.other.readable and self.other.writable)
        self.assertRaises(ConnectionResetError, self.other.recv, 9)
        self.assertRaises(BrokenPipeError, self.other.send, b"x")

    def test_abort(self) -> None:
        """So is closing without lingering."""
        self.one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.one.close()
        self.assertRaises(ConnectionResetError, self.other.recv, 9)

    def test_order_of_arrival(self) -> None:
        """It is known which of several became readable first."""
        self.other.send(b"first")
        self.one.send(b"second")
        self.other.send(b"behind the first")
        self.assertLess(self.one.arrived, self.other.arrived)
        self.one.recv(5)
        self.assertGreater(self.one.arrived, self.other.arrived)

    def test_awake(self) -> None:
        """It is known which have something to read, but for those that are closed."""
        awake: dict[MemorySocket, None] = {}
        one, other = MemorySocket.pair(itertools.count(), awake)
        self.assertEqual([], list(awake))
        one.send(b"a")
        self.assertEqual([other], list(awake))
        other.close()
        self.assertEqual([one], list(awake))
        one.close()
        self.assertEqual([], list(awake))

    def test_no_number(self) -> None:
        """It is no file of the system's."""
        self.assertEqual(self.one.fileno(), -1)
