"""Plays a recording through filters, without a network, and compares what becomes of each message.

The repeater is the real one, on connections in memory. The clients and servers of the recording send again what was
recorded, in the recorded order. Time is that of the recording, for the repeater and for filters that got its clock.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import twisted.internet
from twisted.internet.task import Clock

from .._text import text_of
from ..dialects import Dialect
from ..recording.reader import Recording
from ..recording.records import RecordedLink, RecordedMessage
from ..service import option_values
from ..service.filter_modules import FilterModules
from ..service.loading import LoadingError, dialect_needed
from .filter_run import FilterRun, by_arrival
from .masks import Masks
from .options import FILTERS, masks_from
from .report import Report

__all__ = ["DAMAGED", "command", "play_link", "replay_through_filters"]

DAMAGED = "the recording is damaged: what can be read of it was played"

REACTOR = "twisted.internet.reactor"


def replay_through_filters(
    recording: Recording,
    dialect: Dialect,
    *,
    masks: Masks | None = None,
    max_differences: int = 100,
    clock: Clock | None = None,
    on_progress: Callable[[], object] = lambda: None,
    **options: Any,
) -> Report:
    """Play a recording through filters, and compare the verdicts with the recorded ones.

    A verdict is equal if the same bytes pass on and are sent back, and if it closes the link or does not, as recorded.
    The dialect's own filters work as on the links that were recorded. The state of a link is what your ``on_connect``
    returns, ``None`` without one. Messages that the application had sent by itself are not sent again.

    Args:
        recording: the recording.
        dialect: its dialect.
        masks: what may differ.
        max_differences: how many differences the report shows. The others are counted.
        clock: the clock of the recording. Give it to filters that need one.
        on_progress: called after each message.
        options: the filters, ``to_server_filter``, ``to_client_filter`` and ``filters``, and any other argument of
            `Repeater.start`.

    Returns:
        The report.

    Raises:
        TypeError: an option is wrong.
    """
    run = _run(recording, dialect, masks or Masks(), max_differences, clock or Clock(), options)
    _play(run, recording, on_progress)
    return run.end()


def _run(
    recording: Recording, dialect: Dialect, masks: Masks, max_differences: int, clock: Clock, options: dict[str, Any]
) -> FilterRun:
    name = recording.facts.get("repeater_name", "repeater")
    return FilterRun(recording.links(), dialect, masks, max_differences, clock, options, name)


def _play(run: FilterRun, recording: Recording, on_progress: Callable[[], object]) -> None:
    for message in by_arrival(recording.messages()):
        run.play(message)
        on_progress()
    if recording.damaged:
        run.findings.note(DAMAGED)


def play_link(
    link: RecordedLink,
    messages: Iterable[RecordedMessage],
    dialect: Dialect,
    *,
    masks: Masks | None = None,
    max_differences: int = 100,
    clock: Clock | None = None,
    **options: Any,
) -> Report:
    """Play one link of a recording through filters. See `replay_through_filters`.

    Args:
        link: the link.
        messages: its messages, in order.
        dialect: their dialect.
        masks: what may differ.
        max_differences: how many differences the report shows.
        clock: the clock of the recording.
        options: the filters, and any other argument of `Repeater.start`.
    """
    run = FilterRun(iter([link]), dialect, masks or Masks(), max_differences, clock or Clock(), options)
    for message in by_arrival(messages):
        run.play(message)
    return run.end()


def command(
    recording: Recording, dialect: Dialect, options: argparse.Namespace, on_progress: Callable[[], object]
) -> tuple[Report, bool]:
    """Obey the command line: play a recording through the filters that options name.

    Filters that use Twisted's global reactor as a clock get the clock of the recording. So nothing may have imported
    the reactor before.

    Returns:
        The report, and whether Ctrl-C has ended the replay before its end.

    Raises:
        LoadingError: a filter cannot be loaded, or is for another dialect.
        ValueError: an option is wrong.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    clock = Clock()
    with lent(clock):
        names = {name: getattr(options, name) for name in FILTERS if getattr(options, name)}
        filters = FilterModules(names, options.filter).filters
        _check_dialects(options.filter, dialect)
        filters["on_filter_error"] = option_values.on_filter_error(options.on_filter_error)
        try:
            run = _run(recording, dialect, masks_from(options), options.max_differences, clock, filters)
        except TypeError as error:  # a filter for another dialect
            raise LoadingError(text_of(error)) from error
        try:
            _play(run, recording, on_progress)
            return run.end(), False
        except KeyboardInterrupt:
            run.findings.note("the replay was interrupted")
            return run.report(), True


def _check_dialects(descriptions: Iterable[str], dialect: Dialect) -> None:
    """Check that no ready pair is for another dialect. They may notice that only when a link is made."""
    for description in descriptions:
        needed = dialect_needed(description)
        if needed not in (None, dialect.name):
            name = description.partition(":")[0]
            raise LoadingError(f"--filter {name} is for the dialect {needed}, not {dialect.name}")


@contextmanager
def lent(clock: Clock) -> Iterator[None]:
    """Let code that imports Twisted's global reactor get a clock."""
    package: Any = twisted.internet
    had = vars(package).get("reactor"), sys.modules.get(REACTOR)
    package.reactor = sys.modules[REACTOR] = clock  # type: ignore[assignment]
    try:
        yield
    finally:
        for namespace, name, before in ((vars(package), "reactor", had[0]), (sys.modules, REACTOR, had[1])):
            if before is None:
                del namespace[name]
            else:
                namespace[name] = before
