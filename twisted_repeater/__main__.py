"""``python -m twisted_repeater``: the version, and the commands that work on running repeaters and on recordings."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from . import _watched, selectors, verdicts
from ._lane import account, judge, lane, output, reader
from ._link import encoder
from .codecs.bin_prot import _basics, _compounds, _numbers, _record, _variant, _wire
from .dialects.fix import of_type, scan, tracking
from .dialects.hl7 import by_message_type, header
from .dialects.lines import perhaps
from .dialects.postgres import rows
from .dialects.redis import by_name, plain_values
from .filters import _one_by_one
from .framings import async_extra, base, delimited, fix, length, resp, varint

__all__ = ["COMMANDS", "HOT_PATH", "how_it_runs", "main", "version_of"]

HOT_PATH: tuple[ModuleType, ...] = (
    base,
    length,
    varint,
    delimited,
    resp,
    fix,
    async_extra,
    _wire,
    _numbers,
    _basics,
    _compounds,
    _record,
    _variant,
    selectors,
    perhaps,
    rows,
    plain_values,
    by_name,
    by_message_type,
    header,
    of_type,
    tracking,
    scan,
    verdicts,
    _one_by_one,
    output,
    reader,
    _watched,
    account,
    judge,
    lane,
    encoder,
)
"""The modules that are compiled where a compiler was found."""

COMMANDS: dict[str, tuple[str, str]] = {
    "ctl": ("ctl.command", "see and control repeaters that run, by their administration"),
    "export": ("recording.export.command", "write a recording as JSON lines, or as a capture for Wireshark"),
    "replay": ("replay.command", "play a recording against a server, or through filters"),
}
"""The commands: the module in this package whose function ``main(arguments) -> int`` obeys it, and what it is for."""


def how_it_runs(modules: Iterable[ModuleType] = HOT_PATH) -> str:
    """Return whether these modules run compiled, and by which compiler, or interpreted."""
    modules = list(modules)
    interpreted = [module.__name__ for module in modules if str(module.__file__).endswith(".py")]
    if len(interpreted) == len(modules):
        return "interpreted"
    # The functions of a compiled module are of a type that lives in a module named after its compiler, "_cython_3_1_2".
    compiler, *release = type(base.framing_of).__module__.strip("_").split("_")
    by = f"compiled by {compiler.capitalize()} {'.'.join(release)}"
    return f"{by}, but for {', '.join(interpreted)}" if interpreted else by


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"


def main(arguments: list[str] | None = None) -> int:
    """Obey the command line.

    Args:
        arguments: what follows the name of the program. By default, `sys.argv` is read.

    Returns:
        The exit status.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _make_parser()
    if not arguments:
        parser.print_help()
        return 0
    # Only the name of the command is for this parser: its options, --help too, are for the command.
    module, _ = COMMANDS[parser.parse_args(arguments[:1]).command]
    status: int = import_module(f"{__package__}.{module}").main(arguments[1:])
    return status


def _make_parser() -> argparse.ArgumentParser:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {purpose}" for name, (_, purpose) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m twisted_repeater",
        usage="%(prog)s [-h] [--version] COMMAND ...",
        description=f"commands:\n{commands}\n\n"
        "The options of a command: python -m twisted_repeater COMMAND --help\n"
        "To run a repeater: twistd -n repeater --help",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument(
        "--version",
        action="version",
        version=f"twisted_repeater {version_of('twisted_repeater')}, hot path {how_it_runs()}; "
        f"Twisted {version_of('twisted')}, {python}",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
