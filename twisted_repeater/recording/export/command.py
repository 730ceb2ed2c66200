"""``python -m twisted_repeater export``."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..._progress import Progress
from ...model import Direction, Side
from ...service.loading import LoadingError, load_dialect
from ..reader import Recording, open_recording
from ..records import RecordingError
from .choice import Choice
from .decoding import Decoder
from .jsonl import EPOCH, write_jsonl
from .pcapng import load_dpkt, write_pcapng
from .timeline import timeline

__all__ = ["main"]

PROGRAM = "python -m twisted_repeater export"

DIRECTIONS = {"to-server": Direction.TO_SERVER, "to-client": Direction.TO_CLIENT}

FAILED = 2
"""The exit status if nothing, or not all, could be done."""

CLOSED_PIPE = 128 + 13
"""The exit status if nobody reads the output any more: what shells have for SIGPIPE."""

INTERRUPTED = 128 + 2
"""The exit status after Ctrl-C: what shells have for SIGINT."""


class CannotExport(Exception):
    """The export cannot be done. The message says why, in one line."""


def main(arguments: list[str]) -> int:
    """Export a recording.

    Args:
        arguments: what follows the name of the command.

    Returns:
        The exit status.
    """
    options = make_parser().parse_args(arguments)
    options.format = options.format or ("pcapng" if Path(options.output or "").suffix == ".pcapng" else "jsonl")
    try:
        return _export(options)
    except (CannotExport, LoadingError, RecordingError, ImportError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
    except BrokenPipeError:
        # Python would flush standard output once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except OSError as error:
        print(f"{PROGRAM}: {error.filename or options.output or 'the output'}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    return FAILED


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Write a recording as JSON lines, or as a capture for Wireshark. A repeater may be writing it.",
        epilog="A time is such as 2026-11-26T14:30 (local) or 2026-11-26T13:30Z.",
    )
    parser.add_argument("file", metavar="FILE", help="The recording.")
    parser.add_argument(
        "--format",
        choices=["jsonl", "pcapng"],
        help="JSON lines, or a capture. [default: jsonl, but pcapng if the name of the output ends with .pcapng]",
    )
    parser.add_argument("--output", "-o", metavar="FILE", help="The file to write. [default: the standard output]")
    parser.add_argument("--force", action="store_true", help="Overwrite the file of --output.")
    parser.add_argument(
        "--leg",
        choices=[side.value for side in Side],
        help="For pcapng: the connections of the clients, or those of the server. [default: client]",
    )
    parser.add_argument(
        "--dialect", metavar="NAME", help="For jsonl: how to decode messages. [default: as the recording says]"
    )
    more = "May be given more than once."
    parser.add_argument(
        "--client", metavar="PATTERN", action="append", default=[], help=f"Only clients with such names. {more}"
    )
    parser.add_argument(
        "--link", metavar="NUMBER", type=int, action="append", default=[], help=f"Only this link. {more}"
    )
    parser.add_argument("--since", metavar="TIME", type=_time, help="Only messages from this time on.")
    parser.add_argument("--until", metavar="TIME", type=_time, help="Only messages up to this time.")
    parser.add_argument("--direction", choices=DIRECTIONS, help="For jsonl: only messages of this direction.")
    return parser


def _export(options: argparse.Namespace) -> int:
    _check(options)
    choice = Choice(
        links=options.link,
        clients=options.client,
        since=options.since,
        until=options.until,
        direction=DIRECTIONS.get(options.direction),
    )
    with open_recording(options.file) as recording:
        facts = recording.facts
        if options.format == "pcapng":
            load_dpkt()
            write = partial(write_pcapng, leg=Side(options.leg or "client"), since=options.since)
        else:
            write = partial(write_jsonl, decoder=_decoder(options.dialect, facts.get("dialect", "")))
        with _output(options) as file, _progress(recording, options) as progress:
            write(timeline(recording, choice, progress.step), file, facts=facts)
        if recording.damaged:
            raise CannotExport(f"{options.file} is damaged: what can be read of it was written")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Raise `CannotExport` if options do not fit together."""
    for name, of in (("leg", "pcapng"), ("dialect", "jsonl"), ("direction", "jsonl")):
        if getattr(options, name) is not None and options.format != of:
            raise CannotExport(f"--{name} is for --format {of}, not {options.format}")
    if options.output is not None and Path(options.output).exists() and Path(options.output).samefile(options.file):
        raise CannotExport(f"--output must be another file than the recording, not {options.output}")
    if options.output is None and options.format == "pcapng" and sys.stdout.isatty():
        raise CannotExport("a capture is no text for a terminal: name a file with --output, or a program with |")


def _decoder(asked: str | None, recorded: str) -> Decoder | None:
    """Return the decoder of the dialect that was asked for, else of the one that was recorded if that can be loaded."""
    if asked is not None:
        return Decoder(load_dialect(asked))
    if not recorded:
        return None
    try:
        return Decoder(load_dialect(recorded))
    except LoadingError as error:
        print(f"{PROGRAM}: messages are not decoded: {error}", file=sys.stderr)
        return None


@contextmanager
def _output(options: argparse.Namespace) -> Iterator[BinaryIO]:
    """Open the output. Only its owner can read the file: a recording may have passwords."""
    if options.output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if options.force else os.O_EXCL)
    try:
        descriptor = os.open(options.output, flags, 0o600)
    except FileExistsError:
        raise CannotExport(f"{options.output} exists: --force overwrites it") from None
    with open(descriptor, "wb") as file:
        yield file


def _progress(recording: Recording, options: argparse.Namespace) -> Progress:
    """Return the progress. It is shown if the output is a file: otherwise both might be on one terminal."""
    is_file = options.output is not None or stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    return Progress("exported", "messages", recording.count, shows=is_file)


def _time(text: str) -> int:
    """Return a time of the command line in microseconds since 1970."""
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise argparse.ArgumentTypeError(f"a time must be such as 2026-11-26T14:30, not {text!r}") from None
    return (moment - EPOCH) // timedelta(microseconds=1)
