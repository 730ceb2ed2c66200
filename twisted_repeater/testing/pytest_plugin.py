"""Fixtures for tests of filters in pytest. When a test fails, the transcripts of its repeaters are printed.

To use them, write ``pytest_plugins = ["twisted_repeater.testing.pytest_plugin"]`` in your ``conftest.py``.

The seeds of faults are drawn from that of the run. A test that fails with faults shows it: the option
``--repeater-seed`` runs the test with the same faults again.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import partial
from random import SystemRandom
from typing import Any, ParamSpec, TypeVar

import pytest
from twisted.internet.defer import Deferred, gatherResults

from . import Event, FilterHarness, MemoryRepeater, SocketRepeater, ThreadRepeater, Transcript

__all__ = ["filter_harness", "memory_repeater", "repeater_seed", "socket_repeater", "thread_repeater"]

P = ParamSpec("P")
T = TypeVar("T", FilterHarness, MemoryRepeater, ThreadRepeater)

TRANSCRIPTS = pytest.StashKey[list[Transcript]]()
SEED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the seed."""
    parser.getgroup("twisted_repeater").addoption(
        "--repeater-seed", type=int, metavar="N", help="draw the seeds of faults from N, which a failure has shown"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of the run."""
    given = config.getoption("--repeater-seed")
    config.stash[SEED] = SystemRandom().randrange(2**32) if given is None else given


@pytest.fixture
def repeater_seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of this run, for random choices of your own: ``--repeater-seed``, or a new one in each run."""
    request.node.stash[SEED] = request.config.stash[SEED]
    return request.config.stash[SEED]


@pytest.fixture
def filter_harness(request: pytest.FixtureRequest) -> Callable[..., FilterHarness]:
    """Return a function that makes a `FilterHarness`, with the same arguments."""

    return _noted(FilterHarness, request.node)


@pytest.fixture
def memory_repeater(request: pytest.FixtureRequest) -> Callable[..., MemoryRepeater]:
    """Return a function that makes a `MemoryRepeater`, with the same arguments."""

    return _noted(MemoryRepeater, request.node)


@pytest.fixture
def socket_repeater(request: pytest.FixtureRequest) -> Iterator[Callable[..., Deferred[SocketRepeater]]]:
    """Return `SocketRepeater.start`. The repeaters that it starts are closed after the test."""
    if not request.config.pluginmanager.has_plugin("twisted"):
        raise pytest.UsageError("socket_repeater needs pytest-twisted: install it, and do not give -p no:twisted")
    import pytest_twisted  # type: ignore[import-untyped]

    running: list[SocketRepeater] = []

    def keep(started: SocketRepeater) -> SocketRepeater:
        running.append(started)
        _transcripts(request.node).append(started.transcript)
        return started

    def keeping(start: Callable[P, Deferred[SocketRepeater]]) -> Callable[P, Deferred[SocketRepeater]]:
        return lambda *arguments, **options: start(*arguments, **options).addCallback(keep)

    yield keeping(partial(SocketRepeater.start, fault_seed=request.config.stash[SEED]))
    pytest_twisted.blockon(gatherResults([each.close() for each in running]))


@pytest.fixture
def thread_repeater(request: pytest.FixtureRequest) -> Iterator[Callable[..., ThreadRepeater]]:
    """Return a function that makes a `ThreadRepeater`, with the same arguments, which is closed after the test."""
    with ExitStack() as closing:
        make = _noted(ThreadRepeater, request.node)
        yield lambda *arguments, **options: closing.enter_context(make(*arguments, **options))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the transcripts of a test that fails, unless its error shows them, and the seed of its faults."""
    report = yield
    if report.failed:
        transcripts = item.stash.get(TRANSCRIPTS, [])
        if SEED in item.stash or any(entry.event is Event.FAULT for each in transcripts for entry in each):
            again = f"pytest --repeater-seed={item.config.stash[SEED]} {shlex.quote(item.nodeid)}"
            report.sections.append(("the same faults again", again))
        for transcript in transcripts:
            if not all(line.strip() in report.longreprtext for line in str(transcript).splitlines()):
                report.sections.append(("what happened at the repeater", str(transcript)))
    return report


def _noted(make: Callable[..., T], item: pytest.Item) -> Callable[..., T]:
    """Wrap the class of a harness or repeater so that a failure prints the transcripts of all that it makes."""

    def noted(*arguments: Any, **options: Any) -> T:
        made = make(*arguments, **{"fault_seed": item.config.stash[SEED]} | options)
        _transcripts(item).append(made.transcript)
        return made

    return noted


def _transcripts(item: pytest.Item) -> list[Transcript]:
    return item.stash.setdefault(TRANSCRIPTS, [])
