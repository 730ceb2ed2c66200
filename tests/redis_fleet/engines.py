"""Engines for tests of the fleet: real ones that are frozen, killed and restarted, and wires to them that break.

    class ClaimsTests(EngineCase):
        async def test_frozen(self) -> None:
            engine = self.start_engine()
            settings = FleetSettings(address=engine.address, lease=1.0, timeout=0.3)
            …
            engine.freeze()
            await self.until(lambda: node.problem)
            engine.thaw()

With ``FLEET_ENGINE=valkey-server`` in the environment, the engines are of another program than ``redis-server``.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import redis
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock

from twisted_repeater import Repeater, dialects
from twisted_repeater.faults import Down, Fault, Latency, Timeout
from twisted_repeater.redis_fleet._address import EngineAddress

from ..certificates import Issued
from ..needed import needed
from ..peers import reactor
from ..programs import LONGEST, Program, environment, kept_port
from ..real.servers import ENDS_WITH_US, PAUSE, RealCase

__all__ = ["Engine", "EngineCase", "StoppedReactor", "Wire"]

PROGRAM = os.environ.get("FLEET_ENGINE", "redis-server")
"""The program that is the engine."""


class Engine:
    """A real engine, at a free port of 127.0.0.1 and at a Unix socket. It ends with the test.

    Args:
        case: the test.
        options: more options of the program, such as ``"--maxmemory-policy", "allkeys-lru"``.
        keeps: whether its data are on disk, so that it has them again after `restart`.
        password: what the default user must log in with.
        tls: its certificate; then the port takes TLS only.

    The constructor returns when the engine accepts connections.
    """

    def __init__(
        self, case: RealCase, *options: str, keeps: bool = False, password: str = "", tls: Issued | None = None
    ) -> None:
        self.directory = tempfile.mkdtemp(prefix="engine-")
        case.addCleanup(shutil.rmtree, self.directory)
        self.port = kept_port(case)
        self.path = os.path.join(self.directory, "engine.sock")
        self.password = password
        self._tls = tls
        program = needed(PROGRAM, "redis-server")
        self._command = [program, "--bind", "127.0.0.1", "--unixsocket", self.path, "--save", ""]
        self._command += ["--appendonly", "yes" if keeps else "no", *(("--requirepass", password) if password else ())]
        if tls is None:
            self._command += ["--port", str(self.port)]
        else:
            self._command += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            self._command += ["--tls-cert-file", str(tls.certificate), "--tls-key-file", str(tls.key)]
        self._command += options
        self.program = self._start()
        case.addCleanup(self.kill)

    @property
    def address(self) -> EngineAddress:
        """Where it is, with its password."""
        scheme = "redis" if self._tls is None else "rediss"
        return EngineAddress("127.0.0.1", self.port, password=self.password or None, scheme=scheme)

    @property
    def url(self) -> str:
        """Where it is, with its password, as people write it."""
        login = f":{self.password}@" if self.password else ""
        return f"{self.address.scheme}://{login}127.0.0.1:{self.port}/0"

    def ask(self, *words: Any) -> Any:
        """Return the answer to a command, or raise the error. This blocks for at most two seconds."""
        with closing(redis.Redis(unix_socket_path=self.path, password=self.password or None, socket_timeout=2)) as it:
            return it.execute_command(*words)

    # -- what becomes of it ----------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Stop its process: connections stay, and new ones are made, but nothing is answered."""
        self.program.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let its process go on."""
        self.program.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once. Nobody listens at its port until `restart`."""
        self.program.kill()

    def restart(self) -> None:
        """End it at once if it runs, and start it again: empty, unless it keeps its data."""
        self.kill()
        self.program = self._start()

    def cut(self) -> None:
        """Close the connections of all clients."""
        self.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def fill(self) -> None:
        """Let it have no memory for more data: commands that write get an error."""
        self.ask("CONFIG", "SET", "maxmemory", "1")

    def empty(self) -> None:
        """End what `fill` did."""
        self.ask("CONFIG", "SET", "maxmemory", "0")

    def _start(self) -> Program:
        if os.path.exists(self.path):
            os.remove(self.path)
        program = Program(*ENDS_WITH_US, *self._command, cwd=self.directory, env=environment())
        deadline = time.monotonic() + LONGEST
        while not self._is_ready():
            if not program.runs or time.monotonic() > deadline:
                program.kill()
                raise AssertionError(f"the engine does not run:\n{program.output}")
            time.sleep(PAUSE)
        return program

    def _is_ready(self) -> bool:
        """Return whether it accepts connections and has read its data. It makes the Unix socket last."""
        try:
            return not self.ask("INFO", "persistence")["loading"]
        except (redis.ConnectionError, redis.AuthenticationError):
            return False


class Wire:
    """The wire of one node to its engine, which can be broken without others noticing: a repeater.

    Attributes:
        address: what the node takes for the engine's address.
    """

    def __init__(self, repeater: Repeater, engine: Engine) -> None:
        self._repeater = repeater
        self.address = EngineAddress("127.0.0.1", repeater.port, password=engine.password or None)

    @property
    def connections(self) -> int:
        """How many connections go over it."""
        return len(self._repeater.links())

    def cut(self) -> None:
        """Close the connections that are there. New ones can be made."""
        for link in self._repeater.links():
            link.close()

    def down(self) -> None:
        """Close the connections, and refuse new ones, until `mend`."""
        self._set(Down())

    def hold(self) -> None:
        """Let no byte through, as if packets were lost, until `mend`. Then what waits goes on."""
        self._set(Timeout())

    def slow(self, seconds: float) -> None:
        """Let each command and each answer take this time, until `mend`."""
        self._set(Latency(seconds))

    def mend(self) -> None:
        """End all of this."""
        self._repeater.faults.clear()

    def _set(self, fault: Fault) -> None:
        self._repeater.faults.set("broken", fault)


class StoppedReactor(Clock):
    """The reactor, with a clock that only `advance` moves. What is to be done at once has the reactor's next turn."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> IDelayedCall:  # noqa: A002
        """See `IReactorTime`."""
        if delay <= 0:
            soon: IDelayedCall = reactor.callLater(0, callable, *args, **kw)
            return soon
        return super().callLater(delay, callable, *args, **kw)

    def advance(self, amount: float) -> None:
        """Let time pass, and do what is due by now."""
        self.rightNow += amount
        due = [call for call in self.calls if call.getTime() <= self.rightNow]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the reactor has."""
        return getattr(reactor, name)


class EngineCase(RealCase):
    """A test case with engines; see `RealCase` for what it checks at the end of each test."""

    def start_engine(self, *options: str, keeps: bool = False, password: str = "", tls: Issued | None = None) -> Engine:
        """Start an engine that ends with the test; see `Engine`."""
        return Engine(self, *options, keeps=keeps, password=password, tls=tls)

    async def start_wire(self, engine: Engine) -> Wire:
        """Start a wire to an engine. It ends with the test, after what the test has added to its cleanups since."""
        wire = Wire(await self.start_repeater(dialects.redis(), engine.port), engine)
        self.addCleanup(wire.mend)
        return wire
