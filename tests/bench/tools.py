"""The load tools of the protocols: how each is called, and how what it prints is read."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from .installed import find
from .loads import Load
from .process import Failed, last_line

__all__ = ["TOOLS", "Tool"]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """The program that puts a protocol's load on, for a number of requests."""

    command: Callable[[Load, int, int], list[str]]
    """Makes its command line of the load, the port and the number of requests."""
    requests_per_second: Callable[[str, int], float]
    """Reads what it printed.

    Args:
        printed: its output.
        requests: how many requests it was to make.

    Raises:
        Failed: not all of them were made.
    """
    warm_up: int
    """How many requests are made before anything is measured."""


def _pgbench(load: Load, port: int, requests: int) -> list[str]:
    clients = load.connections
    options = [f"--client={clients}", f"--transactions={max(1, requests // clients)}", "--no-vacuum", *load.tool]
    return [find("pgbench"), "--host=127.0.0.1", f"--port={port}", "--username=bench", *options, "postgres"]


def _of_pgbench(printed: str, requests: int) -> float:
    done = re.search(r"actually processed: (\d+)/(\d+)", printed)
    failed = re.search(r"number of failed transactions: (\d+)", printed)
    speed = re.search(r"tps = ([\d.]+) \((?:without initial|excluding)", printed)
    if not (done and speed) or done[1] != done[2] or (failed and failed[1] != "0"):
        raise Failed(f"pgbench: {last_line(printed)}")
    return float(speed[1])


def _redis_benchmark(load: Load, port: int, requests: int) -> list[str]:
    options = ["-c", str(load.connections), "-d", str(load.size), "-n", str(requests), "--csv", *load.tool]
    return [find("redis-benchmark"), "-h", "127.0.0.1", "-p", str(port), *options]


def _of_redis_benchmark(printed: str, requests: int) -> float:
    speed = re.search(r'^"[GS]ET","([\d.]+)"', printed, re.MULTILINE)
    if speed is None or "Error" in printed:
        raise Failed(f"redis-benchmark: {last_line(printed)}")
    return float(speed[1])


def _mqtt(load: Load, port: int, requests: int) -> list[str]:
    arguments = [str(port), *load.tool, str(requests), str(load.connections // 2), str(load.size)]
    return [sys.executable, "-m", "tests.bench.programs.mqtt", *arguments]


def _of_mqtt(printed: str, requests: int) -> float:
    speed = re.search(r"(\d+) messages, ([\d.]+) for each second", printed)
    if speed is None or int(speed[1]) < requests:
        raise Failed(f"the MQTT load: {last_line(printed)}")
    return float(speed[2])


def _fix(load: Load, port: int, requests: int) -> list[str]:
    return [sys.executable, "-m", "tests.bench.programs.fix", str(port), str(requests), str(load.connections)]


def _of_fix(printed: str, requests: int) -> float:
    speed = re.search(r"(\d+) orders, ([\d.]+) for each second", printed)
    if speed is None or int(speed[1]) < requests:
        raise Failed(f"the FIX load: {last_line(printed)}")
    return float(speed[2])


TOOLS = {
    "postgres": Tool(command=_pgbench, requests_per_second=_of_pgbench, warm_up=200),
    "redis": Tool(command=_redis_benchmark, requests_per_second=_of_redis_benchmark, warm_up=5000),
    "fix": Tool(command=_fix, requests_per_second=_of_fix, warm_up=1000),
    "mqtt": Tool(command=_mqtt, requests_per_second=_of_mqtt, warm_up=1000),
}
"""By the kind of load."""
