"""Runs one load on one contestant, everything in processes of its own, and reads what the system says of them."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from .contestants import Contestant
from .loads import Load
from .process import Failed, Process, free_port, port_of, running

__all__ = ["Sample", "allow_many_files", "cannot", "cpu", "measure", "memory", "processors", "standing"]

_BEFORE_IDLE = 100
"""Links made before memory is read the first time, so that what is set up once does not count."""


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
    """The median, with one message under way on each connection."""
    slow_round_trip: float | None = None
    """Of 100 round trips, 99 took no longer."""


def measure(load: Load, contestant: Contestant, seconds: float) -> Sample:
    """Start the server, the contestant and the client; warm up; measure for about so long; end them all."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        certify(load, directory)
        words = json.dumps(asdict(load)), str(directory / "tls")

        def program(name: str, processor: int, *arguments: str) -> Process:
            command = [sys.executable, "-m", f"tests.bench.programs.{name}", *arguments]
            return stack.enter_context(running(command, processor, directory, {}))

        for_proxy, for_client, for_server = processors(load)
        server = program("server", for_server, *words)
        port = int(server.answer()["port"])
        proxies, port = stack.enter_context(standing(contestant, load, port, for_proxy, directory))
        client = program("client", for_client, str(port), *words)
        if load.spread:
            for process in (server, client, *proxies):
                os.sched_setaffinity(process.pid, os.sched_getaffinity(0))
        try:
            return _measure(load, seconds, client, server, proxies)
        except Failed as failed:
            told = [f"{failed}", *(said for process in (server, *proxies) if (said := process.said()))]
            raise Failed("; ".join(told)) from failed


def certify(load: Load, directory: Path) -> None:
    """If the load needs them, write certificates for localhost, and the authority's, where the processes find them."""
    if load.tls:
        from ..certificates import Authority  # which needs the extra

        issued = Authority(directory / "tls").issue("localhost")
        issued.key.with_suffix(".both").write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())


@contextmanager
def standing(
    contestant: Contestant, load: Load, port: int, processor: int, directory: Path
) -> Iterator[tuple[list[Process], int]]:
    """Run a contestant before a server; return its processes and its port, or none and the server's port.

    Args:
        contestant: what stands there.
        load: the load that it gets.
        port: the port of the server.
        processor: the processor that it runs on.
        directory: where its files are.
    """
    if contestant.start is None:
        yield [], port
        return
    wished = free_port()
    command = contestant.start(load, port, wished, directory)
    with ExitStack() as stack:
        if contestant.beside is not None:
            stack.enter_context(running(contestant.beside(directory), processors(load)[1], directory, {}))
        proxies = [
            stack.enter_context(running(command, processor, directory, contestant.environment))
            for _ in range(contestant.processes)
        ]
        ports = {port_of(proxy, wished, contestant.prints_port) for proxy in proxies}
        yield proxies, ports.pop()


def cpu(processes: list[Process]) -> float | None:
    """Return the CPU time of all; ``None`` if there are none."""
    return sum(process.cpu() for process in processes) if processes else None


def memory(processes: list[Process], what: str) -> int | None:
    """Return the memory of all (see `Process.memory`); ``None`` if there are none."""
    return sum(process.memory(what) for process in processes) if processes else None


def _measure(load: Load, seconds: float, client: Process, server: Process, proxies: list[Process]) -> Sample:
    if load.kind == "idle":
        client.ask(f"link {_BEFORE_IDLE}")
        measured = f"link {load.connections}"
    else:
        if load.kind != "connections":
            client.ask(f"link {load.connections}")
            client.ask("check")
        client.ask(f"run {seconds / 4}")
        measured = f"run {seconds}"
    held = memory(proxies, "VmRSS") or 0
    before = [client.cpu(), server.cpu(), cpu(proxies) or 0.0]
    answer = client.ask(measured)
    used = [now - then for now, then in zip((client.cpu(), server.cpu(), cpu(proxies) or 0.0), before, strict=True)]
    load_used = used[0] + used[1] if client.processor == server.processor else max(used[:2])
    return Sample(
        messages=int(answer["messages"]),
        bytes=int(answer["bytes"]),
        seconds=answer["seconds"],
        client_cpu=used[0],
        server_cpu=used[1],
        load_busy=load_used / answer["seconds"],
        proxy_cpu=used[2] if proxies else None,
        peak_memory=memory(proxies, "VmHWM"),
        grown_memory=(memory(proxies, "VmRSS") or 0) - held if proxies else None,
        round_trip=answer.get("round_trip"),
        slow_round_trip=answer.get("slow_round_trip"),
    )


def processors(load: Load) -> tuple[int, int, int]:
    """One for the proxy and one, or two, for the load: what a copy costs depends on whose cache the bytes are in.

    With one message under way only one process has something to do at a time. All on one processor, none has to be
    woken on another, which takes longer than the work and varies more.
    """
    own = sorted(os.sched_getaffinity(0))
    if load.is_in_turn:
        own = own[-1:]
    return own[-1], own[0], own[1 if len(own) > 2 else 0]


def cannot(load: Load) -> str | None:
    """Return why a load of the benchmark's own cannot be put on here; ``None`` if it can."""
    if load.tls and not (find_spec("cryptography") and find_spec("OpenSSL")):
        return "TLS is not installed: pip install -e '.[tls]'"
    return allow_many_files(load.connections)


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
