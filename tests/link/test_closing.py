"""Tests of the tables of moves of connections and links, and of the cost of a half-close."""

from __future__ import annotations

import os
import sys
from types import FrameType

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

import twisted_repeater
from twisted_repeater._link import closing, ending_pair
from twisted_repeater._link.closing import (
    CLOSES,
    CONNECTION_MOVES,
    ENDED,
    LINK_MOVES,
    ConnectionEvent,
    ConnectionState,
    LinkEvent,
    LinkState,
)

from .memory_case import MemoryCase

PACKAGE = os.path.dirname(twisted_repeater.__file__)
NOT_COUNTED = tuple(os.path.join(PACKAGE, room) for room in ("_lane", "testing"))
"""The one is compiled where speed matters, and its calls are not Python's; the other stands in for the network."""


class TableTests(SynchronousTestCase):
    """The promises of the tables for every state."""

    def test_connection_ends_once(self) -> None:
        """A connection that was there can be aborted and lost in every state, once."""
        for state in ConnectionState:
            if ConnectionState.UNCONNECTED < state < ConnectionState.LOST:
                self.assertIs(CONNECTION_MOVES[state, ConnectionEvent.LOST], ConnectionState.LOST)
            else:
                self.assertNotIn((state, ConnectionEvent.LOST), CONNECTION_MOVES)
        self.assertFalse([event for state, event in CONNECTION_MOVES if state is ConnectionState.LOST])

    def test_connection_moves_on(self) -> None:
        """No event moves a connection back, and one that has ended stays so."""
        for (before, _), after in CONNECTION_MOVES.items():
            self.assertGreater(after, before)
            self.assertFalse(before in ENDED and after not in ENDED)

    def test_link_closes_in_every_state(self) -> None:
        """A link that does not close can be closed and aborted, in every state; it is over when both sides are gone."""
        for state in LinkState:
            over = state in (LinkState.FAILED, LinkState.OVER)
            self.assertEqual((state, LinkEvent.BOTH_GONE) in LINK_MOVES, not over)
            self.assertEqual((state, LinkEvent.ABORT) in LINK_MOVES, not over)
            if state not in CLOSES:
                self.assertIn(LINK_MOVES[state, LinkEvent.CLOSE][1], CLOSES)
            elif not over:
                self.assertIn((state, LinkEvent.OUT_OF_TIME), LINK_MOVES)

    def test_link_moves_on(self) -> None:
        """No event moves a link back."""
        for (before, _), (_, after) in LINK_MOVES.items():
            self.assertGreaterEqual(after, before)


class HalfCloseTests(MemoryCase):
    """A linked client half-closes, with the default ``on_error``."""

    def setUp(self) -> None:
        """Link a client."""
        super().setUp()
        world = self.memory()
        world.factory.application.callbacks.on_error = None
        self.patch(world.factory.application, "_observers", ())  # the kit's
        self.client, server = world.linked("ann")
        server.keeps_open = True
        self.pair = world.pair(self.client)

    def test_cost(self) -> None:
        """It makes fewer than 40 calls in at most 7 files of the package."""
        calls: list[str] = []

        def profile(frame: FrameType, event: str, argument: object) -> None:
            file = frame.f_code.co_filename
            if event == "call" and file.startswith(PACKAGE) and not file.startswith(NOT_COUNTED):
                calls.append(file)

        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            self.pair.client.readConnectionLost()
        finally:
            sys.setprofile(before)
        self.assertTrue(self.pair.finishing)
        self.assertLess(len(calls), 40)
        self.assertLessEqual(len(set(calls)), 7)

    def test_logged(self) -> None:
        """In Python's development mode each move of a link is logged, at debug level."""
        self.patch(ending_pair, "LOG_MOVES", True)
        with capturedLogs() as captured:
            self.pair.client.readConnectionLost()
        self.assertEqual([event["log_level"] for event in captured], [LogLevel.debug])
        self.assertEqual([formatEvent(event) for event in captured], ["ann: RELAYING, FINISH: FINISHING"])
        self.assertEqual(closing.LOG_MOVES, sys.flags.dev_mode)
