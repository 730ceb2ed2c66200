"""The thread that writes a recording.

It sleeps until something waits in its queue, then a little longer, and writes all that waits in a few transactions.

Three things may go wrong, and none of them reaches a link:

* Another process has locked the file, or the disk is slow: the writer goes on trying. The queue becomes longer.
* The disk is full, or fails: the recording is *suspended*. What waits is left out. Every second the writer tries again,
  with the file opened again. When that succeeds, a gap is noted in the file, and the recording goes on.
* The file is too large, or has lost its name: the next file is begun.

The reactor's thread appends to the queue and reads the counters; all else belongs to the writer's thread.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from .._text import text_of
from ..watching import WatchedMessage
from .disk import has_room
from .entries import Gap, KnownLink, LinkEvent, microseconds
from .file import AT_ONCE, RecordingFile, rotate

__all__ = ["COST", "Entry", "Settings", "Writer"]

PAUSE: Final = 0.02
"""How many seconds the writer lets more messages come before it looks again how many there are."""

PAUSES: Final = 10
"""After how many such pauses it writes: few large transactions cost less."""

ENOUGH: Final = 800
"""With so many messages it writes at once. If more objects waited, Python's garbage collector would look at all objects
of the process more often, which stops the reactor for tens of milliseconds."""

RETRY: Final = 1.0
"""How many seconds pass between two attempts to go on with a recording that is suspended."""

MESSAGES: Final = 2000
"""How many messages there are in a transaction at most."""

BYTES: Final = 4 * 1024 * 1024
"""How many bytes there are in a transaction at most, and one message more."""

COST: Final = 500
"""How many bytes of memory a waiting message takes beside its own."""

FULL: Final = "the disk is full"
"""Why a recording is suspended when there is no room."""

Entry: TypeAlias = tuple[Any, WatchedMessage | LinkEvent | Gap, int]
"""What waits in the queue: the `KnownLink`, if there is one; a message, an event of the link or a gap; the bytes of
memory that it takes."""


class Settings(NamedTuple):
    """How a recording is written."""

    path: str
    """The file."""
    facts: Mapping[str, str]
    """What is known about the recording."""
    max_size: int
    """When the file and its log have this many bytes, the next file is begun."""
    keep: int
    """How many older files are kept."""
    durable: bool
    """Whether each transaction waits until the disk has it."""

    def open(self) -> RecordingFile:
        """Open the file, after moving away one that is of other traffic."""
        facts = {**self.facts, "began": str(microseconds(time.time()))}
        file = RecordingFile(self.path, facts, durable=self.durable)
        if file.same:
            return file
        file.close()
        rotate(self.path, self.keep)
        return RecordingFile(self.path, facts, durable=self.durable)


class Writer:
    """Writes a recording in a thread of its own.

    Args:
        settings: how it is written.
        max_waiting: how many bytes of memory may wait.
        tell: called in the writer's thread, with a method of the recorder: ``progressed``, ``suspended``, ``resumed``,
            or ``finished``.
    """

    def __init__(self, settings: Settings, max_waiting: int, tell: Callable[[str], object]) -> None:
        self.queue: deque[Entry] = deque()
        """What waits."""
        self.asleep: bool = False
        """Whether the thread must be woken when something is put into the queue."""
        self.wake: threading.Event = threading.Event()
        """Wakes it."""
        self.done: int = 0
        """How many bytes of memory of what was in the queue do not wait any more."""
        self.most_put: int = max_waiting
        """How many bytes may have been put into the queue by now, together with those that do not wait any more; -1 if
        nothing is recorded now."""
        self.recorded: int = 0
        """How many messages are committed."""
        self.left_out: int = 0
        """How many messages that waited were left out."""
        self.oldest: float | None = None
        """The time of the oldest message of the transaction that is being made."""
        self.suspended: str = ""
        """Why nothing is recorded now, ``""`` if it is."""
        self._max_waiting = max_waiting
        self._settings = settings
        self._tell = tell
        self._file: RecordingFile | None = settings.open()
        self._stop = threading.Event()
        self._gives_up = False
        self._damaged = False
        self._gap: Gap | None = None
        self._added: list[KnownLink] = []
        """Links whose rows are not committed yet."""
        self._noted: list[Gap] = []
        """Gaps that are not committed yet."""
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        self._stop.set()
        self.wake.set()

    def give_up(self) -> None:
        """Do not wait for a locked file any longer."""
        self._gives_up = True

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set() or (self.queue and not self.suspended and not self._gives_up):
                if self.suspended:
                    self._stop.wait(RETRY)
                    self._try_again()
                else:
                    self._sleep()
                    self._write_all()
        finally:
            try:
                if self._file is not None:
                    self._file.close()
            finally:
                self._tell("finished")

    def _sleep(self) -> None:
        """Wait until something is in the queue, and a little longer."""
        self.wake.clear()
        self.asleep = True
        if not self.queue and not self._stop.is_set():
            self.wake.wait()
        self.asleep = False
        for _ in range(PAUSES):
            if len(self.queue) >= ENOUGH or self._stop.wait(PAUSE):
                return

    def _write_all(self) -> None:
        """Write what waits."""
        while self.queue and not self._gives_up and not self.suspended:
            oldest = getattr(self.queue[0][1], "time", None) or time.time()
            lost = Gap(microseconds(oldest), "")
            try:
                if self._begin():
                    self._write(lost)
                    self._look_after()
            except Exception as error:
                self._fail(error, lost)
            self._tell("progressed")

    def _begin(self) -> bool:
        """Begin a transaction, as soon as no other process locks the file; return whether it was begun."""
        assert self._file is not None
        while not self._gives_up:
            try:
                self._file.begin()
                return True
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY:
                    raise
        return False

    def _write(self, taken: Gap) -> None:
        """Write a transaction; ``taken`` counts the messages that it has taken, which are lost if this raises."""
        assert self._file is not None
        file, queue = self._file, self.queue
        messages: list[tuple[int, WatchedMessage]] = []
        size = 0
        self.oldest = getattr(queue[0][1], "time", None)
        try:
            while queue and taken.left_out < MESSAGES and size < BYTES:
                link, entry, cost = queue.popleft()
                size += cost
                if type(entry) is WatchedMessage:
                    taken.left_out += 1
                    if link.file is not file:
                        self._add(file, link)
                    elif link.name != entry.link.client_name:
                        file.rename_link(link.rename(entry.link.client_name), link.number)
                    messages.append((link.number, entry))
                    if len(messages) < AT_ONCE[0]:
                        continue
                file.add_messages(messages)
                messages.clear()
                if not isinstance(entry, WatchedMessage):
                    self._write_other(file, link, entry)
            file.add_messages(messages)
            file.commit()
        finally:
            self.done += size
            self._allow_more()
        self.recorded += taken.left_out
        taken.left_out = 0
        self.oldest = None
        self._added.clear()
        self._noted.clear()

    def _allow_more(self) -> None:
        self.most_put = -1 if self.suspended else self.done + self._max_waiting

    def _write_other(self, file: RecordingFile, link: KnownLink, entry: object) -> None:
        """Write what is not a message."""
        if isinstance(entry, Gap):
            self._noted.append(entry)
            file.add_gap(entry.began, entry.ended, entry.left_out, entry.reason)
            return
        if link.file is not file:
            self._add(file, link)
        if entry is LinkEvent.OVER:
            file.end_link(link.end_values(), link.number)

    def _add(self, file: RecordingFile, link: KnownLink) -> None:
        """Write the row of a link."""
        link.number = file.add_link(link.values())
        link.file = file
        self._added.append(link)

    # -- what may go wrong ----------------------------------------------------------------------------------------

    def _look_after(self) -> None:
        """After a transaction: see whether the next one should go into this file."""
        assert self._file is not None
        file = self._file
        if not file.is_there or file.size >= self._settings.max_size:
            self._next_file(away=file.is_there)
        elif not has_room(file.path):
            file.make_room()
            if not has_room(file.path):
                self._suspend(FULL)

    def _next_file(self, *, away: bool) -> None:
        """Begin the next file, after moving the present one away if it is in the way."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
        if away:
            rotate(self._settings.path, self._settings.keep)
        self._file = self._settings.open()

    def _fail(self, error: Exception, lost: Gap) -> None:
        """A transaction was not written: suspend the recording."""
        if self._file is not None:
            self._file.roll_back()
        for link in self._added:
            link.file = None
        self._added.clear()
        self.oldest = None
        for gap in self._noted:
            self._merge(gap)
        self._noted.clear()
        self._damaged = _is_damage(error)
        self._lose(lost)
        self._suspend(FULL if _code(error) == sqlite3.SQLITE_FULL else text_of(error))

    def _suspend(self, reason: str) -> None:
        """Record nothing for now, and leave out what waits."""
        self.suspended = reason
        self._allow_more()
        lost = Gap(microseconds(time.time()), "")
        while self.queue:
            _, entry, cost = self.queue.popleft()
            self.done += cost
            if isinstance(entry, Gap):
                self._merge(entry)
            elif isinstance(entry, WatchedMessage):
                lost.began = min(lost.began, microseconds(entry.time))
                lost.left_out += 1
        self._lose(lost)
        self._tell("suspended")

    def _lose(self, lost: Gap) -> None:
        """Count messages that have waited and are left out."""
        self.left_out += lost.left_out
        lost.ended = microseconds(time.time())
        self._merge(lost)

    def _merge(self, lost: Gap) -> None:
        """Make the gap that will be noted larger."""
        if lost.left_out:
            if self._gap is None:
                self._gap = Gap(lost.began, "")
            self._gap.add(lost.ended, lost.left_out)

    def _try_again(self) -> None:
        """Go on with a recording that is suspended, if that is possible."""
        try:
            if self._file is not None:
                self._file.make_room()
            if not has_room(self._settings.path, times=2):
                return
            damaged, self._damaged = self._damaged, False
            self._next_file(away=damaged)
            if self._file is None or not self._begin():
                return
            if (gap := self._gap) is not None:
                self._file.add_gap(gap.began, gap.ended, gap.left_out, self.suspended)
            self._file.commit()
        except Exception as error:
            self._damaged = _is_damage(error)
            return
        self._gap = None
        self.suspended = ""
        self._allow_more()
        self._tell("resumed")


def _code(error: Exception) -> int:
    """Return SQLite's number of an error, 0 if it is not one of SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: Exception) -> bool:
    """Return whether an error says that the file itself is damaged."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
