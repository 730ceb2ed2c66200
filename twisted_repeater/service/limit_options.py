"""An option of the command line for each field of `Limits`, made of its name, type, default and docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple

from ..model import Limits
from .option_values import number, seconds, seconds_or_none, shown, size

__all__ = ["LIMITS", "LimitOption"]

COUNTS = {"max_clients", "max_unfinished_hellos"}
"""The fields that are plain numbers; other whole numbers are sizes in bytes."""

UNITS: dict[Callable[[str], Any], str] = {
    seconds: " In seconds.",
    seconds_or_none: " In seconds, or none for no limit.",
}

FIELD = re.compile(r'^    (\w+): [^\n]*\n    """(.*?)"""$', re.M | re.S)
"""A field and the docstring below it, in the source."""


class LimitOption(NamedTuple):
    """One option; ``default`` is ``None`` if it depends on something, as the description then says."""

    name: str
    field: str
    read: Callable[[str], Any]
    default: str | None
    description: str


def limit_options() -> list[LimitOption]:
    """Make the options."""
    try:  # Python does not keep the docstrings of fields, so they are read from the source
        descriptions = dict(FIELD.findall(inspect.getsource(Limits)))
    except OSError:
        descriptions = {}
    options = []
    for field in fields(Limits):
        read: Callable[[str], Any] = number if field.name in COUNTS else size
        if "float" in field.type:
            read = seconds_or_none if "None" in field.type else seconds
        description = for_users(descriptions.get(field.name, ""))
        if field.default is None and read is not seconds_or_none:
            default = None
        else:
            default = shown(field.default, read)
            description = re.split(r"(?<=\.) (?=[A-Z])", description, maxsplit=1)[0] + UNITS.get(read, "")
        options.append(LimitOption(field.name.replace("_", "-"), field.name, read, default, description))
    return options


def for_users(description: str) -> str:
    """Write a description for people who write options, not Python, on one line."""
    text = " ".join(description.split()).replace("``None`` means", "If not given:")
    names = "|".join(field.name for field in fields(Limits))
    text = re.sub(rf"``({names})``", lambda found: "--" + found[1].replace("_", "-"), text)
    return text.replace("`", "")


LIMITS = limit_options()
