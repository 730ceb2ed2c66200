"""Files that a test writes."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

__all__ = ["written"]


def written(case: SynchronousTestCase, data: bytes, mode: int = 0o600) -> str:
    """Write a file in the directory of a test; return its path."""
    path: str = case.mktemp()
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path
