"""One repeater of the process: from its plan to its end, and what can be changed while its links run."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._repeater import Repeater
from .._text import printable, text_of
from .._types import Observer, Reactor
from ..dialects import Dialect
from ..fleet import Fleet
from ..observers import LogObserver
from ..observers.metrics import MetricsObserver
from .addresses import ip_filter
from .admin.recent_errors import RecentErrors
from .app import Application
from .handover import PortOf
from .loading import LoadingError, reason_of
from .logs import log_start
from .option_values import name_filter
from .plan import Plan
from .recording import ServiceRecording
from .server_check import ServerCheck
from .settings import RepeaterSettings, located
from .unix_sockets import remove_dead_socket

if TYPE_CHECKING:
    from .changes import ReloadAnswer

__all__ = ["FILTERS", "Hosted", "done_at_once", "filters_of"]

log: Logger = Logger()

FILTERS = {"to-server-filter": "to_server_filter", "to-client-filter": "to_client_filter", "filter": "filters"}
"""The arguments of `Repeater.start` for filters, by the options."""

FACTS = ("listen", "server", "dialect")
"""The options that are always among the facts."""


class Hosted:
    """A repeater of the process. See `AdministeredRepeater`.

    Args:
        plan: what to make.
        reactor: the reactor.
        observed: whether somebody can ask for metrics and errors.
        reload: reloads this repeater.
    """

    def __init__(self, plan: Plan, reactor: Reactor, *, observed: bool, reload: Callable[[str], ReloadAnswer]) -> None:
        self.name: str = plan.settings.name
        """Its name in the configuration."""
        self.settings: RepeaterSettings = plan.settings
        """The settings that hold now."""
        self.app: Application = plan.app
        """Its application."""
        self.dialect: Dialect = plan.dialect
        """Its dialect."""
        self.metrics: MetricsObserver = MetricsObserver()
        """Its numbers."""
        self.errors: RecentErrors = RecentErrors()
        """Its last errors."""
        self.recording: ServiceRecording | None = self._recording_of(plan.settings, reactor)
        """Its recording, if a file is configured."""
        self.started: float = time.time()
        """When it was started, in seconds since 1970."""
        self.bound: bool = False
        """Whether its port is bound."""
        self._plan = plan
        self._reactor = reactor
        self._reload = reload
        self._repeater: Repeater | None = None
        self._filters: dict[str, Any] = {}
        self._app_began = False
        self._server_check: ServerCheck | None = None
        self._observers: list[Observer] = [LogObserver(reactor, repeater=plan.settings.name), *plan.app.observers]
        if observed:
            self._observers += [self.metrics, self.errors]
        self._use_clients()

    # -- AdministeredRepeater ---------------------------------------------------------------------------------

    @property
    def repeater(self) -> Repeater:
        """The repeater.

        Raises:
            RuntimeError: its port is not bound yet.
        """
        if self._repeater is None:
            raise RuntimeError(f"the port of {self.name} is not bound yet")
        return self._repeater

    @property
    def facts(self) -> Mapping[str, str]:
        """What was configured, for people."""
        return {name: str(self.settings.values[name]) for name in FACTS} | dict(self.settings.texts)

    def reload(self) -> ReloadAnswer:
        """Reload what belongs to this repeater."""
        return self._reload(self.name)

    # -- from start to end ------------------------------------------------------------------------------------

    async def bind(self, fleet: Fleet | None = None) -> None:
        """Bind the port, and enter the fleet, if there is one. Nobody is accepted yet."""
        values = self.settings.values
        if not isinstance(self._plan.listen, PortOf):
            remove_dead_socket(values["listen"])
        self._repeater = await Repeater.create(
            self.dialect,
            repeater_name=self.name,
            server_name=values["server-name"] or "",
            is_client_allowed=self._is_client_allowed,
            is_client_ip_authorized=self._is_ip_allowed,
            listen=self._plan.listen,
            server=values["server"],
            convert_versions=values["convert-versions"],
            send_proxy=values["send-proxy"],
            limits=values["limits"],
            observers=self._observers,
            fleet=fleet,
            reactor=self._reactor,
        )
        self.bound = True

    async def begin(self, filters: Mapping[str, Any]) -> None:
        """Begin to accept clients.

        Args:
            filters: the filters, by the options that name them.

        Raises:
            LoadingError: the application failed.
        """
        self._app_began = True
        try:
            await self.app.start(self.repeater)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            why = f"{self.settings.values['app']} cannot start: {reason_of(error)}"
            raise LoadingError(located(self.settings.where("app"), why)) from error
        for name, fault, lasts in self.settings.values["fault"]:
            self.repeater.faults.set(name, fault, seconds=lasts)
        self._filters = {FILTERS[option]: found for option, found in filters.items()}
        policy = self.settings.values["on-filter-error"]
        self.repeater.start(**self.app.callbacks, **self._filters, on_filter_error=policy)
        self.begin_recording()
        self._check_server()

    def begin_soon(self, filters: Mapping[str, Any]) -> None:
        """Begin. An application that takes its time holds up nobody else; if it fails, the repeater ends."""
        beginning = Deferred.fromCoroutine(self.begin(filters))
        if beginning.called:
            done_at_once(beginning)
        else:
            beginning.addErrback(self._failed_to_begin)

    def _failed_to_begin(self, failure: Failure) -> None:
        log.failure("{repeater} cannot start, and is ended", failure=failure, repeater=self.name)
        self.discard()

    def discard(self) -> None:
        """End at once what has just begun, or has failed to. The next reload begins it again, if it is to be there."""
        self.bound = False
        self.abort()
        _logged(Deferred.fromCoroutine(self.end()), "a repeater failed to end")

    def log_start(self) -> None:
        """Log that it accepts clients."""
        values = self.settings.values
        log_start(self.name, self.repeater, values["dialect"], values["server"])

    def begin_recording(self) -> None:
        """Begin the recording, if there is one.

        Raises:
            OSError: the file cannot be made.
            ValueError: the file cannot be recorded into.
        """
        if self.recording is not None:
            self.recording.start(self.repeater)

    async def end(self) -> None:
        """Close every link, and fire when all are gone."""
        self._check_no_more()
        if self._repeater is not None:
            await self._repeater.shutdown()
        self.bound = False
        if self._app_began:
            self._app_began = False
            try:
                await self.app.stop()
            except KeyboardInterrupt:
                raise
            except BaseException:
                log.failure("the application of {repeater} failed to stop", repeater=self.name)

    def abort(self) -> None:
        """Close the port, and abort every connection."""
        if self._repeater is not None:
            self._repeater.abort()

    def unready(self) -> str | None:
        """Return why no clients should be sent here, ``None`` if they are welcome."""
        if not self.bound:
            return "no port is bound"
        return None if self._server_check is None else self._server_check.trouble

    # -- changes ----------------------------------------------------------------------------------------------

    def replace_filters(self, filters: Mapping[str, Any], settings: RepeaterSettings) -> None:
        """Replace filters, and what becomes of messages whose filter fails.

        Args:
            filters: the new filters, by the options that name them; ``None`` for those that are gone.
            settings: the settings that say what to do with a message whose filter fails.
        """
        named = {FILTERS[option]: found for option, found in filters.items()}
        self.repeater.replace_filters(**named, on_filter_error=settings.values["on-filter-error"])
        self._filters |= named

    @property
    def filters(self) -> dict[str, Any]:
        """The filters that are in use, by the options that name them; ``None`` where there is none."""
        return {option: self._filters.get(name) for option, name in FILTERS.items()}

    def change(self, settings: RepeaterSettings, options: Collection[str]) -> None:
        """Use other values of these options. Nothing here fails: the values were checked."""
        before, self.settings = self.settings, settings
        for option in options:
            if option == "server":
                self.repeater.replace_server(settings.values["server"])
            elif option == "fault":
                self._replace_faults(before.values["fault"])
        if not {"server", "check-server"}.isdisjoint(options):
            self._check_server()
        self._use_clients()

    def _check_server(self) -> None:
        """Check whether the server can be reached, from now on, if that is configured."""
        self._check_no_more()
        values = self.settings.values
        if values["check-server"] is not None:
            self._server_check = ServerCheck(
                values["server"],
                every=values["check-server"],
                timeout=values["limits"].connect_timeout,
                reactor=self._reactor,
                send_proxy=values["send-proxy"],
            )
            self._server_check.start()

    def _check_no_more(self) -> None:
        if self._server_check is not None:
            self._server_check.stop()
            self._server_check = None

    def _replace_faults(self, before: Iterable[Any]) -> None:
        """Remove the faults that were configured, and set those that are. Those that stay, and others, go on."""
        now = list(self.settings.values["fault"])
        for each in before:
            if each not in now:
                self.repeater.faults.remove(each.name)
        for each in now:
            if each not in before:
                self.repeater.faults.set(each.name, each.fault, seconds=each.lasts)

    def replace_recording(self, settings: RepeaterSettings) -> Callable[[], None]:
        """Begin the recording that other settings name. Return what ends the one before it.

        Raises:
            OSError: the file cannot be made.
            ValueError: the file cannot be recorded into.
        """
        before, self.recording = self.recording, self._recording_of(settings, self._reactor)
        numbers = self.metrics.recording
        try:
            self.begin_recording()
        except BaseException:
            self.recording, self.metrics.recording = before, numbers
            raise
        if before is None:
            return lambda: None
        if self.recording is None:
            self.metrics.recording = None
        return lambda: _logged(before.stop(), "a recording failed to end")

    def _recording_of(self, settings: RepeaterSettings, reactor: Reactor) -> ServiceRecording | None:
        if not settings.values["record"]:
            return None
        facts = {name: settings.values[name] for name in ("dialect", "server")}
        return ServiceRecording({**settings.values["record"], **facts}, self.metrics, reactor)

    # -- who may connect --------------------------------------------------------------------------------------

    def _use_clients(self) -> None:
        values = self.settings.values
        self._allows_name = name_filter(values["allow-client"])
        self._allows_ip = ip_filter(values["allow-ip"]) if values["allow-ip"] else None

    def _is_client_allowed(self, name: str) -> object:
        if not self._allows_name(name):
            return False
        own = self.app.is_client_allowed
        return True if own is None else own(name)

    def _is_ip_allowed(self, ip: str) -> bool:
        return self._allows_ip is None or self._allows_ip(ip)


def filters_of(name: str, filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters of a repeater by their options, out of those of the process (see `Wanted`)."""
    return {option: filters[key] for option in FILTERS if (key := f"{name}/{option}") in filters}


def done_at_once(work: Deferred[None] | Coroutine[Any, Any, None]) -> None:
    """Raise the error of work that must be done when this returns."""
    running = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    failures: list[Failure] = []
    if not running.called:
        running.addErrback(lambda failure: None)
        running.cancel()
        raise ValueError("takes its time, which needs a restart")
    running.addErrback(failures.append)
    for failure in failures:
        failure.raiseException()


def _logged(deferred: Deferred[Any], text: str) -> None:
    """Log a failure of something that nobody waits for."""

    def failed(failure: Failure) -> None:
        log.error("{text}: {why}", text=text, why=printable(text_of(failure.value)))

    deferred.addErrback(failed)
