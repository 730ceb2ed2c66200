"""Fixtures of pytest for testing filters; the transcripts of a test that fails are printed with it.

A project asks for them in its ``conftest.py``: ``pytest_plugins = ["twisted_repeater.testing.pytest_plugin"]``. Nobody
else is burdened with them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from . import FilterHarness, MemoryRepeater, SocketRepeater, Transcript

__all__ = ["filter_harness", "memory_repeater", "socket_repeater"]

TRANSCRIPTS = pytest.StashKey[list[Transcript]]()


@pytest.fixture
def filter_harness(request: pytest.FixtureRequest) -> Callable[..., FilterHarness]:
    """Make a `FilterHarness`: call it with the arguments of that."""

    def make(*arguments: Any, **options: Any) -> FilterHarness:
        harness = FilterHarness(*arguments, **options)
        _transcripts(request.node).append(harness.transcript)
        return harness

    return make


@pytest.fixture
def memory_repeater(request: pytest.FixtureRequest) -> Callable[..., MemoryRepeater]:
    """Make a `MemoryRepeater`: call it with the arguments of that."""

    def make(*arguments: Any, **options: Any) -> MemoryRepeater:
        running = MemoryRepeater(*arguments, **options)
        _transcripts(request.node).append(running.transcript)
        return running

    return make


@pytest.fixture
def socket_repeater(request: pytest.FixtureRequest) -> Iterator[Callable[..., Deferred[SocketRepeater]]]:
    """Start a `SocketRepeater`: call it with the arguments of `SocketRepeater.start`. It is closed after the test."""
    if not request.config.pluginmanager.has_plugin("twisted"):
        raise pytest.UsageError("the fixture socket_repeater needs pytest-twisted: install it, without -p no:twisted")
    import pytest_twisted  # type: ignore[import-untyped]

    running: list[SocketRepeater] = []

    def keep(started: SocketRepeater) -> SocketRepeater:
        running.append(started)
        _transcripts(request.node).append(started.transcript)
        return started

    def start(*arguments: Any, **options: Any) -> Deferred[SocketRepeater]:
        return SocketRepeater.start(*arguments, **options).addCallback(keep)

    yield start
    pytest_twisted.blockon(gatherResults([each.close() for each in running]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the transcripts of a test that fails, where its error doesn't show them."""
    report = yield
    if report.failed:
        for transcript in item.stash.get(TRANSCRIPTS, []):
            if not all(line.strip() in report.longreprtext for line in str(transcript).splitlines()):
                report.sections.append(("what happened at the repeater", str(transcript)))
    return report


def _transcripts(item: pytest.Item) -> list[Transcript]:
    return item.stash.setdefault(TRANSCRIPTS, [])
