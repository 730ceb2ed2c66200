"""Programs that run beside a test: started, read while they run, and ended with the test at the latest."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_repeater

from .paths import EXAMPLES

__all__ = ["LONGEST", "TWISTD", "Program", "ProgramCase", "environment", "kept_port"]

LONGEST = 60.0
"""Seconds; a bound for a test that hangs, far above what any takes."""

TWISTD = f"{sysconfig.get_path('scripts')}/twistd"


class Program:
    """A running program, whose output is read while it runs, so that it never waits for us."""

    def __init__(self, *command: str, cwd: str, env: dict[str, str], pass_fds: tuple[int, ...] = ()) -> None:
        # Where the tests run in the background, SIGINT is ignored, which a program would inherit.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=pass_fds,
            )
        finally:
            signal.signal(signal.SIGINT, before)
        self.pid = self._process.pid
        self.output = ""
        self._complete = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.output += line
                self._changed.notify_all()
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def wait_for(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Return the match when it has printed something that matches, so many times."""
        with self._changed:
            self._changed.wait_for(lambda: self._complete or len(self._matches(pattern)) >= times, LONGEST)
            matches = self._matches(pattern)
            if len(matches) < times:
                raise AssertionError(f"{pattern!r} was not printed {times} times:\n{self.output}")
            return matches[times - 1]

    def _matches(self, pattern: str) -> list[re.Match[str]]:
        return list(re.finditer(pattern, self.output, re.MULTILINE))

    @property
    def lines(self) -> list[str]:
        """Its output so far."""
        return self.output.splitlines()

    def type(self, *lines: str) -> None:
        """Write lines to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()

    def type_end(self) -> None:
        """End its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for its end, and give its status and all that it printed."""
        status = self._process.wait(LONGEST)
        self._reader.join(LONGEST)
        return status, self.output

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, no longer than this; return whether it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.runs

    def terminate(self) -> tuple[int, str]:
        """Ask it to end, and wait for it."""
        self.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        """End it if it still runs, and close its files."""
        self._process.kill()
        self._process.wait()
        self._reader.join(LONGEST)
        for file in (self._process.stdin, self._process.stdout):
            assert file is not None
            with suppress(BrokenPipeError):
                file.close()


def kept_port(case: SynchronousTestCase) -> int:
    """Return a TCP port of 127.0.0.1 that is free, and that nobody gets by chance before the test is over.

    A socket that is bound to it, but does not listen, lets others listen there who ask for this port.
    """
    kept = socket.socket()
    case.addCleanup(kept.close)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return int(kept.getsockname()[1])


def environment() -> dict[str, str]:
    """Return the environment of a program that imports this package, and whose output is read while it runs."""
    ours = str(Path(twisted_repeater.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), ours]))
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


class ProgramCase(SynchronousTestCase):
    """A test case with a directory of its own, the examples in it, and programs that run there."""

    def setUp(self) -> None:
        """Make the directory. Its path is short: the path of a Unix socket has an end."""
        self.directory = tempfile.mkdtemp(prefix="repeater-")
        self.addCleanup(shutil.rmtree, self.directory)
        for example in EXAMPLES.glob("*.py"):
            shutil.copy(example, self.directory)
        self.environment = environment()

    def path(self, name: str) -> Path:
        """Return the path of a file in the directory."""
        return Path(self.directory, name)

    def run_program(self, *command: str) -> Program:
        """Start a program that ends with the test at the latest."""
        program = Program(*command, cwd=self.directory, env=self.environment)
        self.addCleanup(program.kill)
        return program

    def run_twistd(self, *arguments: str) -> Program:
        """Start twistd in the foreground."""
        return self.run_program(TWISTD, "-n", "--pidfile=", *arguments)

    def ask_twistd(self, *arguments: str) -> tuple[int, str, str]:
        """Run twistd until it is done; return its status, its standard output and its standard error."""
        return self.ask(TWISTD, *arguments)

    def ask(self, *command: str) -> tuple[int, str, str]:
        """Run a program until it is done; return its status, its standard output and its standard error."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def run_example(self, name: str, *arguments: str) -> Program:
        """Start one of the examples."""
        return self.run_program(sys.executable, f"{name}.py", *arguments)

    def wait_for_end_of(self, pid: int) -> None:
        """Return when a process that this one did not start has ended."""
        with suppress(ProcessLookupError):
            watched = os.pidfd_open(pid)
            self.addCleanup(os.close, watched)
            self.assertTrue(select.select([watched], [], [], LONGEST)[0], f"process {pid} still runs")
