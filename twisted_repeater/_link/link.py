"""The way from a link, as the application has it, to the pair of connections behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..link import Link

if TYPE_CHECKING:
    from .pair import Pair

__all__ = ["Link", "pair_of"]


def pair_of(link: Link) -> Pair:
    """Return the pair behind a link, for the parts of the repeater itself."""
    return cast("Pair", link._pair)
