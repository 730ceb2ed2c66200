"""Unix sockets of processes that died."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from twisted_repeater.service import unix_sockets
from twisted_repeater.service.unix_sockets import remove_dead_socket, socket_path

reactor: Any = installed_reactor


class SocketTests(TestCase):
    """`remove_dead_socket`."""

    def setUp(self) -> None:
        """Make a directory with a short path."""
        directory = tempfile.mkdtemp(prefix="sockets-")
        self.addCleanup(shutil.rmtree, directory)
        self.path = Path(directory, "edge")
        self.lock = Path(directory, "edge.lock")

    def listen(self) -> socket.socket:
        """Listen at the path."""
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(str(self.path))
        listening.listen(1)
        return listening

    async def test_dead(self) -> None:
        """A socket at which nobody listens is removed with its lock, even if that names a process that lives."""
        self.listen().close()
        self.lock.symlink_to(str(os.getpid()))
        remove_dead_socket(f"unix:{self.path}:mode=600")
        port = await serverFromString(reactor, f"unix:{self.path}").listen(Factory())
        await maybeDeferred(port.stopListening)

    def test_no_lock(self) -> None:
        """A socket without a lock is removed, too."""
        self.listen().close()
        remove_dead_socket(f"unix:{self.path}")
        self.assertFalse(self.path.exists())

    def test_alive(self) -> None:
        """A socket stays if somebody listens there, also if nobody is let in any more."""
        self.listen()
        remove_dead_socket(f"unix:{self.path}")
        self.assertTrue(self.path.exists())
        self.patch(unix_sockets, "TIMEOUT", 0.0)
        for _ in range(3):  # until the queue is full
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(str(self.path))
        remove_dead_socket(f"unix:{self.path}")
        self.assertTrue(self.path.exists())

    def test_others(self) -> None:
        """A file that is no socket stays, which is an error; where nothing is, nothing is done."""
        remove_dead_socket(f"unix:{self.path}")
        self.path.write_text("x")
        error = self.assertRaises(ValueError, remove_dead_socket, f"unix:{self.path}")
        self.assertEqual(
            str(error), f"cannot listen on {self.path}: something else is there, such as a file; remove it"
        )
        remove_dead_socket("tcp:9000")
        self.assertEqual(self.path.read_text(), "x")

    def test_paths(self) -> None:
        """The path is found in each way to write it."""
        for text in ("unix:/run/edge:mode=600", "unix:address=/run/edge", "haproxy:unix:/run/edge"):
            self.assertEqual(socket_path(text), "/run/edge")
        self.assertIs(socket_path("tcp:9000"), None)
