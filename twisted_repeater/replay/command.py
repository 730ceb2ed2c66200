"""``python -m twisted_repeater replay``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from contextlib import contextmanager

from twisted.internet.defer import CancelledError, Deferred
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
from .comparison import Comparison
from .options import add_options, comparison_of, filters_named, write_report
from .pace import Pace
from .report import Report
from .through_filters import command as replay_through_filters

__all__ = ["main", "make_parser"]

PROGRAM = "python -m twisted_repeater replay"

FAILED = 2
"""The exit status if the replay could not be done."""

INTERRUPTED = 128 + 2
"""The exit status after Ctrl-C: what shells have for SIGINT."""

REFRESH = 0.5
"""Seconds between two looks at the progress while nothing is played."""


class CannotReplay(Exception):
    """The replay cannot be done. The message says why, in one line."""


def main(arguments: list[str]) -> int:
    """Replay a recording.

    Args:
        arguments: what follows the name of the command.

    Returns:
        The exit status: 0 if there is no difference, 1 if there are some, 2 if the replay could not be done.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    if (options.server is None) is not filters_named(options):
        parser.error("give either --server or filters")
    try:
        with open_recording(options.file) as recording:
            dialect = dialect_of(recording) if options.dialect is None else load_dialect(options.dialect)
            if filters_named(options):
                with _progress(recording) as progress:
                    return replay_through_filters(recording, dialect, options, progress.step)
            return _against_server(recording, dialect, options)
    except (RecordingError, LoadingError, ImportError, ValueError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{PROGRAM}: {error.filename}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    return FAILED
