"""The servers of the protocols: other people's programs, started once for all loads of their kind."""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .installed import find, needs, unprivileged
from .process import Failed, Process, free_port, last_line

__all__ = ["SERVERS", "Server", "server_of"]

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
log_type error
persistence false
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """How a server is started, and what the load tool needs."""

    command: Callable[[int, Path], list[str]]
    """Makes the command that serves at a port, with its files in a directory."""
    programs: tuple[tuple[str, str], ...]
    """The programs that the load needs, each with how it is installed."""
    prepare: Callable[[int], list[str]] | None = None
    """Makes the command that is run once when the server runs."""

    def missing(self) -> str | None:
        """Return why the load cannot be put on here; ``None`` if it can."""
        reasons = (needs(*program)() for program in self.programs)
        return next((reason for reason in reasons if reason), None)


def _postgres(port: int, directory: Path) -> list[str]:
    become = unprivileged(directory)
    data = str(directory / "data")
    initdb = [find("initdb"), f"--pgdata={data}", "--username=bench", "--auth=trust", "--no-sync", "--locale=C.UTF-8"]
    done = subprocess.run([*become, *initdb], cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"initdb: {last_line(done.stderr)}")
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "port": str(port)}
    return [*become, find("postgres"), "-D", data, *(f"--{name}={value}" for name, value in settings.items())]


def _pgbench(port: int) -> list[str]:
    return [find("pgbench"), "--initialize", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "postgres"]


def _redis(port: int, directory: Path) -> list[str]:
    options = {"--port": str(port), "--bind": "127.0.0.1", "--dir": str(directory), "--save": "", "--appendonly": "no"}
    return [find("redis-server"), *(word for option in options.items() for word in option)]


def _redis_benchmark(port: int) -> list[str]:
    return [find("redis-benchmark"), "-p", str(port), "-t", "set", "-n", "1", "-d", "64", "-q"]


def _mosquitto(port: int, directory: Path) -> list[str]:
    config = directory / "mosquitto.conf"
    config.write_text(_MOSQUITTO.format(port=port))
    return [find("mosquitto"), "-c", str(config)]


def _fix(port: int, directory: Path) -> list[str]:
    return [sys.executable, "-m", "tests.bench.programs.fix", "serve", str(port)]


SERVERS = {
    "postgres": Server(
        command=_postgres,
        programs=(("pgbench", "apt-get install postgresql-client"), ("postgres", "apt-get install postgresql")),
        prepare=_pgbench,
    ),
    "redis": Server(
        command=_redis,
        programs=(("redis-benchmark", "apt-get install redis-tools"), ("redis-server", "apt-get install redis-server")),
        prepare=_redis_benchmark,
    ),
    "fix": Server(command=_fix, programs=()),
    "mqtt": Server(command=_mosquitto, programs=(("mosquitto", "apt-get install mosquitto"),)),
}
"""By the kind of load."""


@cache
def server_of(kind: str, processor: int) -> int:
    """Start a server, unless it runs; return its port. It ends with this process."""
    server = SERVERS[kind]
    directory = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
    atexit.register(directory.cleanup)
    port = free_port()
    process = Process(server.command(port, Path(directory.name)), processor, Path(directory.name), {})
    atexit.register(process.stop, gently=True)
    process.wait_for_listening(port)
    if server.prepare is not None:
        done = subprocess.run(server.prepare(port), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{kind} cannot be prepared: {last_line(done.stderr)}")
    return port
