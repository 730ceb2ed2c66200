"""The repeater as a Twisted service: it binds ports before privileges are given up, and ends all links at the end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._repeater import Repeater
from .._text import address_text, printable, text_of
from .._types import Reactor
from ..observers.metrics import MetricsObserver
from .addresses import ip_of
from .admin import RecentErrors, administration
from .filter_modules import FilterModules
from .ready_faults import NamedFault
from .recording import ServiceRecording
from .reload import Reload
from .shutdown_signals import ShutdownSignals

__all__ = ["CannotStart", "RepeaterService"]

log: Logger = Logger()


class CannotStart(SystemExit, Exception):
    """The service cannot be started; the message says why.

    It is a `SystemExit`, so that Python ends with status 1 and without a traceback. It is an `Exception`, so that
    twistd removes its pid file and, as a daemon, tells the shell that started it.
    """


class RepeaterService(Service):
    """Runs a repeater and its administration, and reloads its filters.

    Args:
        create: returns what `Repeater.create` returns.
        callbacks: arguments of `Repeater.start`, without the filters.
        modules: has the filters. They are reloaded on SIGHUP, and when the administration is asked to.
        watch: whether the filters are also reloaded when their files change.
        admin: where the administration listens, ``None`` for nowhere.
        admin_hosts: names of the administration, in addition to the local ones.
        metrics: one of the repeater's observers; the administration shows its numbers.
        recording: begins with the service.
        faults: faults that are set from the beginning.
        pid_file: removed when a second signal ends the process at once because a filter blocks the reactor.
    """

    def __init__(
        self,
        create: Callable[[], Deferred[Repeater]],
        *,
        callbacks: Mapping[str, Any],
        modules: FilterModules,
        reactor: Reactor,
        watch: bool = False,
        admin: IStreamServerEndpoint | None = None,
        admin_hosts: Sequence[str] = (),
        metrics: MetricsObserver | None = None,
        recording: ServiceRecording | None = None,
        faults: Sequence[NamedFault] = (),
        pid_file: str | None = None,
    ) -> None:
        self.repeater: Repeater | None = None
        self._reactor = reactor
        self._create = create
        self._callbacks = callbacks
        self._modules = modules
        self._watch = watch
        self._reload = Reload(modules, self._use, reactor)
        self._admin = admin
        self._admin_hosts = admin_hosts
        self._admin_port: IListeningPort | None = None
        self._metrics = metrics or MetricsObserver()
        self._recording = recording
        self._faults = faults
        self._shutdown_signals = ShutdownSignals(reactor, self._abort, pid_file)
        self._binding: Deferred[None] | None = None
        self._error: CannotStart | None = None

    def privilegedStartService(self) -> None:
        """Bind the ports. See `IService`."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._binding = Deferred.fromCoroutine(self._bind()).addErrback(self._failed)
        if self._error is not None:
            raise self._error

    async def _bind(self) -> None:
        self.repeater = await self._create()
        arguments: dict[str, Any] = {**self._callbacks, **self._modules.filters}
        for name, fault, lasts in self._faults:
            self.repeater.faults.set(name, fault, seconds=lasts)
        self.repeater.start(**arguments)
        if self._admin is not None:
            site = administration(_Process(_Only(self)), hosts=self._admin_hosts, reactor=self._reactor)
            self._admin_port = await self._admin.listen(site)
            address = self._admin_port.getHost()
            ip = ip_of(getattr(address, "host", ""))
            if ip is not None and not ip.is_loopback:
                log.warn(
                    "other machines can reach the administration at {address}: it has no password, and anyone who can "
                    "connect controls the repeater",
                    address=address_text(address),
                )
        if self.running:
            self._begin_recording()
        log.info("accepting clients at {address}", address=address_text(self.repeater.address))

    def _failed(self, failure: Failure) -> None:
        why = printable(text_of(failure.value))
        log.critical("cannot start: {why}", why=why)
        if self.running:
            # The endpoint took its time, and the reactor runs. After reactor.stop() twistd would end with status 0, as
            # if all were well; after a signal it closes everything in the same way, and then ends by that signal.
            signal.raise_signal(signal.SIGTERM)
        else:
            self._error = CannotStart(why)
            self._error.code = 1  # Python would print a message, which the log has already

    def startService(self) -> None:
        """Begin to obey signals and, if asked for, to look at files. See `IService`."""
        if self._binding is None:  # ``twist`` calls only this method, twistd both
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        if self.repeater is not None:
            self._begin_recording()
        self._reload.start(watch=self._watch)
        self._shutdown_signals.start()

    def _begin_recording(self) -> None:
        """Begin the recording. Not before the service starts: by then twistd has forked, and has its final user."""
        if self._recording is not None and self.repeater is not None:
            try:
                self._recording.start(self.repeater)
            except (OSError, ValueError) as error:
                raise CannotStart(f"cannot record: {error}") from error

    def stopService(self) -> Deferred[None]:
        """End every link, then the administration. See `IService`."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self.repeater is not None:
            await self.repeater.shutdown()
        if self._admin_port is not None:
            await maybeDeferred(self._admin_port.stopListening)
        self._reload.stop()
        self._shutdown_signals.stop()

    def _abort(self) -> None:
        """Obey a second signal: do not wait any longer."""
        if self.repeater is not None:
            self.repeater.abort()

    def _use(self, filters: dict[str, Any]) -> None:
        if self.repeater is not None:  # otherwise it is still being made, and starts with these filters
            self.repeater.replace_filters(**filters)

    def reload(self) -> str | None:
        """Reload the filters. Return ``None``, or the reason if that fails and the old filters stay."""
        return self._reload.now()


class _Outcome(NamedTuple):
    repeater: str
    error: str | None
    keys: Mapping[str, str]


class _Only:
    """The one repeater of a service, for its administration."""

    name = "repeater"
    facts: Mapping[str, str] = {}

    def __init__(self, service: RepeaterService) -> None:
        assert service.repeater is not None
        self._service = service
        self.repeater = service.repeater
        self.dialect = service.repeater._factory.settings.dialect
        self.metrics = service._metrics
        self.recording = service._recording
        self.errors = RecentErrors()
        self.started = time.time()

    def reload(self) -> _Outcome:
        """See `AdministeredRepeater`."""
        return _Outcome(self.name, self._service.reload(), {})


class _Process:
    """A process with one repeater, for its administration."""

    def __init__(self, only: _Only) -> None:
        self.repeaters = {only.name: only}

    def unready(self) -> list[str]:
        """See `Administered`."""
        return []

    def drain(self) -> None:
        """See `Administered`."""
        signal.raise_signal(signal.SIGTERM)

    def reload(self) -> list[_Outcome]:
        """See `Administered`."""
        return [only.reload() for only in self.repeaters.values()]
