# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Asks several filters about a message that most of them pass on.

Compiled where a compiler was found at installation, with the types of ``_one_by_one.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable

from .._types import FilterFunction
from ..link import Link
from ..verdicts import DO_NOTHING, PASS_ON, Answer

__all__ = ["one_by_one"]

Stopped = Callable[[int, Answer, object, Link], Answer]
"""Called with the number of a filter, its answer, the message and the link; returns the answer of all filters."""


def one_by_one(asks: tuple[FilterFunction, ...], stopped: Stopped) -> FilterFunction:
    """Return a function that asks filters one after the other, as long as they answer `PASS_ON`.

    Args:
        asks: the filters.
        stopped: called with the first answer that is neither `PASS_ON` nor `DO_NOTHING`.
    """

    def linked(message: object, link: Link) -> Answer:
        for at, ask in enumerate(asks):
            answer = ask(message, link)
            if answer is not PASS_ON:
                return answer if answer is DO_NOTHING else stopped(at, answer, message, link)
        return PASS_ON

    return linked
