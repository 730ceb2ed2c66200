"""What is missing for a test is said, and is a failure in continuous integration."""

from __future__ import annotations

import os
from unittest import SkipTest, mock

from twisted.trial.unittest import SynchronousTestCase

from .needed import needed


class NeededTests(SynchronousTestCase):
    """`needed`."""

    def test_there(self) -> None:
        """A program that is installed is found, also where only root looks for programs."""
        self.assertTrue(os.access(needed("sh", "dash"), os.X_OK))
        with mock.patch("tests.needed.PLACES", "/nowhere:/usr/sbin:/bin"):
            self.assertEqual(os.path.basename(needed("sh", "dash")), "sh")

    def test_missing(self) -> None:
        """A test that needs a missing program is skipped, and the reason names the package."""
        with mock.patch.dict(os.environ), self.assertRaises(SkipTest) as caught:
            os.environ.pop("CI", None)
            needed("no-such-program", "its-package")
        self.assertEqual(str(caught.exception), "no-such-program is missing: apt-get install its-package")

    def test_missing_in_ci(self) -> None:
        """In continuous integration nothing may be missing: the test fails."""
        with mock.patch.dict(os.environ, CI="true"), self.assertRaises(AssertionError):
            needed("no-such-program", "its-package")
