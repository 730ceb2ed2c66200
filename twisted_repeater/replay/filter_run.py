"""One replay through filters: feeds the recorded messages to a repeater in memory, and watches it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.task import Clock

from .._link.defaults import end_link, no_state
from .._repeater import Repeater
from .._text import printable, shortened, text_of, told
from ..dialects import Dialect
from ..dialects.fix.session_filters import NumberedSessions
from ..dialects.fix.sessions import sessions_in
from ..errors import CallbackFailed, ConnectingError, LinkError, MultipleVersionsError
from ..link import Link
from ..model import Limits, SameName, Side
from ..recording.records import Origin, RecordedLink, RecordedMessage
from ..testing._memory import MemoryNetwork
from ..testing._running import result_of
from ..watching import WatchedMessage
from .decoding import UNLIMITED
from .differences import Findings
from .filter_links import PlayedLink, Stage
from .masks import Masks
from .outcomes import Outcomes
from .report import Report

__all__ = ["FilterRun", "by_arrival"]

LIMITS = Limits(
    max_frame=UNLIMITED.max_frame,
    max_hello=UNLIMITED.max_hello,
    stall_timeout=None,
    dead_peer_timeout=None,
    frame_timeout=None,
    max_clients=1_000_000,
    max_unfinished_hellos=1_000_000,
)
"""The limits of the repeater in memory: what was recorded was within those of its own."""

AHEAD = 1000
"""How many messages are read ahead, to put them into the order in which they came."""

AFTERWARDS = 60.0
"""How many seconds pass after the last message, for verdicts that come later."""

MOST_WAITING = 10_000
"""How many messages of a link wait for a verdict. After that its messages are not played."""


def by_arrival(messages: Iterable[RecordedMessage]) -> Iterator[RecordedMessage]:
    """Return messages in the order in which they came. A recording has them in the order of their verdicts.

    If more than `AHEAD` verdicts came while one was awaited, that message comes late.
    """
    waiting: list[tuple[int, int, RecordedMessage]] = []
    for number, message in enumerate(messages):
        entry = (message.time, number, message)
        if len(waiting) < AHEAD:
            heapq.heappush(waiting, entry)
        else:
            yield heapq.heappushpop(waiting, entry)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


class FilterRun:
    """The replay of one recording.

    Args:
        links: the links of the recording.
        dialect: its dialect.
        masks: what may differ.
        max_differences: how many differences are kept.
        clock: the clock of everything.
        options: arguments of `Repeater.start`.
        repeater_name: the name of the repeater.
    """

    def __init__(
        self,
        links: Iterator[RecordedLink],
        dialect: Dialect,
        masks: Masks,
        max_differences: int,
        clock: Clock,
        options: dict[str, Any],
        repeater_name: str = "repeater",
    ) -> None:
        self._links = _Links(links)
        self._dialect = dialect
        self._outcomes = Outcomes(dialect, masks, max_differences)
        self.findings: Findings = self._outcomes.findings
        """What was found so far."""
        self._played: dict[int, PlayedLink] = {}
        self._by_id: dict[int, PlayedLink] = {}
        self._ends: list[tuple[int, int]] = []
        self._network = MemoryNetwork(clock)
        self._begun = False
        dialect = dialect.changed(same_name=SameName.SHARE)
        if isinstance(dialect.filters, NumberedSessions):  # the file of the running repeater must not change
            dialect = dialect.changed(filters=NumberedSessions(sessions_in(None)))
        self._stage = Stage(dialect, self._network)
        created = Repeater.create(
            self._stage.dialect,
            repeater_name=repeater_name,
            server_name=self._links.server_name,
            listen=self._stage.listening,
            server=self._stage.server,
            convert_versions=_has_versions(dialect),
            limits=LIMITS,
            reactor=self._network,
        )
        self._repeater = result_of(created)
        self._repeater.watch(self)
        usual = {"on_error": self._failed, "on_connecting_error": lambda *refused: None}
        self._on_connect = options.get("on_connect") or no_state
        self._repeater.start(**usual | options | {"on_connect": self._connects})

    # -- playing -------------------------------------------------------------------------------------------------

    def play(self, message: RecordedMessage) -> None:
        """Play the next message of the recording."""
        self._advance_to(message.time)
        played = self._played.get(message.link) or self._begin(message)
        self._stage.current = played
        if message.origin is Origin.OPENING:
            if message.frame and not played.as_recorded:
                played.feed(message.direction, message.frame)
        elif message.origin is Origin.OWN:
            self._outcomes.own_recorded(played, message)
        elif played.over:
            played.not_played += 1
        else:
            self._play_message(played, message)
        self._network.settle()
        self._stage.current = None

    def _begin(self, message: RecordedMessage) -> PlayedLink:
        """Begin the link of a message. One whose beginning was not recorded cannot have its opening played."""
        recorded = self._links.get(message.link)
        played = self._stage.begin(recorded)
        self.findings.links += 1
        self._played[recorded.id] = played
        if recorded.ended is not None:
            heapq.heappush(self._ends, (recorded.ended, recorded.id))
        if message.origin is Origin.MESSAGE and message.number > 1 and not played.connects:
            self._make_as_recorded(played)
        return played

    def _make_as_recorded(self, played: PlayedLink) -> None:
        self._stage.begin_again(played)
        self.findings.note("openings were not played: these links were made with the recorded name and details")

    def _play_message(self, played: PlayedLink, message: RecordedMessage) -> None:
        waiting = played.waiting[message.direction]
        if len(waiting) >= MOST_WAITING:
            played.not_played += 1
            return
        waiting.append(message)
        played.feed(message.direction, message.frame)
        self._network.settle()
        if not (played.connects or played.as_recorded):
            self._make_as_recorded(played)
            played.feed(message.direction, message.frame)
            self._network.settle()
        if played.link is None and played.over:
            played.not_played += len(waiting)
            waiting.clear()

    def _advance_to(self, time: int) -> None:
        """Let time pass, and let the links that end meanwhile end."""
        while self._ends and self._ends[0][0] < time:
            ended, link = heapq.heappop(self._ends)
            self._pass(ended)
            self._leave(self._played.pop(link))
        self._pass(time)

    def _leave(self, played: PlayedLink) -> None:
        """Let the client of a link leave, as it did in the recording."""
        played.client.leave()
        self._network.settle()
        if played.link is None or played.over:
            self._end_of(played)

    def _pass(self, time: int) -> None:
        seconds = time / 1e6
        if not self._begun:
            self._begun = True
            self._network.clock.rightNow = seconds  # nothing happens in the years before the recording
        elif seconds > self._network.seconds():
            self._network.advance(seconds - self._network.seconds())

    def end(self) -> Report:
        """Let the last verdicts come, end all links, and return the report."""
        self._network.advance(AFTERWARDS)
        for played in self._played.values():
            self._leave(played)
        self._played.clear()
        self._network.advance(AFTERWARDS)
        self._repeater.abort()
        self._network.settle()
        for played in list(self._by_id.values()):
            self._end_of(played)
        return self.report()

    def report(self) -> Report:
        """Return the report about what was played so far."""
        return Report(self.findings, self._dialect.name, {})

    # -- what the repeater tells ---------------------------------------------------------------------------------

    def _connects(self, link: Link) -> object:
        """The opening of a link is over: ask the application for its state."""
        self._stage.played_at(link.client_address).connects = True
        return self._on_connect(link)

    def link_made(self, link: Link) -> None:
        """See `ILinkWatcher`."""
        played = self._by_id[link.id] = self._stage.played_at(link.client_address)
        played.link = link

    def link_refused(self, link: Link, error: ConnectingError) -> None:
        """See `ILinkWatcher`."""
        played = self._stage.played_at(link.client_address)
        if played.connects or played.as_recorded:
            played.over = True
            self._outcomes.trouble(played, f"the link could not be made: {text_of(error)}")

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `ILinkWatcher`."""
        played = self._by_id[link.id]
        played.over = True
        if played.recorded.id not in self._played:
            self._end_of(played)

    def message_watched(self, message: WatchedMessage) -> None:
        """See `IWatcher`."""
        played = self._by_id.get(message.link.id)
        if played is None or message.origin.name == Origin.OPENING.name:
            return
        if message.origin.name == Origin.OWN.name:
            self._outcomes.own_sent(played, message)
        elif played.waiting[message.direction]:
            self._outcomes.compare(played, played.waiting[message.direction].popleft(), message)
        else:
            self.findings.note("recorded messages are several messages of the dialect: is it the right one?")

    def _end_of(self, played: PlayedLink) -> None:
        if played.link is not None:
            self._by_id.pop(played.link.id, None)
        self._stage.forget(played)
        self._outcomes.over(played)

    def _failed(self, link: Link, side: Side, error: LinkError) -> None:
        """The default ``on_error``: note the failure of a filter."""
        if isinstance(error, CallbackFailed):
            self.findings.note(printable(shortened(f"{error.callback} failed: {told(error.reason)}")))
        end_link(link, side, error)


class _Links:
    """The links of a recording, which are read as they are asked for."""

    def __init__(self, links: Iterator[RecordedLink]) -> None:
        self._more = links
        self._read: dict[int, RecordedLink] = {}
        first = next(links, None)
        if first is not None:
            self._read[first.id] = first
        self.server_name: str = first.server_name if first is not None else "server"
        """The name of the server."""

    def get(self, number: int) -> RecordedLink:
        """Return a link, which nobody asks for again."""
        while number not in self._read:
            link = next(self._more, None)
            if link is None:  # a part of the file is damaged
                return RecordedLink(id=number, link=number)
            self._read[link.id] = link
        return self._read.pop(number)


def _has_versions(dialect: Dialect) -> bool:
    """Return whether a dialect has several versions, so that a repeater must convert messages."""
    try:
        dialect.check_versions(False)
    except MultipleVersionsError:
        return True
    return False
