"""The contestants: what stands between the load's two ends, how each is started, and why one may be missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ..paths import INTERPRETED, ROOT
from .installed import find, needs, unprivileged
from .loads import PROTOCOLS, Load

__all__ = [
    "CONTESTANTS",
    "REFERENCE",
    "REFERENCE_OF_PROTOCOLS",
    "ROOT",
    "Contestant",
]

PROGRAMS = Path(__file__).parent / "programs"

_HAPROXY = """\
global
    maxconn {connections}
    nbthread 1
defaults
    mode tcp
    timeout connect 10s
    timeout client 10m
    timeout server 10m
listen proxy
    bind 127.0.0.1:{port} backlog 4096
    maxconn {connections}
    server server 127.0.0.1:{server_port}
"""

_NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr error;
load_module {modules}/ngx_stream_module.so;
{load_njs}
events {{
    worker_connections {twice_connections};
}}
stream {{
    {import_njs}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_pass 127.0.0.1:{server_port};
        proxy_timeout 10m;
        {filter}
    }}
}}
"""

_PGBOUNCER = """\
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users.txt
pool_mode = session
"""

_NGINX_MODULES = Path("/usr/lib/nginx/modules")

Start = Callable[[Load, int, int, Path], list[str]]
"""Makes a command of the load, the server's port, a free port to listen on, and a directory for files."""


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
    """Whether it takes a port of its own choice and tells which."""
    environment: dict[str, str] = field(default_factory=dict)
    missing: Callable[[], str | None] = _always
    """Why it cannot be started here; ``None`` if it can."""

    def takes(self, load: Load) -> bool:
        """Whether the load means anything to it."""
        plain = not load.wanted_every and load.dialect == "int32"  # a protocol's load has a dialect of its own
        return load.name in self.loads or (plain and load.kind in self.loads)


