"""What an option is: of the command line, and as a key of the configuration file."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

__all__ = ["Form", "Option", "Scope", "When", "Written", "each", "listed"]

T = TypeVar("T")

Written: TypeAlias = str | bool | list[str]
"""A value as a user writes it: a flag is ``True``, what may be given more than once is a list."""


class Form(enum.Enum):
    """How a value is written in a configuration file. The value says it to people."""

    TEXT = "a text"
    TEXTS = "a list of texts"
    NUMBER = "a whole number"
    SIZE = "a size"
    SECONDS = "seconds"
    FLAG = "true or false"


Scope: TypeAlias = Literal["command line", "process", "repeater"]
"""What an option belongs to. The file has no keys for those of the command line."""

When: TypeAlias = Literal["at once", "newcomers", "restart"]
"""When a reload applies a new value: to all links, to new clients, or only after a restart."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of the command line, and key of the configuration file."""

    name: str
    form: Form = Form.TEXT
    read: Callable[[Any], object] = str
    """Returns the value of what is written; raises ``ValueError`` if that is wrong. For `Form.TEXTS` it gets a list."""
    default: str | None = None
    """The default, as it is written; ``None`` if there is none."""
    required: bool = False
    """Whether each repeater must have it."""
    without: str = "none"
    """What holds if there is no default, and no value is given."""
    description: str
    """One or more sentences, with Markdown's backticks."""
    more: str = ""
    """More Markdown, for the reference only."""
    example: str = ""
    """A value, for messages about a missing one."""
    numbered: bool = False
    """Whether ``{process}`` in it stands for the number of the process."""
    scope: Scope = "repeater"
    when: When = "restart"
    group: str = ""
    """The table of the reference that has it."""

    @property
    def help(self) -> str:
        """The text for ``--help``, on one line."""
        default = "" if self.default is None else f" [default: {self.default}]"
        return self.plain + default

    @property
    def plain(self) -> str:
        """The description without Markdown."""
        return self.description.replace("`", "")

    def default_value(self) -> object:
        """Return the value that holds if none is given."""
        if self.form is Form.FLAG:
            return False
        if self.form is Form.TEXTS:
            return []
        return None if self.default is None else self.read(self.default)


def each(read: Callable[[str], T]) -> Callable[[Sequence[str]], list[T]]:
    """Return what reads a list of values with what reads one."""
    return lambda texts: [read(text) for text in texts]


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence, in backticks."""
    return ", ".join(f"`{name}`" for name in names)
