"""Reloads filters while their links go on: on SIGHUP, on request, and with ``--reload`` when their files change."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .._text import printable
from .._types import Reactor
from .filter_modules import FilterModules
from .loading import LoadingError

__all__ = ["Reload"]

log: Logger = Logger()

LOOK_EVERY = 1.0
"""How many seconds pass between two looks at the files."""

SIGHUP: int | None = getattr(signal, "SIGHUP", None)
"""Windows has no such signal."""


class Reload:
    """Reloads the filters of one repeater, and calls ``use`` with the new ones."""

    def __init__(self, modules: FilterModules, use: Callable[[dict[str, Any]], object], reactor: Reactor) -> None:
        self._modules = modules
        self._use = use
        self._reactor = reactor
        self._next_look: IDelayedCall | None = None
        self._trouble: str | None = None
        """The error of the last look at the files, if the next look will try the same again."""
        self._sighup_before: Any = None

    def start(self, *, watch: bool) -> None:
        """Begin to obey SIGHUP and, with ``watch``, to look at the files."""
        if SIGHUP is not None:
            # Python calls a handler between any two steps of the program, so the reactor calls `now` in its own time.
            self._sighup_before = signal.signal(SIGHUP, lambda number, frame: self._reactor.callFromThread(self.now))
        if watch:
            self._look_later()

    def stop(self) -> None:
        """Stop looking, and restore the handler of SIGHUP. Call this last: by default SIGHUP kills the process."""
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        if self._sighup_before is not None and SIGHUP is not None:
            signal.signal(SIGHUP, self._sighup_before)
            self._sighup_before = None

    def now(self) -> str | None:
        """Reload the filters. Return ``None``, or the reason if that fails and the old filters stay."""
        self._trouble = None
        return self._load()

    def _look_later(self) -> None:
        self._next_look = self._reactor.callLater(LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Reload the filters if their files have changed. An error that each look repeats is logged once."""
        self._look_later()  # first, so that no error of this look prevents the next
        trouble = None
        try:
            if self._modules.changed():
                why = self._load(logged=self._trouble)
                trouble = why if self._modules.passing else None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the system failed, or an object of the user in sys.modules did
            trouble = f"{type(error).__name__} while looking at the files"
            if trouble != self._trouble:
                log.failure("cannot look whether the files of the filters have changed; trying again")
        self._trouble = trouble

    def _load(self, *, logged: str | None = None) -> str | None:
        """Reload the filters. Return the reason of a failure, which is logged unless it equals ``logged``."""
        try:
            self._modules.reload(self._use)
        except LoadingError as error:
            why = str(error)
            if why != logged:
                log.error("the filters stay as they are: {why}", why=printable(why))
            return why
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # as above
            log.failure("cannot reload the filters")
            return f"{type(error).__name__} while the filters were reloaded; see the log"
        names = [*self._modules.names.values(), *self._modules.pairs]
        if names:
            log.info("{names}: filters reloaded", names=", ".join(names))
        else:
            log.info("nothing to reload: there are no filters, and certificates are read only at the start")
        return None
