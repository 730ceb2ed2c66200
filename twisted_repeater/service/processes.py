"""Several processes that share the ports of their repeaters, and the parent that starts them: ``--processes``.

The parent relays nothing. It checks the options, starts the processes, and starts another one when one ends. It passes
SIGTERM, Ctrl-C, SIGHUP and SIGUSR1 on, and speaks to systemd for all of them. Each process is a ``twistd repeater``
with the same options, in the foreground. It is a program of its own, not a fork of the parent: a fork would share the
descriptors of the reactor and of the log, and a process that is started again would run the parent's old code.

From start to end: the ports are looked at, whether somebody else has them; all processes are started; systemd is told
when all are ready. A process that ends before that ends the service. Later, one that ends is started again.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.reactors import getReactorTypes
from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .._text import printable
from .._types import Reactor
from .child_process import ChildProcess, Command
from .endpoint_texts import check_free
from .loading import LoadingError
from .logs import Logs
from .option import Written
from .parent_process import ALIVE_EVERY
from .process_number import numbers
from .service import CannotStart
from .settings import ProcessSettings, SettingsError, located
from .shutdown_signals import ShutdownSignals
from .systemd import Systemd, longest_end

__all__ = ["ProcessesService", "command_of"]

log: Logger = Logger()

ABORT_WITHIN = 5.0
"""How many seconds after a second signal the processes that are left are killed."""

TWISTD = "from twisted.scripts.twistd import run; run()"
"""What ``twistd`` does, wherever it is installed."""

SIGNALS = {name: getattr(signal, name) for name in ("SIGHUP", "SIGUSR1") if hasattr(signal, name)}
"""The signals that are passed on, where the system has them."""


class ProcessesService(Service):
    """Starts the processes, and looks after them.

    Args:
        settings: what to run.
        command: how each process is started, with its number.
        reactor: the reactor.
        twistd: the options of twistd itself.

    Raises:
        LoadingError: an option of twistd cannot be used.
    """

    def __init__(
        self,
        settings: ProcessSettings,
        command: Callable[[str], Command],
        *,
        reactor: Reactor,
        twistd: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings: ProcessSettings = settings
        """The settings that hold now."""
        values, twistd = settings.values, twistd or {}
        for option in ("chroot", "logger"):
            if twistd.get(option):
                why = f"must not be above 1 with the option --{option} of twistd"
                raise LoadingError(located(settings.where("processes"), why))
        self._logs = Logs(values["log-format"], values["log-level"], twistd)
        self._reactor = reactor
        self._systemd = Systemd()
        self._signals = ShutdownSignals(reactor, self._abort, twistd.get("pidfile"), on_alive=self._systemd.alive)
        self._handlers: dict[int, Any] = {}
        """What handled the signals that are passed on, before."""
        self.children: list[ChildProcess] = [
            ChildProcess(number, command(number), reactor, self._changed) for number in numbers(values["processes"])
        ]
        """The processes."""
        self._looking = TimerService(1.0, self._look)
        self._looking.clock = reactor
        self._complete = False
        """Whether all processes were ready once."""
        self._ending = False
        self._ended: Deferred[None] = Deferred()
        self._killing: IDelayedCall | None = None

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Give the application its log. See `IService`."""
        self._logs.install(parent)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    # -- start ------------------------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Look whether somebody else has the ports, who might share them by mistake. See `IService`.

        Raises:
            CannotStart: somebody has.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        for repeater in self.settings.repeaters.values():
            if repeater.texts.get("share-port") != "yes":  # otherwise the others are wanted
                listen = repeater.values["listen"]
                try:
                    check_free(listen)
                except OSError as error:
                    raise self._cannot_start(f"{listen} cannot be listened at: {error.strerror}") from error

    def startService(self) -> None:
        """Start the processes when the reactor runs. See `IService`."""
        super().startService()  # type: ignore[no-untyped-call]
        count = len(self.children)
        if not self.settings.values.get("fleet"):
            words = "{count} processes without a fleet: each refuses two clients of one name only among its own"
            log.info(words, count=count)
        self._signals.start()
        for name, number in SIGNALS.items():
            self._pass_on(name, number)
        self._reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        if not self._ending:
            for child in self.children:
                child.start()
            self._looking.startService()

    def _cannot_start(self, why: str) -> Exception:
        log.critical("cannot start: {why}", why=printable(why))
        error = CannotStart(why)
        error.code = 1  # Python would print a message, which the log has already
        return error

    # -- while they run ---------------------------------------------------------------------------------------

    def _changed(self, child: ChildProcess) -> None:
        """Obey a change of a process."""
        if self._ending:
            if not child.exists:
                self._one_less()
            return
        if not child.exists:
            if not self._complete and not child.was_ready:
                self._failed(child)
                return
            child.start_again()
        ready = [each for each in self.children if each.ready]
        if not self._complete and len(ready) == len(self.children):
            self._complete = True
            log.info("{count} processes share the ports", count=len(ready))
        if self._complete and not any(each.reloading for each in self.children):
            self._systemd.ready(f"{len(ready)} of {len(self.children)} processes run")

    def _failed(self, child: ChildProcess) -> None:
        """End, because a process has ended that was never ready."""
        log.critical(
            "cannot start: process {number} has ended before it was ready, {how}; the lines above say why",
            number=child.number,
            how=child.ended,
        )
        # As twistd does after a signal: after reactor.stop() it would end with status 0, as if all were well.
        signal.raise_signal(signal.SIGTERM)

    def _look(self) -> None:
        """Kill a process that is blocked, as systemd would kill the only one."""
        for child in self.children:
            if self._systemd.watchdog is not None and child.is_silent(max(self._systemd.watchdog, 3 * ALIVE_EVERY)):
                log.error("process {number} is blocked, and is killed", number=child.number)
                child.kill()

    # -- signals ----------------------------------------------------------------------------------------------

    def _pass_on(self, name: str, number: int) -> None:
        obey = {"SIGHUP": self.reload, "SIGUSR1": self._rotate}[name]
        before = signal.getsignal(number)
        if name == "SIGUSR1" and not callable(before):
            return  # there is no file to rotate

        def received(number: int, frame: FrameType | None) -> None:
            if name == "SIGUSR1" and callable(before):
                before(number, frame)
            # Python calls a handler between any two steps of the program, so the reactor obeys in its own time.
            self._reactor.callFromThread(obey)

        self._handlers[number] = signal.signal(number, received)
        if name == "SIGHUP" and getattr(before, "came", False):  # before this handler was there
            self._reactor.callFromThread(obey)

    def _rotate(self) -> None:
        """Have each process begin a new log file."""
        for child in self.children:
            child.order("rotate")

    def reload(self) -> None:
        """Read the settings again, and have all processes do so. If they are wrong, say it once, and do nothing."""
        if self._ending:
            return
        try:
            self.settings = self.settings.read_again()
        except SettingsError as error:
            for line in error.lines:
                log.error("not reloaded: {why}", why=printable(line))
            return
        self._logs.use(self.settings.values["log-format"], self.settings.values["log-level"])
        self._systemd.reloading()
        for child in self.children:
            child.reload()

    # -- end --------------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """End the processes as the first signal says, and fire when all have ended. See `IService`."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._ending = True
        if self._looking.running:
            await self._looking.stopService()  # one that is blocked may still end
        drains = self._signals.first == signal.SIGTERM
        values = self.settings.values
        limits = [repeater.values["limits"] for repeater in self.settings.repeaters.values()]
        self._systemd.stopping("draining", longest_end(values["drain-timeout"] if drains else 0.0, limits))
        for child in self.children:
            child.stop()
            child.order("drain" if drains else "end")
        self._one_less()
        await self._ended
        if self._killing is not None and self._killing.active():
            self._killing.cancel()
        for number, before in self._handlers.items():
            signal.signal(number, before)
        self._signals.stop()

    def _one_less(self) -> None:
        if not self._ended.called and not any(child.exists for child in self.children):
            self._ended.callback(None)

    def _abort(self) -> None:
        """Obey a second signal: do not wait any longer."""
        for child in self.children:
            child.order("abort")
        if self._killing is None:
            self._killing = self._reactor.callLater(ABORT_WITHIN, self._kill)

    def _kill(self) -> None:
        for child in self.children:
            if child.exists:
                log.error("process {number} does not end, and is killed", number=child.number)
                child.kill()


