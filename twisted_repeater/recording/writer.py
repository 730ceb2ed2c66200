"""The thread that writes a recording.

It sleeps until something waits in its queue, then a little longer, and writes all that waits in a few transactions.

Three things may go wrong, and none of them reaches a link:

* Another process has locked the file, or the disk is slow: the writer goes on trying. The queue becomes longer.
* The disk is full, or fails: the recording is *suspended*. What waits is left out. Every second the writer tries again,
  with the file opened again. When that succeeds, a gap is noted in the file, and the recording goes on.
* The file is too large, or somebody has moved, removed, replaced or emptied it: the next file is begun.

The reactor's thread appends to the queue and reads the counters; all else belongs to the writer's thread.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from .._text import text_of
from .disk import has_room
from .entries import COST, TIME, Entry, Gap, KnownLink, LinkEnd, Row, microseconds, oldest_in, size_of
from .file import AT_ONCE, RecordingFile, Settings, code_of, is_damage, is_file, rotate

__all__ = ["Writer"]

PAUSE: Final = 0.02
"""How many seconds the writer lets more messages come before it looks again how many there are."""

PAUSES: Final = 10
"""After how many such pauses it writes: few large transactions cost less."""

ENOUGH: Final = 2000
"""With so many messages it writes at once."""

RETRY: Final = 1.0
"""How many seconds pass between two attempts to go on with a recording that is suspended."""

MESSAGES: Final = 2000
"""How many messages there are in a transaction at most."""

FULL: Final = "the disk is full"
"""Why a recording is suspended when there is no room."""


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
        self._node = self._file.node
        self.last_link: int = self._file.last_link
        """The number of the last link that was recorded before."""
        self._links: dict[int, KnownLink] = {}
        """The links that have not ended, by their numbers."""
        self._recorded_links = True
        """Whether the file has a row for each of them."""
        self._stop = threading.Event()
        self._gives_up = False
        self._damaged = False
        self._gap: Gap | None = None
        self._ended: list[LinkEnd] = []
        """Links whose ends are not committed yet."""
        self._noted: list[Gap] = []
        """Gaps that are not committed yet."""
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        self._stop.set()
        self.wake.set()

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, but not longer than so many seconds."""
        self._thread.join(seconds)

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
            if self.suspended and not self._gives_up:  # what is left to others is enough to note what is missing
                self._try_again(at_end=True)
                self._write_all()
        finally:
            try:
                self._leave_out(ends=True)
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
            lost = Gap(microseconds(oldest_in(self.queue) or time.time()), "")
            try:
                if not is_file(self._settings.path, self._node):
                    self._next_file(away=True)
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
                if code_of(error) != sqlite3.SQLITE_BUSY:
                    raise
        return False

    def _write(self, taken: Gap) -> None:
        """Write a transaction; ``taken`` counts the messages that it has taken, which are lost if this raises."""
        assert self._file is not None
        file, queue = self._file, self.queue
        rows: list[Row] = []
        count = cost = 0
        self.oldest = oldest_in(queue)
        try:
            if not self._recorded_links:  # a reader of a growing file asks for links with larger numbers
                for _, link in sorted(self._links.items()):
                    file.add_link(link.values())
            while queue and count < MESSAGES and cost < file.most_at_once:
                entry = queue.popleft()
                cost += COST
                if isinstance(entry, tuple):
                    count += 1
                    cost += size_of(entry)
                    rows.append(entry)
                    if len(rows) < AT_ONCE[0]:
                        continue
                self._write_rows(file, rows)
                if not isinstance(entry, tuple):
                    self._write_other(file, entry)
            self._write_rows(file, rows)
            file.commit()
        finally:
            taken.left_out = count
            self.done += cost
            self._allow_more()
        self._recorded_links = True
        self.recorded += count
        taken.left_out = 0
        self.oldest = None
        self._ended.clear()
        self._noted.clear()

    def _allow_more(self) -> None:
        self.most_put = -1 if self.suspended else self.done + self._max_waiting

    def _write_rows(self, file: RecordingFile, rows: list[Row]) -> None:
        """Write messages, and before them the names of their clients, if those have others now."""
        for number in sorted({row[0] for row in rows}):
            link = self._links[number]
            if link.renamed():
                file.rename_link(link.name, number)
        if rows:
            file.add_messages(rows)
            rows.clear()

    def _write_other(self, file: RecordingFile, entry: KnownLink | LinkEnd | Gap) -> None:
        """Write what is not a message."""
        if isinstance(entry, Gap):
            self._noted.append(entry)
            file.add_gap(entry.began, entry.ended, entry.left_out, entry.reason)
        elif isinstance(entry, KnownLink):
            self._links[entry.number] = entry
            file.add_link(entry.values())
        else:
            self._ended.append(entry)
            del self._links[entry.link.number]
            file.end_link(entry.link.end_values(), entry.link.number)

    # -- what may go wrong ----------------------------------------------------------------------------------------

    def _look_after(self) -> None:
        """After a transaction: see whether the next one should go into this file."""
        assert self._file is not None
        file = self._file
        if file.size >= self._settings.max_size:
            self._next_file(away=True)
        elif not has_room(file.path):
            file.make_room()
            if not has_room(file.path):
                self._suspend(FULL)

    def _is_done_with(self) -> bool:
        """Return whether the present file takes no more: it is too large, or somebody has moved it."""
        path = self._settings.path
        return not is_file(path, self._node) or os.path.getsize(path) >= self._settings.max_size

    def _next_file(self, *, away: bool) -> None:
        """Begin the next file, after moving away what is in its place."""
        path = self._settings.path
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
        if away and os.path.exists(path) and os.path.getsize(path):
            rotate(path, self._settings.keep)
        self._file = self._settings.open()
        self._node = self._file.node
        self._recorded_links = False

    def _fail(self, error: Exception, lost: Gap) -> None:
        """A transaction was not written: suspend the recording."""
        if self._file is not None:
            self._file.roll_back()
        for end in self._ended:
            self._links[end.link.number] = end.link
        self.queue.extendleft(reversed(self._ended))
        self.done -= COST * len(self._ended)
        self._ended.clear()
        self.oldest = None
        for gap in self._noted:
            self._merge(gap)
        self._noted.clear()
        self._damaged = is_damage(error)
        self._lose(lost)
        self._suspend(FULL if code_of(error) == sqlite3.SQLITE_FULL else text_of(error))

    def _suspend(self, reason: str) -> None:
        """Record nothing for now, and leave out what waits."""
        self.suspended = reason
        self._allow_more()
        self._leave_out()
        self._tell("suspended")

    def _leave_out(self, *, ends: bool = False) -> None:
        """Leave out what waits, but for the ends of links, unless they shall be left out, too."""
        lost = Gap(microseconds(time.time()), "")
        kept: list[Entry] = []
        while self.queue:
            entry = self.queue.popleft()
            if isinstance(entry, LinkEnd) and not ends:
                kept.append(entry)
                continue
            self.done += COST
            if isinstance(entry, Gap):
                self._merge(entry)
            elif isinstance(entry, KnownLink):
                self._links[entry.number] = entry
            elif not isinstance(entry, LinkEnd):
                self.done += size_of(entry)
                lost.began = min(lost.began, entry[TIME])
                lost.left_out += 1
        self.queue.extend(kept)
        self._lose(lost)

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

    def _try_again(self, *, at_end: bool = False) -> None:
        """Go on with a recording that is suspended, if that is possible."""
        try:
            if self._file is not None:
                self._file.make_room()
            if not has_room(self._settings.path, times=0 if at_end else 2):
                return
            damaged, self._damaged = self._damaged, False
            self._next_file(away=damaged or self._is_done_with())
            if self._file is None or not self._begin():
                return
            if (gap := self._gap) is not None:
                self._file.add_gap(gap.began, gap.ended, gap.left_out, self.suspended)
            self._file.commit()
        except Exception as error:
            self._damaged = is_damage(error)
            return
        self._gap = None
        self.suspended = ""
        self._allow_more()
        if not at_end:
            self._tell("resumed")
