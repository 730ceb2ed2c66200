"""Events that a thread reads."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl import inbox
from twisted_repeater.ctl.administration import Answer
from twisted_repeater.ctl.errors import CtlError
from twisted_repeater.ctl.events import Event, Events
from twisted_repeater.ctl.inbox import Inbox

from .stand_in import CtlCase, Stream, event


class InboxTests(CtlCase):
    """`Inbox`."""

    def inbox(self, events: bytes, *, stays: bool = True) -> Inbox:
        """Return an inbox of a stream."""
        self.answer(**{"GET /stream": Stream(events, stays)})
        return Inbox(Events(self.administration, "stream", query={}))

    def wait(self, box: Inbox) -> list[Event]:
        """Return what comes next."""
        self.assertTrue(select.select([box], [], [], 60)[0])
        return list(box.take())

    def test_events(self) -> None:
        """Events can be taken when `select` says so; at the end the stream is ended."""
        with self.inbox(event("hello", stream="s1") + event("held", id="h1")) as box:
            seen = self.wait(box)
            while len(seen) < 2:
                seen += self.wait(box)
        self.assertEqual(seen, [("hello", {"stream": "s1"}), ("held", {"id": "h1"})])

    def test_error(self) -> None:
        """An error that ends the stream comes after its events."""
        self.answer()
        with Inbox(Events(self.administration, "nowhere", query={})) as box:
            self.assertRaises(CtlError, self.wait, box)

    def test_full(self) -> None:
        """If nobody takes the events the thread waits, and can be ended all the same."""
        self.patch(inbox, "MOST", 1)
        with self.inbox(event("hello", stream="s1") + event("counts") * 10) as box:
            self.assertTrue(select.select([box], [], [], 60)[0])


class EndTests(SynchronousTestCase):
    """The end of an inbox."""

    def test_stuck(self) -> None:
        """A thread that cannot be ended is not waited for without end."""
        go = threading.Event()

        class Stuck:
            def __iter__(self) -> Iterator[Event]:
                go.wait()
                return iter([])

            def end(self) -> None:
                """It does not end."""

        self.patch(inbox, "JOINS", 1)
        with Inbox(Stuck()) as box:  # type: ignore[arg-type]
            pass
        self.assertTrue(box._thread.is_alive())
        go.set()
        box._thread.join()


class WakingTests(SynchronousTestCase):
    """How the other thread is woken."""

    def test_often(self) -> None:
        """So many wake-ups that no more fit are enough."""

        class Many:
            def __iter__(self) -> Iterator[Event]:
                return iter([Event("counts", Answer())] * 20_000)

            def end(self) -> None:
                """Nothing can be ended."""

        self.patch(inbox, "MOST", 0)  # no limit
        box = Inbox(Many())  # type: ignore[arg-type]
        box._read()
        self.assertEqual(len(list(box.take())), 20_000)
        box._thread.start()
        box.__exit__()
