"""The options of ``replay`` that say what is compared, what is reported, and through which filters."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..dialects import Dialect
from .comparison import Comparison
from .masks import Masks, masks_of
from .report import Report

__all__ = ["add_options", "check_played", "comparison_of", "filters_named", "write_report"]

FILTERS = ("to_server_filter", "to_client_filter")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    _add_comparison(parser.add_argument_group("what is compared"))
    _add_report(parser.add_argument_group("the report"))
    _add_filters(parser.add_argument_group("through filters, without a network"))


def _add_comparison(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="REGEX",
        help="Do not compare what this regular expression of Python matches in a message, or only its groups if it has "
        "some. A group with a name, (?P<session>...), is a token: later requests that have the recorded one are sent "
        "with the one of the replay. May be given more than once.",
    )
    group.add_argument(
        "--mask-field",
        action="append",
        default=[],
        metavar="NAME",
        help="Do not compare fields of this name, wherever they are in a decoded message or in JSON.",
    )
    group.add_argument(
        "--token-field",
        action="append",
        default=[],
        metavar="NAME",
        help="The same, and the field is a token.",
    )
    group.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="REGEX",
        help="Do not compare messages that have a match.",
    )
    group.add_argument(
        "--unasked",
        action="append",
        default=[],
        metavar="REGEX",
        help="Messages that have a match come without a request, and may change places with answers.",
    )


def _add_report(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--report", choices=("text", "json"), default="text", help="Its form. [default: text]")
    group.add_argument("--output", metavar="FILE", help="The file to write it to. [default: the standard output]")
    group.add_argument(
        "--max-differences",
        type=int,
        default=100,
        metavar="N",
        help="How many differences it shows; the others are counted. [default: 100]",
    )


def _add_filters(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--to-server-filter", metavar="NAME", help="As for twistd repeater: package.module:name.")
    group.add_argument("--to-client-filter", metavar="NAME", help="As for twistd repeater.")
    group.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="FILTER",
        help="A pair of filters, as for twistd repeater. May be given more than once.",
    )
    group.add_argument(
        "--on-filter-error", metavar="POLICY", default="stop", help="stop, pass-on, drop or close. [default: stop]"
    )


def filters_named(options: argparse.Namespace) -> bool:
    """Return whether the options name filters, through which the recording is to be replayed."""
    return bool(options.filter) or any(getattr(options, name) for name in FILTERS)


def masks_from(options: argparse.Namespace) -> Masks:
    """Return the masks that the options describe.

    Raises:
        ValueError: one is wrong.
    """
    return masks_of(
        patterns=options.mask,
        fields=options.mask_field,
        token_fields=options.token_field,
        ignored=options.ignore,
        unasked=options.unasked,
    )


def comparison_of(options: argparse.Namespace, dialect: Dialect) -> Comparison:
    """Return the comparison that the options describe.

    Raises:
        ValueError: an option is wrong.
    """
    if options.max_differences < 0:
        raise ValueError(f"--max-differences must be at least 0, not {options.max_differences}")
    return Comparison(dialect, masks=masks_from(options), max_differences=options.max_differences)


def check_played(report: Report) -> None:
    """Raise ``ValueError`` if nothing was played: a test must not pass because a name was misspelt."""
    if not report.findings.links:
        raise ValueError("the recording must have a link to play, and of such a client if you give --client")


def write_report(report: Report, options: argparse.Namespace) -> int:
    """Write a report to where the options say.

    Returns:
        The exit status: 0 if there is no difference, else 1.

    Raises:
        OSError: it cannot be written.
    """
    text = f"{report.json()}\n" if options.report == "json" else report.text()
    if options.output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        Path(options.output).write_text(text, encoding="utf-8")
    return 0 if report.same else 1
