"""Writes the tables of ready filters and faults into the reference: ``python -m tests.ready_pages``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from twisted_repeater.faults import Fault
from twisted_repeater.model import Direction
from twisted_repeater.service.descriptions import options_of, positional_of
from twisted_repeater.service.ready_faults import READY_FAULTS
from twisted_repeater.service.ready_filters import DIALECTS, READY_FILTERS, READY_FOR_ONE_WAY

from .paths import DOCS

__all__ = ["PAGES", "written"]

BETWEEN = re.compile(r"(<!-- ready -->\n).*?(\n<!-- end of ready -->)", re.DOTALL)

KINDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "`yes` or `no`",
    str: "a text",
    tuple[str, ...]: "a list",
    Direction: "`to-server`, `to-client` or `both`",
}

OF_EACH = options_of(Fault)


def written(text: str, rows: Iterable[str]) -> str:
    """Return a page with its table made anew."""
    return BETWEEN.sub(lambda found: found[1] + "\n" + "\n".join(rows) + "\n" + found[2], text)


def filters() -> list[str]:
    """Return the table of the filters."""
    rows = ["| filter | dialect | one direction | without a name | other options |", "|---|---|---|---|---|"]
    for name, maker in READY_FILTERS.items():
        one = "yes" if name in READY_FOR_ONE_WAY else "no"
        dialect = f"`{DIALECTS[name]}`" if name in DIALECTS else "any"
        rows.append(f"| `{name}` | {dialect} | {one} | {columns(maker, options_of(maker))} |")
    return rows


def faults() -> list[str]:
    """Return the table of the faults, without the options that all have."""
    rows = ["| fault | without a name | other options |", "|---|---|---|"]
    for name, maker in READY_FAULTS.items():
        places = positional_of(maker)
        own = [option for option in options_of(maker) if option in places or option not in OF_EACH]
        rows.append(f"| `{name}` | {columns(maker, own)} |")
    everywhere = "; ".join([*texts(Fault, OF_EACH), "`name`: a text", "`lasts`: a number of seconds"])
    return [*rows, f"| each of them | | {everywhere} |"]


def columns(maker: Callable[..., Any], names: Iterable[str]) -> str:
    """Return the options that may stand without a name, and the others."""
    places = positional_of(maker)
    others = [name for name in names if name not in places]
    return f"{'; '.join(texts(maker, places))} | {'; '.join(texts(maker, others))}"


def texts(maker: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """Return for each option its name, how it is written, and its default."""
    is_plain_class = isinstance(maker, type) and not is_dataclass(maker)
    hints = get_type_hints(maker.__init__ if is_plain_class else maker)
    parameters = inspect.signature(maker).parameters
    return [text(name, hints[name], parameters[name].default) for name in names]


def text(name: str, hint: Any, default: object) -> str:
    """Return an option, how it is written, and its default."""
    required = ", required" if default is inspect.Parameter.empty else ""
    shown = {True: "yes", False: "no"}.get(default, default) if isinstance(default, bool) else default
    ending = f" (`{shown}`)" if isinstance(shown, (str, int, float)) and shown != "" else required
    return f"`{name.replace('_', '-')}`: {kind(hint)}{ending}"


def kind(hint: Any) -> str:
    """Return how a value of a type is written."""
    if get_origin(hint) is Literal:
        *first, last = (f"`{choice}`" for choice in get_args(hint))
        return f"{', '.join(first)} or {last}"
    if hint in KINDS:
        return KINDS[hint]
    return kind(next(each for each in get_args(hint) if each in KINDS or get_origin(each) is Literal))


PAGES: dict[Path, Callable[[], list[str]]] = {
    DOCS / "reference" / "filters.md": filters,
    DOCS / "reference" / "faults.md": faults,
}
"""The pages, and what makes their tables."""


if __name__ == "__main__":
    for page, rows in PAGES.items():
        page.write_text(written(page.read_text(), rows()))
