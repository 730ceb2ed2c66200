"""When a process is reloaded: on SIGHUP, on request, and with ``--reload`` when files of filters change."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .._text import printable
from .._types import Reactor
from .changes import ReloadAnswer
from .filter_modules import FilterModules

__all__ = ["Reload", "ReloadAnswer", "let_hangup_end"]

log: Logger = Logger()

LOOK_EVERY = 1.0
"""How many seconds pass between two looks at the files."""

SIGHUP: int | None = getattr(signal, "SIGHUP", None)
"""Windows has no such signal."""


class Process(Protocol):
    """What is reloaded."""

    @property
    def modules(self) -> FilterModules:
        """The filters."""

    def change(self, only: str | None) -> list[ReloadAnswer]:
        """Reload one repeater, or all and the process itself."""


def let_hangup_end() -> None:
    """Let SIGHUP end the process again, as by default, because it has nothing to reload. See `EarlyHangup`."""
    if SIGHUP is not None:
        early = signal.getsignal(SIGHUP)
        signal.signal(SIGHUP, getattr(early, "before", early))
        if getattr(early, "came", False):
            signal.raise_signal(SIGHUP)


class Reload:
    """Reloads a process, and logs what was done.

    A SIGHUP that comes before all repeaters run is remembered, because files that were read may have changed since.
    """

    def __init__(self, process: Process, reactor: Reactor) -> None:
        self._process = process
        self._reactor = reactor
        self._next_look: IDelayedCall | None = None
        self._trouble: str | None = None
        """The error of the last look at the files, if the next look will try the same again."""
        self._sighup_before: Any = None
        self._begun = False
        """Whether all repeaters run."""
        self._is_due = False
        """Whether there was a SIGHUP before."""

    def start(self) -> None:
        """Begin to obey SIGHUP, or to remember it."""
        if SIGHUP is not None:
            # Python calls a handler between any two steps of the program, so the reactor obeys in its own time.
            self._sighup_before = signal.signal(SIGHUP, lambda number, frame: self._reactor.callFromThread(self._obey))
            self._is_due = getattr(self._sighup_before, "came", False)  # before this handler was there

    def begun(self, *, watch: bool) -> None:
        """Note that all repeaters run. Obey the SIGHUP that was remembered and, with ``watch``, look at the files."""
        self._begun = True
        if watch:
            self._look_later()
        if self._is_due:
            self._reactor.callFromThread(self._obey)

    def _obey(self) -> None:
        """Obey SIGHUP, or remember it."""
        self._is_due = not self._begun
        if self._begun:
            self.now()

    def stop(self) -> None:
        """Stop looking, and restore the handler of SIGHUP. Call this last: by default SIGHUP kills the process."""
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        if self._sighup_before is not None and SIGHUP is not None:
            signal.signal(SIGHUP, self._sighup_before)
            self._sighup_before = None

    def now(self, only: str | None = None) -> list[ReloadAnswer]:
        """Reload one repeater, or all and the process itself. Return what was done."""
        self._trouble = None
        return self._change(only)

    def _look_later(self) -> None:
        self._next_look = self._reactor.callLater(LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Reload if files have changed. An error that each look repeats is logged once."""
        self._look_later()  # first, so that no error of this look prevents the next
        trouble = None
        try:
            if self._process.modules.changed():
                why = _errors(self._change(None, logged=self._trouble))
                trouble = why if self._process.modules.passing else None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the system failed, or an object of the user in sys.modules did
            trouble = f"{type(error).__name__} while looking at the files"
            if trouble != self._trouble:
                log.failure("cannot look whether the files of the filters have changed; trying again")
        self._trouble = trouble

    def _change(self, only: str | None, logged: str | None = None) -> list[ReloadAnswer]:
        """Reload. Log the result, unless it is the error that was ``logged`` before."""
        try:
            answers = self._process.change(only)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # as above
            log.failure("cannot reload")
            return [ReloadAnswer(only or "", f"{type(error).__name__} during the reload; see the log")]
        if not answers:
            log.info("reloaded: nothing has changed")
        if _errors(answers) is None or _errors(answers) != logged:
            for answer in answers:
                _log(answer)
        return answers


def _errors(answers: Iterable[ReloadAnswer]) -> str | None:
    """Return the errors as one text, ``None`` if there are none."""
    errors = [answer.error for answer in answers if answer.error is not None]
    return "\n".join(errors) if errors else None


def _log(answer: ReloadAnswer) -> None:
    """Log what was applied to a repeater and what was not, or why nothing was."""
    field = {"repeater": answer.repeater} if answer.repeater else {}
    if answer.error is not None:
        log.error("not reloaded: {why}", why=printable(answer.error), **field)
        return
    parts = []
    for outcome in ("applied", "restart needed"):
        names = ", ".join(key for key, value in answer.keys.items() if value == outcome)
        if names:
            parts.append(f"{outcome}: {names}")
    log.info("reloaded; {what}", what="; ".join(parts), **field)
