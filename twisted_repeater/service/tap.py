"""``twistd repeater``: its options, and the service that they describe."""

from __future__ import annotations

import fnmatch
import ipaddress
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.python import usage

from .._repeater import Repeater, end_link
from .._sockets.descriptors import raise_soft_limit
from .._sockets.endpoints import check_server, listening_endpoint, parts_of, server_endpoint
from .._text import told
from ..errors import MultipleVersionsError
from ..model import Limits, OnFilterError
from ..observers import LogObserver
from ..observers.metrics import MetricsObserver
from ._service import RepeaterService
from .demo import DemoService
from .loading import LoadingError, load_dialect
from .reload import FilterModules

__all__ = ["Options", "makeService"]

DEFAULTS = Limits()

SIZES = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}

PORT = re.compile(r"^(?:tcp6?|ssl|tls)\b.*?(?<=:)(?:port=)?(\d+)(?=:|$)", re.ASCII)
"""Finds the port in the description of an endpoint: the first part that is a number."""

ADMIN_KINDS = ("tcp", "tcp6", "ssl", "tls")
"""The kinds of endpoints for which the administration's interface must be given."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def size(text: str) -> int:
    """Read a size: ``16MiB``, ``64KiB``, ``1GiB``, or bytes."""
    match = re.fullmatch(r"(\d+) ?([KMG]iB|B|)", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise ValueError(f"must be a size such as 16MiB, 64KiB or 1000, not {text!r}")
    return int(match[1]) * SIZES[match[2].upper()]


def number(text: str) -> int:
    """Read a number."""
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise ValueError(f"must be a whole number, not {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """Read a time in seconds."""
    try:
        time = float(text)
    except ValueError:
        time = math.nan
    if not math.isfinite(time):
        raise ValueError(f"must be a number of seconds, not {text!r}")
    return time


def seconds_or_none(text: str) -> float | None:
    """Read a time in seconds, or ``none``."""
    return None if text == "none" else seconds(text)


def network(text: str) -> Network:
    """Read an address or a network. IPv4 addresses in the clothes of IPv6 are taken for what they are."""
    try:
        read = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"must be an address or a network, not {text!r}: {error}") from error
    if isinstance(read, ipaddress.IPv6Network) and read.prefixlen >= 96 and read.network_address.ipv4_mapped:
        return ipaddress.IPv4Network((read.network_address.ipv4_mapped, read.prefixlen - 96))
    return read


def on_filter_error(text: str) -> OnFilterError:
    """Read what is done when a filter fails."""
    try:
        return OnFilterError(text)
    except ValueError:
        choices = ", ".join(choice.value for choice in OnFilterError)
        raise ValueError(f"must be one of {choices}, not {text!r}") from None


def endpoint(find: Callable[..., Any], reactor: object, text: str) -> Any:
    """Read the description of an endpoint."""
    if find is server_endpoint:
        try:
            check_server(text)
        except ValueError as error:
            raise ValueError(f"{text!r} cannot be used: {error}") from error
    if text.startswith(("tls:", "ssl:")) and find_spec("OpenSSL") is None:
        raise ValueError(f"{text!r} needs pyOpenSSL: pip install 'twisted_repeater[tls]'")
    port = PORT.match(text)
    if port is not None and int(port[1]) > 0xFFFF:  # which Twisted would find out only when it connects
        raise ValueError(f"{text!r} is no endpoint: port {port[1]} is above 65535")
    try:
        return find(reactor, text)
    except Exception as error:  # each kind of endpoint has its own
        raise ValueError(f"{text!r} is no endpoint: {told(error)}") from error


def admin_endpoint(reactor: object, text: str) -> Any:
    """Read the description of the endpoint where the administration listens.

    It must say who can connect. An endpoint that wraps another is refused, because it does not show where the other
    listens. Only the owner of a Unix socket can connect to it unless a mode is given; Twisted sets the mode before
    anybody can connect.
    """
    kind, positional, named = parts_of(text)
    if kind in ADMIN_KINDS:
        if not named.get("interface"):
            raise ValueError("say interface=127.0.0.1; who can connect to it can do all that it offers")
    elif kind == "unix":
        if not (positional[0] if positional else named.get("address")):
            raise ValueError(f"{text!r} must have the path of the socket")
        if "mode" not in named and len(positional) < 2:
            text += ":mode=600"
    elif kind != "systemd":
        raise ValueError(f"must be an endpoint of the kind {', '.join(ADMIN_KINDS)}, unix or systemd, not {text!r}")
    return endpoint(serverFromString, reactor, text)


def host(text: str) -> str:
    """Read the name of a host, without a port."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?", text, re.ASCII):
        raise ValueError(f"must be the name of a host without a port, not {text!r}")
    return text


