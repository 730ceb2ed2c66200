"""``twistd repeater``: its options, and the service that they describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, ParamSpec, TypeVar

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.python import usage

from .._repeater import Repeater
from .._sockets.descriptors import raise_soft_limit
from .._types import Reactor
from ..dialects import Dialect, by_address, server_first
from ..dialects.hellos import Hellos
from ..dialects.modbus.dialect import after_first_request
from ..errors import MultipleVersionsError
from ..model import Limits
from ..observers import LogObserver
from ..observers.metrics import MetricsObserver
from . import addresses, option_values
from .demo import DemoService
from .filter_modules import FilterModules
from .loading import READY, LoadingError, dialect_needed, is_ready, load_dialect
from .option_values import LIMITS
from .ready_faults import READY_FAULTS, fault_of
from .ready_filters import READY_FILTERS, READY_FOR_ONE_WAY
from .recording import ServiceRecording, record_arguments
from .service import CannotStart, RepeaterService

__all__ = ["Options", "makeService"]

P = ParamSpec("P")
T = TypeVar("T")

UNNAMED = (by_address, server_first, after_first_request)
"""The openings whose clients have only an address."""

RECORD = "Record the traffic in an SQLite file, such as traffic.db or traffic.db:max-size=100MiB:keep=10."

FILTERS = ("to-server-filter", "to-client-filter")

ONE_WAY = f"{', '.join(READY_FOR_ONE_WAY)}, or package.module:name; with options"


class Options(usage.Options):
    """The options of ``twistd repeater``.

    To parse them imports no code that they name, and no reactor: `makeService` does that.
    """

    synopsis = "--listen=ENDPOINT --server=ENDPOINT [options]"

    longdesc = (
        "A proxy that shows each message to your filters. It stands between clients and a server, connects to the "
        "server in the name of each client, and filters pass a message on, drop, replace or answer it. To see it work: "
        "twistd -n repeater --demo"
    )

    optFlags: ClassVar[list[list[str | None]]] = [
        ["convert-versions", None, "Let each connection agree on its own versions, and convert messages between them."],
        ["reload", None, "Reload the filters when their files change. SIGHUP always reloads them."],
        ["demo", None, "See it work. Needs no other option and no other program."],
    ]

    optParameters: ClassVar[list[list[Any]]] = [
        ["listen", None, None, "Where clients connect, such as tcp:9000:interface=127.0.0.1 or unix:/run/quotes."],
        ["server", None, None, "Where the server is, such as tcp:127.0.0.1:9001 or tls:quotes.example.org:9001."],
        ["server-name", None, None, "The name that the server must give in its hello, for dialects that have hellos."],
        ["repeater-name", None, "repeater", "The name that the repeater gives in the credentials of its hellos."],
        ["dialect", None, "int32", f"The wire protocol: {', '.join(READY)}, or package.module:name; with options."],
        ["same-name", None, None, "What to do with a client whose name is taken: refuse, replace or share."],
        ["to-server-filter", None, None, f"The filter of messages to the server: {ONE_WAY}."],
        ["to-client-filter", None, None, f"The filter of messages to the clients: {ONE_WAY}."],
        ["on-filter-error", None, "stop", "What to do if a filter fails on a message: stop, pass-on, drop or close."],
        ["admin", None, None, "Where the administration listens: tcp:8090:interface=127.0.0.1 or unix:/run/admin."],
        [
            "record",
            None,
            None,
            "Record the traffic in an SQLite file, such as traffic.db or traffic.db:max-size=100MiB:keep=10.",
        ],
        *([limit.name, None, limit.default, limit.description] for limit in LIMITS),
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["allow-client"] = []
        self["allow-ip"] = []
        self["admin-host"] = []
        self["filter"] = []
        self["fault"] = []

    def opt_filter(self, description: str) -> None:
        """Add a pair of filters."""
        self["filter"].append(description)

    opt_filter.__doc__ = (
        f"A pair of filters: {', '.join(READY_FILTERS)}, or package.module:name; with options. May be given more than "
        "once."
    )

    def opt_fault(self, description: str) -> None:
        """Add a fault."""
        taken = [fault.name for fault in self["fault"]]
        self["fault"].append(read("fault", fault_of, description, taken=taken))

    opt_fault.__doc__ = (
        f"Break something on purpose: {', '.join(READY_FAULTS)}; with options, such as latency:seconds=0.1. "
        "May be given more than once."
    )

    def opt_allow_client(self, pattern: str) -> None:
        """A pattern of client names that may connect, such as desk-*. May be given more than once. [default: all]"""
        self["allow-client"].append(pattern)

    def opt_allow_ip(self, text: str) -> None:
        """A network or an address from which clients may connect. May be given more than once. [default: all]"""
        self["allow-ip"].append(read("allow-ip", addresses.network, text))

    def opt_admin_host(self, text: str) -> None:
        """Another name of the administration, such as edge.example.org. May be given more than once."""
        self["admin-host"].append(read("admin-host", addresses.host, text))

    def opt_version(self) -> None:
        """Show the version and exit."""
        from ..__main__ import main

        main(["--version"])  # exits, as Twisted's own opt_version does

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the options. See `usage.Options`.

        Raises:
            UsageError: an option is wrong. Under twistd, which prints all its own options for a `UsageError` and the
                reason below them, this ends the process with the reason alone.
        """
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            if self.parent is None:
                raise
            raise SystemExit(f"twistd repeater: {error}") from error

    def parseArgs(self, *arguments: str) -> None:
        """Refuse what belongs to no option. See `usage.Options`."""
        if arguments:  # file names, for example, that the shell has put in the place of a pattern
            raise usage.UsageError(f"{arguments[0]!r} belongs to no option; write a pattern in quotes")

    def postOptions(self) -> None:
        """Check the options, and replace texts by values. See `usage.Options`."""
        if self["demo"]:
            self._check_demo()
            return
        for name in ("listen", "server"):
            if not self[name]:
                raise usage.UsageError(f"--{name} is missing; see twistd repeater --help")
        if self["reload"] and not any(self[name] for name in (*FILTERS, "filter")):
            raise usage.UsageError("--reload needs a filter")
        if self["admin-host"] and not self["admin"]:
            raise usage.UsageError("--admin-host needs --admin")
        self["on-filter-error"] = read("on-filter-error", option_values.on_filter_error, self["on-filter-error"])
        if self["same-name"] is not None:
            self["same-name"] = read("same-name", option_values.same_name, self["same-name"])
        if self["record"] is not None:
            self["record"] = read("record", record_arguments, self["record"])
        self["limits"] = self._limits()

    def _check_demo(self) -> None:
        others = [name for name, value in self.items() if name != "demo" and value != self.defaults.get(name, [])]
        if others:
            raise usage.UsageError(f"--demo must be the only option, without --{others[0]}")
        if self.parent is not None and not self.parent.get("nodaemon", True):
            raise usage.UsageError("--demo needs a terminal: twistd -n repeater --demo")

    def _limits(self) -> Limits:
        given = [limit for limit in LIMITS if self[limit.name] is not None]
        values: dict[str, Any] = {limit.field: read(limit.name, limit.read, self[limit.name]) for limit in given}
        try:
            return Limits(**values)
        except ValueError as error:
            raise usage.UsageError(f"--{str(error).replace('_', '-')}") from error


