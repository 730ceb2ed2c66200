"""Exceptions that cannot be printed, each in its own way."""

from __future__ import annotations

from typing import Any

from twisted_repeater.verdicts import Verdict

__all__ = ["UNPRINTABLE", "BrokenBool", "BrokenVerdict", "Mute", "Pretender", "nested"]


def nested() -> list[Any]:
    """Make a list whose ``repr`` recurses too deeply."""
    result: list[Any] = []
    for _ in range(100_000):
        result = [result]
    return result


class Mute(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Deep(Exception):
    """Its text recurses too deeply."""

    def __str__(self) -> str:
        return str(self)


class Leaving(BaseException):
    """Not an ``Exception``; it ends the process when it is printed."""

    def __str__(self) -> str:
        raise SystemExit(3)


class NoText(Exception):
    """Its ``__str__`` returns no string."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class Half(Exception):
    """Its text is half a character, which no file in UTF-8 can hold."""

    def __str__(self) -> str:
        return "\ud800"


class BadText(str):
    """A text that cannot be used."""

    def __len__(self) -> int:
        raise ValueError("no length")

    def __format__(self, how: str) -> str:
        raise ValueError("no format")


class Posing(Exception):
    """Its text is not a plain one."""

    def __str__(self) -> str:
        return BadText("posing")


class NamelessClass(type):
    """The class of classes without a name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise ValueError("no name")


UNPRINTABLE: list[type[BaseException]] = [Mute, Deep, Leaving, NoText, Half, Posing]


class BrokenVerdict(Verdict):
    """A verdict with an attribute that raises."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "_attribute"):
            raise Mute
        return object.__getattribute__(self, name)


class BrokenBool:
    """Neither true nor false."""

    def __bool__(self) -> bool:
        raise Mute


class Pretender:
    """An object whose class cannot be asked for."""

    @property
    def __class__(self) -> Any:
        raise Mute

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise Mute

    def __repr__(self) -> str:
        raise Mute
