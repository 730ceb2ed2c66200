"""The links of a repeater: the factory accepts clients, `Links` begins, sends to and ends all links."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._lane.frame_monitor import FrameMonitor
from .._lane.setup import OnDecision
from .._slices import in_slices
from .._sockets.connection_monitor import ConnectionMonitor
from .._sockets.descriptors import Claim
from ..errors import RepeaterClosed
from ..faults import ActiveFault, Faults
from ..model import Limits, Side
from .admission import Admission
from .application import Application, Settings
from .byte_faults import ByteFaults
from .equipment import Equipment
from .holding import Holds
from .making import Making
from .outlet import Outlet
from .pair import Pair
from .session_filters import alters_sent
from .watching import Watches

__all__ = ["Links", "RepeaterFactory"]

log: Logger = Logger()


class Links:
    """Every link and every attempt of a repeater. Iterating gives those that are not over, the oldest first.

    This is what each pair and each attempt knows of its repeater.
    """

    def __init__(
        self,
        settings: Settings,
        application: Application,
        equipment: Equipment,
        claim: Claim,
        clock: IReactorTime,
        dial: Callable[[Pair], Deferred[Any]],
    ) -> None:
        self.settings = settings
        self.application = application
        self.monitor: ConnectionMonitor = ConnectionMonitor(clock, claim.limits.dead_peer_timeout)
        self.admission: Admission = Admission(settings, application, claim, self.monitor, clock)
        self.clock = clock
        self.now: Callable[[], float] = clock.seconds
        """The clock of all lanes: a method of one of them would cost each link 64 bytes."""
        self.dial = dial
        self.equipment = equipment
        self.limits: Limits = claim.limits
        """Times and sizes. The numbers of clients and hellos, which may change, are looked up where they count."""
        self.ids: Iterator[int] = count(1)
        """The numbers of links."""
        self._pairs: dict[Pair, None] = {}
        """Those whose connections are not both gone, the oldest first."""
        self.watches: Watches = Watches(clock, self._pairs, equipment.watch)
        equipment.watches = self.watches
        self.holds: Holds = Holds(clock, self._pairs, equipment.watch)
        equipment.holds = self.holds
        self.byte_faults: ByteFaults | None = None
        """Breaks the links; ``None`` until the factory has made it."""
        self._attempts: dict[Pair, Making] = {}
        self._postponed: deque[Outlet] = deque()
        """The outlets that still have a broadcast to send."""
        self._sent: Deferred[None] | None = None
        """Fires when all broadcasts are sent; ``None`` if there was none."""

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def made(self) -> Iterator[Pair]:
        """Every link that is made and not over."""
        return (pair for pair in list(self._pairs) if pair.made)

    # -- one link --------------------------------------------------------------------------------------------

    def begin(self, pair: Pair) -> None:
        """A client is connected: start to link it."""
        self._pairs[pair] = None
        making = self._attempts[pair] = Making(pair, self)
        self.admission.expect_hello(pair, making.stop)
        making.start().addBoth(self._attempt_ended, pair).addErrback(self._relaying_failed, pair)

    def _attempt_ended(self, result: Any, pair: Pair) -> None:
        making = self._attempts.pop(pair)
        attempt, making.attempt = making.attempt, None  # as a cycle both would stay until they are collected
        if isinstance(result, Failure):
            pair.last_words = self.application.refusal(attempt, result.value)
            error = self.admission.refuse(pair, result)
            if self.watches:
                self.watches.link_refused(pair, making.notes, error)
        else:
            self.admission.made(pair)
            if self.watches:
                self.watches.link_made(pair, making.notes)
            if self.equipment.faults or self.holds:
                self.equipment.watch(pair)
            if self.byte_faults:
                self.byte_faults.choose(pair)
            pair.relay()

    def renamed(self, pair: Pair) -> None:
        """A link has another name."""
        if self.watches and not pair.over:
            self.watches.choose(pair)
        if self.holds and not pair.over:
            self.holds.renamed(pair)
        if self.byte_faults and not pair.over:
            self.byte_faults.choose(pair)

    def _relaying_failed(self, failure: Failure, pair: Pair) -> None:
        """A link that is made could not begin: that must not be more than the end of this link."""
        self.application.log_failure("bug: a link failed as it began to relay", failure)
        pair.close(failure.value)

    def link_broke(self, pair: Pair, side: Side, reason: BaseException) -> None:
        """A side left while the link was being made."""
        attempt = self._attempts.get(pair)
        if attempt is not None:
            attempt.side_left(side, reason)

    def link_over(self, pair: Pair) -> None:
        """Both connections are gone."""
        self._pairs.pop(pair, None)
        self.application.link_over(pair)
        if pair.watches:
            self.watches.link_ended(pair)
        self.admission.leave(pair)

    # -- one message for all ---------------------------------------------------------------------------------

    def broadcast(self, side: Side, message: Any) -> int:
        """Send a message to one side of every link; encoded once for each version in use.

        Returns:
            How many links there are that it can be sent on. `when_sent` fires when all of them have it.
        """
        frames: dict[int, bytes | None] = {}
        count = 0

        def frame_for(outlet: Outlet) -> bytes | None:
            version = outlet.version
            if frames.get(version) is None:  # a failed one is tried for each link, so that each reports it
                frames[version] = outlet.encode(message)
            return frames[version]

        for pair in self.made():
            connection = pair.connection(side)
            if not pair.can_send(connection):
                continue
            count += 1
            if alters_sent(pair, connection):
                pair.send(connection, message)
            elif pair.at_work or pair.watches or pair.delays:
                # A filter of this link broadcasts, or messages wait, and the order among the link's own messages must
                # be kept; or those who watch must be told.
                frame = frame_for(connection.outlet)
                if frame:
                    pair.send_frame(connection, frame, at_once=True)
            elif connection.outlet.postpone(frame_for):
                self._postponed.append(connection.outlet)
        if self._sent is None or self._sent.called:
            self._sent = Deferred()  # before sending, because callbacks on the way may broadcast as well
            in_slices(self.clock, self._send_postponed(self._sent))
        return count

    def when_sent(self) -> Deferred[None]:
        """Fire when all broadcasts are handed to the connections of their links."""
        done: Deferred[None] = Deferred()
        if self._sent is None or self._sent.called:
            done.callback(None)
        else:
            self._sent.addCallback(lambda _: done.callback(None))
        return done

    def _send_postponed(self, sent: Deferred[None]) -> Iterator[None]:
        """Send broadcasts, link by link. Whatever is sent to a link before its turn goes out after them."""
        try:
            while self._postponed:
                try:
                    self._postponed.popleft().send_postponed()
                except Exception:  # others must get theirs all the same
                    log.failure("bug: a broadcast to one link failed")
                yield
        finally:
            sent.callback(None)

    # -- the end of all --------------------------------------------------------------------------------------

    def close_all(self) -> Deferred[None]:
        """Close every link and end every attempt; fire when every connection is gone."""
        self.admission.closed = True
        return Deferred.fromCoroutine(self._close_all())

    async def _close_all(self) -> None:
        await in_slices(self.clock, self._closings())
        while self._pairs:
            await next(iter(self._pairs)).when_over()
        if self._sent is not None:
            await self._sent

    def _closings(self) -> Iterator[None]:
        """End the attempts and close the links, one by one. Some may have ended by themselves meanwhile."""
        for pair, attempt in list(self._attempts.items()):
            if pair in self._attempts:
                attempt.stop(RepeaterClosed("the repeater was shut down"))
            yield
        for pair in list(self._pairs):
            try:
                pair.close()
            except Exception:  # the others must be closed all the same
                log.failure("bug: a link could not be closed")
            yield

    def abort_all(self) -> None:
        """End every attempt and abort every connection, now."""
        self.admission.closed = True
        for attempt in list(self._attempts.values()):
            attempt.stop(RepeaterClosed("the repeater was shut down"))
        for pair in list(self._pairs):
            pair.abort()


class RepeaterFactory(ServerFactory):
    """Puts a repeater together, and makes a `ClientSideProtocol` for each client."""

    noisy = False

    def __init__(
        self, settings: Settings, *, claim: Claim, clock: IReactorTime, dial: Callable[[Pair], Deferred[Any]]
    ) -> None:
        limits = claim.limits
        self.settings = settings
        self.claim = claim
        """This repeater's share of the descriptors of its process, and its limits."""
        self.clock = clock
        self.wrapped = False
        """Whether a factory stands before this one, for TLS say, which needs a protocol for the refused, too."""
        self.application: Application = Application(settings, clock)
        self.frame_monitor: FrameMonitor = FrameMonitor(clock, limits.frame_timeout, limits.max_unfinished_frames)
        self.equipment: Equipment = Equipment(
            settings.dialect,
            self.application.filter_of,
            self.frame_monitor,
            self.application.on_read,
            self.application.pair_of_filters,
        )
        self.links: Links = Links(settings, self.application, self.equipment, claim, clock, dial)
        self.admission: Admission = self.links.admission
        self._message_faults: list[ActiveFault] = []
        self.faults: Faults = Faults(clock, self._faults_changed)
        """See `Repeater.faults`."""
        self.equipment.faults = self.faults
        self.byte_faults: ByteFaults = ByteFaults(self.faults, clock)
        self.links.byte_faults = self.byte_faults

    # -- accepting -------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Make the protocol of a new client. A refused one has none, or one that closes."""
        if self.admission.lets_in(addr):
            try:
                return Pair(self.links, self.settings.server_name).client
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # raised by the framing of the dialect; Twisted would keep the socket open
                self.admission.refuse_without_framing(addr, error)
        return _Refused() if self.wrapped else None

    # -- filters ---------------------------------------------------------------------------------------------

    def replace_filters(self, filters: Mapping[str, Any]) -> None:
        """Replace filters, on every lane; each takes over with the next read. If this raises, nothing changes."""
        before = self.application.callbacks
        self.application.started = replace(before, **filters)
        try:
            self.equipment.renew(self.links, new_pair="filters" in filters)
        except BaseException:
            self.application.started = before
            raise

    def _faults_changed(self, removed: ActiveFault | None) -> None:
        """Break the links by the faults that are set now. What the removed one holds goes on."""
        by_message = [active for active in self.faults if active.by_message]
        if by_message != self._message_faults:  # lanes know nothing of the others, and there may be thousands
            self._message_faults = by_message
            self.equipment.renew(self.links)
        if removed is not None and removed.by_message:
            for pair in list(self.links):
                for lane in pair.lanes:
                    lane.take_back(removed)
        self.byte_faults.renew(self.links)

    def watch_decisions(self, on_decision: OnDecision | None) -> None:
        """Have ``on_decision`` told of the decision about each message; ``None`` ends that."""
        self.equipment.on_decision = on_decision
        self.equipment.renew(self.links)


class _Refused(Protocol):
    """Closes at once."""

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        assert self.transport is not None
        self.transport.loseConnection()
