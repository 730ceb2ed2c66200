"""Writes the tables of options into the reference: ``python -m tests.option_pages``. The text around them is ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted_repeater.service.option import Form, Option
from twisted_repeater.service.option_values import seconds_or_none
from twisted_repeater.service.options import OPTIONS

from .paths import DOCS

__all__ = ["PAGES", "written"]

REFERENCE = DOCS / "reference"

BETWEEN = re.compile(r"(<!-- options: (\w+) -->\n).*?(\n<!-- end of options -->)", re.DOTALL)
"""A table of a page, between marks that name its group."""

TWISTED = (
    "| `--help` | Display this help and exit. | |",
    "| `--version` | Show the version and exit. | |",
)
"""The options that Twisted has."""

RELOADS = {"at once": "at once", "newcomers": "for new clients", "restart": "after a restart"}


def written(text: str, rows: Callable[[str], list[str]]) -> str:
    """Return a page with its tables made anew."""
    return BETWEEN.sub(lambda found: found[1] + "\n" + "\n".join(rows(found[2])) + "\n" + found[3], text)


def command_line(group: str) -> list[str]:
    """Return the table of a group of options."""
    options = [option for option in OPTIONS if option.group == group]
    if group == "limits":
        rows = [
            f"| `--{option.name}` | `{option.name.replace('-', '_')}` | {default_of(option)} |" for option in options
        ]
        return ["| option | field | default |", "|---|---|---|", *rows]
    rows = [f"| `--{option.name}` | {meaning(option)} | {default_of(option)} |" for option in options]
    return ["| option | meaning | default |", "|---|---|---|", *rows, *(TWISTED if group == "command" else ())]


def configuration(scope: str) -> list[str]:
    """Return the table of the keys of the process, or of a repeater."""
    rows = [
        f"| `{option.name}` | {kind_of(option)} | {default_of(option)} | {RELOADS[option.when]} | {meaning(option)} |"
        for option in OPTIONS
        if option.scope == scope
    ]
    return ["| key | value | default | a reload applies it | meaning |", "|---|---|---|---|---|", *keys(rows)]


def keys(rows: Sequence[str]) -> list[str]:
    """Return rows as they are in a file: a key has no hyphens before it, and is repeated nowhere."""
    return [row.replace("`--", "`").replace(" May be given more than once.", "").replace("--", "") for row in rows]


def meaning(option: Option) -> str:
    """Return the text about an option."""
    text = re.sub(r"(?<!`)(--[\w-]+)", r"`\1`", option.description)
    return f"{text} {option.more}".strip()


def default_of(option: Option) -> str:
    """Return the default as the page has it."""
    return option.without if option.default is None else f"`{option.default}`"


def kind_of(option: Option) -> str:
    """Return how a value is written in TOML."""
    if option.form is Form.SECONDS and option.read is seconds_or_none:
        return 'seconds, or `"none"`'
    return {
        Form.TEXT: "text",
        Form.TEXTS: "list of texts",
        Form.NUMBER: "whole number",
        Form.SIZE: 'bytes, or a text such as `"16MiB"`',
        Form.SECONDS: "seconds",
        Form.FLAG: "`true` or `false`",
    }[option.form]


PAGES: dict[Path, Callable[[str], list[str]]] = {
    REFERENCE / "command-line.md": command_line,
    REFERENCE / "configuration.md": configuration,
}
"""The pages, and what makes their tables."""


if __name__ == "__main__":
    for page, rows in PAGES.items():
        page.write_text(written(page.read_text(), rows))
