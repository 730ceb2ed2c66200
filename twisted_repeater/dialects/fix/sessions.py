"""The sessions that a repeater knows, by the names of both parties, each with one link at a time."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from weakref import WeakValueDictionary

from twisted.logger import Logger

from ..._text import shortened
from ...errors import RepeaterError
from ...model import Direction
from .numbers import Commit, Numbers
from .store import Entry, Store

__all__ = ["Session", "SessionInUse", "Sessions", "sessions_in"]

log: Logger = Logger()

MOST_IDLE = 1000
"""How many sessions without a link are kept in memory. The store knows all others."""


class SessionInUse(RepeaterError):
    """The session has a link already."""


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


def state_of(path: str | None) -> object:
    """Return what is different after somebody has written to a file of SQLite."""
    found: list[tuple[int, int, int] | None] = []
    for name in () if path is None else (path, path + "-wal"):
        try:
            state = os.stat(name)
        except OSError:
            found.append(None)
        else:
            found.append((state.st_ino, state.st_size, state.st_mtime_ns))
    return found


class Session:
    """A session while it has a link.

    Args:
        name: its name in the store.
        numbers: its numbers.
        end: called when its link has ended.
    """

    def __init__(self, name: str, numbers: Numbers, end: Callable[[Session], None]) -> None:
        self.name: str = name
        """Its name in the store."""
        self.numbers: Numbers = numbers
        """Its numbers."""
        self.broken: bool = False
        """Whether the store has failed. What is in memory then counts no more: the next link reads the store."""
        self.over: bool = False
        """Whether its link has ended."""
        self._end = end

    def end(self) -> None:
        """The link has ended. It may be called again."""
        if not self.over:
            self.over = True
            self._end(self)


class Sessions:
    """Finds the session of a link.

    Args:
        path: the file that keeps the numbers. It is open as long as there are links. ``None`` to keep the numbers in
            memory, which is warned about when it begins to matter.
        now: returns the present time, with its zone.
    """

    def __init__(self, path: str | None = None, now: Callable[[], datetime] = utc_now) -> None:
        self._path = path
        self._opened: Store | None = None
        self._left: object = None
        """The state of the file when it was closed here."""
        self._now = now
        self._in_use: set[str] = set()
        self._idle: OrderedDict[str, Numbers] = OrderedDict()
        self._warned = path is not None

    @property
    def _store(self) -> Store:
        if self._opened is None:
            before = state_of(self._path)
            if self._left is not None and before == [None, None]:
                log.warn("the store {path} was removed: what was changed in numbers before is not known any more",
                         path=self._path)  # fmt: skip
            self._opened = Store(self._path)
            if before != self._left:  # another process had it meanwhile
                self._idle.clear()
        return self._opened

    def begin(self, name: str) -> Session:
        """Return a session for a link.

        Raises:
            SessionInUse: it has a link.
            StoreError: the store cannot be read.
        """
        if name in self._in_use:
            raise SessionInUse(f"the session {name} has a link already")
        store = self._store
        numbers = self._idle.pop(name, None)
        if numbers is None:
            numbers = Numbers(store.load(name, partial(self._contents, name)), self._committing(name), self._now)
        self._in_use.add(name)
        return Session(name, numbers, self._end)

    def _committing(self, name: str) -> Commit:
        """Return what commits the entries of a session."""

        def commit(entries: list[Entry], highest: Mapping[Direction, int], forget: list[Direction]) -> None:
            if forget:
                log.info("{name} begins again: what was changed in its numbers is forgotten", name=shortened(name))
            if not self._warned:
                self._warned = True
                log.warn("no store: if this process ends, the numbers of FIX sessions in which it dropped, changed or "
                         "added messages are lost")  # fmt: skip
            self._store.commit(name, entries, highest, forget=forget)

        return commit

    def _contents(self, name: str, flow: Direction, start: int, stop: int) -> Iterable[tuple[int, bytes]]:
        """Return what is kept of the messages in a range of numbers."""
        return self._store.contents(name, flow, start, stop)

    def _end(self, session: Session) -> None:
        self._in_use.discard(session.name)
        try:
            session.numbers.end_link()
            if not session.broken:
                self._keep(session)
        finally:
            if self._path is not None and not self._in_use:
                self._close()

    def _close(self) -> None:
        """Give the file back: another process may take it now."""
        self._store.close()
        self._opened = None
        self._left = state_of(self._path)

    def _keep(self, session: Session) -> None:
        """Keep what is known of a session until its next link."""
        if session.numbers.changed:
            self._store.commit(session.name, (), session.numbers.highest)
        self._idle[session.name] = session.numbers
        while len(self._idle) > MOST_IDLE:
            self._idle.popitem(last=False)


in_files: WeakValueDictionary[str, Sessions] = WeakValueDictionary()
"""The sessions of each file that this process uses."""


def sessions_in(path: str | None) -> Sessions:
    """Return the sessions that a file keeps: the same ones for all who ask, as long as somebody has them."""
    if path is None:
        return Sessions()
    real = os.path.realpath(path)
    found = in_files.get(real)
    if found is None:
        found = in_files[real] = Sessions(os.path.abspath(path))  # the process may change its directory
    return found