def _python(module: str, *arguments: str) -> Start:
    def start(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
        return [sys.executable, "-m", f"tests.bench.programs.{module}", str(server_port), *arguments]

    return start


def _usual(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    return _python("usual", load.kind)(load, server_port, port, directory)


def _haproxy(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    config = directory / "haproxy.cfg"
    connections = load.connections + 200
    config.write_text(_HAPROXY.format(port=port, server_port=server_port, connections=connections))
    return [find("haproxy"), "-db", "-q", "-f", str(config)]


def _nginx(load: Load, server_port: int, port: int, directory: Path, njs: bool = False) -> list[str]:
    config = directory / "nginx.conf"
    text = _NGINX.format(
        port=port,
        server_port=server_port,
        directory=directory,
        modules=_NGINX_MODULES,
        twice_connections=2 * load.connections + 400,
        load_njs=f"load_module {_NGINX_MODULES}/ngx_stream_js_module.so;" if njs else "",
        import_njs=f"js_import frames from {PROGRAMS / 'frames.js'};" if njs else "",
        filter="js_filter frames.filter;" if njs else "",
    )
    config.write_text(text)
    return [find("nginx"), "-p", str(directory), "-e", "stderr", "-c", str(config)]


def _njs(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    return _nginx(load, server_port, port, directory, njs=True)


def _mitmproxy(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    command = [find("mitmdump"), "-q", "--set", f"confdir={directory}", "-s", str(PROGRAMS / "mitmproxy_hook.py")]
    return [*command, "--mode", f"reverse:tcp://127.0.0.1:{server_port}@127.0.0.1:{port}"]


def _pgbouncer(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    config = directory / "pgbouncer.ini"
    config.write_text(_PGBOUNCER.format(port=port, server_port=server_port, directory=directory))
    (directory / "users.txt").write_text('"bench" ""\n')
    return [*unprivileged(directory), find("pgbouncer"), "-q", str(config)]


def _not_compiled() -> str | None:
    """Why there is no compiled repeater."""
    program = "import twisted_repeater._lane.lane as lane; print(lane.__file__)"
    done = subprocess.run([sys.executable, "-E", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"it does not import: {done.stderr.strip().splitlines()[-1]}"
    return "not compiled here: no C compiler at installation" if done.stdout.strip().endswith(".py") else None


def _no_msgspec() -> str | None:
    return None if find_spec("msgspec") else "msgspec is not installed"


def _repeater(filter_name: str) -> Start:
    def start(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
        if load.is_protocol:
            return _python("ready", load.kind, filter_name)(load, server_port, port, directory)
        chosen = "broadcast" if load.kind == "broadcast" else filter_name
        return _python("repeater", load.dialect, chosen)(load, server_port, port, directory)

    return start


_FRAMINGS = ("async-extra", "length", "varint", "delimited")
_PLAIN = ("oneway", "echo", "idle")
_OBSERVED = ("oneway-16", "oneway-256", "oneway-4k")
_INTERPRETED = {"PYTHONPATH": str(INTERPRETED)}
_STREAM = _NGINX_MODULES / "ngx_stream_module.so"
_STREAM_JS = _NGINX_MODULES / "ngx_stream_js_module.so"

CONTESTANTS = (
    Contestant(
        name="direct",
        title="direct connection",
        start=None,
        loads=("oneway", "echo", "connections", *PROTOCOLS),
    ),
    Contestant(
        name="repeater-no-filter",
        title="repeater, no filter",
        start=_repeater("none"),
        prints_port=True,
        loads=(*_PLAIN, "connections", *_FRAMINGS, *PROTOCOLS),
    ),
    Contestant(
        name="repeater-typed",
        title="repeater, filter looks at every typed message",
        start=_repeater("typed"),
        prints_port=True,
        loads=PROTOCOLS,
    ),
    Contestant(
        name="repeater-orders",
        title="repeater, limits for orders",
        start=_repeater("orders"),
        prints_port=True,
        loads=("fix-orders",),
    ),
    Contestant(
        name="repeater-shifted",
        title="repeater, numbers shifted by a message that a filter has added",
        start=_repeater("shifted"),
        prints_port=True,
        loads=("fix-orders",),
    ),
    Contestant(
        name="repeater-pass",
        title="repeater, filter passes all",
        start=_repeater("pass"),
        prints_port=True,
        loads=(*_PLAIN, "connections", "broadcast", "selector", *_FRAMINGS),
        missing=_not_compiled,
    ),
    Contestant(
        name="repeater-pass-interpreted",
        title="repeater, filter passes all, interpreted",
        start=_repeater("pass"),
        prints_port=True,
        loads=(*_PLAIN, "connections", "broadcast", "selector", *_FRAMINGS),
        environment=_INTERPRETED,
    ),
    Contestant(
        name="repeater-struct",
        title="repeater, filter decodes with struct",
        start=_repeater("struct"),
        prints_port=True,
        loads=("oneway",),
    ),
    Contestant(
        name="repeater-msgspec",
        title="repeater, filter decodes with msgspec",
        start=_repeater("msgspec"),
        prints_port=True,
        loads=("oneway",),
        missing=_no_msgspec,
    ),
    Contestant(
        name="repeater-replace",
        title="repeater, filter replaces all",
        start=_repeater("replace"),
        prints_port=True,
        loads=("oneway",),
    ),
    Contestant(
        name="repeater-selector",
        title="repeater, filter with a selector",
        start=_repeater("selector"),
        prints_port=True,
        loads=("selector",),
    ),
    Contestant(
        name="repeater-selector-interpreted",
        title="repeater, filter with a selector, interpreted",
        start=_repeater("selector"),
        prints_port=True,
        loads=("selector",),
        environment=_INTERPRETED,
    ),
    *(
        Contestant(
            name=f"repeater-{chosen}",
            title=f"repeater, no filter, {title}",
            start=_repeater(chosen),
            prints_port=True,
            loads=_OBSERVED,
        )
        for chosen, title in (
            ("watched", "watched by a function that does nothing"),
            ("recorded", "recorded to a file"),
            ("latency", "a fault by message: a latency of 1 µs for one in 1,000"),
            ("bandwidth", "a fault by bytes: a bandwidth that is never reached"),
        )
    ),
    Contestant(
        name="usual",
        title="the usual way",
        start=_usual,
        prints_port=True,
        loads=(*_PLAIN, "broadcast", "connections-hello"),
    ),
    Contestant(
        name="broadcaster",
        title="one transport.write for each client",
        start=_python("broadcaster"),
        prints_port=True,
        loads=("broadcast",),
    ),
    Contestant(name="portforward", title="Twisted portforward", start=_python("portforward"), prints_port=True),
    Contestant(
        name="haproxy",
        title="HAProxy, TCP mode",
        start=_haproxy,
        loads=(*_PLAIN, "connections", *PROTOCOLS),
        missing=needs("haproxy", "apt-get install haproxy"),
    ),
    Contestant(
        name="nginx",
        title="nginx stream",
        start=_nginx,
        missing=needs("nginx", "apt-get install nginx libnginx-mod-stream", _STREAM),
    ),
    Contestant(
        name="njs",
        title="nginx stream, njs filter",
        start=_njs,
        loads=(*_PLAIN, "connections-hello"),
        missing=needs("nginx", "apt-get install nginx libnginx-mod-stream-js", _STREAM, _STREAM_JS),
    ),
    Contestant(
        name="mitmproxy",
        title="mitmproxy, hook for each read",
        start=_mitmproxy,
        loads=_PLAIN,
        missing=needs("mitmdump", "install mitmproxy in an environment of its own and name it in MITMDUMP"),
    ),
    Contestant(
        name="pgbouncer",
        title="PgBouncer, session pooling",
        start=_pgbouncer,
        loads=("postgres",),
        missing=needs("pgbouncer", "apt-get install pgbouncer"),
    ),
)


REFERENCE = ("repeater-pass", "repeater-pass-interpreted")
"""What the others are compared with: the first of these that was measured."""

REFERENCE_OF_PROTOCOLS = ("repeater-no-filter",)
"""The same for the loads of protocols."""