def read(option: str, reading: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Read the value of an option. The message about a wrong value begins with the name of the option."""
    try:
        return reading(*arguments, **named)
    except (ValueError, MultipleVersionsError) as error:
        message = str(error)
        separator = " " if message.startswith("must ") else ": "
        raise usage.UsageError(f"--{option}{separator}{message}") from error


def makeService(options: Options) -> IService:
    """Make the service that the options describe. See `IServiceMaker`.

    Raises:
        CannotStart: an endpoint, a dialect or a filter cannot be used. It ends the process with one line and status 1.
    """
    from twisted.internet import reactor  # not before: twistd first installs the reactor that ``--reactor`` names

    if options["demo"]:
        return DemoService(reactor)
    try:
        return _service(options, reactor)
    except (usage.UsageError, LoadingError) as error:  # twistd expects a UsageError only while options are parsed
        raise CannotStart(f"twistd repeater: {error}") from error


def _service(options: Options, reactor: Reactor) -> RepeaterService:
    listen = read("listen", option_values.listen_endpoint, reactor, options["listen"])
    server = read("server", option_values.server, reactor, options["server"])
    admin = read("admin", option_values.admin_endpoint, reactor, options["admin"]) if options["admin"] else None
    dialect, modules = _load(options)
    metrics = MetricsObserver()

    def create() -> Deferred[Repeater]:
        raise_soft_limit(reactor)
        return Repeater.create(
            dialect,
            repeater_name=options["repeater-name"],
            server_name=options["server-name"] or "",
            is_client_allowed=option_values.name_filter(options["allow-client"]),
            is_client_ip_authorized=addresses.ip_filter(options["allow-ip"]) if options["allow-ip"] else None,
            listen=listen,
            server=server,
            convert_versions=bool(options["convert-versions"]),
            limits=options["limits"],
            observers=[LogObserver(reactor), *([metrics] if admin else [])],
            reactor=reactor,
        )

    recording = None
    if options["record"]:
        facts = {"dialect": options["dialect"], "server": options["server"]}
        recording = ServiceRecording({**options["record"], **facts}, metrics, reactor)
    return RepeaterService(
        create,
        callbacks={"on_filter_error": options["on-filter-error"]},
        modules=modules,
        reactor=reactor,
        watch=bool(options["reload"]),
        admin=admin,
        admin_hosts=options["admin-host"],
        metrics=metrics,
        recording=recording,
        faults=options["fault"],
        pid_file=options.parent.get("pidfile") if options.parent is not None else None,
    )


def _load(options: Options) -> tuple[Dialect, FilterModules]:
    """Load the dialect, then the filters: a module that the dialect has loaded is never reloaded."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    dialect = _dialect(options)
    for description in options["filter"]:
        if dialect_needed(description) not in (None, dialect.name):
            name, needed = description.partition(":")[0], dialect_needed(description)
            raise usage.UsageError(f"--filter {name} is for the dialect {needed}, not {dialect.name}")
    names = {name.replace("-", "_"): options[name] for name in FILTERS if options[name]}
    modules = FilterModules(names, options["filter"])
    if options["reload"] and modules.fixed:
        raise usage.UsageError(f"--reload: {', '.join(modules.fixed)} has the dialect, which cannot be reloaded")
    return dialect, modules


def _dialect(options: Options) -> Dialect:
    """Load the dialect, and check that the other options fit it."""
    try:
        dialect = load_dialect(options["dialect"])
    except LoadingError as error:
        text = str(error)
        raise LoadingError(f"--{text}" if text.startswith("dialect ") else f"--dialect: {text}") from error
    read("dialect", dialect.check_versions, bool(options["convert-versions"]))
    if isinstance(dialect.opening, Hellos) and not options["server-name"]:
        raise usage.UsageError(
            f"--server-name is missing: the dialect {dialect.name} has hellos, in which the server says it"
        )
    given = [*options["filter"], *(options[name] for name in FILTERS if options[name])]
    own = [text for text in given if not is_ready(text)]
    if dialect.opening in UNNAMED and options["allow-client"] and dialect.filters is None and not own:
        raise usage.UsageError(
            f"--allow-client needs names, which clients of the dialect {dialect.name} have only if a filter of "
            "yours finds them; use --allow-ip"
        )
    return dialect if options["same-name"] is None else dialect.changed(same_name=options["same-name"])
