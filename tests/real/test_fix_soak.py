"""Orders through a repeater while it and both engines are cut off, killed and started again, in small."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .fix_soak import Soak

DEBIAN_PACKAGES = "g++ libquickfix-dev"


class SoakTests(SynchronousTestCase):
    """`Soak` and its judge."""

    def soak(self, **settings: Any) -> Soak:
        """Return a soak in a directory of its own."""
        directory = Path(tempfile.mkdtemp(prefix="soak-"))
        self.addCleanup(shutil.rmtree, directory)
        return Soak(directory, rate=700, **settings)

    def test_direct(self) -> None:
        """Two engines lose nothing without a repeater between them, and the judge notices what is missing or twice."""
        soak = self.soak(orders=500, seed=1, peace=0.3, direct=True)
        self.assertRegex(soak.run(), "^ok: 500 orders")
        for engine, kind in ((soak.acceptor, "got"), (soak.initiator, "got"), (soak.initiator, "sent")):
            at = next(at for at, line in enumerate(engine.lines) if line.kind == kind and line.type in "8D")
            line = engine.lines.pop(at)
            self.assertRaises(AssertionError, soak.verdict)
            engine.lines[at:at] = [line, line] if kind == "got" else [line]
            if kind == "got":
                self.assertRaises(AssertionError, soak.verdict)
                del engine.lines[at]
        self.assertRegex(soak.verdict(), "^ok: 500 orders")

    def test_repeater(self) -> None:
        """Nothing is lost, doubled or left out of step by a repeater that refuses, drops, changes and adds."""
        self.assertRegex(self.soak(orders=2000, seed=2, peace=0.5).run(), "^ok: 2000 orders")
