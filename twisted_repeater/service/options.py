"""The table of options: the command line, the configuration file and their pages of the reference are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .._sockets.proxy_headers import header_version
from . import addresses, endpoint_texts, option_values
from .admin.token_file import read_token
from .fleet_options import FLEET
from .limit_options import LIMIT_OPTIONS
from .loading import READY
from .logs import log_format, log_level
from .option import Form, Option, Scope, each, listed
from .process_number import read_processes
from .ready_faults import READY_FAULTS, NamedFault, fault_of
from .ready_filters import READY_FILTERS, READY_FOR_ONE_WAY
from .recording import record_arguments

__all__ = ["BY_NAME", "OPTIONS"]


def faults(texts: Sequence[str]) -> list[NamedFault]:
    """Read faults. Those with the name of another get a number."""
    read: list[NamedFault] = []
    for text in texts:
        read.append(fault_of(text, taken=[fault.name for fault in read]))
    return read


def recording(text: str) -> dict[str, Any]:
    """Read what to record into."""
    arguments = record_arguments(text)
    why = endpoint_texts.without_directory(arguments["path"])
    if why is not None:
        raise ValueError(f"must be a file that can be made, not {arguments['path']!r}{why}")
    return arguments


CONNECT = [
    Option(
        name="listen",
        read=endpoint_texts.listening,
        example="tcp:9000",
        required=True,
        without="required",
        description="Where clients connect, such as `tcp:9000:interface=127.0.0.1` or `unix:/run/quotes`.",
    ),
    Option(
        name="share-port",
        form=Form.FLAG,
        read=bool,
        without="off",
        description="Let other processes listen at the same port, if they have this option, too.",
        more="See [One machine, all cores](../howto/processes.md).",
    ),
    Option(
        name="server",
        read=endpoint_texts.server,
        example="tcp:127.0.0.1:9001",
        required=True,
        without="required",
        description="Where the server is, such as `tcp:127.0.0.1:9001` or `tls:quotes.example.org:9001`.",
        when="newcomers",
    ),
    Option(
        name="server-name",
        read=option_values.not_empty,
        example="quotes",
        without="required for dialects with hellos",
        description="The name that the server must give in its hello, for dialects that have hellos.",
    ),
    Option(
        name="repeater-name",
        read=option_values.repeater_name,
        example="edge-1",
        default="repeater",
        description="The name of the repeater: in the administration, in metrics, in the `credentials` of its hellos.",
        more="In a file it is the name of the table.",
        scope="command line",
    ),
    Option(
        name="dialect",
        read=option_values.not_empty,
        example="lines",
        default="int32",
        description=f"The wire protocol: {listed(READY)}, or `package.module:name`; with options.",
        more="See [Dialects](command-line.md#dialects).",
    ),
    Option(
        name="same-name",
        read=option_values.same_name,
        example="replace",
        without="the dialect's",
        description="What to do with a client whose name is taken: `refuse`, `replace` or `share`.",
        more="See `SameName`.",
    ),
    Option(
        name="convert-versions",
        form=Form.FLAG,
        read=bool,
        without="off",
        description="Let each connection agree on its own versions, and convert messages between them.",
        more="See [Versions](../howto/versions.md).",
    ),
    Option(
        name="send-proxy",
        read=header_version,
        example="v2",
        without="no header",
        description="Send the client's address to the server in a header of the PROXY protocol: `v1` or `v2`.",
        more="Needs the extra `proxy`.",
    ),
    Option(
        name="check-server",
        form=Form.SECONDS,
        read=option_values.positive_seconds,
        example="5",
        without="no check",
        description="How often to check whether the server accepts connections, for readiness. In seconds.",
        when="at once",
    ),
]

CLIENTS = [
    Option(
        name="allow-client",
        form=Form.TEXTS,
        read=each(option_values.not_empty),
        example="desk-*",
        without="all",
        description="A pattern of client names that may connect, such as `desk-*`. May be given more than once.",
        when="newcomers",
    ),
    Option(
        name="allow-ip",
        form=Form.TEXTS,
        read=each(addresses.network),
        example="10.1.0.0/16",
        without="all",
        description="A network or an address from which clients may connect. May be given more than once.",
        more="For example `10.1.0.0/16`.",
        when="newcomers",
    ),
    Option(
        name="app",
        read=option_values.module_and_name,
        example="edge_app:app",
        description="An object with callbacks of yours, such as `on_connect`, as `package.module:name`.",
    ),
]

ONE_WAY = f"{listed(READY_FOR_ONE_WAY)}, or `package.module:name`; with options"

FILTERS = [
    Option(
        name="to-server-filter",
        read=option_values.not_empty,
        example="rules:to_server",
        description=f"The filter of messages to the server: {ONE_WAY}.",
        when="at once",
    ),
    Option(
        name="to-client-filter",
        read=option_values.not_empty,
        example="rules:to_client",
        description=f"The filter of messages to the clients: {ONE_WAY}.",
        when="at once",
    ),
    Option(
        name="filter",
        form=Form.TEXTS,
        read=each(option_values.not_empty),
        example="log",
        description=f"A pair of filters: {listed(READY_FILTERS)}, or `package.module:name`; with options. "
        "May be given more than once.",
        more="See [Pairs of filters](command-line.md#pairs-of-filters).",
        when="at once",
    ),
    Option(
        name="on-filter-error",
        read=option_values.on_filter_error,
        example="drop",
        default="stop",
        description="What to do if a filter fails on a message: `stop`, `pass-on`, `drop` or `close`.",
        more="See [When a filter fails](../howto/failing-filters.md).",
        when="at once",
    ),
    Option(
        name="reload",
        form=Form.FLAG,
        read=bool,
        without="off",
        description="Reload the filters when their files change. SIGHUP always reloads them.",
        more="See [Change a filter while it runs](../howto/reload.md).",
        scope="process",
    ),
]

FAULTS = [
    Option(
        name="fault",
        form=Form.TEXTS,
        read=faults,
        example="latency:seconds=0.1",
        description=f"Break something on purpose: {listed(READY_FAULTS)}; with options, such as "
        "`latency:seconds=0.1`. May be given more than once.",
        more="See [Break things on purpose](../howto/faults.md).",
        when="at once",
    ),
]

RECORDING = [
    Option(
        name="record",
        read=recording,
        example="traffic.db",
        numbered=True,
        when="at once",
        description="Record the traffic in an SQLite file, such as `traffic.db` or "
        "`traffic.db:max-size=100MiB:keep=10`.",
        more="See [Record the traffic](../howto/record.md).",
    ),
]

PROCESS = [
    Option(
        name="admin",
        read=endpoint_texts.admin,
        example="tcp:8090:interface=127.0.0.1",
        numbered=True,
        description="Where the administration listens: `tcp:8090:interface=127.0.0.1` or `unix:/run/admin`.",
        more="With TCP or TLS it must have an `interface=`. See "
        "[The administration](../running.md#the-administration).",
    ),
    Option(
        name="admin-host",
        form=Form.TEXTS,
        read=each(addresses.host),
        example="edge.example.org",
        when="at once",
        description="Another name of the administration, such as `edge.example.org`. May be given more than once.",
        more="It always has the names `localhost`, loopback addresses, and the address that it listens on.",
    ),
    Option(
        name="admin-token-file",
        read=read_token,
        example="/run/secrets/admin-token",
        when="at once",
        description="A file with the token that clients of the administration must know.",
        more="Needed unless only this machine, or this user, can connect.",
    ),
    Option(
        name="log-format",
        read=log_format,
        example="json",
        when="at once",
        default="text",
        description="How the log is written: `text`, or `json` with one object in each line.",
    ),
    Option(
        name="log-level",
        read=log_level,
        example="warn",
        default="info",
        description="The lowest level that is logged: `debug`, `info`, `warn` or `error`.",
        when="at once",
    ),
    Option(
        name="drain-timeout",
        form=Form.SECONDS,
        read=option_values.positive_seconds,
        example="30",
        default="30",
        description="How long links may go on after SIGTERM until they are closed. In seconds.",
        when="at once",
    ),
    Option(
        name="processes",
        form=Form.NUMBER,
        read=read_processes,
        example="4",
        default="1",
        description="How many processes share the ports, to use as many cores.",
        more="See [One machine, all cores](../howto/processes.md).",
    ),
]

COMMAND = [
    Option(
        name="config",
        read=option_values.not_empty,
        example="edge.toml",
        description="A configuration file, such as `edge.toml`, with any number of repeaters.",
        more="See [The configuration file](configuration.md).",
    ),
    Option(
        name="check",
        form=Form.FLAG,
        read=bool,
        without="",
        description="Check the options and the file, load what they name, report every error, and exit. No port is "
        "opened, so a port that is taken is not noticed.",
    ),
    Option(
        name="demo",
        form=Form.FLAG,
        read=bool,
        without="",
        description="See it work. Needs no other option and no other program.",
    ),
]

GROUPS: dict[str, tuple[Scope | None, list[Option]]] = {
    "connect": (None, CONNECT),
    "clients": (None, CLIENTS),
    "filters": (None, FILTERS),
    "recording": (None, [*FAULTS, *RECORDING]),
    "limits": (None, LIMIT_OPTIONS),
    "process": ("process", PROCESS),
    "fleet": ("process", FLEET),
    "command": ("command line", COMMAND),
}
"""The options of each table of the reference, and what all of them belong to, if that is not a repeater."""

OPTIONS: list[Option] = [
    replace(option, group=group, scope=scope or option.scope)
    for group, (scope, options) in GROUPS.items()
    for option in options
]
"""All options, in the order of the help."""

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}
"""The same, by their names."""
