"""Records the traffic of a repeater: a watcher that hands what it sees to a `Writer`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final, Literal

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .._link.link import pair_of
from .._link.watching import LinksToWatch, Watch
from .._repeater import Repeater
from .._types import Reactor
from ..errors import ConnectingError
from ..link import Link
from ..observers._throttle import LogThrottle
from ..watching import WatchedMessage
from .entries import Gap, KnownLink, LinkEvent, microseconds
from .records import RecordingError
from .writer import COST, Settings, Writer

__all__ = ["Recorder", "record"]

log: Logger = Logger()

MIB: Final = 1024 * 1024

LEAST: Final = {"max_size": MIB, "keep": 0, "max_waiting": 1}
"""The smallest numbers that `record` accepts. An empty file has a tenth of the smallest size."""

STOP_TIME: Final = 10.0
"""How many seconds the end of a recording waits for its disk at most."""

SLOW: Final = "the disk is too slow"
"""Why messages are left out if too many wait."""


def record(
    repeater: Repeater,
    path: str | os.PathLike[str],
    *,
    links: LinksToWatch = None,
    max_size: int = 1024 * MIB,
    keep: int = 4,
    when_slow: Literal["leave-out", "wait"] = "leave-out",
    max_waiting: int = 64 * MIB,
    durable: bool = False,
    dialect: str = "",
    server: str = "",
    reactor: Reactor = None,
) -> Recorder:
    """Record the traffic of a repeater in a file, from now on.

    The file is an SQLite database that only its owner can read. Other programs may read it while it grows. A thread
    writes it; the links never wait for the disk, unless you say so. If the process is killed, the last second is
    missing. If the disk is full, the recording is suspended until there is room; the links go on.

    Call it after the last fork of your process. If you record tens of thousands of messages a second, call
    ``gc.freeze()`` before: Python's garbage collector may stop the reactor for tens of milliseconds otherwise.

    Args:
        repeater: the repeater.
        path: the file. If it has a recording of the same dialect and server, that goes on. A recording of others is
            moved away, as if it were too large.
        links: which links to record; see `Repeater.watch`.
        max_size: when the file has so many bytes, it is moved to ``PATH.1``, an older one to ``PATH.2``, and so on, and
            the next file is begun.
        keep: how many older files are kept.
        when_slow: what to do if the disk is too slow: ``"leave-out"`` leaves messages out, and notes in the file where
            and how many. ``"wait"`` stops reading from the links until the disk has caught up.
        max_waiting: how many bytes of memory the messages may take that wait for the disk.
        durable: whether messages that are written survive a power loss, too. It makes writing slower.
        dialect: the dialect as the command line has it, such as ``"length:size=2"``. An export or a replay uses it.
        server: where the server is, for people who read the file.
        reactor: the global one by default.

    Returns:
        What records. It ends with the repeater's `shutdown`, or when you call its `stop`.

    Raises:
        RecordingError: there is another file, somebody else records into it, or it is on a network file system.
        OSError: the file cannot be made.
        ValueError: a number is too small.
    """
    check_numbers({"max_size": max_size, "keep": keep, "max_waiting": max_waiting})
    if when_slow not in ("leave-out", "wait"):
        raise ValueError(f"when_slow must be 'leave-out' or 'wait', not {when_slow!r}")
    if reactor is None:
        from twisted.internet import reactor
    facts = {
        "dialect": dialect,
        "repeater_name": repeater._factory.settings.repeater_name,
        "server": server,
        "version": version("twisted_repeater"),
    }
    settings = Settings(os.path.abspath(path), facts, max_size, keep, durable)
    recorder = Recorder(settings, reactor, max_waiting=max_waiting, waits=when_slow == "wait")
    recorder.watch(repeater, links)
    return recorder


def check_numbers(arguments: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if a number among the arguments of `record` is too small."""
    for name, least in LEAST.items():
        if arguments.get(name, least) < least:
            raise ValueError(f"{name} must be at least {least}, not {arguments[name]}")