def shown(value: float | None, read: Callable[[str], Any]) -> str:
    """Write a value as it is read."""
    if value is None:
        return "none"
    if read is size:
        for unit in ("GiB", "MiB", "KiB"):
            if value % SIZES[unit.upper()] == 0:
                return f"{value // SIZES[unit.upper()]:.0f}{unit}"
    return f"{value:g}"


def ip_filter(networks: Sequence[Network]) -> Callable[[str], bool]:
    """Return what tells whether a client's address is in one of these networks."""

    def is_authorized(ip: str) -> bool:
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            return False  # a client on a Unix socket has no such address
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in networks)

    return is_authorized


def name_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a client's name matches one of these patterns; without any, all do."""
    if not patterns:
        return lambda name: True
    matches = re.compile("|".join(map(fnmatch.translate, patterns))).match
    return lambda name: matches(name) is not None


BY_DESCRIPTORS = "[default: 500, or fewer to fit the file descriptors]"

LIMITS: dict[str, tuple[Callable[[str], Any], str]] = {
    "max-clients": (
        number,
        f"How many links and attempts there may be at once; newcomers wait. {BY_DESCRIPTORS}",
    ),
    "max-frame": (size, "The longest message, either way."),
    "max-hello": (size, "The longest hello."),
    "max-waiting": (size, "How much may wait for a slow side when a filter sends it one more message."),
    "max-unfinished-hellos": (
        number,
        f"How many connections may be without a complete hello. {BY_DESCRIPTORS}",
    ),
    "hello-timeout": (seconds, "How long a peer may take to say hello."),
    "connect-timeout": (seconds, "How long the connection to the server may take."),
    "close-timeout": (seconds, "How long a closing connection may make no progress before it is aborted."),
    "linger": (seconds, "How long one direction is carried on after the other's stream ended."),
    "filter-timeout": (seconds_or_none, "How long a filter may take for a verdict, or none."),
    "stall-timeout": (seconds_or_none, "How long a side may take nothing of what waits for it, or none."),
    "dead-peer-timeout": (seconds_or_none, "How long a peer's system may give no answer at all, or none."),
    "frame-timeout": (seconds_or_none, "How long an unfinished frame may make no progress, or none."),
    "max-unfinished-frames": (
        size,
        "How much the unfinished frames of all links may hold together. [default: 256MiB, or 4 times --max-frame]",
    ),
}
"""An option for each of `Limits`: how it is read, and what it is."""


def default(name: str, read: Callable[[str], Any]) -> str | None:
    """Return the default of an option as a user would write it, ``None`` if it depends on something."""
    value = getattr(DEFAULTS, name.replace("-", "_"))
    return None if value is None and read is not seconds_or_none else shown(value, read)


