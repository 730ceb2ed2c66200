"""Makes messages fast.

A class that cannot be changed sets each field by a call. For the packets that are most frequent that costs more than
all the rest of decoding.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields, make_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

__all__ = ["unfrozen"]


def unfrozen(cls: type[T]) -> type[T]:
    """Return a class with the same fields whose objects can be changed, and so are made fast.

    What it makes becomes a message by ``made.__class__ = cls``. Both have the same slots, so nothing is copied.

    Args:
        cls: a frozen dataclass with slots.
    """
    described: list[tuple[str, Any, Any]] = [
        (own.name, own.type, field() if own.default is MISSING else field(default=own.default)) for own in fields(cls)
    ]
    twin = make_dataclass(cls.__name__, described, bases=cls.__bases__, slots=True, eq=False, repr=False)
    return cast("type[T]", twin)
