"""``python -m tests.bench.fleet``: what a fleet costs."""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import redis

from .installed import find
from .loads import Load
from .measure import allow_many_files
from .process import Process, free_port, running
from .wire import Wire

LINKS = Load(name="links", title="links one by one", kind="connections")
SIDE_BY_SIDE = Load(name="links-8", title="links, 8 side by side", kind="connections", connections=8)
IDLE = Load(name="idle", title="links", kind="idle")

SIZE = 256
"""How many bytes a broadcast has."""
RENEWALS = 500
ALL = set(os.sched_getaffinity(0))


class Bench:
    """One run: all processes, and what was found."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self.options = options
        self.found: dict[str, list[float]] = defaultdict(list)
        self._stack = stack
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._port = free_port()
        self.engine = self._start_engine()
        self._servers: dict[str, int] = {}

    def note(self, what: str, value: float) -> None:
        """Remember a measurement."""
        self.found[what].append(value)
        print(f"{what}: {value:,.4g}", file=sys.stderr)

    def table(self) -> str:
        """Return the median of each, and the spread."""
        lines = ["| | median | least | most |", "|---|---:|---:|---:|"]
        for what, values in self.found.items():
            lines.append(f"| {what} | {statistics.median(values):,.4g} | {min(values):,.4g} | {max(values):,.4g} |")
        return "\n".join(lines)

    # -- processes -------------------------------------------------------------------------------------------

    def _start_engine(self) -> Process:
        words = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._directory)]
        engine = self._run([find("redis-server"), *words], min(ALL))
        engine.wait_for_listening(self._port)
        return engine

    def _run(self, command: list[str], processor: int) -> Process:
        return self._stack.enter_context(running(command, processor, self._directory, {}))

    def program(self, name: str, processor: int, *arguments: str) -> Process:
        """Start a program of the benchmark."""
        return self._run([sys.executable, "-m", f"tests.bench.programs.{name}", *arguments], processor)

    def node(self, name: str, load: Load, processor: int, *, fleet: bool = True) -> tuple[Process, int]:
        """Start a node, and return it with its port."""
        if load.kind not in self._servers:
            server = self.program("server", min(ALL), json.dumps(asdict(load)), "")
            self._servers[load.kind] = int(server.answer()["port"])
        options = json.dumps({"node": name, "lease": self.options.lease})
        engine = f"redis://127.0.0.1:{self._port}" if fleet else "-"
        node = self.program("fleet_node", processor, str(self._servers[load.kind]), engine, options)
        return node, int(node.answer()["port"])

    def client(self, load: Load, port: int) -> Process:
        """Start the near end of a load."""
        return self.program("client", min(ALL), str(port), json.dumps(asdict(load)), "")

    # -- what is measured ------------------------------------------------------------------------------------

    def links(self) -> None:
        """Links through two nodes, in a fleet and without one by turns."""
        pairs: dict[str, tuple[list[Process], list[list[Process]]]] = {}
        for kind in ("alone", "fleet"):
            made = [self.node(f"{kind}-{n}", LINKS, max(ALL), fleet=kind == "fleet") for n in (1, 2)]
            loads = [[self.client(load, port) for _, port in made] for load in (LINKS, SIDE_BY_SIDE)]
            pairs[kind] = [node for node, _ in made], loads
        for turn in range(self.options.rounds + 1):
            for kind, (nodes, (one_by_one, side_by_side)) in pairs.items():
                for title, clients in (("one by one", one_by_one[:1]), ("8 side by side", side_by_side)):
                    self._links(f"links {title}, {kind}", nodes, clients, warm_up=not turn)

    def _links(self, title: str, nodes: list[Process], clients: list[Process], *, warm_up: bool) -> None:
        seconds = self.options.seconds / (4 if warm_up else 1)
        before, engine = cpu(nodes), self.engine.cpu()
        answers = ask(clients, f"run {seconds}")
        count = sum(answer["messages"] for answer in answers)
        if warm_up:
            return
        self.note(f"{title}: links/s", sum(answer["messages"] / answer["seconds"] for answer in answers))
        self.note(f"{title}: CPU of the node, µs", (cpu(nodes) - before) / count * 1e6)
        self.note(f"{title}: CPU of the engine, µs", (self.engine.cpu() - engine) / count * 1e6)
        for part, name in (("half_made", "half"), ("most_made", "99 of 100")):
            self.note(f"{title}: {name} made within, ms", max(answer[part] for answer in answers) * 1e3)

    def broadcast(self) -> None:
        """A message to all clients of four nodes."""
        count = self.options.clients // 4
        order = sorted(ALL) * 4
        nodes = [self.node(f"node-{n}", IDLE, order[n]) for n in range(4)]
        ports = [port for _, port in nodes]
        processes = [node for node, _ in nodes]
        with ExitStack() as stack:
            clients = [stack.enter_context(link(port, f"{port}-{n}")) for n in range(count) for port in ports]
            poll = select.epoll()
            for client in clients:
                poll.register(client, select.EPOLLIN)
            by_number = {client.fileno(): client for client in clients}
            for turn in range(self.options.rounds + 1):
                before, engine, began = cpu(processes), self.engine.cpu(), time.monotonic()
                with ThreadPoolExecutor() as pool:
                    asked = pool.submit(processes[turn % 4].ask, f"broadcast {SIZE}")
                    missing = len(clients) * (4 + SIZE)
                    while missing:
                        missing -= sum(len(by_number[number].recv(65536)) for number, _ in poll.poll())
                    last = time.monotonic()
                    answer = asked.result()
                assert answer["clients"] == len(clients)
                if turn:
                    self.note("broadcast: answer of all nodes, ms", (answer["answered"] - began) * 1e3)
                    self.note("broadcast: the last client has it, ms", (last - began) * 1e3)
                    self.note("broadcast: CPU of the nodes, ms", (cpu(processes) - before) * 1e3)
                    self.note("broadcast: CPU of the engine, ms", (self.engine.cpu() - engine) * 1e3)

    def names(self) -> None:
        """Many names of one node."""
        count = self.options.names
        for _ in range(self.options.rounds):
            with ExitStack() as ended:
                self._stack, outer = ended, self._stack
                (holder, _), (other, _) = (self.node(name, IDLE, max(ALL)) for name in ("holder", "other"))
                self._renewals(holder, 0)
                before, engine, node = self._memory(), self.engine.cpu(), holder.cpu()
                seconds = holder.ask(f"claim {count}")["seconds"]
                self._costs("claimed", count, seconds, engine, [holder], node)
                self.note("names: memory of the engine for each, bytes", (self._memory() - before) / count)
                self._renewals(holder, count)
                self._stack = outer
                self.engine.stop()
                engine, node = 0.0, holder.cpu()
                self.engine = self._start_engine()
                answer = holder.ask("joined 2")
                self._costs("claimed again", count, answer["seconds"], engine, [holder], node)
                other.ask("joined 2")
                holder.stop()
                self._swept(count)

    def _swept(self, count: int) -> None:
        with self._redis() as engine:
            held = "{twisted_repeater:main}:held"
            while engine.hlen(held) == count:
                time.sleep(0.01)
            began, before = time.monotonic(), self.engine.cpu()
            while left := engine.hlen(held):
                time.sleep(0.05)
            self._costs("swept by one node", count - left, time.monotonic() - began, before)

    def _costs(
        self, what: str, count: int, seconds: float, engine: float, nodes: Iterable[Process] = (), node: float = 0
    ) -> None:
        self.note(f"names: {what}, s", seconds)
        self.note(f"names: {what}, CPU of the engine for each, µs", (self.engine.cpu() - engine) / count * 1e6)
        if nodes:
            self.note(f"names: {what}, CPU of the node for each, µs", (cpu(nodes) - node) / count * 1e6)

    def _renewals(self, node: Process, names: int) -> None:
        for what, title in (("renew", "a renewal"), ("nodes", "a list of 2 nodes")):
            before = self.engine.cpu()
            answer = node.ask(f"{what} {RENEWALS}")
            used = (self.engine.cpu() - before) / RENEWALS * 1e6
            self.note(f"names: {title} with {names:,} names, CPU of the engine, µs", used)
        self.note("names: what a node says of itself, bytes", answer["bytes"])

    def _memory(self) -> int:
        with self._redis() as engine:
            return int(engine.info("memory")["used_memory"])

    def _redis(self) -> redis.Redis:
        return redis.Redis(port=self._port)


def cpu(processes: Iterable[Process]) -> float:
    """Return the CPU time of all."""
    return sum(process.cpu() for process in processes)


def ask(processes: list[Process], command: str) -> list[dict[str, float]]:
    """Let all do something at the same time."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda process: process.ask(command), processes))


def link(port: int, name: str) -> socket.socket:
    """Make a link."""
    wire = Wire(IDLE)
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(wire.hello(name))
    wire.read(client, hello=True)
    return client


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description=__doc__)
    parts = ("links", "broadcast", "names")
    parser.add_argument("--only", action="append", choices=parts, help="this part alone; may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long links are made")
    parser.add_argument("--clients", type=int, default=10_000, help="how many clients get a broadcast")
    parser.add_argument("--names", type=int, default=100_000, help="how many names are held")
    parser.add_argument("--lease", type=float, default=10.0, help="the lease")
    options = parser.parse_args(arguments)
    allow_many_files(options.clients // 2)
    with ExitStack() as stack:
        bench = Bench(options, stack)
        for part in options.only or parts:
            getattr(bench, part)()
        print(bench.table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
