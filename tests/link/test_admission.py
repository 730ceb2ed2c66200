"""Places and names, and who waits for them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._link.admission import Admission
from twisted_repeater.errors import DuplicateClient, TooManyClients


class Holder:
    """As much of a link as its places know."""

    def __init__(self, client_name: str = "") -> None:
        self.client_name = client_name
        self.client = object()
        self.closing = self.finishing = False
        self.gave_way = 0
        self.waiting: list[Deferred[None]] = []

    def when_over(self) -> Deferred[None]:
        """See `Pair`."""
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def give_way(self) -> None:
        """See `Pair`."""
        self.gave_way += 1


class Gate:
    """As much of a valve as its places know."""

    closed = False

    def close(self, reason: str) -> None:
        """See `Valve`."""
        self.closed = True

    def open(self, reason: str) -> None:
        """See `Valve`."""
        self.closed = False


class ConnectionMonitor:
    """As much of a watch as places know."""

    def __init__(self) -> None:
        self.probes: list[tuple[Any, float, Deferred[bool]]] = []
        self.answers_at_once = True

    def has_vanished(self, end: Any, at_most: float) -> Deferred[bool]:
        """See `ConnectionMonitor`. Unless told otherwise the client is there."""
        self.probes.append((end, at_most, Deferred()))
        if self.answers_at_once:
            self.probes[-1][2].callback(False)
        return self.probes[-1][2]


class PlacesCase(SynchronousTestCase):
    """A test case with places."""

    watch: Any

    def setUp(self) -> None:
        """Make them."""
        self.clock = Clock()
        self.watch = ConnectionMonitor()
        self.places: Any = Admission(self.clock, self.watch)

    def over(self, link: Holder) -> None:
        """End a link."""
        self.places.leave(link)
        for deferred in link.waiting:
            if not deferred.called:
                deferred.callback(None)


class PlaceTests(PlacesCase):
    """There are so many places."""

    def test_wait(self) -> None:
        """Who finds no place waits for one, in order of arrival."""
        links = [Holder() for _ in range(4)]
        placed = [self.places.take(link, 2, 10) for link in links]
        self.assertEqual([deferred.called for deferred in placed], [True, True, False, False])
        self.over(links[1])
        self.assertEqual([deferred.called for deferred in placed], [True, True, True, False])
        self.over(links[1])
        self.assertFalse(placed[3].called)
        self.over(links[2])
        self.successResultOf(placed[3])

    def test_wait_in_vain(self) -> None:
        """Who waits for too long is refused, and waits no more."""
        first, second = Holder(), Holder()
        self.places.take(first, 1, 10)
        placed = self.places.take(second, 1, 10)
        self.clock.advance(10)
        self.failureResultOf(placed, TooManyClients)
        self.over(first)
        self.successResultOf(self.places.take(Holder(), 1, 10))

    def test_cancelled(self) -> None:
        """Who leaves meanwhile waits no more."""
        first = Holder()
        self.places.take(first, 1, 10)
        gone = self.places.take(Holder(), 1, 10)
        next_one = self.places.take(Holder(), 1, 10)
        gone.addErrback(lambda failure: None)
        gone.cancel()
        self.over(first)
        self.successResultOf(next_one)

    def test_port(self) -> None:
        """As long as none is left nobody more is accepted."""
        self.places.port_valve = gate = Gate()
        links = [Holder(), Holder()]
        closed = []
        for link in links:
            self.places.take(link, 2, 10)
            closed.append(gate.closed)
        self.over(links[0])
        self.assertEqual([*closed, gate.closed], [False, True, False])

    def test_often(self) -> None:
        """A port that closes and opens again all the time is told of once a second."""
        self.places.port_valve = Gate()
        with capturedLogs() as captured:
            for _ in range(500):
                link = Holder()
                self.places.take(link, 1, 10)
                self.over(link)
            self.clock.advance(1)
            self.places.take(Holder(), 1, 10)
        told = "max_clients, 1, is reached: newcomers wait"
        lines = [formatEvent(event) for event in captured]
        self.assertEqual(lines, [told, f"{told} (and 499 more since the last such line)"])


class NameTests(PlacesCase):
    """A name belongs to one link."""

    def test_taken(self) -> None:
        """A name that is taken is refused at once; when its link is over it is free."""
        ann = Holder("ann")
        self.successResultOf(self.places.take_name(ann, "ann", 10))
        self.assertIs(self.places.names["ann"], ann)
        self.failureResultOf(self.places.take_name(Holder("ann"), "ann", 10), DuplicateClient)
        self.over(Holder("ann"))
        self.assertIs(self.places.names["ann"], ann)
        self.over(ann)
        self.assertEqual(self.places.names, {})

    def test_ends(self) -> None:
        """A newcomer waits for a link that is ending already, and hurries it; of two the first gets the name."""
        ann, first, second = (Holder("ann") for _ in range(3))
        self.places.take_name(ann, "ann", 10)
        ann.finishing = True
        waiting = [self.places.take_name(link, "ann", 10) for link in (first, second)]
        self.assertEqual(ann.gave_way, 2)
        self.over(ann)
        self.successResultOf(waiting[0])
        self.failureResultOf(waiting[1], DuplicateClient)
        self.assertIs(self.places.names["ann"], first)

    def test_takes_too_long(self) -> None:
        """But not for ever."""
        ann = Holder("ann")
        self.places.take_name(ann, "ann", 10)
        ann.closing = True
        waiting = self.places.take_name(Holder("ann"), "ann", 3)
        self.clock.advance(3)
        self.failureResultOf(waiting, DuplicateClient)


class VanishedTests(PlacesCase):
    """The client that has a name may have vanished."""

    def setUp(self) -> None:
        """Return the name to ann's first link."""
        super().setUp()
        self.watch.answers_at_once = False
        self.ann, self.again = Holder("ann"), Holder("ann")
        self.places.take_name(self.ann, "ann", 10)

    def test_probed(self) -> None:
        """A newcomer has the client probed, for half of the time that it has, and waits for the answer."""
        waiting = self.places.take_name(self.again, "ann", 10)
        self.assertNoResult(waiting)
        ((end, at_most, answer),) = self.watch.probes
        self.assertEqual((end, at_most), (self.ann.client, 5))
        answer.callback(False)
        self.failureResultOf(waiting, DuplicateClient)
        self.assertEqual(self.ann.gave_way, 0)

    def test_vanished(self) -> None:
        """If the client has vanished the newcomer waits for the end of its link, and gets the name."""
        waiting = self.places.take_name(self.again, "ann", 10)
        self.ann.closing = True
        self.watch.probes[0][2].callback(True)
        self.assertNoResult(waiting)
        self.over(self.ann)
        self.successResultOf(waiting)
        self.assertIs(self.places.names["ann"], self.again)

    def test_over_meanwhile(self) -> None:
        """A link that is over when the answer comes is waited for no longer."""
        waiting = self.places.take_name(self.again, "ann", 10)
        self.over(self.ann)
        self.ann.when_over = lambda: succeed(None)  # type: ignore[method-assign]
        self.watch.probes[0][2].callback(True)
        self.successResultOf(waiting)

    def test_never_over(self) -> None:
        """A link that stays all the same keeps the name."""
        waiting = self.places.take_name(self.again, "ann", 10)
        self.watch.probes[0][2].callback(True)
        self.clock.advance(10)
        self.failureResultOf(waiting, DuplicateClient)

    def test_ending(self) -> None:
        """A link that is ending already is not probed."""
        self.ann.closing = True
        self.places.take_name(self.again, "ann", 10).addErrback(lambda failure: None)
        self.assertEqual(self.watch.probes, [])
