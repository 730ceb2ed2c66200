"""Plays a recording against a server: the function `replay`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from .._sockets.descriptors import open_now, usable
from .._sockets.endpoints import dialler
from .._types import Reactor
from ..dialects import Dialect
from ..framings.base import Framings
from ..model import Limits, Side
from ..recording import RecordedLink, Recording
from ..service.loading import LoadingError, load_dialect
from .comparison import Comparison
from .events import Script
from .pace import Pace
from .played_link import PlayedLink
from .player import Player
from .report import Report
from .through_filters import DAMAGED

__all__ = ["dialect_of", "replay"]

RESERVE = 32
"""How many file descriptors are left for the rest of the process."""


def replay(
    recording: Recording,
    server: str | IStreamClientEndpoint,
    *,
    dialect: Dialect | None = None,
    comparison: Comparison | None = None,
    leg: Side = Side.SERVER,
    pace: Pace | None = None,
    chosen: Callable[[RecordedLink], bool] = lambda link: True,
    read: Callable[[], object] = lambda: None,
    reactor: Reactor = None,
) -> Deferred[Report]:
    """Play the clients of a recording against a server, and compare its answers with the recorded ones.

    Each link is a connection of its own. For example, against a server on this machine::

        with open_recording("traffic.db") as recording:
            report = await replay(recording, "tcp:localhost:6379", pace=Pace(speed=math.inf))
        print(report.text())

    Args:
        recording: the recording. It must stay open until the Deferred fires.
        server: where to connect to: an endpoint, or its description.
        dialect: the dialect of the recording; by default the one that it was recorded with.
        comparison: says how answers are compared; by default, without masks.
        leg: which connection of each link is played. With ``Side.SERVER`` the server gets what the repeater sent to the
            recorded server. With ``Side.CLIENT`` it gets what the clients sent: for a server that is a repeater with
            the same filters.
        pace: how fast, and in which order; by default as fast as it was recorded.
        chosen: returns whether a link is played.
        read: called for each message of the recording when its turn has come, to show the progress.
        reactor: the global one by default.

    Returns:
        A Deferred of the report. A server that cannot be reached, or breaks off, is a difference in that. If you cancel
        the Deferred, all connections are closed.

    Raises:
        ValueError: the endpoint cannot be used, or the recording does not say its dialect.
        ImportError: the dialect needs an extra that is not installed.
    """
    if reactor is None:
        from twisted.internet import reactor
    pace = pace or Pace()
    dialect = dialect or dialect_of(recording)
    comparison = comparison or Comparison(dialect)
    limits = Limits() if dialect.max_frame is None else Limits(max_frame=dialect.max_frame)

    def framings() -> Framings:
        return dialect.framings(limits)

    player = Player(
        dial=dialler(reactor, pace.timeout, _itself, server, None, None),
        conversation=comparison.conversation,
        framings=framings,
        pace=pace,
        max_clients=pace.max_clients or _most_clients(reactor),
        clock=reactor,
    )
    return Deferred.fromCoroutine(_replay(player, Script(recording, leg, chosen=chosen, read=read), comparison))


async def _replay(player: Player, script: Script, comparison: Comparison) -> Report:
    began = time.monotonic()
    await player.play(script.events())
    facts: dict[str, float | str] = {"seconds": time.monotonic() - began}
    if player.late >= 1:
        facts["seconds_late"] = player.late
    if script.left_out:
        facts["links_left_out"] = script.left_out
    if script.damaged:
        comparison.note(DAMAGED)
    return comparison.report(**facts)


def dialect_of(recording: Recording) -> Dialect:
    """Return the dialect that a recording was made with.

    Raises:
        ValueError: the recording does not say it, or it cannot be loaded here.
    """
    description = recording.facts.get("dialect", "")
    if not description:
        raise ValueError("the recording does not say its dialect: give --dialect, or dialect= in a program")
    try:
        return load_dialect(description)
    except LoadingError as error:
        raise ValueError(f"the dialect of the recording, {description!r}, cannot be used: {error}") from error


def _itself(link: PlayedLink) -> PlayedLink:
    return link


def _most_clients(reactor: Reactor) -> int:
    """Return for how many connections there are file descriptors."""
    free = usable(reactor) - open_now() - RESERVE
    return 1_000_000 if free == math.inf else max(int(free), 1)
