"""The number of a process among those that share its ports, and ``{process}``, which stands for it in options."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from .option import Written

__all__ = ["NUMBER", "PLACE", "numbers", "own_number", "read_processes", "with_number"]

NUMBER: str = "TWISTED_REPEATER_PROCESS"
"""The variable of the environment that has the number. A unit of systemd sets it to the name of its instance."""

PLACE: str = "{process}"
"""What stands for the number."""

MOST: int = 256
"""How many processes there may be."""


def read_processes(text: str) -> int:
    """Read how many processes there are to be.

    Raises:
        ValueError: it is wrong.
    """
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not 1 <= int(text) <= MOST:
        raise ValueError(f"must be a number from 1 to {MOST}, not {text!r}")
    return int(text)


def numbers(count: int) -> list[str]:
    """Return the numbers of so many processes, from 1 on, all with as many digits."""
    return [str(number).zfill(len(str(count))) for number in range(1, count + 1)]


def own_number(environment: Mapping[str, str] = os.environ) -> str:
    """Return the number of this process, ``"1"`` if it is the only one.

    Raises:
        ValueError: the variable of the environment is wrong.
    """
    number = environment.get(NUMBER, "1")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", number):
        raise ValueError(f"must have letters, digits and . _ - only, not {number!r}")
    return number


def with_number(written: Written, number: str) -> Written:
    """Return what was written, with a number in the place of ``{process}``."""
    return written.replace(PLACE, number) if isinstance(written, str) else written
