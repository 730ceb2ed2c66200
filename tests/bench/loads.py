"""The loads: what is sent, on how many connections, and which step of it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOADS", "PROTOCOLS", "QUICK", "Load"]

PROTOCOLS = ("postgres", "redis", "mqtt", "fix", "modbus", "lines", "hl7")
"""The kinds of load that another program puts on: the protocol's own load tool."""

KIB = 1024

ROWS = Path(__file__).parent / "programs" / "rows.sql"


@dataclass(frozen=True, kw_only=True)
class Load:
    """One row of the benchmark. Sizes are of the payload; a header of 4 bytes comes on top."""

    name: str
    title: str
    kind: str
    """``oneway``, ``echo``, ``greedy``, ``broadcast``, ``idle`` or ``connections``; or one of `PROTOCOLS`."""
    size: int = 16
    connections: int = 1
    outstanding: int = 0
    """For ``echo``: how many messages are under way on each connection."""
    wanted_every: int = 0
    """One message in so many is of the kind that a selector wants; 0 for none."""
    active: int = 0
    """For ``echo``: only so many of the connections send, in turn, with one message under way; 0 for all at once."""
    tls: bool = False
    """Whether both sides of the proxy speak TLS."""
    spread: bool = False
    """Whether every process may run on every processor."""
    dialect: str = "int32"
    tool: tuple[str, ...] = ()
    """For a protocol: the arguments that its load tool gets."""
    messages: int = 1
    """For a protocol: how many messages, both ways together, are one of the tool's requests."""

    @property
    def is_protocol(self) -> bool:
        """Whether a load tool puts it on."""
        return self.kind in PROTOCOLS

    @property
    def is_general(self) -> bool:
        """Whether each contestant that takes loads of this kind takes this one."""
        special = self.wanted_every or self.active or self.tls or self.spread
        return self.dialect == "int32" and not special  # a protocol's load has a dialect of its own

    @property
    def is_in_turn(self) -> bool:
        """Whether there is one message under way at a time, so that only one process has something to do."""
        return bool(self.active) or self.outstanding == self.connections == 1


def _oneway(name: str, title: str, size: int, connections: int = 1) -> Load:
    return Load(name=f"oneway-{name}", title=f"one way, {title}", kind="oneway", size=size, connections=connections)


def _echo(outstanding: int, connections: int = 1) -> Load:
    name, where = f"echo-{outstanding}", ""
    if connections > 1:
        name, where = f"{name}x{connections}", f" on each of {connections} connections"
    title = f"echo of 16 B, {outstanding} outstanding{where}"
    return Load(name=name, title=title, kind="echo", outstanding=outstanding, connections=connections)


def _tls(name: str, title: str, size: int) -> Load:
    return Load(name=f"tls-{name}", title=f"one way, {title}, TLS on both sides", kind="oneway", size=size, tls=True)


def _active(connections: int) -> Load:
    """Make the load of 95 clients that take turns, in a number of links: 1 % of 9,500.

    The proxy needs two descriptors for each link, and many systems allow 20,000.
    """
    return Load(
        name=f"active-of-{connections}",
        title=f"echo of 16 B, 95 of {connections:,} links take turns",
        kind="echo",
        connections=connections,
        active=95,
    )


def _shared(kind: str, title: str, connections: int) -> Load:
    """Make a load for processes that share a port, and all processors with client and server."""
    name = "shared-links" if kind == "connections" else "shared-messages"
    return Load(name=name, title=f"{title}, all processors", kind=kind, connections=connections, spread=True)


def _connections(name: str, title: str, dialect: str) -> Load:
    title = f"a link made, an echo of 16 B, ended, {title}"
    return Load(name=name, title=title, kind="connections", connections=4, dialect=dialect)


def _pgbench(name: str, title: str, messages: int, *tool: str) -> Load:
    title = f"PostgreSQL, pgbench: {title}"
    return Load(name=f"postgres-{name}", title=title, kind="postgres", connections=4, messages=messages, tool=tool)


def _redis(command: str, pipeline: int) -> Load:
    return Load(
        name=f"redis-{command}-{pipeline}",
        title=f"Redis, redis-benchmark: {command.upper()}, {pipeline} in a pipeline",
        kind="redis",
        size=64,
        connections=50,
        messages=2,
        tool=("-t", command, "-P", str(pipeline)),
    )