def command_of(
    written: Mapping[str, Written], reactor: Reactor, twistd: Mapping[str, Any] | None = None
) -> Callable[[str], Command]:
    """Return a function that returns how the process of a number is started: by twistd, in the foreground.

    Args:
        written: the options of ``twistd repeater``.
        reactor: the reactor: the processes have one of the same kind.
        twistd: the options of twistd itself; those of another program mean nothing here.
    """
    twistd = twistd if twistd is not None and "nodaemon" in twistd else {"nodaemon": True}
    directory = os.getcwd()
    start = [sys.executable, "-c", TWISTD, "--nodaemon", "--pidfile=", f"--rundir={twistd.get('rundir', '.')}"]
    kinds: Iterable[Any] = getReactorTypes()
    start += [f"--reactor={kind.shortName}" for kind in kinds if kind.moduleName == type(reactor).__module__][:1]
    options = [text for name, value in written.items() for text in _as_written(name, value)]

    def command(number: str) -> Command:
        return Command([*start, *_log_options(twistd, number), "repeater", *options], directory)

    return command


def _as_written(name: str, value: Written) -> Iterable[str]:
    if value is True:
        return [f"--{name}"]
    return [f"--{name}={text}" for text in (value if isinstance(value, list) else [value])]


def _log_options(twistd: Mapping[str, Any], number: str) -> list[str]:
    """Return where a process logs to: as its parent, but to a file of its own, as each file has one who rotates it."""
    if twistd.get("syslog"):
        return ["--syslog", f"--prefix={twistd.get('prefix', 'twisted')}"]
    path = twistd.get("logfile")
    if path == "-" or (not path and twistd["nodaemon"]):
        return ["--logfile=-"]
    stem, suffix = os.path.splitext(path or "twistd.log")
    return [f"--logfile={stem}-{number}{suffix}"]
