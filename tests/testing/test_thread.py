"""A repeater in a thread of its own, between a client and a server that block."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack, closing
from typing import Any

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.threadable import isInIOThread
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Link, SendBack, Verdict, dialects
from twisted_repeater.testing import ThreadRepeater, _thread

from .test_breaking import Harmless

WAIT = 20.0
"""The most seconds that a socket of a test waits."""


def answer(message: bytes, link: Link) -> Verdict:
    """The filter of these tests: answers what begins with a question mark."""
    return SendBack([message[1:]]) if message.startswith(b"?") else PASS_ON


def left() -> object:
    """Return the sockets, pipes and the like that are open, and how many threads run."""
    paths = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    files = {os.readlink(path) for path in paths if os.path.lexists(path)}
    return {file for file in files if not file.startswith("/")}, threading.active_count()


class ThreadRepeaterTests(SynchronousTestCase):
    """`ThreadRepeater`."""

    def setUp(self) -> None:
        """Let a server listen; nothing of the test may be left at its end."""
        before = left()
        self.addCleanup(lambda: self.assertEqual(left(), before))
        self.open = ExitStack()
        self.addCleanup(self.open.close)
        self.server = self.open.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.server.settimeout(WAIT)
        self.endpoint = f"tcp:127.0.0.1:{self.server.getsockname()[1]}"

    def connect(self, repeater: ThreadRepeater) -> tuple[socket.socket, socket.socket]:
        """Connect a client; return its socket and that of the server."""
        client = self.open.enter_context(closing(socket.create_connection(("127.0.0.1", repeater.port), WAIT)))
        server = self.open.enter_context(self.server.accept()[0])
        server.settimeout(WAIT)
        return client, server

    def test_relays(self) -> None:
        """It relays between sockets of a test that blocks, with the filters of the test, and records what happens."""
        with ThreadRepeater(dialects.lines(), server=self.endpoint, to_server_filter=answer) as running:
            client, server = self.connect(running)
            client.sendall(b"order\n")
            self.assertEqual(server.recv(100), b"order\n")
            client.sendall(b"?no\n")
            self.assertEqual(client.recv(100), b"no\n")
            (link,) = running.call(running.repeater.links)
            client.close()
            server.close()
        told = str(running.transcript).replace(f"{link.client_name} ", "")
        expected = [
            "linked",
            "client sends  b'order'",
            "  to server:  PASS_ON",
            "server gets   b'order'",
            "client sends  b'?no'",
            "  to server:  SendBack([b'no'])",
            "client gets   bytes b'no\\n'",
        ]
        self.assertEqual(told.splitlines()[: len(expected)], expected)

    def test_messages_without_filters(self) -> None:
        """The transcript has messages that no filter saw, and those that the repeater sent by itself."""
        with ThreadRepeater(dialects.lines(), server=self.endpoint) as running:
            client, server = self.connect(running)
            server.sendall(b"welcome\n")
            self.assertEqual(client.recv(100), b"welcome\n")
            running.call(running.repeater.send_to_all_clients, b"news")
            self.assertEqual(client.recv(100), b"news\n")
        told = [line[line.index(" ") + 1 :] for line in str(running.transcript).splitlines()]
        self.assertEqual(
            told[1:4],
            ["server sends  b'welcome'", "client gets   b'welcome'", "client gets   bytes b'news\\n'"],
        )

    def test_breaking(self) -> None:
        """A fault holds for a block, with a seed that is drawn from that of the test."""
        with ThreadRepeater(dialects.lines(), server=self.endpoint, fault_seed=1) as running:
            with running.breaking(Harmless()) as harmless:
                self.assertEqual(list(running.repeater.faults), [harmless])
            self.assertEqual(list(running.repeater.faults), [])
        running = ThreadRepeater(dialects.lines(), server=self.endpoint, fault_seed=1)
        with running, running.breaking(Harmless()) as again:
            self.assertEqual(again.seed, harmless.seed)
        self.assertIn(f"begins, with the seed {again.seed}", str(running.transcript))

    def test_close(self) -> None:
        """At the end of the block its links end, and nobody can connect; closing it again does nothing."""
        with ThreadRepeater(dialects.lines(), server=self.endpoint) as running:
            client, _ = self.connect(running)
        self.assertEqual(client.recv(100), b"")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), WAIT)
        running.close()

    def test_other_reactor(self) -> None:
        """It has a reactor of its own: the global one, and the thread that it belongs to, are left alone."""
        before = isInIOThread()
        with ThreadRepeater(dialects.lines(), server=self.endpoint) as running:
            self.assertEqual(isInIOThread(), before)
            later: Any = running.call(task.deferLater, running._reactor, 0, threading.current_thread)
            self.assertEqual(later.name, "repeater")
            self.assertIsNot(running._reactor, reactor)

    def test_calls(self) -> None:
        """A call returns the result of the function or of its Deferred, raises its error, and has a deadline."""
        with ThreadRepeater(dialects.lines(), server=self.endpoint) as running:
            self.assertEqual(running.call(len, "abc"), 3)
            self.assertEqual(running.call(succeed, 7), 7)
            self.assertEqual(running.call(dict, name=1), {"name": 1})
            with self.assertRaises(LookupError):
                running.call(fail, LookupError("no"))
            self.patch(_thread, "PATIENCE", 0.01)
            with self.assertRaises(TimeoutError):
                running.call(Deferred)
            self.patch(_thread, "PATIENCE", WAIT)

    def test_cannot_start(self) -> None:
        """If it cannot be created, the test gets the error, and no thread is left."""
        with self.assertRaisesRegex(ValueError, "nonsense"):
            ThreadRepeater(dialects.lines(), server="nonsense")
        with self.assertRaises(TypeError):
            ThreadRepeater(dialects.lines(), server=self.endpoint, to_server_filter=3)
