"""Servers and clients of other people for a test: programs that run beside it, and clients that block.

A test module that needs programs names their packages of Debian, on one line, for ``.ci/run`` to install::

    DEBIAN_PACKAGES = "redis-server redis-tools"

    class RedisTests(RealCase):
        async def test_ping(self) -> None:
            server = self.start_server(lambda port: [needed("redis-server", "redis-server"), "--port", str(port)])
            repeater = await self.start_repeater(dialects.redis(), server.port)
            client = redis.Redis(port=repeater.port)
            await self.in_thread(client.ping)
            await self.in_thread(client.close)
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from twisted_repeater import Dialect, Repeater

from ..paths import EXAMPLES
from ..peers import Calls, kept_by, reactor
from ..programs import LONGEST, TWISTD, Program, environment

__all__ = ["RealCase", "RealServer", "bytewise", "example", "talk"]

P = ParamSpec("P")
T = TypeVar("T")

PAUSE = 0.005
"""Seconds between two looks at something that tells nobody when it changes."""
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""What a server's command begins with, so that a server does not outlive tests that were killed."""
ASKS = 5.0
"""Seconds between two signals that ask a server to end."""
TRIES = 5
"""How many ports are tried: somebody else may take one after it was found free."""


class RealServer:
    """A server program on a free port of 127.0.0.1, in a directory of its own.

    Args:
        command: makes the command of a port.
        more: variables that the program gets besides those of this process.

    The constructor returns when the server accepts connections.
    """

    port: int
    """The port that it listens at."""
    directory: str
    """Where it runs. It is removed at the end."""
    program: Program
    """The running program, with its output."""

    def __init__(self, command: Callable[[int], Sequence[str]], **more: str) -> None:
        self.directory = tempfile.mkdtemp(prefix="real-")
        for _ in range(TRIES):
            self.port = free_port()
            self.program = Program(*ENDS_WITH_US, *command(self.port), cwd=self.directory, env=environment() | more)
            if self._accepts():
                return
            self.program.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        raise AssertionError(f"the server has ended at once:\n{self.program.output}")

    def _accepts(self) -> bool:
        """Return whether it accepts connections: true as soon as it does, false if it ends instead."""
        deadline = time.monotonic() + LONGEST
        while self.program.runs:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            if time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the server accepts nobody:\n{self.program.output}")
            time.sleep(PAUSE)
        return False

    def stop(self) -> None:
        """End it, in good order if it can, and remove its directory."""
        deadline = time.monotonic() + LONGEST
        try:
            self.program.send_signal(signal.SIGTERM)
            while not self.program.ends_within(ASKS) and time.monotonic() < deadline:
                self.program.send_signal(signal.SIGTERM)  # it was still starting, and has lost the one before
            self.program.end()
        finally:
            self.program.kill()
            shutil.rmtree(self.directory, ignore_errors=True)


