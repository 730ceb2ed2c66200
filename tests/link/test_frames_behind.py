"""Frames that wait for the end of another."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._link.frames_behind import FramesBehind


class FramesBehindTests(SynchronousTestCase):
    """What is counted."""

    def test_counted(self) -> None:
        """Frames are kept in order; those of a lane are counted apart from the application's own."""
        behind = FramesBehind()
        self.assertEqual((behind.pieces, behind.size, behind.relayed), ([], 0, 0))
        behind.add([b"one"])
        behind.add([b"two", b"three"], relayed=True)
        self.assertEqual((behind.pieces, behind.size, behind.relayed), ([b"one", b"two", b"three"], 11, 8))
