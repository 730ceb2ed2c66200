"""A program that the benchmark starts, and what the system says of it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..paths import ROOT

__all__ = ["Failed", "Process", "free_port", "last_line", "port_of", "running"]

_START_TIMEOUT = 20.0
_STEP_TIMEOUT = 90.0


class Failed(Exception):
    """A contestant did not do what the load asks."""


class Process:
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

    def stop(self, gently: bool = False) -> None:
        """End it. A server with processes of its own is asked to, by SIGINT."""
        try:
            if gently:
                self._popen.send_signal(signal.SIGINT)
                self._popen.wait(_START_TIMEOUT)
        finally:
            self._popen.kill()
            self._popen.communicate()
            self._log.close()

    def output(self) -> str:
        """Wait until it ends by itself; give all that it wrote, errors first."""
        try:
            printed, _ = self._popen.communicate(timeout=_STEP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name}: has not ended after {_STEP_TIMEOUT:.0f} s; {self.said()}") from None
        self._log.seek(0)
        text = self._log.read() + printed.decode()
        if self._popen.returncode:
            raise Failed(f"{self.name} ended with status {self._popen.returncode}: {last_line(text)}")
        return text

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
        return last_line(self._log.read())

    def cpu(self) -> float:
        """CPU time of all its threads, by the system's own clock of the process, in nanoseconds' resolution."""
        return time.clock_gettime((~self.pid << 3) | 2)  # what clock_getcpuclockid(3) gives

    def memory(self, what: str) -> int:
        """``VmHWM``, the peak, or ``VmRSS``, the present size."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
        raise Failed(f"{self.name} has no {what}")


@contextmanager
def running(command: list[str], processor: int, directory: Path, environment: dict[str, str]) -> Iterator[Process]:
    """Start a process, and end it behind the block."""
    process = Process(command, processor, directory, environment)
    try:
        yield process
    finally:
        process.stop()


def port_of(proxy: Process, wished: int, prints_port: bool) -> int:
    """Wait until a proxy listens, and return its port: one of its own choice, or the wished one."""
    if prints_port:
        return int(proxy.answer()["port"])
    proxy.wait_for_listening(wished)
    return wished


def last_line(text: str) -> str:
    """Return the last line of a text, without its end; an empty string if there is none."""
    return "".join(text.strip().splitlines()[-1:])


def free_port() -> int:
    """A port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _is_listening(port: int) -> bool:
    wanted = f"0100007F:{port:04X}", "0A"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any((fields[1], fields[3]) == wanted for fields in map(str.split, lines))
