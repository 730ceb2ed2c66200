"""The repeaters of a process as a Twisted service: their ports are bound before privileges are given up.

From start to end: all ports are bound, then the process joins its fleet and all repeaters begin, then systemd is told.
SIGHUP and the administration reload; see `changes`. SIGTERM drains: readiness turns false, the ports are closed, links
end as they rest. Then all links are closed, the process leaves its fleet, and last the administration ends.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._sockets.descriptors import raise_soft_limit
from .._text import printable, text_of
from .._types import Reactor
from ..fleet import Entry, Fleet
from ..tls_options import look_at_certificates, reload_certificates
from .admin_port import AdminPort
from .changes import Change, ChangeError, ReloadAnswer, with_certificates
from .filter_modules import FilterModules
from .fleet_member import FleetMember
from .hosted import Hosted, filters_of
from .loading import LoadingError
from .logs import Logs
from .parent_process import ParentProcess
from .plan import Plan, Wanted, check_reload, load_from_here, plan_of
from .reload import Reload
from .settings import ProcessSettings, SettingsError
from .shutdown_signals import ShutdownSignals
from .systemd import Systemd, longest_end

__all__ = ["CannotStart", "RepeaterService"]

log: Logger = Logger()

LOOK_EVERY = 60.0
"""How many seconds pass until certificates are looked at although nobody connects."""


class CannotStart(SystemExit, Exception):
    """The service cannot be started; the message says why.

    It is a `SystemExit`, so that Python ends with status 1 and without a traceback. It is an `Exception`, so that
    twistd removes its pid file and, as a daemon, tells the shell that started it.
    """


class RepeaterService(Service):
    """Runs the repeaters of a process and their administration, reloads and drains them.

    It loads everything that the settings name.

    Args:
        settings: what to run.
        reactor: the reactor.
        twistd: the options of twistd itself. They say where the log goes, and which file is removed when a second
            signal ends the process at once.

    Raises:
        LoadingError: something cannot be loaded.
    """

    def __init__(self, settings: ProcessSettings, *, reactor: Reactor, twistd: Mapping[str, Any] | None = None) -> None:
        self.settings: ProcessSettings = settings
        """The settings that hold now."""
        self.reactor: Reactor = reactor
        self.hosted: dict[str, Hosted] = {}
        """The repeaters, by name."""
        self._parent = ParentProcess.of_this_process()
        self._logs = self._make_logs(twistd)
        self.member: FleetMember = FleetMember(self, settings, reactor)
        """Its part in a fleet."""
        load_from_here(settings)
        for repeater in settings.repeaters.values():  # first: a module that a dialect has loaded is never reloaded
            self.hosted[repeater.name] = self.host(plan_of(repeater, reactor))
        wanted = Wanted(settings.repeaters.values())
        self.modules: FilterModules = FilterModules(wanted.names, wanted.pairs, where=wanted.where)
        """All their filters."""
        if settings.file is not None:
            self.modules.watched.add(settings.file)
        check_reload(settings, self.modules.fixed)
        self._admin = AdminPort(settings, reactor)
        self._leaving: dict[Hosted, None] = {}
        """Repeaters that are drained."""
        self._draining = False
        self._over: float | None = None  # for how long links may go on, if whoever drains the process has said so
        self._reload = Reload(self, reactor)
        self._certificates = TimerService(LOOK_EVERY, look_at_certificates)
        self._certificates.clock = reactor
        self._systemd = self._parent or Systemd()
        self._signals = ShutdownSignals(
            reactor, self._abort, (twistd or {}).get("pidfile"), on_alive=self._systemd.alive
        )
        self._binding: Deferred[None] | None = None
        self._started = False
        self._begun = False
        self._error: CannotStart | None = None

    def host(self, plan: Plan) -> Hosted:
        """Make a repeater of the process, which does nothing yet."""
        observed = bool(self.settings.values["admin"])
        self.member.introduce(plan.app)
        return Hosted(plan, self.reactor, observed=observed, reload=self._reload_one)

    def _make_logs(self, twistd: Mapping[str, Any] | None) -> Logs:
        values = self.settings.values
        try:
            logs = Logs(values["log-format"], values["log-level"], twistd)
        except ValueError as error:
            raise LoadingError(text_of(error)) from error
        logs.names_repeaters = len(self.settings.repeaters) > 1
        logs.process = "" if self._parent is None else self._parent.number
        return logs

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Give the application its log. See `IService`."""
        self._logs.install(parent)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    # -- start ------------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind the ports. See `IService`."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._binding = Deferred.fromCoroutine(self._bind()).addErrback(self._failed)
        self._raise_error()

    def startService(self) -> None:
        """Begin to relay, and to obey signals. See `IService`."""
        if self._binding is None:  # ``twist`` calls only this method, twistd both
            self.privilegedStartService()
        assert self._binding is not None
        super().startService()  # type: ignore[no-untyped-call]
        self._reload.start()
        self._signals.start()
        if self._parent is not None:
            self._parent.start(self._obey, self.reactor)
        self._certificates.startService()
        self._binding.addCallback(lambda _: Deferred.fromCoroutine(self._begin())).addErrback(self._failed)
        self._started = True
        self._raise_error()

    async def _bind(self) -> None:
        """Bind all ports. Nobody is accepted yet."""
        raise_soft_limit(self.reactor)
        self.member.enter()
        for hosted in self.hosted.values():
            await self._named(hosted, hosted.bind(self.member.fleet_for(hosted.name)))
        await self._admin.bind(self)

    async def _begin(self) -> None:
        """Let all repeaters begin. Not before the service starts: by then twistd has forked, and has its final user."""
        if self._error is not None:
            return
        self.member.start()
        for hosted in self.hosted.values():
            await self._named(hosted, hosted.begin(filters_of(hosted.name, self.modules.filters)))
            hosted.log_start()
        if not self._draining:
            self._begun = True
            self._systemd.ready(self._status())
            self._reload.begun(watch=self.settings.values["reload"])

    async def _named(self, hosted: Hosted, work: Awaitable[None]) -> None:
        """Wait for work on a repeater. If there are several, an error says which one it concerns."""
        try:
            await work
        except Exception as error:
            if len(self.hosted) == 1:
                raise
            raise CannotStart(f"{hosted.name}: {text_of(error)}") from error

    def _status(self) -> str:
        count = len(self.hosted)
        return f"{count} repeaters run" if count != 1 else f"{next(iter(self.hosted))} runs"

    def _failed(self, failure: Failure) -> None:
        why = printable(text_of(failure.value))
        log.critical("cannot start: {why}", why=why)
        self._error = CannotStart(why)
        self._error.code = 1  # Python would print a message, which the log has already
        for hosted in self.hosted.values():
            hosted.abort()
        if self._started:
            # The endpoint took its time, and the reactor runs. After reactor.stop() twistd would end with status 0, as
            # if all were well; after a signal it closes everything in the same way, and then ends by that signal.
            signal.raise_signal(signal.SIGTERM)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    # -- Administered -----------------------------------------------------------------------------------------

    @property
    def repeaters(self) -> Mapping[str, Hosted]:
        """The repeaters that run. See `Administered`."""
        return {name: hosted for name, hosted in self.hosted.items() if hosted.bound}

    def unready(self) -> Sequence[str]:
        """Return why no clients should be sent here. See `Administered`."""
        if self._draining:
            return ["draining"]
        reasons = [(name, hosted.unready()) for name, hosted in self.hosted.items()]
        reasons.append(("fleet", self.member.unready()))
        return [f"{name}: {reason}" for name, reason in reasons if reason]

    def reload(self) -> list[ReloadAnswer]:
        """Read the settings again, and change what has changed. Return what was done, or why nothing was."""
        return self._reload.now()

    def _reload_one(self, name: str) -> ReloadAnswer:
        answers = self._reload.now(name)
        return next((answer for answer in answers if answer.repeater == name or answer.error), ReloadAnswer(name))

    def drain(self) -> None:
        """End as after SIGTERM. See `Administered`."""
        signal.raise_signal(signal.SIGTERM)

    @property
    def fleet(self) -> Fleet:
        """The fleet that the process belongs to. See `Administered`."""
        return self.member.fleet

    @property
    def entry(self) -> Entry:
        """The part of the process itself in its fleet. See `Administered`."""
        return self.member.entry

    @property
    def everyone(self) -> list[Hosted]:
        """All repeaters, also those that are drained. See `FleetProcess`."""
        return list(dict.fromkeys((*self.hosted.values(), *self._leaving)))

    def drain_over(self, over: float | None) -> None:
        """See `FleetProcess`."""
        if self._signals.first:  # a second signal would abort
            for hosted in self._leaving:
                if over is not None and hosted.bound:
                    hosted.repeater.drain(over)
        else:
            self._over = over
            self.drain()

    # -- reload -----------------------------------------------------------------------------------------------

    def change(self, only: str | None) -> list[ReloadAnswer]:
        """Make a reload. See `Change`."""
        if self._draining or not self._begun:
            return [ReloadAnswer("", "the process is starting or ending")]
        self._systemd.reloading()
        self.modules.note_watched()
        try:
            answers = Change(self, self.settings.read_again(), only).make()
            return answers if only is not None else with_certificates(answers, self.settings, reload_certificates())
        except SettingsError as error:
            return [ReloadAnswer("", line) for line in error.lines]
        except ChangeError as error:
            return [ReloadAnswer(error.repeater, text_of(error))]
        finally:
            self._systemd.ready(self._status())

    def take(self, settings: ProcessSettings, added: Iterable[Hosted], removed: Iterable[Hosted]) -> None:
        """Have these settings from now on, with the repeaters that were added. Drain those that were removed."""
        self.settings = settings
        self._admin.change(settings)
        self._logs.use(settings.values["log-format"], settings.values["log-level"])
        self._logs.names_repeaters = len(self.hosted.keys() | settings.repeaters.keys()) > 1  # some may be drained yet
        for hosted in removed:
            del self.hosted[hosted.name]
            log.info("removed from the configuration, and drained", repeater=hosted.name)
            Deferred.fromCoroutine(self._drain_one(hosted)).addErrback(_log_bug)
        for hosted in added:
            self.hosted[hosted.name] = hosted
            hosted.log_start()

    # -- end --------------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """End every link, after a while for draining if SIGTERM came, then the administration. See `IService`."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._draining = True
        ending = self.everyone
        drains = self._signals.first == signal.SIGTERM
        if drains:
            self._systemd.stopping("draining", self._longest_end())
            self._admin.release_held()
            await gatherResults([Deferred.fromCoroutine(self._drain_one(hosted)) for hosted in ending])
        await gatherResults([Deferred.fromCoroutine(hosted.end()) for hosted in ending])
        self._leaving.clear()
        await self.member.stop()
        await self._admin.stop()
        self._reload.stop()
        self._signals.stop()
        if self._certificates.running:
            await self._certificates.stopService()

    def _longest_end(self) -> float:
        limits = [hosted.settings.values["limits"] for hosted in self.hosted.values()]
        return longest_end(self._drain_timeout(), limits)

    def _drain_timeout(self) -> float:
        return float(self.settings.values["drain-timeout"]) if self._over is None else self._over

    async def _drain_one(self, hosted: Hosted) -> None:
        """Drain a repeater, and end it."""
        self._admin.release_held(hosted.name)
        self._leaving[hosted] = None
        if hosted.bound:
            await hosted.repeater.drain(self._drain_timeout())
        await hosted.end()
        self._leaving.pop(hosted, None)

    def _obey(self, order: str) -> None:
        """Obey the parent."""
        if order == "drain":
            self._signals.begin(signal.SIGTERM)
        elif order == "end":
            self._signals.begin(signal.SIGINT)
        elif order == "abort":
            self._abort()
        elif order == "reload":
            self._reload.now()
        elif callable(signal.getsignal(signal.SIGUSR1)):  # "rotate", if there is a file
            signal.raise_signal(signal.SIGUSR1)

    def _abort(self) -> None:
        """Obey a second signal: do not wait any longer."""
        for hosted in self.everyone:
            hosted.abort()


def _log_bug(failure: Failure) -> None:
    log.failure("bug: a repeater could not be drained", failure=failure)
