"""What a recorded message says about the bytes on each leg."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.model import Direction
from twisted_repeater.recording.records import RecordedMessage


class MessageTests(SynchronousTestCase):
    """Which bytes went where."""

    def test_legs(self) -> None:
        """The frame, if it passed, and what was made after it went to the target; answers went back."""
        for direction in Direction:
            for passed, onward in ((True, b"fm"), (False, b"m")):
                message = RecordedMessage(
                    id=1, link=1, time=0, direction=direction, frame=b"f", passed=passed, forward=b"m", back=b"b"
                )
                legs = (message.to_server, message.to_client)
                self.assertEqual(legs, (onward, b"b") if direction is Direction.TO_SERVER else (b"b", onward))
