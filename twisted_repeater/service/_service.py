"""The repeater as a service of Twisted's: bound before privileges are given up, ended through `Repeater.shutdown`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._repeater import Repeater
from .._text import address_text, printable, text_of
from ..observers.metrics import MetricsObserver
from .admin import administration
from .loading import LoadingError
from .reload import FilterModules
from .signals import EndSignals

__all__ = ["CannotStart", "RepeaterService"]

log = Logger()

LOOK_EVERY = 1.0
"""How many seconds lie between two looks at the files."""


class CannotStart(SystemExit, Exception):
    """The service cannot be started; the message says why.

    For an `Exception` twistd takes its pid file away again and, as a daemon, tells the shell that it was started from;
    with a `SystemExit` Python ends without a traceback, and not with 0.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = 1  # with a message in its place Python would print it, which the log does already


class RepeaterService(Service):
    """Runs a repeater, its administration, and the loading of its filters.

    @param create: gives what `Repeater.create` does.
    @param callbacks: are given to `Repeater.start`, besides the filters.
    @param modules: have the filters; they are loaded anew on SIGHUP and when the administration asks for it.
    @param watch: whether they are loaded anew also when their files have changed.
    @param admin: where the administration listens, ``None`` for nowhere.
    @param admin_hosts: names by which the administration is known, in addition to the local ones.
    @param metrics: is one of the repeater's observers; the administration shows what it counted.
    @param pid_file: is removed when a second signal ends the process at once because a filter keeps the reactor.
    """

    def __init__(
        self,
        create: Callable[[], Deferred[Repeater]],
        *,
        callbacks: Mapping[str, Any],
        modules: FilterModules,
        reactor: Any,
        watch: bool = False,
        admin: IStreamServerEndpoint | None = None,
        admin_hosts: Sequence[str] = (),
        metrics: MetricsObserver | None = None,
        pid_file: str | None = None,
    ) -> None:
        self.repeater: Repeater | None = None
        self._create = create
        self._callbacks = callbacks
        self._modules = modules
        self._reactor = reactor
        self._admin = admin
        self._admin_hosts = admin_hosts
        self._metrics = metrics or MetricsObserver()
        self._admin_port: IListeningPort | None = None
        self._watch = watch
        self._next_look: IDelayedCall | None = None
        self._trouble: str | None = None
        """The error of the last look at the files, if the next look will try the same again."""
        self._hangup: Any = None
        self._end_signals = EndSignals(reactor, self._abort, pid_file)
        self._error: CannotStart | None = None

    # -- IService ---------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind the ports."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        Deferred.fromCoroutine(self._bind()).addErrback(self._failed)
        if self._error is not None:
            raise self._error

    async def _bind(self) -> None:
        self.repeater = await self._create()
        self.repeater.start(**self._callbacks, **self._modules.filters)
        if self._admin is not None:
            site = administration(self.repeater, reload=self.reload, metrics=self._metrics, hosts=self._admin_hosts)
            self._admin_port = await self._admin.listen(site)
            address = self._admin_port.getHost()
            if _is_reached_by_others(address):
                log.warn(
                    "other machines can reach the administration at {address}: there is no password, and who can "
                    "connect to it can do all that it offers",
                    address=address_text(address),
                )
        log.info("clients are taken at {address}", address=address_text(self.repeater.address))

    def _failed(self, failure: Failure) -> None:
        why = printable(text_of(failure.value))
        log.critical("cannot start: {why}", why=why)
        if self.running:  # an endpoint that took its time: the reactor runs, and ends by this signal
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self._error = CannotStart(why)

    def startService(self) -> None:
        """Begin to listen to signals and to look at files."""
        super().startService()  # type: ignore[no-untyped-call]
        self._hangup = signal.signal(signal.SIGHUP, lambda number, frame: self._reactor.callFromThread(self.reload))
        self._end_signals.start()
        if self._watch:
            self._look_later()

    def stopService(self) -> Deferred[None]:
        """End every link, then the administration; fires when all is done."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self.repeater is not None:
            await self.repeater.shutdown()
        if self._admin_port is not None:
            await maybeDeferred(self._admin_port.stopListening)
        if self._hangup is not None:  # not before: what SIGHUP does by default is to kill
            signal.signal(signal.SIGHUP, self._hangup)
            self._hangup = None
        self._end_signals.stop()

    def _abort(self) -> None:
        """A second signal came: wait no longer."""
        if self.repeater is not None:
            self.repeater.abort()

    # -- filters ----------------------------------------------------------------------------------------------

    def _look_later(self) -> None:
        self._next_look = self._reactor.callLater(LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Load the filters again if their files have changed. An error that comes at each look is logged once."""
        self._look_later()  # first, so that no error of this look prevents the next
        trouble = None
        try:
            if self._modules.changed():
                why = self._load(logged=self._trouble)
                trouble = why if self._modules.passing else None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the system failed, or sys.modules holds something odd
            trouble = f"{type(error).__name__} while looking at the files"
            if trouble != self._trouble:
                log.failure("cannot look whether the files of the filters have changed; trying again")
        self._trouble = trouble

    def _use(self, filters: dict[str, Any]) -> None:
        if self.repeater is not None:  # else it is still being made, and starts with these
            self.repeater.replace_filters(**filters)

    def reload(self) -> str | None:
        """Load the filters anew, and let them take over. Gives why that cannot be; then the old ones stay."""
        self._trouble = None
        return self._load()

    def _load(self, *, logged: str | None = None) -> str | None:
        """Load the filters again. Return why that cannot be, which is logged unless it equals ``logged``."""
        try:
            self._modules.load_anew(self._use)
        except LoadingError as error:
            why = str(error)
            if why != logged:
                log.error("the filters stay as they are: {why}", why=printable(why))
            return why
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the system failed, or sys.modules holds something odd
            log.failure("cannot load the filters again")
            return f"{type(error).__name__} while loading the filters, see the log"
        if not self._modules.names:
            log.info("nothing to load anew: there is no filter, and certificates are read at the start only")
        else:
            log.info("{names}: filters loaded anew", names=", ".join(self._modules.names.values()))
        return None


def _is_reached_by_others(address: object) -> bool:
    """Return whether other machines can connect to an address that is listened on."""
    return isinstance(address, IPv4Address | IPv6Address) and not ip_address(address.host.partition("%")[0]).is_loopback
