"""The contestants: what stands between the load's two ends, and why one may be missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..paths import INTERPRETED, ROOT
from .installed import needs
from .loads import PROTOCOLS, Load
from .starting import (
    STREAM,
    STREAM_JS,
    Start,
    haproxy,
    mitmproxy,
    nginx,
    njs,
    pgbouncer,
    python,
    redis_engine,
    repeater,
    usual,
)

__all__ = ["CONTESTANTS", "REFERENCE", "REFERENCE_OF_PROTOCOLS", "Contestant"]


def _always() -> str | None:
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Contestant:
    """One way to get messages from the client to the server."""

    name: str
    title: str
    start: Start | None
    """``None`` for no proxy at all."""
    loads: tuple[str, ...] = ("oneway", "echo", "idle", "connections")
    """The kinds of load that it takes, or names of loads."""
    prints_port: bool = False
    """Whether it tells which port it has. Unless it is one of several ``processes``, it chooses one."""
    processes: int = 1
    """How many processes share the port."""
    beside: Callable[[Path], list[str]] | None = None
    """Makes the command of a program that it needs, from a directory for files. What that costs does not count."""
    environment: dict[str, str] = field(default_factory=dict)
    missing: Callable[[], str | None] = _always
    """Why it cannot be started here; ``None`` if it can."""

    def takes(self, load: Load) -> bool:
        """Whether the load means anything to it."""
        return load.name in self.loads or (load.is_general and load.kind in self.loads)


def _not_compiled() -> str | None:
    """Why there is no compiled repeater."""
    program = "import twisted_repeater._lane.lane as lane; print(lane.__file__)"
    done = subprocess.run([sys.executable, "-E", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"it does not import: {done.stderr.strip().splitlines()[-1]}"
    return "not compiled here: no C compiler at installation" if done.stdout.strip().endswith(".py") else None


def _no_fleet() -> str | None:
    if not find_spec("txredisapi"):
        return "the fleet is not installed: pip install -e '.[fleet]'"
    return needs("redis-server", "apt-get install redis-server")()


def _no_msgspec() -> str | None:
    return None if find_spec("msgspec") else "msgspec is not installed"


_FRAMINGS = ("async-extra", "length", "varint", "delimited", "echo-async-extra")
_TLS = ("tls-256", "tls-64k")
_LATENCY = ("active-of-95", "active-of-9500", "greedy")
_PLAIN = ("oneway", "echo", "idle")
_SMALL = ("oneway-16", "oneway-256", "oneway-4k")
_SOME = (*_SMALL, "oneway-64k", "echo-1", "echo-1024", "selector", "async-extra", "echo-async-extra")
_INTERPRETED = {"PYTHONPATH": str(INTERPRETED)}


def _ours(chosen: str, title: str, *loads: str, name: str = "", **more: Any) -> Contestant:
    """Return the repeater with a filter, or with something else that its program knows by name.

    Args:
        chosen: the name that the program knows.
        title: what it is, for the table.
        loads: see `Contestant`.
        name: its own name, where that is another one.
        more: further fields of `Contestant`.
    """
    title = f"repeater, {title}"
    more = {"start": repeater(chosen), **more}
    return Contestant(name=f"repeater-{name or chosen}", title=title, prints_port=True, loads=loads, **more)


CONTESTANTS = (
    Contestant(
        name="direct",
        title="direct connection",
        start=None,
        loads=("oneway", "echo", "connections", *_TLS, *PROTOCOLS),
    ),
    _ours("none", "no filter", *_PLAIN, "connections", *_FRAMINGS, *_TLS, *_LATENCY, *PROTOCOLS, name="no-filter"),
    _ours("typed", "filter looks at every typed message", *PROTOCOLS),
    _ours("orders", "limits for orders", "fix-orders"),
    _ours("shifted", "numbers shifted by a message that a filter has added", "fix-orders"),
    _ours(
        "pass",
        "filter passes all",
        *(*_PLAIN, "connections", "broadcast", "selector", *_FRAMINGS, *_TLS, *_LATENCY),
        missing=_not_compiled,
    ),
    _ours(
        "pass",
        "filter passes all, interpreted",
        *(*_SOME, "idle", "broadcast", "connections"),
        name="pass-interpreted",
        environment=_INTERPRETED,
    ),
    _ours("struct", "filter decodes with struct", *_SMALL),
    _ours("msgspec", "filter decodes with msgspec", *_SMALL, missing=_no_msgspec),
    _ours("replace", "filter replaces all", "oneway"),
    _ours("chain", "chain of three filters that pass all", "oneway-16"),
    _ours("coroutine", "filter is a coroutine that passes all at once", "oneway-16"),
    _ours("bin-prot", "filter decodes with bin_prot", "echo-async-extra"),
    _ours("logged", "no filter, two log lines for each link", "connections"),
    _ours("fleet", "no filter, in a fleet", "connections-hello", beside=redis_engine, missing=_no_fleet),
    *(
        _ours(
            "replace",
            f"filter replaces all, {number} process{'es' * (number > 1)}",
            *("shared-messages", "shared-links"),
            name=f"{number}",
            start=repeater("replace", shared=True),
            processes=number,
        )
        for number in (1, 2)
    ),
    _ours("selector", "filter with a selector", "selector"),
    _ours(
        "selector",
        "filter with a selector, interpreted",
        "selector",
        name="selector-interpreted",
        environment=_INTERPRETED,
    ),
    _ours("watched", "no filter, watched by a function that does nothing", *_SMALL),
    _ours("recorded", "no filter, recorded to a file", *_SMALL),
    _ours("latency", "no filter, a fault by message: a latency of 1 µs for one in 1,000", *_SMALL),
    _ours("bandwidth", "no filter, a fault by bytes: a bandwidth that is never reached", *_SMALL),
    Contestant(
        name="usual",
        title="the usual way",
        start=usual,
        prints_port=True,
        loads=(*_PLAIN, "broadcast", "connections-hello"),
    ),
    Contestant(
        name="broadcaster",
        title="one transport.write for each client",
        start=python("broadcaster"),
        prints_port=True,
        loads=("broadcast",),
    ),
    Contestant(name="portforward", title="Twisted portforward", start=python("portforward"), prints_port=True),
    Contestant(
        name="haproxy",
        title="HAProxy, TCP mode",
        start=haproxy,
        loads=(*_PLAIN, "connections", *_TLS, *_LATENCY, *PROTOCOLS),
        missing=needs("haproxy", "apt-get install haproxy"),
    ),
    Contestant(
        name="nginx",
        title="nginx stream",
        start=nginx,
        loads=(*_PLAIN, "connections", *_TLS),
        missing=needs("nginx", "apt-get install nginx libnginx-mod-stream", STREAM),
    ),
    Contestant(
        name="njs",
        title="nginx stream, njs filter",
        start=njs,
        loads=(*_PLAIN, "connections-hello"),
        missing=needs("nginx", "apt-get install nginx libnginx-mod-stream-js", STREAM, STREAM_JS),
    ),
    Contestant(
        name="mitmproxy",
        title="mitmproxy, hook for each read",
        start=mitmproxy,
        loads=_PLAIN,
        missing=needs("mitmdump", "install mitmproxy in an environment of its own and name it in MITMDUMP"),
    ),
    Contestant(
        name="pgbouncer",
        title="PgBouncer, session pooling",
        start=pgbouncer,
        loads=("postgres",),
        missing=needs("pgbouncer", "apt-get install pgbouncer"),
    ),
)


REFERENCE = ("repeater-pass", "repeater-pass-interpreted", "repeater-1")
"""What the others are compared with: the first of these that was measured."""

REFERENCE_OF_PROTOCOLS = ("repeater-no-filter",)
"""The same for the loads of protocols."""
