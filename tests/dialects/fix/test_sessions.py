"""Sessions, by their names."""

from __future__ import annotations

import os
import tempfile
from typing import Any
from unittest import mock

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix import Logon, ResendRequest, sessions
from twisted_repeater.dialects.fix.sessions import Session, SessionInUse, Sessions, sessions_in, utc_now
from twisted_repeater.dialects.fix.store import Store, StoreError
from twisted_repeater.verdicts import PASS_ON

from .numbers_rig import DOWN, UP, brief, frame, order


class SessionsTests(SynchronousTestCase):
    """Sessions with a file, and without."""

    def setUp(self) -> None:
        """Make a place for a file."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "numbers")

    def added(self, session: Session) -> None:
        """Let both engines log on, and add a message."""
        for way in (UP, DOWN):
            logon = frame(Logon({}), session.numbers.highest[way] + 1, way)
            session.numbers.arrived(way, logon)
            session.numbers.settle(way, logon, PASS_ON)
        session.numbers.sent(UP, order())

    def test_one_link(self) -> None:
        """A session has one link at a time."""
        known = Sessions()
        session = known.begin("a")
        self.assertRaises(SessionInUse, known.begin, "a")
        session.end()
        session.end()
        self.assertIs(known.begin("a").numbers, session.numbers)

    def test_warning(self) -> None:
        """Without a file there is one warning, when it begins to matter."""
        events = self.logged()
        known = Sessions()
        for name in ("a", "b"):
            self.added(known.begin(name))
        self.assertEqual(len([event for event in events if "no store" in str(event)]), 1)

    def test_contents(self) -> None:
        """What was sent in a session can be sent again after the file was closed."""
        known = Sessions(self.path)
        session = known.begin("a")
        self.added(session)
        session.end()
        session = known.begin("a")
        for way in (DOWN, UP):
            logon = frame(Logon({}), session.numbers.highest[way] + 1, way)
            session.numbers.arrived(way, logon)
            session.numbers.settle(way, logon, PASS_ON)
        request = frame(ResendRequest({7: 2, 16: 2}), 3, DOWN)
        session.numbers.arrived(DOWN, request)
        (again,) = session.numbers.settle(DOWN, request, PASS_ON).back
        self.assertEqual(brief(again), "D2* a")
        session.end()

    def test_file(self) -> None:
        """The file is open as long as there are links; what is known holds, unless another process wrote to it."""
        known = Sessions(self.path)
        first, second = known.begin("a"), known.begin("b")
        self.added(first)
        self.assertRaises(StoreError, Store, self.path)
        first.end()
        self.assertRaises(StoreError, Store, self.path)
        second.end()
        self.assertIs(known.begin("a").numbers, first.numbers)
        self.assertRaises(StoreError, Sessions(self.path).begin, "a")

    def test_other_process(self) -> None:
        """If another process has written to the file, the file counts."""
        known = Sessions(self.path)
        session = known.begin("a")
        self.added(session)
        session.end()
        other = Sessions(self.path)
        again = other.begin("a")
        self.added(again)
        again.end()
        third = known.begin("a")
        self.assertIsNot(third.numbers, session.numbers)
        self.assertEqual(third.numbers.highest, again.numbers.highest)
        third.broken = True
        third.end()

    def logged(self) -> list[Any]:
        """Return what is logged from now on."""
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        return events

    def test_shared(self) -> None:
        """All who name the same file share its sessions; in memory nobody does."""
        folder = os.path.dirname(self.path)
        known = sessions_in(self.path)
        self.assertIs(sessions_in(os.path.join(folder, ".", "numbers")), known)
        os.symlink(folder, os.path.join(folder, "link"))
        self.assertIs(sessions_in(os.path.join(folder, "link", "numbers")), known)
        self.assertIsNot(sessions_in(os.path.join(folder, "others")), known)
        self.assertIsNot(sessions_in(None), sessions_in(None))

    def test_removed(self) -> None:
        """Once the file is removed nothing more is added; the next link begins with a new one, and a warning."""
        known = Sessions(self.path)
        session = known.begin("a")
        self.added(session)
        for name in os.listdir(os.path.dirname(self.path)):
            os.unlink(os.path.join(os.path.dirname(self.path), name))
        error = self.assertRaises(StoreError, session.numbers.sent, UP, order())
        self.assertIn("removed or replaced", str(error))
        session.broken = True
        session.end()
        events = self.logged()
        self.assertEqual(known.begin("a").numbers.highest, {UP: 0, DOWN: 0})
        self.assertEqual(len([event for event in events if "was removed" in str(event)]), 1)

    def test_begins_again(self) -> None:
        """A line says that a session begins again, if there was anything to forget."""
        events = self.logged()
        known = Sessions()
        for name in ("a", "b"):
            session = known.begin(name)
            if name == "a":
                self.added(session)
            for way in (UP, DOWN):
                logon = frame(Logon({141: True}), 1, way)
                session.numbers.arrived(way, logon)
                session.numbers.settle(way, logon, PASS_ON)
        self.assertEqual([event["name"] for event in events if "begins again" in str(event)], ["a"])

    def test_forgotten(self) -> None:
        """Sessions without links are kept up to a number."""
        known = Sessions()
        with mock.patch.object(sessions, "MOST_IDLE", 1):
            first, second = known.begin("a"), known.begin("b")
            first.end()
            second.end()
        self.assertIsNot(known.begin("a").numbers, first.numbers)
        self.assertIs(known.begin("b").numbers, second.numbers)

    def test_now(self) -> None:
        """The time has a zone."""
        self.assertIsNotNone(utc_now().tzinfo)
