"""Runs one load on one contestant, everything in processes of its own, and reads what the system says of them."""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .contestants import ROOT, Contestant
from .loads import Load

__all__ = ["Failed", "Sample", "allow_many_files", "measure"]

_START_TIMEOUT = 20.0
_STEP_TIMEOUT = 90.0
_BEFORE_IDLE = 100
"""Links made before memory is read the first time, so that what is set up once does not count."""


class Failed(Exception):
    """A contestant did not do what the load asks."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one run gave. Times in seconds, memory in bytes; of the proxy only ``None`` where there is none."""

    messages: int
    bytes: int
    seconds: float
    client_cpu: float
    server_cpu: float
    load_busy: float
    """From 0 to 1: of the processor that client and server share, or of the busier one's."""
    proxy_cpu: float | None
    peak_memory: int | None
    grown_memory: int | None
    round_trip: float | None
    """The median, with one message under way."""


class _Process:
    """A child process that talks in lines of JSON."""

    def __init__(self, command: list[str], processor: int, directory: Path, environment: dict[str, str]) -> None:
        self.name = " ".join(Path(word).name for word in command[:3])
        self._log = (directory / f"log-{len(list(directory.iterdir()))}").open("w+")
        variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment
        self._popen = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )
        self.pid = self._popen.pid
        self.processor = processor
        os.sched_setaffinity(self.pid, {processor})

    def stop(self) -> None:
        self._popen.kill()
        self._popen.communicate()
        self._log.close()

    def ask(self, command: str) -> dict[str, float]:
        """Send a command, give the answer."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(command.encode() + b"\n")
        self._popen.stdin.flush()
        return self.answer(_STEP_TIMEOUT)

    def answer(self, timeout: float = _START_TIMEOUT) -> dict[str, float]:
        """Wait for a line."""
        assert self._popen.stdout is not None
        if not select.select([self._popen.stdout], [], [], timeout)[0]:
            raise Failed(f"{self.name}: no answer for {timeout:.0f} s")
        line = self._popen.stdout.readline()
        if not line:
            raise self.ended()
        answer: dict[str, float] = json.loads(line)
        return answer

    def wait_for_listening(self, port: int) -> None:
        """Wait until the port is open, without connecting to it: that would make a link."""
        deadline = time.monotonic() + _START_TIMEOUT
        while not _is_listening(port):
            if self._popen.poll() is not None:
                raise self.ended()
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: does not listen after {_START_TIMEOUT:.0f} s")
            time.sleep(0.02)

    def ended(self) -> Failed:
        """What to raise when it should still run."""
        return Failed(f"{self.name} ended: {self.said() or 'without a word'}")

    def said(self) -> str:
        """The last line that it wrote as an error."""
        self._log.seek(0)
        return "".join(self._log.read().strip().splitlines()[-1:])

    def cpu(self) -> float:
        """CPU time of all its threads, by the system's own clock of the process, in nanoseconds' resolution."""
        return time.clock_gettime((~self.pid << 3) | 2)  # what clock_getcpuclockid(3) gives

    def memory(self, what: str) -> int:
        """``VmHWM``, the peak, or ``VmRSS``, the present size."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
        raise Failed(f"{self.name} has no {what}")


def measure(load: Load, contestant: Contestant, seconds: float) -> Sample:
    """Start the server, the contestant and the client; warm up; measure for about so long; end them all."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        as_json = json.dumps(asdict(load))

        def program(name: str, processor: int, *arguments: str) -> _Process:
            command = [sys.executable, "-m", f"tests.bench.programs.{name}", *arguments]
            return stack.enter_context(_running(command, processor, directory, {}))

        for_proxy, for_client, for_server = _processors(load)
        server = program("server", for_server, as_json)
        port = int(server.answer()["port"])
        proxy = None
        if contestant.start is not None:
            wished = _free_port()
            command = contestant.start(load, port, wished, directory)
            proxy = stack.enter_context(_running(command, for_proxy, directory, contestant.environment))
            port = _port_of(proxy, contestant, wished)
        client = program("client", for_client, str(port), as_json)
        try:
            return _measure(load, seconds, client, server, proxy)
        except Failed as failed:
            told = [f"{failed}", *(said for process in (server, proxy) if process and (said := process.said()))]
            raise Failed("; ".join(told)) from failed


def _measure(load: Load, seconds: float, client: _Process, server: _Process, proxy: _Process | None) -> Sample:
    if load.kind == "idle":
        client.ask(f"link {_BEFORE_IDLE}")
        measured = f"link {load.connections}"
    else:
        if load.kind != "connections":
            client.ask(f"link {load.connections}")
            client.ask("check")
        client.ask(f"run {seconds / 4}")
        measured = f"run {seconds}"
    processes = [p for p in (client, server, proxy) if p is not None]
    memory = proxy.memory("VmRSS") if proxy else 0
    before = [p.cpu() for p in processes]
    answer = client.ask(measured)
    used = [p.cpu() - b for p, b in zip(processes, before, strict=True)]
    load_used = used[0] + used[1] if client.processor == server.processor else max(used[:2])
    return Sample(
        messages=int(answer["messages"]),
        bytes=int(answer["bytes"]),
        seconds=answer["seconds"],
        client_cpu=used[0],
        server_cpu=used[1],
        load_busy=load_used / answer["seconds"],
        proxy_cpu=used[2] if proxy else None,
        peak_memory=proxy.memory("VmHWM") if proxy else None,
        grown_memory=proxy.memory("VmRSS") - memory if proxy else None,
        round_trip=answer.get("round_trip"),
    )


@contextmanager
def _running(command: list[str], processor: int, directory: Path, environment: dict[str, str]) -> Iterator[_Process]:
    process = _Process(command, processor, directory, environment)
    try:
        yield process
    finally:
        process.stop()


def _processors(load: Load) -> tuple[int, int, int]:
    """One for the proxy and one, or two, for the load: what a copy costs depends on whose cache the bytes are in.

    With one message under way only one process has something to do at a time. All on one processor, none has to be
    woken on another, which takes longer than the work and varies more.
    """
    own = sorted(os.sched_getaffinity(0))
    if load.outstanding == load.connections == 1:
        own = own[-1:]
    return own[-1], own[0], own[1 if len(own) > 2 else 0]


def _port_of(proxy: _Process, contestant: Contestant, wished: int) -> int:
    if contestant.prints_port:
        return int(proxy.answer()["port"])
    proxy.wait_for_listening(wished)
    return wished


def _free_port() -> int:
    """A port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _is_listening(port: int) -> bool:
    wanted = f"0100007F:{port:04X}", "0A"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any((fields[1], fields[3]) == wanted for fields in map(str.split, lines))


def allow_many_files(connections: int) -> str | None:
    """Raise the limit of open files for this process and its children; say if that is not enough."""
    needed = 2 * connections + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        wished = min(needed, hard) if hard != resource.RLIM_INFINITY else needed
        resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
        if wished < needed:
            return f"only {hard} open files are allowed, {needed} are needed"
    return None
