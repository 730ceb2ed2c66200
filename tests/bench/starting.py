"""How each contestant is started: its command, and the configuration that it reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from .installed import find, unprivileged
from .loads import Load

__all__ = [
    "STREAM",
    "STREAM_JS",
    "Start",
    "haproxy",
    "mitmproxy",
    "nginx",
    "njs",
    "pgbouncer",
    "python",
    "redis_engine",
    "repeater",
    "usual",
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
    bind 127.0.0.1:{port} backlog 4096 {accept}
    maxconn {connections}
    server server 127.0.0.1:{server_port} {connect}
"""

_HAPROXY_TLS = {
    "accept": "ssl crt {directory}/tls/localhost.both ssl-min-ver TLSv1.3",
    "connect": "ssl verify required ca-file {directory}/tls/authority.pem verifyhost localhost ssl-min-ver TLSv1.3",
}

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
        listen 127.0.0.1:{port} backlog=4096 {accept};
        proxy_pass 127.0.0.1:{server_port};
        proxy_timeout 10m;
        {tls}
        {filter}
    }}
}}
"""

_NGINX_TLS = """
        ssl_certificate {directory}/tls/localhost.pem;
        ssl_certificate_key {directory}/tls/localhost.key;
        ssl_protocols TLSv1.3;
        proxy_ssl on;
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {directory}/tls/authority.pem;
        proxy_ssl_name localhost;
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

_ENGINE = "redis.sock"

_NGINX_MODULES = Path("/usr/lib/nginx/modules")
STREAM = _NGINX_MODULES / "ngx_stream_module.so"
STREAM_JS = _NGINX_MODULES / "ngx_stream_js_module.so"

Start = Callable[[Load, int, int, Path], list[str]]
"""Makes a command of the load, the server's port, a free port to listen on, and a directory for files."""


def python(module: str, *arguments: str) -> Start:
    """Start a program of the benchmark."""

    def start(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
        return [sys.executable, "-m", f"tests.bench.programs.{module}", str(server_port), *arguments]

    return start


def repeater(filter_name: str, *, shared: bool = False) -> Start:
    """Start the repeater with a filter; ``shared``: at the wished port, which other processes have, too."""

    def start(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
        if load.is_protocol:
            return python("ready", load.kind, filter_name)(load, server_port, port, directory)
        chosen = "broadcast" if load.kind == "broadcast" else filter_name
        options = {
            "tls": str(directory / "tls") if load.tls else None,
            "shared_port": port if shared else None,
            "fleet": f"unix://{directory / _ENGINE}" if filter_name == "fleet" else None,
        }
        return python("repeater", load.dialect, chosen, json.dumps(options))(load, server_port, port, directory)

    return start


def redis_engine(directory: Path) -> list[str]:
    """Start the engine of a fleet at a socket in the directory."""
    return [find("redis-server"), "--port", "0", "--unixsocket", str(directory / _ENGINE), "--save", ""]


def usual(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    """Start the usual way."""
    return python("usual", load.kind)(load, server_port, port, directory)


def haproxy(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    """Start HAProxy."""
    config = directory / "haproxy.cfg"
    tls = {part: text.format(directory=directory) if load.tls else "" for part, text in _HAPROXY_TLS.items()}
    config.write_text(
        _HAPROXY.format(port=port, server_port=server_port, connections=load.connections + 200, **tls),
    )
    return [find("haproxy"), "-db", "-q", "-f", str(config)]


def nginx(load: Load, server_port: int, port: int, directory: Path, with_njs: bool = False) -> list[str]:
    """Start nginx as a proxy of streams."""
    config = directory / "nginx.conf"
    text = _NGINX.format(
        port=port,
        server_port=server_port,
        directory=directory,
        modules=_NGINX_MODULES,
        twice_connections=2 * load.connections + 400,
        accept="ssl" if load.tls else "",
        tls=_NGINX_TLS.format(directory=directory) if load.tls else "",
        load_njs=f"load_module {STREAM_JS};" if with_njs else "",
        import_njs=f"js_import frames from {PROGRAMS / 'frames.js'};" if with_njs else "",
        filter="js_filter frames.filter;" if with_njs else "",
    )
    config.write_text(text)
    return [find("nginx"), "-p", str(directory), "-e", "stderr", "-c", str(config)]


def njs(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    """Start nginx with a filter in JavaScript."""
    return nginx(load, server_port, port, directory, with_njs=True)


def mitmproxy(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    """Start mitmproxy with a hook."""
    command = [find("mitmdump"), "-q", "--set", f"confdir={directory}", "-s", str(PROGRAMS / "mitmproxy_hook.py")]
    return [*command, "--mode", f"reverse:tcp://127.0.0.1:{server_port}@127.0.0.1:{port}"]


def pgbouncer(load: Load, server_port: int, port: int, directory: Path) -> list[str]:
    """Start PgBouncer."""
    config = directory / "pgbouncer.ini"
    config.write_text(_PGBOUNCER.format(port=port, server_port=server_port, directory=directory))
    (directory / "users.txt").write_text('"bench" ""\n')
    return [*unprivileged(directory), find("pgbouncer"), "-q", str(config)]
