"""Recorded sessions pass through the dialects as they are, however they are cut."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, Side

from .playing import Pieces, Script, at_random, bytewise, whole
from .protocols import PROTOCOLS, Case
from .recording import Recording, recordings


class RecordingTests(SynchronousTestCase):
    """The files."""

    @given(st.lists(st.tuples(st.sampled_from(Direction), st.binary() | st.just(b"x" * 500 + b"'\"\\"))))
    def test_written_and_read(self, messages: list[tuple[Direction, bytes]]) -> None:
        """What was written to a file is read from it."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "some.txt")
            recording = Recording(f"{path.parent.name}/some", "first\nsecond", tuple(messages))
            recording.save(path)
            self.assertEqual(Recording.load(path), recording)

    def test_sent(self) -> None:
        """The bytes of a direction are those of its messages, in order."""
        up, down = Direction.TO_SERVER, Direction.TO_CLIENT
        recording = Recording("some", "", ((up, b"a"), (down, b"b"), (up, b"c")))
        self.assertEqual((recording.sent(up), recording.sent(down)), (b"ac", b"b"))

    def test_there_are_some(self) -> None:
        """Each protocol has recordings, in both directions."""
        for protocol in ("postgres", "redis", "mqtt", "fix"):
            for direction in Direction:
                sent = [recording.sent(direction) for recording in recordings(protocol)]
                self.assertGreater(len(list(filter(None, sent))), 20)


class ReplayTests(SynchronousTestCase):
    """The replays. Each session is one of the clients of one repeater, beside an honest one."""

    def replay(self, case: Case, options: dict[str, Any], pieces: Pieces) -> None:
        """Replay all recordings of a protocol; each message must come out as it went in, as soon as it is complete."""
        repeater = case.repeater(**options)
        try:
            for recording in case.recordings:
                with self.subTest(recording=recording.name):
                    if recording.name in case.wrong:
                        repeater.attack(recording.messages, pieces, Side.CLIENT, refused=True)
                        continue
                    script = Script(repeater, honest=True)
                    script.play(recording.messages, pieces, case.own(recording))
                    script.end()
                    repeater.advance(60)
            self.assertEqual(repeater.logged, [])
        finally:
            repeater.close()

    def test_whole(self) -> None:
        """Each message comes in one piece."""
        self.replay_all(whole)

    def test_byte_by_byte(self) -> None:
        """Each byte comes alone."""
        self.replay_all(bytewise)

    def test_at_random_places(self) -> None:
        """Messages come in pieces of any sizes."""
        self.replay_all(at_random(Random(1)))

    def replay_all(self, pieces: Pieces) -> None:
        """Replay all recordings of all protocols, with each kind of filters that pass everything."""
        for case in PROTOCOLS.values():
            for name, options in case.passing.items():
                with self.subTest(protocol=case.name, filters=name):
                    self.replay(case, options(), pieces)
