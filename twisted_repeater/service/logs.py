"""The log of the process: as text or as JSON lines, from a level on, to where twistd's options say.

twistd asks its application for an observer of the log when `makeService` is done, before it becomes a daemon. `Logs`
gives it one. It writes to the same places as twistd's own (``--logfile``, ``--syslog`` or the standard output), so
that only what is written differs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any, cast

from twisted.logger import FileLogObserver, ILogObserver, LogEvent, Logger, LogLevel
from twisted.python import threadable
from twisted.python.components import Componentized
from twisted.python.logfile import LogFile
from zope.interface import provider

from .._repeater import Repeater
from .._text import address_text, printable
from .._types import Reactor
from .log_lines import json_line, text_line
from .option_values import one_of, shown, size

__all__ = ["Logs", "log_format", "log_level", "log_start"]

log: Logger = Logger()

PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}
"""The priorities of syslog, by our levels."""


def log_format(text: str) -> str:
    """Read the form of the log."""
    return one_of(("text", "json"), text)


def log_level(text: str) -> LogLevel:
    """Read the lowest level of the log."""
    return cast("LogLevel", LogLevel.levelWithName(one_of(("debug", "info", "warn", "error"), text)))


class Logs:
    """The log of the process.

    Args:
        form: ``"text"`` or ``"json"``.
        level: events below it are left out.
        twistd: the options of twistd itself, which say where the log goes.

    Raises:
        ValueError: twistd has an observer of its own, to which the other arguments would mean nothing.
    """

    def __init__(
        self, form: str = "text", level: LogLevel = LogLevel.info, twistd: Mapping[str, Any] | None = None
    ) -> None:
        self._twistd: Mapping[str, Any] = twistd or {}
        if self._twistd.get("logger") and (form, level) != ("text", LogLevel.info):
            raise ValueError("log-format and log-level cannot be used with the option --logger of twistd")
        self.names_repeaters: bool = False
        """Whether lines of text begin with the name of their repeater, because there are several."""
        self.process: str = ""
        """The number of this process, if there are several; each line has it then."""
        self._form = form
        self._level = level

    def use(self, form: str, level: LogLevel) -> None:
        """Change the format and the level, from the next event on."""
        self._form = form
        self._level = level

    def install(self, application: object) -> None:
        """Give an observer to the application that twistd has made; do nothing for other parents of a service.

        Call this from ``setServiceParent``: afterwards twistd asks for the observer.
        """
        if isinstance(application, Componentized) and not self._twistd.get("logger"):
            application.setComponent(ILogObserver, self._observer())

    def line(self, event: LogEvent) -> str | None:
        """Return the line of an event, with its end; ``None`` if there is nothing to say."""
        return self._written(event, time=True)

    def _written(self, event: LogEvent, *, time: bool) -> str | None:
        if self._form == "json":
            return json_line(event, self.process)
        return text_line(event, self.names_repeaters, time=time, process=self.process)

    def _observer(self) -> ILogObserver:
        """Make the observer: of the file, of syslog, or of the standard output.

        It asks for the level itself. Twisted's `FilteringLogObserver` would look for a level of each part of the name
        of the logger, and none has one here.
        """
        write: Callable[[LogEvent], None]
        if self._twistd.get("syslog"):
            write = _to_syslog(str(self._twistd.get("prefix", "twisted")), self._without_time)
        else:
            write = FileLogObserver(cast("IO[Any]", _log_file(self._twistd)), self.line)

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            level = event.get("log_level")
            if level is not None and level >= self._level and event.get("log_namespace"):
                write(event)

        return cast("ILogObserver", observe)

    def _without_time(self, event: LogEvent) -> str | None:
        """Return the line of an event for syslog, which adds the time to texts itself."""
        return self._written(event, time=False)


# -- where the log goes ------------------------------------------------------------------------------------------


def _log_file(twistd: Mapping[str, Any]) -> object:
    """Open the file that the log goes to, as twistd does; SIGUSR1 begins a new one."""
    path, foreground = twistd.get("logfile"), twistd.get("nodaemon", True)
    if path == "-" and not foreground:
        raise SystemExit("Daemons cannot log to stdout, exiting!")
    if path == "-" or (foreground and not path):
        return sys.stdout
    file = RotatedFile.fromFullPath(path or "twistd.log")  # type: ignore[no-untyped-call]
    usual = getattr(signal, "SIGUSR1", None)
    if usual is not None and not signal.getsignal(usual):

        def rotate(number: int, frame: object) -> None:
            from twisted.internet import reactor

            cast("Reactor", reactor).callFromThread(file.rotate)

        signal.signal(usual, rotate)
    return file


class RotatedFile(LogFile):
    """twistd's log file, which another program may also have moved: then a rotation only opens the path again.

    Twisted's own class would go on writing to the moved file, or move the new and empty one as well. From then on the
    file is no longer rotated by its size: its numbers would mix with those of the other program.
    """

    synchronized: list[str] = ["rotate"]  # noqa: RUF012 - as in Twisted

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)  # type: ignore[no-untyped-call]
        self._opened = _identity(self.path)

    def rotate(self) -> None:
        """Begin a new file. See `LogFile`."""
        if _identity(self.path) == self._opened:
            super().rotate()  # type: ignore[no-untyped-call]
        else:
            self.reopen()  # type: ignore[no-untyped-call]
            self.rotateLength = 0
        self._opened = _identity(self.path)


threadable.synchronize(RotatedFile)


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells the file at a path from others; ``None`` if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _to_syslog(prefix: str, line: Callable[[LogEvent], str | None]) -> Callable[[LogEvent], None]:
    """Return an observer that sends each line to syslog with the priority of its level.

    Twisted's own knows two priorities, and no level.
    """
    import syslog  # which Windows has not

    syslog.openlog(prefix)

    def observe(event: LogEvent) -> None:
        level = event.get("log_level") or LogLevel.info
        for part in (line(event) or "").rstrip("\n").split("\n"):
            syslog.syslog(PRIORITIES[level.name], part.replace("\0", r"\x00"))

    return observe


# -- what each repeater says at its start ------------------------------------------------------------------------


def log_start(name: str, repeater: Repeater, dialect: str, server: str) -> None:
    """Log that a repeater accepts clients, with what matters about it.

    Args:
        name: the name of the repeater.
        repeater: the repeater, which runs.
        dialect: the description of its dialect.
        server: the description of its server's endpoint.
    """
    from ..__main__ import how_it_runs

    limits = repeater.limits
    log.info(
        "repeater {repeater}: dialect {dialect}, server {server}, hot path {hot_path}; max_clients {max_clients}, "
        "max_unfinished_hellos {max_unfinished_hellos}, max_frame {max_frame}; accepting clients at {address}",
        repeater=name,
        dialect=printable(dialect),
        server=printable(server),
        hot_path=how_it_runs(),
        max_clients=limits.max_clients,
        max_unfinished_hellos=limits.max_unfinished_hellos,
        max_frame=shown(limits.max_frame, size),
        address=address_text(repeater.address),
    )
