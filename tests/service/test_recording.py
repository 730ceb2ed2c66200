"""The recording of the service: its option, and how it begins and ends."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.observers.metrics import MetricsObserver
from twisted_repeater.recording import RecordingError, open_recording
from twisted_repeater.service.recording import ServiceRecording, options, record_arguments

from ..peers import PeerCase


class OptionTests(SynchronousTestCase):
    """The value of ``--record``."""

    def test_arguments(self) -> None:
        """A file may have options, which are arguments of `record`."""
        self.assertEqual(record_arguments("traffic.db"), {"path": "traffic.db"})
        self.assertEqual(
            record_arguments(r"a\:b.db:max-size=2MiB:keep=0:when-slow=wait:max-waiting=1MiB:durable=yes"),
            {
                "path": "a:b.db",
                "max_size": 1 << 21,
                "keep": 0,
                "when_slow": "wait",
                "max_waiting": 1 << 20,
                "durable": True,
            },
        )
        options()  # only its signature matters

    def test_wrong(self) -> None:
        """What is wrong is named."""
        for text, why in (
            ("", "must have a file"),
            ("x:keep=many", "keep must be a whole number"),
            ("x:when-slow=cry", "when-slow must be leave-out or wait, not 'cry'"),
            ("x:size=1", "there is no option 'size'; the options are: max-size, keep, when-slow"),
            ("x:max-size=1KiB", "max-size must be at least 1048576, not 1024"),
        ):
            error = self.assertRaises(ValueError, record_arguments, text)
            self.assertIn(why, str(error))


class ServiceRecordingTests(PeerCase):
    """One repeater, and its recording."""

    async def test_life(self) -> None:
        """It can be ended and begun again, into the same file; it shows its numbers."""
        world = await self.world()
        metrics, path = MetricsObserver(), self.mktemp()
        recording = ServiceRecording({"path": path}, metrics, installed_reactor)
        self.assertEqual(recording.state(), {"runs": False})
        await recording.stop()
        recording.start(world.repeater)
        recording.start(world.repeater)
        self.assertIs(metrics.recording, recording.recorder)
        client, peer = await world.linked("ann")
        await world.still_relays(client, peer)
        stopped = recording.stop()
        self.assertRaises(RuntimeError, recording.start, world.repeater)
        await stopped
        state = recording.state()
        with open_recording(path) as opened:
            count = opened.count
        expected: dict[str, Any] = {"recorded": count, "left_out": 0, "waiting_bytes": 0, "age": 0.0, "suspended": ""}
        self.assertEqual(state, {"runs": False, "file": os.path.abspath(path), **expected})
        recording.start(world.repeater)
        await world.still_relays(client, peer)
        await recording.stop()
        with open_recording(path) as opened:
            self.assertGreater(opened.count, count)

    async def test_refused(self) -> None:
        """A file that cannot be recorded into is an error, and there is no recording."""
        world = await self.world()
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("no database" * 100)
        recording = ServiceRecording({"path": path}, MetricsObserver(), installed_reactor)
        self.assertRaises(RecordingError, recording.start, world.repeater)
        self.assertFalse(recording.runs)