def _lines(pipeline: int) -> Load:
    return Load(
        name=f"lines-{pipeline}",
        title=f"lines, redis-benchmark: PING, {pipeline} in a pipeline",
        kind="lines",
        connections=50,
        messages=2,
        tool=("-t", "ping_inline", "-P", str(pipeline)),
    )


def _mqtt(qos: int, messages: int) -> Load:
    title = f"MQTT, publish and subscribe: QoS {qos}"
    return Load(
        name=f"mqtt-{qos}", title=title, kind="mqtt", size=64, connections=8, messages=messages, tool=(str(qos),)
    )


def _hl7(under_way: int) -> Load:
    return Load(
        name=f"hl7-{under_way}",
        title=f"HL7, admissions of 1 KiB and their answers, {under_way} under way",
        kind="hl7",
        size=KIB,
        connections=8,
        messages=2,
        tool=(str(under_way),),
    )


def _modbus(registers: int) -> Load:
    return Load(
        name=f"modbus-{registers}",
        title=f"Modbus, polling {registers} registers",
        kind="modbus",
        size=registers,
        connections=8,
        messages=2,
    )


LOADS = (
    _oneway("16", "16 B", 16),
    _oneway("256", "256 B", 256),
    _oneway("4k", "4 KiB", 4 * KIB),
    _oneway("64k", "64 KiB", 64 * KIB),
    _oneway("4m", "4 MiB", 4 * KIB * KIB),
    _oneway("256x200", "256 B on each of 200 connections", 256, connections=200),
    _echo(1),
    _echo(64),
    _echo(1024),
    _echo(1, connections=200),
    Load(name="broadcast", title="256 B to each of 1,000 clients", kind="broadcast", size=256, connections=1000),
    Load(name="idle", title="2,000 idle links", kind="idle", connections=2000),
    _connections("connections", "no hello", "plain"),
    _connections("connections-hello", "with hellos", "int32"),
    Load(
        name="selector",
        title="one way, 16 B, 1 in 100 wanted",
        kind="oneway",
        wanted_every=100,
    ),
    Load(name="async-extra", title="one way, 16 B, dialect async_extra", kind="oneway", dialect="async_extra"),
    Load(name="length", title="one way, 16 B, LengthFraming", kind="oneway", dialect="length"),
    Load(name="varint", title="one way, 16 B, VarintFraming", kind="oneway", dialect="varint"),
    Load(name="delimited", title="one way, 16 B, DelimitedFraming", kind="oneway", dialect="lines"),
    Load(
        name="echo-async-extra",
        title="echo of 16 B, 1024 outstanding, dialect async_extra",
        kind="echo",
        outstanding=1024,
        dialect="bin_prot",
    ),
    _tls("256", "256 B", 256),
    _tls("64k", "64 KiB", 64 * KIB),
    _active(95),
    _active(9500),
    Load(
        name="greedy", title="echo of 16 B on 10 links beside one that sends without end", kind="greedy", connections=11
    ),
    _shared("oneway", "one way, 16 B on each of 64 connections", 64),
    _shared("connections", "a link made with hellos, an echo of 16 B, ended, 32 side by side", 32),
    _pgbench("simple", "select, simple protocol", 5, "--protocol=simple", "--select-only"),
    _pgbench("extended", "select, extended protocol", 11, "--protocol=extended", "--select-only"),
    _pgbench("prepared", "select, prepared statements", 9, "--protocol=prepared", "--select-only"),
    _pgbench("rows", "a thousand rows for each query", 1004, "--protocol=simple", f"--file={ROWS}"),
    _redis("set", 1),
    _redis("get", 1),
    _redis("set", 16),
    _redis("get", 16),
    _mqtt(0, 2),
    _mqtt(1, 4),
    _hl7(1),
    _hl7(16),
    Load(
        name="fix-orders",
        title="FIX, orders and reports, 16 under way",
        kind="fix",
        size=200,
        connections=4,
        messages=2,
    ),
    _modbus(10),
    _modbus(125),
    _lines(1),
    _lines(16),
)

QUICK = ("oneway-16", "oneway-4k", "echo-1")
"""The loads of ``--quick``."""