class Recorder:
    """Records traffic; `record` makes it."""

    def __init__(self, settings: Settings, reactor: Reactor, *, max_waiting: int, waits: bool) -> None:
        self.path: str = settings.path
        """The file."""
        self._reactor = reactor
        self._max_waiting = max_waiting
        self._waits = waits
        self._watch: Watch | None = None
        self._links: dict[Link, KnownLink] = {}
        self._most_links = 1000
        """When there are more in the table, those are removed that are over, but of which nobody has told."""
        self._gap: Gap | None = None
        """The messages that are left out now."""
        self._put = 0
        """How many bytes of memory everything took that was ever put into the queue."""
        self._left_out = 0
        self._throttle = LogThrottle(reactor)
        self._over = False
        self._callers: list[Deferred[None]] = []
        self._limit: IDelayedCall | None = None
        try:
            self._writer = Writer(settings, max_waiting, self._told)
        except sqlite3.Error as error:
            raise RecordingError(f"{self.path} cannot be recorded into: {error}") from error

    def watch(self, repeater: Repeater, links: LinksToWatch) -> None:
        """Begin; the writer ends if that fails."""
        try:
            self._watch = repeater.watch(self, links=links)
        except BaseException:
            self._writer.stop()
            raise
        log.info("recording into {path}", path=self.path)

    def stop(self) -> Deferred[None]:
        """End the recording. Fires when the file is complete, or when its disk has not answered for 10 seconds.

        You may call this again; each call returns a Deferred of its own.
        """
        done: Deferred[None] = Deferred()
        if self._over:
            done.callback(None)
            return done
        self._callers.append(done)
        if self._watch is not None:
            self._watch.stop()
        return done

    # -- how it goes ----------------------------------------------------------------------------------------------

    @property
    def recorded(self) -> int:
        """How many messages were recorded."""
        return self._writer.recorded

    @property
    def left_out(self) -> int:
        """How many messages were left out."""
        return self._left_out + self._writer.left_out

    @property
    def waiting(self) -> int:
        """How many bytes of memory the messages take that are not written yet."""
        return self._put - self._writer.done

    @property
    def age(self) -> float:
        """How many seconds old the oldest message is that is not written yet: a killed process loses so much."""
        oldest = self._writer.oldest
        if oldest is None:
            with suppress(IndexError):  # the writer may take it now
                oldest = getattr(self._writer.queue[0][1], "time", None)
        return 0.0 if oldest is None else max(0.0, self._reactor.seconds() - oldest)

    @property
    def suspended(self) -> str:
        """Why nothing is recorded at the moment, such as ``the disk is full``; ``""`` if it is."""
        return self._writer.suspended

    @property
    def over(self) -> bool:
        """Whether the recording has ended."""
        return self._over

    # -- ILinkWatcher ---------------------------------------------------------------------------------------------

    def message_watched(self, message: WatchedMessage) -> None:
        """See `IWatcher`."""
        # This is called for each message, while the link waits.
        writer = self._writer
        cost = 2 * len(message.frame) + len(message.forward) + len(message.back) + COST
        put = self._put + cost
        if (put > writer.most_put or self._gap is not None) and not self._may_take(message, cost):
            return
        try:
            link = self._links[message.link]
        except KeyError:
            link = self._know(message.link, None)
        self._put += cost
        writer.queue.append((link, message, cost))
        if writer.asleep:
            writer.wake.set()

    def link_made(self, link: Link) -> None:
        """See `ILinkWatcher`."""
        self._add_event(self._know(link, microseconds(self._reactor.seconds())), LinkEvent.MADE)

    def link_refused(self, link: Link, error: ConnectingError) -> None:
        """See `ILinkWatcher`."""
        known = self._links.pop(link, None) or KnownLink(link, None)
        known.refuse(link, microseconds(self._reactor.seconds()), error)
        self._add_event(known, LinkEvent.OVER)

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `ILinkWatcher`."""
        known = self._links.pop(link, None) or KnownLink(link, None)
        known.end(link, microseconds(self._reactor.seconds()), reason)
        self._add_event(known, LinkEvent.OVER)

    def watch_ended(self) -> Deferred[None]:
        """See `ILinkWatcher`."""
        self._end_gap()
        self._links.clear()
        done: Deferred[None] = Deferred()
        self._callers.append(done)
        if not self._over:
            self._limit = self._reactor.callLater(STOP_TIME, self._give_up)
            self._writer.stop()
        else:
            self._finish()
        return done

    # -- what waits -----------------------------------------------------------------------------------------------

    def _know(self, link: Link, made: int | None) -> KnownLink:
        """Return what the recording knows about a link that it sees for the first time."""
        if len(self._links) >= self._most_links:  # it may have lost the name by which it was chosen, before its end
            self._links = {link: known for link, known in self._links.items() if not pair_of(link).over}
            self._most_links = max(1000, 2 * len(self._links))
        known = self._links[link] = KnownLink(link, made)
        return known

    def _add_event(self, link: KnownLink, event: LinkEvent) -> None:
        """Queue an event. There is twice the room for them, as messages without their links are worth little."""
        if not self._writer.suspended and self.waiting < 2 * self._max_waiting:
            self._put += COST
            self._writer.queue.append((link, event, COST))
            self._writer.wake.set()

    def _may_take(self, message: WatchedMessage, cost: int) -> bool:
        """Return whether there is room after all; if not, the message is left out."""
        suspended, waiting = self._writer.suspended, self.waiting
        if not suspended:
            if self._waits and self._watch is not None and waiting > self._max_waiting:
                self._watch.hold()
            if not waiting or waiting + cost <= (2 * self._max_waiting if self._waits else self._max_waiting // 2):
                self._end_gap()
                return True
        if self._gap is None:
            self._gap = Gap(microseconds(message.time), suspended or SLOW)
            if not suspended:
                self._warn("slow", "messages are left out of the recording {path}: {why}", why=SLOW)
        self._gap.add(microseconds(message.time))
        self._left_out += 1
        return False

    def _end_gap(self) -> None:
        """Messages can be taken again, or none will come: note where some are missing, if any are."""
        if self._gap is not None:
            self._put += COST
            self._writer.queue.append((None, self._gap, COST))
            self._writer.wake.set()
            self._gap = None

    # -- what the writer tells ------------------------------------------------------------------------------------

    def _told(self, event: str) -> None:
        """The writer tells of an event, in its thread."""
        if event != "progressed" or (self._watch is not None and self._watch.held):
            self._reactor.callFromThread(getattr(self, f"_{event}"))

    def _progressed(self) -> None:
        if self._watch is not None and self.waiting <= self._max_waiting // 2:
            self._watch.release()

    def _suspended(self) -> None:
        if self._watch is not None:
            self._watch.release()
        self._warn("suspended", "the recording {path} is suspended: {why}", why=self.suspended)

    def _resumed(self) -> None:
        self._warn("resumed", "the recording {path} goes on; {left_out} messages are missing", left_out=self.left_out)

    def _finished(self) -> None:
        if not self._over:
            self._over = True
            if self._watch is not None:
                self._watch.stop()  # if the thread has ended by itself
            log.info("{recorded} messages are recorded in {path}", recorded=self.recorded, path=self.path)
        self._finish()

    def _give_up(self) -> None:
        """The disk has not answered for too long."""
        self._limit = None
        self._over = True
        self._writer.give_up()
        log.error(
            "the recording {path} may be incomplete: its disk has not answered for {seconds:g} seconds",
            path=self.path,
            seconds=STOP_TIME,
        )
        self._finish()

    def _finish(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        callers, self._callers = self._callers, []
        for done in callers:
            done.callback(None)

    def _warn(self, kind: str, text: str, **fields: Any) -> None:
        more = self._throttle.take(kind)
        if more is not None:
            log.warn(text + "{more}", path=self.path, more=more, **fields)
