"""The watcher that hands what it sees to a `Writer`."""

from __future__ import annotations

import atexit
import sqlite3
from collections.abc import Callable
from typing import Any, Final

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
from ..watching import Origin, WatchedMessage
from .entries import COST, Gap, KnownLink, LinkEnd, microseconds, oldest_in, row_of
from .file import Settings
from .records import RecordingError
from .writer import Writer

__all__ = ["Recorder"]

log: Logger = Logger()

STOP_TIME: Final = 10.0
"""How many seconds the end of a recording waits for its disk at most."""

SLOW: Final = "the disk is too slow"
"""Why messages are left out if too many wait."""


class Recorder:
    """Records traffic; `record` makes it."""

    def __init__(self, settings: Settings, reactor: Reactor, *, max_waiting: int, waits: bool) -> None:
        self.path: str = settings.path
        """The file."""
        self._reactor = reactor
        self._max_waiting = max_waiting
        self._waits = waits
        self._watch: Watch | None = None
        self._now: Callable[[], float] = reactor.seconds
        """The time that messages have: it does not go back when somebody sets the clock back."""
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
        self._is_suspended = False
        self._callers: list[Deferred[None]] = []
        self._limit: IDelayedCall | None = None
        try:
            self._writer = Writer(settings, max_waiting, self._told)
        except sqlite3.Error as error:
            raise RecordingError(f"{self.path} cannot be recorded into: {error}") from error
        atexit.register(self._end_of_process)
        self._last_link = self._writer.last_link

    def watch(self, repeater: Repeater, links: LinksToWatch) -> None:
        """Begin; the writer ends if that fails."""
        try:
            self._watch = repeater.watch(self, links=links)
            self._now = repeater._factory.links.watches.clock.now
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
        oldest = self._writer.oldest or oldest_in(self._writer.queue)
        return 0.0 if oldest is None else self._now() - oldest

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
        cost = len(message.frame) + len(message.forward) + len(message.back) + COST
        put = self._put + cost
        if (put > writer.most_put or self._gap is not None) and not self._may_take(message):
            return
        link = self._known(message.link)
        if not link.announced:
            self._announce(link)
        self._put += cost
        writer.queue.append(row_of(link.number, message))
        if writer.asleep:
            writer.wake.set()

    def link_made(self, link: Link) -> None:
        """See `ILinkWatcher`."""
        known = self._known(link)
        known.made = microseconds(self._now())
        if self._has_room_for_links:
            self._announce(known)

    def link_refused(self, link: Link, error: ConnectingError) -> None:
        """See `ILinkWatcher`."""
        known = self._known(link)
        known.refuse(microseconds(self._now()), error)
        self._forget(known)

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `ILinkWatcher`."""
        known = self._known(link)
        known.end(microseconds(self._now()), reason)
        self._forget(known)

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

    def _known(self, link: Link) -> KnownLink:
        """Return what the recording knows about a link."""
        known = self._links.get(link)
        if known is not None:
            return known
        if len(self._links) >= self._most_links:  # it may have lost the name by which it was chosen, before its end
            for known in list(self._links.values()):
                if pair_of(known.link).over:
                    self._forget(known)
            self._most_links = max(1000, 2 * len(self._links))
        known = self._links[link] = KnownLink(0, link)
        return known

    @property
    def _has_room_for_links(self) -> bool:
        """Whether links may be queued. There is twice the room, as messages without their links are worth little."""
        return not self._writer.suspended and self.waiting < 2 * self._max_waiting

    def _announce(self, link: KnownLink) -> None:
        """Tell the writer of a link. Only now it has a number: a file has the links in the order of their numbers."""
        link.announced = True
        self._last_link += 1
        link.number = self._last_link
        self._queue(link)

    def _forget(self, link: KnownLink) -> None:
        """A link is over. The writer must learn the end of each link that it knows, else it would keep it for ever."""
        del self._links[link.link]
        if not link.announced and self._has_room_for_links:
            self._announce(link)
        if link.announced:
            self._queue(LinkEnd(link))

    def _queue(self, entry: KnownLink | LinkEnd | Gap) -> None:
        self._put += COST
        self._writer.queue.append(entry)
        self._writer.wake.set()

    def _may_take(self, message: WatchedMessage) -> bool:
        """Return whether there is room after all; if not, the message is left out."""
        suspended, waiting = self._writer.suspended, self.waiting
        if not suspended:
            if self._waits and self._watch is not None and waiting > self._max_waiting:
                self._watch.hold()
                self._progressed()  # the writer may have told of it before the links were held
            if waiting <= (2 * self._max_waiting if self._waits else self._max_waiting // 2) or (
                self._waits and message.origin is Origin.MESSAGE  # it was read before the links were held
            ):
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
            self._queue(self._gap)
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
        if not self._is_suspended:
            self._is_suspended = True
            self._warn("suspended", "the recording {path} is suspended: {why}", why=self.suspended)

    def _resumed(self) -> None:
        self._is_suspended = False
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

    def _end_of_process(self) -> None:
        """The program has not ended the recording."""
        self._writer.stop()
        self._writer.join(STOP_TIME)

    def _finish(self) -> None:
        atexit.unregister(self._end_of_process)
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
