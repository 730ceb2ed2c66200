"""What pytest needs to know beyond its configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def directory_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run the tests away from the checkout, as trial does: ``mktemp`` makes its files in the current directory."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("tests"))
    yield
    os.chdir(before)
