"""What the settings of a repeater come to: its dialect, its application and its endpoints, loaded and checked.

Nothing here binds a port or connects to a server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python import usage

from .._sockets.endpoints import check_server as check_can_carry
from .._text import text_of
from .._types import Reactor
from ..dialects import Dialect, by_address, server_first
from ..dialects.hellos import Hellos
from ..dialects.modbus.dialect import after_first_request
from ..errors import MultipleVersionsError
from . import option_values
from .app import Application, load_app
from .filter_modules import FilterModules
from .fleet_member import check_fleet
from .loading import LoadingError, dialect_needed, is_ready, load_dialect
from .ready_filters import READY_FILTERS, READY_FOR_ONE_WAY
from .settings import ProcessSettings, RepeaterSettings, Where, located

__all__ = ["Plan", "Wanted", "check", "check_clients", "check_reload", "check_server", "load_from_here", "plan_of"]

P = ParamSpec("P")
T = TypeVar("T")

FILTERS = ("to-server-filter", "to-client-filter")
"""The options that name the filter of a direction."""

UNNAMED = (by_address, server_first, after_first_request)
"""The openings whose clients have only an address."""


@dataclass(frozen=True)
class Plan:
    """A repeater that can be made."""

    settings: RepeaterSettings
    dialect: Dialect
    app: Application
    listen: IStreamServerEndpoint


class Wanted:
    """The filters of several repeaters, as `FilterModules` takes them: by keys such as ``edge/to-server-filter``."""

    def __init__(self, repeaters: Iterable[RepeaterSettings]) -> None:
        self.names: dict[str, str] = {}
        self.pairs: dict[str, list[str]] = {}
        self._where: dict[str, Where] = {}
        for settings in repeaters:
            self._where[settings.name] = settings.where
            for option in FILTERS:
                if settings.values[option]:
                    self.names[f"{settings.name}/{option}"] = settings.values[option]
            if settings.values["filter"]:
                self.pairs[f"{settings.name}/filter"] = list(settings.values["filter"])

    def where(self, key: str) -> str:
        """Return how an error names the option that a key is about."""
        name, _, option = key.rpartition("/")
        return self._where[name](option)


def plan_of(settings: RepeaterSettings, reactor: Reactor, listen: IStreamServerEndpoint | None = None) -> Plan:
    """Load what the settings of a repeater name, without its filters, and check that it fits together.

    Args:
        settings: the settings.
        reactor: the reactor.
        listen: the endpoint, if it is not to be made from the settings.

    Raises:
        LoadingError: something cannot be loaded, or does not fit. The message begins with the option.
    """
    values = settings.values
    if listen is None:
        make, shared = option_values.listen_endpoint, values["share-port"]
        listen = tried(settings, "listen", make, reactor, values["listen"], shared=shared)
    check_server(settings, reactor)
    dialect = tried(settings, "dialect", load_dialect, values["dialect"])
    tried(settings, "dialect", dialect.check_versions, values["convert-versions"])
    if isinstance(dialect.opening, Hellos) and not values["server-name"]:
        why = f"is missing: the dialect {dialect.name} has hellos, in which the server says it"
        raise LoadingError(located(settings.where("server-name"), why))
    app = tried(settings, "app", load_app, values["app"]) if values["app"] else Application()
    check_clients(settings, dialect)
    if values["same-name"] is not None:
        dialect = dialect.changed(same_name=values["same-name"])
    return Plan(settings, dialect, app, listen)


def check_server(settings: RepeaterSettings, reactor: Reactor) -> None:
    """Raise a `LoadingError` if the server cannot be reached with these settings, whoever listens there."""
    tried(settings, "server", option_values.server, reactor, settings.values["server"])
    if settings.values["send-proxy"]:
        tried(settings, "send-proxy", check_can_carry, settings.values["server"], send_proxy=True)


def check_clients(settings: RepeaterSettings, dialect: Dialect) -> None:
    """Raise a `LoadingError` if filters are for another dialect, or if clients will have no names to allow."""
    values = settings.values
    options = [(name, values[name]) for name in FILTERS if values[name]]
    options += [("filter", text) for text in values["filter"]]
    for option, text in options:
        if option != "filter" and is_pair(text):
            continue  # which is what will be said about it
        needed = tried(settings, option, dialect_needed, text)
        if needed not in (None, dialect.name):
            why = f"{text.partition(':')[0]} is for the dialect {needed}, not {dialect.name}"
            raise LoadingError(located(settings.where(option), why))
    own = [text for _, text in options if not is_ready(text)]
    if dialect.opening in UNNAMED and values["allow-client"] and dialect.filters is None and not own:
        raise LoadingError(
            located(
                settings.where("allow-client"),
                f"needs names, which clients of the dialect {dialect.name} have only if a filter of yours finds them; "
                f"use {settings.where('allow-ip')}",
            )
        )


def check_reload(settings: ProcessSettings, fixed: Collection[str]) -> None:
    """Raise a `LoadingError` if files of filters are to be watched, but these modules of theirs cannot be reloaded."""
    if settings.values["reload"] and fixed:
        why = f"{', '.join(sorted(fixed))} has the dialect or the application, which cannot be reloaded"
        raise LoadingError(f"{settings.where('reload')}: {why}")


def is_pair(text: str) -> bool:
    """Return whether a description is that of a pair of this package, which no filter of one direction can be."""
    name = text.partition(":")[0].replace("_", "-")
    return name in READY_FILTERS and name not in READY_FOR_ONE_WAY


def tried(settings: RepeaterSettings, option: str, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call what reads or loads the value of an option. The message about a wrong one begins with the option."""
    try:
        return call(*arguments, **named)
    except (LoadingError, ValueError, MultipleVersionsError) as error:
        text = text_of(error).removeprefix(f"{option} ")
        raise LoadingError(located(settings.where(option), text)) from error