class Options(usage.Options):
    """The options of ``twistd repeater``."""

    synopsis = "--listen=ENDPOINT --server=ENDPOINT --server-name=NAME [options]"

    longdesc = (
        "Stands between clients and a server: connects to the server in the name of each client, and shows each "
        "message to filters, which pass it on, drop, replace or answer it. To see it work: twistd -n repeater --demo"
    )

    optFlags: ClassVar = [
        ["reload", None, "Load the filters anew when their files change. SIGHUP does it in any case."],
        ["convert-versions", None, "Let each connection agree on its own versions, and convert messages between them."],
        ["demo", None, "See it work: needs no other option and no other program."],
    ]

    optParameters: ClassVar[list[list[Any]]] = [
        ["listen", None, None, "Where clients connect, such as tcp:9000:interface=127.0.0.1 or unix:/run/quotes."],
        ["server", None, None, "Where the server is, such as tcp:127.0.0.1:9001 or tls:quotes.example.org:9001."],
        ["server-name", None, None, "The name that the server says in its hello."],
        ["repeater-name", None, "repeater", "The name that the repeater says in the credentials of its hellos."],
        ["dialect", None, "int32", "The wire protocol: int32, async_extra, or package.module:name."],
        ["to-server-filter", None, None, "The filter of messages to the server, as package.module:name."],
        ["to-client-filter", None, None, "The filter of messages to the clients, as package.module:name."],
        ["on-filter-error", None, "stop", "What becomes of a message whose filter fails: stop, pass-on, drop, close."],
        ["admin", None, None, "Where the administration listens, such as tcp:8090:interface=127.0.0.1 or unix:/run/x."],
        *([name, None, default(name, read), about] for name, (read, about) in LIMITS.items()),
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["allow-client"] = []
        self["allow-ip"] = []
        self["admin-host"] = []

    def opt_allow_client(self, pattern: str) -> None:
        """A pattern of client names that are allowed, such as desk-*; may be given more than once. [default: all]"""
        self["allow-client"].append(pattern)

    def opt_allow_ip(self, text: str) -> None:
        """A network, or an address, that clients may come from; may be given more than once. [default: all]"""
        self["allow-ip"].append(self._read("allow-ip", network, text))

    def opt_admin_host(self, text: str) -> None:
        """Another name of the administration, such as edge.example.org; may be given more than once."""
        self["admin-host"].append(self._read("admin-host", host, text))

    def opt_version(self) -> None:
        """Tell the version and exit."""
        from ..__main__ import main

        main(["--version"])

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the options; a wrong one ends the process with one line, where Twisted would print all the help."""
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            sys.exit(f"twistd repeater: {error}")

    def _read(self, option: str, read: Callable[..., Any], *arguments: Any) -> Any:
        """Read the value of an option; what is wrong with it is told with the option's name."""
        try:
            return read(*arguments)
        except (ValueError, LoadingError, MultipleVersionsError) as error:
            message = str(error)
            separator = " " if message.startswith("must ") else ": "
            raise usage.UsageError(f"--{option}{separator}{message}") from error

    def parseArgs(self, *arguments: str) -> None:
        """Refuse what stands by itself: file names, say, that the shell has put in the place of a pattern."""
        if arguments:
            raise usage.UsageError(f"{arguments[0]!r} belongs to no option; write a pattern in quotes")

    def postOptions(self) -> None:
        """Put in the place of each value what it stands for."""
        if self["demo"]:
            self._check_demo()
            return
        for name in ("listen", "server", "server-name"):
            if not self[name]:
                raise usage.UsageError(f"--{name} is missing; see twistd repeater --help")
        self["limits"] = self._limits()
        self["on-filter-error"] = self._read("on-filter-error", on_filter_error, self["on-filter-error"])
        self._find_endpoints()
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        self["dialect"] = self._read("dialect", load_dialect, self["dialect"])
        self._read("dialect", self["dialect"].check_versions, bool(self["convert-versions"]))
        self["modules"] = self._modules()

    def _check_demo(self) -> None:
        others = [name for name, value in self.items() if name != "demo" and value != self.defaults.get(name, [])]
        if others:
            raise usage.UsageError(f"--demo goes alone, without --{others[0]}")
        if self.parent is not None and not self.parent.get("nodaemon", True):
            raise usage.UsageError("the demo shows itself on the terminal: twistd -n repeater --demo")

    def _limits(self) -> Limits:
        limits = {
            name.replace("-", "_"): self._read(name, read, self[name])
            for name, (read, _) in LIMITS.items()
            if self[name] is not None
        }
        try:
            return Limits(**limits)
        except ValueError as error:
            raise usage.UsageError(f"--{str(error).replace('_', '-')}") from error

    def _find_endpoints(self) -> None:
        from twisted.internet import reactor

        for name, find in (("listen", listening_endpoint), ("server", server_endpoint)):
            self[name] = self._read(name, endpoint, find, reactor, self[name])
        if self["admin"]:
            self["admin"] = self._read("admin", admin_endpoint, reactor, self["admin"])
        elif self["admin-host"]:
            raise usage.UsageError("--admin-host: there is no administration; --admin says where it listens")

    def _modules(self) -> FilterModules:
        """Load the filters."""
        names = {name.replace("-", "_"): self[name] for name in ("to-server-filter", "to-client-filter") if self[name]}
        try:
            modules = FilterModules(names)
        except LoadingError as error:
            raise usage.UsageError(str(error)) from error
        if self["reload"] and not names:
            raise usage.UsageError("--reload: there is no filter to load anew")
        if self["reload"] and modules.fixed:
            raise usage.UsageError(f"--reload: {', '.join(modules.fixed)} has the dialect, which stays as it is")
        return modules


def makeService(options: Options) -> IService:
    """Make the service that the options describe. See `IServiceMaker`."""
    from twisted.internet import reactor

    if options["demo"]:
        return DemoService(reactor)
    metrics = MetricsObserver()

    def create() -> Deferred[Repeater]:
        raise_soft_limit(reactor)
        return Repeater.create(
            options["dialect"],
            repeater_name=options["repeater-name"],
            server_name=options["server-name"],
            is_client_allowed=name_filter(options["allow-client"]),
            listen=options["listen"],
            server=options["server"],
            is_client_ip_authorized=ip_filter(options["allow-ip"]) if options["allow-ip"] else None,
            convert_versions=bool(options["convert-versions"]),
            limits=options["limits"],
            observers=[LogObserver(reactor), *([metrics] if options["admin"] else [])],
            reactor=reactor,
        )

    return RepeaterService(
        create,
        callbacks={
            "on_error": end_link,  # what there is to log is logged by the observer
            "on_connecting_error": lambda client_name, server_name, error: None,
            "on_filter_error": options["on-filter-error"],
        },
        modules=options["modules"],
        reactor=reactor,
        watch=bool(options["reload"]),
        admin=options["admin"],
        admin_hosts=options["admin-host"],
        metrics=metrics,
        pid_file=options.parent.get("pidfile") if options.parent is not None else None,
    )
