"""A fleet of three nodes behind HAProxy, whose nodes and engine are killed, frozen, filled and cut off, in small.

``python -m tests.redis_fleet.chaos`` does the same for longer, with more clients.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from ..redis_fleet.chaos.run import Chaos
from ..redis_fleet.chaos.world import Settings

DEBIAN_PACKAGES = "haproxy redis-server"


class ChaosTests(TestCase):
    """`Chaos` and its judge."""

    timeout = 240.0

    def chaos(self, *, seconds: float, peace: float = 1.5, **settings: Any) -> Chaos:
        """Return a chaos in a directory of its own."""
        directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.addCleanup(shutil.rmtree, directory)
        settings = {"clients": 60, "rivals": 20, "pace": 0.3, "patience": 90.0} | settings
        return Chaos(Settings(directory=directory, **settings), seconds=seconds, peace=peace)

    async def test_without_a_fleet(self) -> None:
        """The judge notices that nodes which are no fleet link a name twice, and relay for both."""
        chaos = self.chaos(seconds=1.0, fleet=False, patience=10.0)
        with self.assertRaisesRegex(
            AssertionError, re.compile("^doubled at .* was linked twice", re.MULTILINE)
        ) as told:
            await chaos.run()
        self.assertRegex(str(told.exception), re.compile("^relayed at ", re.MULTILINE))

    async def test_close(self) -> None:
        """With ``close`` no name is ever linked twice, and all names are free at the end."""
        self.assertRegex(await self.chaos(seconds=8.0, policy="close", seed=1).run(), "^ok: ")

    async def test_keep(self) -> None:
        """With ``keep`` names that were linked twice without the engine are linked once when it is back."""
        chaos = self.chaos(seconds=8.0, policy="keep", newcomers="alone", same_name="replace", seed=2)
        self.assertRegex(await chaos.run(), "^ok: ")
