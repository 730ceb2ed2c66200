"""Calls about the recording."""

from __future__ import annotations

import os

from .asking import AdminCase

RECORDING = "/repeaters/edge/recording"


class RecordingTests(AdminCase):
    """The recording that was configured."""

    async def test_recording(self) -> None:
        """It can be begun and ended, and shows how it goes."""
        path = self.mktemp()
        await self.start(record=path)
        self.assertEqual((await self.get(RECORDING))["runs"], False)
        started = (await self.ask("POST", f"{RECORDING}/start")).json
        self.assertEqual((started["runs"], os.path.basename(started["file"])), (True, os.path.basename(path)))
        self.assertEqual((await self.get(RECORDING))["runs"], True)
        recording = self.running.recording
        assert recording is not None
        self.assertEqual((await self.ask("POST", f"{RECORDING}/stop")).status, 200)
        await recording.stop()
        self.assertEqual((await self.get(RECORDING))["runs"], False)
        os.remove(path)
        os.mkdir(path)
        error = await self.fails(409, "POST", f"{RECORDING}/start")
        self.assertIn("must be a file, not a directory", error)

    async def test_none(self) -> None:
        """Without a file that was configured there is nothing to begin: a client cannot choose where to write."""
        await self.start()
        for method, path in (("GET", RECORDING), ("POST", f"{RECORDING}/start"), ("POST", f"{RECORDING}/stop")):
            self.assertIn("--record", await self.fails(404, method, path))
