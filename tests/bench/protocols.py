"""Runs a protocol's own load tool on one contestant, before a real server, and reads what the system says of them."""

from __future__ import annotations

import os
import resource
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from .contestants import Contestant
from .loads import Load
from .measure import Sample, cpu, memory, processors, standing
from .process import Process, running
from .servers import server_of
from .tools import TOOLS

__all__ = ["measure_protocol"]


def measure_protocol(load: Load, contestant: Contestant, seconds: float) -> Sample:
    """Start the contestant, and the server if it does not run; warm up; measure for about so long.

    The tool is asked for as many requests as take so long by what the warm-up has shown.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        for_proxy, for_client, for_server = processors(load)
        port = server_of(load.kind, for_server)
        proxies, port = stack.enter_context(standing(contestant, load, port, for_proxy, directory))
        tool = TOOLS[load.kind]
        few = max(load.connections, tool.warm_up // load.messages)
        speed = _run(load, port, few, for_client, directory)
        speed = _run(load, port, max(few, int(speed * seconds / 4)), for_client, directory)
        return _measure(load, port, max(few, int(speed * seconds)), (for_client, for_server), directory, proxies)


def _run(load: Load, port: int, requests: int, processor: int, directory: Path) -> float:
    """Put the load on; return how many requests were made in a second."""
    tool = TOOLS[load.kind]
    with running(tool.command(load, port, requests), processor, directory, {}) as process:
        return tool.requests_per_second(process.output(), requests)


def _measure(
    load: Load, port: int, requests: int, of_load: tuple[int, int], directory: Path, proxies: list[Process]
) -> Sample:
    held = memory(proxies, "VmRSS") or 0
    busy_before = [_busy(processor) for processor in of_load]
    client_before = _ended()
    proxy_before = cpu(proxies) or 0.0
    started = perf_counter()
    speed = _run(load, port, requests, of_load[0], directory)
    elapsed = perf_counter() - started
    proxy_cpu = (cpu(proxies) or 0.0) - proxy_before if proxies else None
    busy = [_busy(processor) - before for processor, before in zip(of_load, busy_before, strict=True)]
    client_cpu = _ended() - client_before
    seconds = requests / speed
    return Sample(
        messages=requests * load.messages,
        bytes=0,
        seconds=seconds,
        client_cpu=client_cpu,
        server_cpu=busy[1] - (client_cpu if of_load[0] == of_load[1] else 0.0),
        load_busy=max(busy) / elapsed,
        proxy_cpu=proxy_cpu,
        peak_memory=memory(proxies, "VmHWM"),
        grown_memory=(memory(proxies, "VmRSS") or 0) - held if proxies else None,
        round_trip=None,
    )


def _busy(processor: int) -> float:
    """Return for how many seconds a processor has worked since the machine was started.

    A server may have many processes, which come and go. On its processor is nothing else but the load tool.
    """
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{processor}":
            user, nice, system, _idle, _waiting, *interrupts = map(int, ticks[:7])
            return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    raise OSError(f"/proc/stat has no cpu{processor}")


def _ended() -> float:
    """Return how many seconds of CPU time the processes took that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