class RealCase(TestCase):
    """A test case with real servers, a repeater on real sockets, and clients that block.

    At the end of a test the repeater must have forgotten its links by itself, without being shut down, as soon as their
    clients have gone. No socket may be left. Trial sees to it that no timer is.
    """

    timeout = LONGEST

    def setUp(self) -> None:
        """Make a directory for the test."""
        self.directory = Path(tempfile.mkdtemp(prefix="real-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.calls = Calls()
        before = open_sockets()
        self.addCleanup(lambda: self.assertEqual(open_sockets() - before, set()))

    def start_server(self, command: Callable[[int], Sequence[str]], **more: str) -> RealServer:
        """Start a server that ends with the test; see `RealServer`."""
        server = RealServer(command, **more)
        self.addCleanup(server.stop)
        return server

    async def start_repeater(self, dialect: Dialect, port: int, **settings: Any) -> Repeater:
        """Start a repeater before a server; it is shut down with the test.

        Args:
            dialect: its dialect.
            port: the server's port on 127.0.0.1.
            settings: arguments of `Repeater.start` and of `Repeater.create`. ``self.calls`` records the callbacks.
        """
        names = set(Repeater.start.__kwdefaults__ or ())
        callbacks = {name: settings.pop(name) for name in names & set(settings)}
        defaults = {"repeater_name": "edge", "listen": "tcp:0:interface=127.0.0.1", "server": f"tcp:127.0.0.1:{port}"}
        repeater = await Repeater.create(dialect, **defaults | settings)
        self.addCleanup(lambda: Deferred.fromCoroutine(self._end(repeater)))
        repeater.start(**self.calls.recorded(callbacks))
        return repeater

    async def _end(self, repeater: Repeater) -> None:
        try:
            await self.nothing_left(repeater)
        finally:
            await repeater.shutdown()

    async def nothing_left(self, repeater: Repeater) -> None:
        """Wait until a repeater has no link, attempt or name left."""
        factory = repeater._factory
        await self.until(lambda: not kept_by(factory), lambda: f"the repeater still has {kept_by(factory)}")

    async def until(self, condition: Callable[[], object], otherwise: Callable[[], str] = lambda: "in vain") -> None:
        """Wait until a condition holds that nobody tells of; ``otherwise`` says what the matter is if it never does."""
        deadline = time.monotonic() + LONGEST / 2
        while not condition():
            assert time.monotonic() < deadline, otherwise()
            await deferLater(reactor, PAUSE, lambda: None)

    def in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Make a call that blocks, such as one of a client library, in a thread beside the reactor."""
        # Not one of the reactor's: trial stops those while it runs the reactor, and waits for their end.
        done: Deferred[T] = Deferred()

        def run() -> None:
            try:
                result = call(*args, **kwargs)
            except BaseException:
                reactor.callFromThread(done.errback, Failure())
            else:
                reactor.callFromThread(done.callback, result)

        threading.Thread(target=run, daemon=True).start()
        return done

    def run_client(self, *command: str, says: str | bytes = b"") -> Deferred[tuple[int, str]]:
        """Run a client program to its end.

        Args:
            command: the program with its arguments.
            says: its standard input.

        Returns:
            A Deferred of its status and what it printed, also as errors.
        """

        def run() -> tuple[int, str]:
            done = subprocess.run(
                command,
                input=says.encode() if isinstance(says, str) else says,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                timeout=LONGEST / 2,
                check=False,
            )
            return done.returncode, done.stdout.decode()

        return self.in_thread(run)

    def start_twistd(self, module: ModuleType, port: int) -> int:
        """Run the repeater as the docstring of an example says, before a server.

        Args:
            module: the example.
            port: the server's port on 127.0.0.1.

        Returns:
            The port that the repeater listens at.
        """
        command = re.search(r"^ +twistd (-n repeater(?:.*\\\n)*.*)$", module.__doc__ or "", re.M)
        assert command is not None, f"{module.__name__} does not say how to run it"
        words = shlex.split(command[1].replace("\\\n", " "))
        words[words.index("--listen") + 1] = "tcp:0:interface=127.0.0.1"
        words[words.index("--server") + 1] = f"tcp:127.0.0.1:{port}"
        shutil.copy(str(module.__file__), self.directory)
        program = self.start_client(TWISTD, "--pidfile=", *words)
        return int(program.wait_for(r"accepting clients at .*?(\d+)\D*$")[1])

    def start_client(self, *command: str) -> Program:
        """Start a client program that is read while it runs, and ends with the test at the latest."""
        program = Program(*command, cwd=str(self.directory), env=environment())
        self.addCleanup(program.kill)
        return program


def example(name: str) -> ModuleType:
    """Import an example of the docs."""
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def talk(port: int, *pieces: bytes, ends: bool = False, until: bytes | None = None) -> bytes:
    """Be a client that knows no protocol. This blocks: call it in a thread.

    Args:
        port: where to connect to, on 127.0.0.1.
        pieces: what to send, each in a packet of its own.
        ends: whether to end the stream behind them.
        until: what to wait for before leaving; by default for the end of the other stream.

    Returns:
        What was received.
    """
    received = b""
    with closing(socket.create_connection(("127.0.0.1", port), LONGEST / 2)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        try:
            for piece in pieces:
                client.sendall(piece)
            if ends:
                client.shutdown(socket.SHUT_WR)
            while until is None or until not in received:
                data = client.recv(65536)
                if not data:
                    break
                received += data
        except ConnectionError:
            pass
    return received


def bytewise(data: bytes) -> Iterable[bytes]:
    """Return the pieces of something that is sent one byte at a time."""
    return (data[at : at + 1] for at in range(len(data)))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at, and that the system gives nobody else for a minute.

    It has a connection that has just been closed. A server that sets ``SO_REUSEADDR`` can listen there all the same.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address: tuple[str, int] = listening.getsockname()
        with socket.create_connection(address):
            listening.accept()[0].close()  # the end that closes first is the one that is remembered
    return address[1]


def open_sockets() -> set[str]:
    """Return the sockets that this process has open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the one that listed them
            continue
        if name.startswith("socket:"):
            found.add(name)
    return found
