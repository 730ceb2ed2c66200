"""``python -m twisted_repeater replay``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from .._progress import Progress
from .._sockets.descriptors import raise_soft_limit
from .._types import Reactor
from ..dialects import Dialect
from ..model import Side
from ..recording import Recording, RecordingError, open_recording
from ..service import option_values
from ..service.loading import LoadingError, load_dialect
from .against_server import dialect_of, replay
from .options import add_options, check_played, comparison_of, filters_named, write_report
from .pace import Pace
from .report import Report
from .through_filters import command as replay_through_filters

__all__ = ["main", "make_parser"]

PROGRAM = "python -m twisted_repeater replay"

FAILED = 2
"""The exit status if the replay could not be done."""

INTERRUPTED = 128 + 2
"""The exit status after Ctrl-C: what shells have for SIGINT."""

SERVER_OPTIONS = ("leg", "speed", "links_apart", "max_pause", "timeout", "max_clients", "client")
"""The options that filters have no use for."""

REFRESH = 0.5
"""Seconds between two looks at the progress while nothing is played."""


def main(arguments: list[str]) -> int:
    """Replay a recording.

    Args:
        arguments: what follows the name of the command.

    Returns:
        The exit status: 0 if there is no difference, 1 if there are some, 2 if the replay could not be done.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    through_filters = filters_named(options)
    _check_options(parser, options, through_filters)
    try:
        with open_recording(options.file) as recording:
            dialect = dialect_of(recording) if options.dialect is None else load_dialect(options.dialect)
            with Progress("played", "messages", recording.count) as progress:
                if through_filters:
                    report, interrupted = replay_through_filters(recording, dialect, options, progress.step)
                else:
                    report, interrupted = _against_server(recording, dialect, options, progress)
        if not interrupted:
            check_played(report)
        status = write_report(report, options)
        return INTERRUPTED if interrupted else status
    except (RecordingError, LoadingError, ImportError, ValueError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{PROGRAM}: {error.filename}: {error.strerror}", file=sys.stderr)
    return FAILED


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Play a recording, and report what is different: against a server, which must answer as the "
        "recorded one did, or through filters, which must decide as recorded.",
        epilog="The exit status is 0 if there is no difference, 1 if there are some, 2 if the replay failed.",
    )
    parser.add_argument("file", metavar="FILE", help="The recording.")
    parser.add_argument(
        "--dialect", metavar="NAME", help="The dialect of the recording. [default: as the recording says]"
    )
    group = parser.add_argument_group("against a server")
    _add_server(group)
    _add_pace(group)
    add_options(parser)
    return parser


def _add_server(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--server", metavar="ENDPOINT", help="Where to connect to, such as tcp:localhost:6379.")
    group.add_argument(
        "--leg",
        choices=[side.value for side in Side],
        default=Side.SERVER.value,
        help="Send what the repeater sent to the server, or what the clients sent: for a server that is a repeater. "
        "[default: server]",
    )
    group.add_argument(
        "--client",
        action="append",
        default=[],
        metavar="PATTERN",
        help="Play only clients with such names. May be given more than once.",
    )


def _add_pace(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="N",
        help="How many times faster than recorded; max for as fast as answers come. [default: 1]",
    )
    group.add_argument(
        "--links-apart",
        action="store_true",
        help="Let a request wait only for the answers before it on its own link. Without this it waits for those on "
        "all links, so that the server gets requests in the recorded order.",
    )
    group.add_argument("--max-pause", type=_seconds, metavar="SECONDS", help="Let no pause be longer than this.")
    group.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="How much longer than recorded an answer may take. [default: 10]",
    )
    group.add_argument(
        "--max-clients",
        type=int,
        metavar="N",
        help="How many links may be open at once; others are not played, and reported. [default: as many as file "
        "descriptors allow]",
    )


def _check_options(parser: argparse.ArgumentParser, options: argparse.Namespace, through_filters: bool) -> None:
    """End the process if options do not belong together."""
    if through_filters is (options.server is not None):
        parser.error("give either --server, or filters")
    for name in SERVER_OPTIONS if through_filters else ("on_filter_error",):
        if getattr(options, name) != parser.get_default(name):
            unused, used = ("--server", "filters") if through_filters else ("filters", "--server")
            parser.error(f"--{name.replace('_', '-')} is for a replay with {unused}, not with {used}")


def _speed(text: str) -> float:
    """Read a speed."""
    if text == "max":
        return math.inf
    return _seconds(text)


def _seconds(text: str) -> float:
    """Read a number above 0."""
    try:
        number = option_values.seconds(text)
    except ValueError:
        number = 0.0
    if number <= 0:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number


def _against_server(
    recording: Recording, dialect: Dialect, options: argparse.Namespace, progress: Progress
) -> tuple[Report, bool]:
    """Play a recording against a server. Return the report, and whether Ctrl-C has ended the replay before its end."""
    pace = Pace(
        speed=options.speed,
        links_apart=options.links_apart,
        max_pause=options.max_pause,
        timeout=options.timeout,
        max_clients=options.max_clients,
    )
    comparison = comparison_of(options, dialect)
    of_client = option_values.name_filter(options.client)
    reactor = _reactor()
    try:
        option_values.server(reactor, options.server)
    except ValueError as error:
        raise ValueError(f"--server: {error}") from error
    raise_soft_limit(reactor)

    def begin() -> Deferred[Report]:
        return replay(
            recording,
            options.server,
            dialect=dialect,
            comparison=comparison,
            leg=Side(options.leg),
            pace=pace,
            chosen=lambda link: of_client(link.client_name),
            read=progress.step,
            reactor=reactor,
        )

    report = _run(reactor, begin, progress)
    if report is not None:
        return report, False
    comparison.note("the replay was interrupted: links that were open then lack answers")
    return comparison.report(), True


def _reactor() -> Reactor:
    from twisted.internet import reactor

    return reactor


def _run(reactor: Reactor, begin: Callable[[], Deferred[Report]], progress: Progress) -> Report | None:
    """Run the reactor until the replay ends.

    Returns:
        The report, ``None`` if Ctrl-C has ended the reactor before.
    """
    reports: list[Report] = []
    failures: list[Failure] = []
    interrupted = False

    def start() -> None:
        refreshing = LoopingCall(progress.step, 0)  # while nothing is played
        refreshing.clock = reactor
        refreshing.start(REFRESH)
        playing = maybeDeferred(begin)
        done = playing.addCallbacks(reports.append, failures.append).addBoth(lambda _: refreshing.stop())
        trigger = reactor.addSystemEventTrigger("before", "shutdown", lambda: interrupt(playing, done))
        done.addCallback(lambda _: end(trigger))

    def interrupt(playing: Deferred[Report], done: Deferred[None]) -> Deferred[None]:
        nonlocal interrupted
        interrupted = True
        playing.cancel()
        return done

    def end(trigger: object) -> None:
        if not interrupted:
            reactor.removeSystemEventTrigger(trigger)
            reactor.stop()

    reactor.callWhenRunning(start)
    reactor.run()
    for failure in failures:
        if not failure.check(CancelledError):
            failure.raiseException()
    return reports[0] if reports else None
