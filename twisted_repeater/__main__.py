"""``python -m twisted_repeater --version`` shows the version, and whether the hot path runs compiled."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from . import selectors
from ._lane import judge, lane, output, reader
from .dialects.fix import of_type, scan, tracking
from .dialects.redis import by_name
from .framings import async_extra, base, delimited, fix, length, resp, varint

__all__ = ["HOT_PATH", "how_it_runs", "main", "version_of"]

HOT_PATH: tuple[ModuleType, ...] = (
    base,
    length,
    varint,
    delimited,
    resp,
    fix,
    async_extra,
    selectors,
    by_name,
    of_type,
    tracking,
    scan,
    output,
    reader,
    judge,
    lane,
)
"""The modules that are compiled where a compiler was found."""


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


def main(arguments: list[str] | None = None) -> None:
    """Obey the command line."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    parser = argparse.ArgumentParser(
        prog="python -m twisted_repeater",
        description="To run a repeater: twistd -n repeater --help",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"twisted_repeater {version_of('twisted_repeater')}, hot path {how_it_runs()}; "
        f"Twisted {version_of('twisted')}, {python}",
    )
    parser.parse_args(arguments)
    parser.print_help()


if __name__ == "__main__":
    main()