def load_from_here(settings: ProcessSettings) -> None:
    """Let Python find modules in the directory of the configuration file, and in the current one, too."""
    for place in filter(None, (settings.directory, os.getcwd())):
        if place not in sys.path:
            sys.path.insert(0, place)


def check(settings: ProcessSettings, reactor: Reactor) -> list[str]:
    """Load everything that the settings name, and return the errors, a line for each. No port is bound."""
    load_from_here(settings)
    errors = []
    try:
        check_fleet(settings, reactor)
    except LoadingError as error:
        errors.append(str(error))
    for repeater in settings.repeaters.values():
        try:
            plan_of(_without_systemd(repeater), reactor)
        except LoadingError as error:
            errors.append(str(error))
    wanted = Wanted(settings.repeaters.values())
    before = frozenset(sys.modules)
    alone: list[tuple[dict[str, str], dict[str, list[str]]]] = []
    alone += [({key: name}, {}) for key, name in wanted.names.items()]
    alone += [({}, {key: [text]}) for key, texts in wanted.pairs.items() for text in texts]
    for names, pairs in alone:  # each by itself, so that each error is found
        try:
            modules = FilterModules(names, pairs, where=wanted.where)
            check_reload(settings, before.intersection(modules.fixed))
        except LoadingError as error:
            errors.append(str(error))
    admin = settings.values["admin"]
    if admin and not _is_from_systemd(admin):
        try:
            option_values.admin_endpoint(reactor, admin)
        except (ValueError, usage.UsageError) as error:
            errors.append(located(settings.where("admin"), text_of(error)))
    return list(dict.fromkeys(errors))


def _without_systemd(settings: RepeaterSettings) -> RepeaterSettings:
    """Return the settings as they can be checked in a shell, where systemd passes no sockets."""
    if not _is_from_systemd(settings.values["listen"]):
        return settings
    return replace(settings, values={**settings.values, "listen": "tcp:0"})


def _is_from_systemd(description: str) -> bool:
    """Return whether an endpoint is a socket that systemd passes when it starts the process, as it did not now."""
    return "systemd:" in description and "LISTEN_FDS" not in os.environ
