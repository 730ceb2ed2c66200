"""What tests need besides Python. Where it is missing they are skipped, but in continuous integration they fail."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn
from unittest import SkipTest

__all__ = ["cannot_test", "needed"]

PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
"""Where programs are. Debian has servers where only root looks for programs."""


def cannot_test(reason: str) -> NoReturn:
    """Skip the test that calls this. In continuous integration, where everything must be there, the test fails."""
    if os.environ.get("CI"):
        raise AssertionError(reason)
    raise SkipTest(reason)


def needed(program: str, package: str) -> str:
    """Return the path of a program. If it is missing, the test cannot be done here.

    Args:
        program: its name.
        package: the package of Debian that has it; a test module lists all of its own in ``DEBIAN_PACKAGES``.
    """
    path = shutil.which(program, path=PLACES)
    if path is None:
        cannot_test(f"{program} is missing: apt-get install {package}")
    return path
