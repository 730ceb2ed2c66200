"""Which messages a stream shows or a rule holds: those of some clients, a direction, a type, with a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache
from typing import Final

from ...link import Link
from ...model import Direction
from .described import types_of

__all__ = ["Criteria"]

REMEMBERED: Final = 256
"""Of how many types it is remembered whether they are wanted."""


class Criteria:
    """Says which messages somebody wants.

    Args:
        client: a pattern of names, such as ``bank*``; ``None`` for all.
        direction: which way they travel; ``None`` for both.
        kind: a pattern of types, which matches any name of a type in upper or lower case.
        text: what the bytes must contain, in UTF-8.
    """

    def __init__(
        self,
        client: str | None = None,
        direction: str | None = None,
        kind: str | None = None,
        text: str | None = None,
    ) -> None:
        self.client: str | None = client
        self.direction: Direction | None = None if direction is None else Direction(direction)
        self.type: str | None = kind
        self.text: str | None = text
        self._client = None if client is None else re.compile(translate(client))
        self.wants_types: Callable[[tuple[str, ...]], bool] = _anything if kind is None else _matching(kind)
        """Returns whether a message whose type has these names is wanted."""
        self.needle: bytes | None = None if text is None else text.encode("utf-8", "surrogatepass")
        """What the bytes must contain."""

    def wants_link(self, link: Link) -> bool:
        """Return whether messages of a link may be wanted."""
        return self._client is None or self._client.match(link.client_name) is not None

    @property
    def looks_inside(self) -> bool:
        """Whether it depends on what a message contains, not only on its link and direction."""
        return self.type is not None or self.needle is not None

    def wants_bytes(self, data: bytes) -> bool:
        """Return whether a message with these bytes may be wanted."""
        return self.needle is None or self.needle in data

    def wants_type(self, message: object) -> bool:
        """Return whether a decoded message is of the type. Its methods may raise."""
        return self.type is None or self.wants_types(types_of(message))

    def wants_shown(self, text: str) -> bool:
        """Return whether the text is in what is shown of a message, of which something is secret.

        So nobody can find out a password by asking for messages that contain it.
        """
        return self.text is None or self.text in text


def _anything(types: tuple[str, ...]) -> bool:
    return True


def _matching(kind: str) -> Callable[[tuple[str, ...]], bool]:
    """Return what compares the names of a type with a pattern: a hundred rules may ask this about each message."""
    match = re.compile(translate(kind), re.IGNORECASE).match
    return lru_cache(REMEMBERED)(lambda types: any(map(match, types)))
