"""A test case with repeaters in memory."""

from __future__ import annotations

from typing import Any

from ..peers import PeerCase, RecordingRepeater, kept_by


class MemoryCase(PeerCase):
    """A test case whose repeaters in memory must leave nothing."""

    def setUp(self) -> None:
        """Check at the end that nothing is left."""
        self.worlds: list[RecordingRepeater] = []
        self.addCleanup(self.check)

    def memory(self, **options: Any) -> RecordingRepeater:
        """Make a repeater in memory."""
        self.worlds.append(RecordingRepeater(**options))
        return self.worlds[-1]

    def check(self) -> None:
        """Shut every repeater down; nothing is left then, and nothing waits for time to pass."""
        for world in self.worlds:
            world.shutdown()
            self.assertEqual((kept_by(world.factory), world.clock.getDelayedCalls()), ({}, []))
