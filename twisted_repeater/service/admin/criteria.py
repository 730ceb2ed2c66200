"""Which messages a stream shows or a rule holds: those of some clients, a direction, a type, with a text."""

from __future__ import annotations

import re
from fnmatch import translate

from ...link import Link
from ...model import Direction
from .described import types_of

__all__ = ["Criteria"]


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
        self._type = None if kind is None else re.compile(translate(kind), re.IGNORECASE)
        self._text = None if text is None else text.encode("utf-8", "surrogatepass")

    def wants_link(self, link: Link) -> bool:
        """Return whether messages of a link may be wanted."""
        return self._client is None or self._client.match(link.client_name) is not None

    @property
    def looks_inside(self) -> bool:
        """Whether it depends on what a message contains, not only on its link and direction."""
        return self._type is not None or self._text is not None

    def wants_bytes(self, data: bytes) -> bool:
        """Return whether a message with these bytes may be wanted."""
        return self._text is None or self._text in data

    def wants_type(self, message: object) -> bool:
        """Return whether a decoded message is of the type. Its methods may raise."""
        return self._type is None or any(map(self._type.match, types_of(message)))

    def wants_shown(self, text: str) -> bool:
        """Return whether the text is in what is shown of a message, of which something is secret.

        So nobody can find out a password by asking for messages that contain it.
        """
        return self.text is None or self.text in text
