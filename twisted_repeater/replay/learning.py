"""Tokens: values that the server makes and clients send back, such as the id of a session.

A replayed server makes another one than was recorded. So a recorded request that has the old token is sent with the
new one. A token is learnt from two answers that are equal but for what is masked. It belongs to its link. Requests of
other links get it, too, as a client may log in on one connection and work on another; but not if two links have learnt
different new tokens for an old one.
"""

from __future__ import annotations

import re
from typing import Any

from ..model import Direction
from .decoding import Decoder
from .fields import rebuilt

__all__ = ["LinkTokens", "SharedTokens"]

SHORTEST = 4
"""A token must have so many bytes. Shorter ones, such as small numbers, are also values of another meaning."""

MOST_OF_LINK = 100
MOST_SHARED = 1000
"""How many tokens are kept, the newest ones."""

Tokens = dict[bytes, bytes]


class SharedTokens:
    """The tokens that all links of a replay have learnt."""

    def __init__(self) -> None:
        self.tokens: Tokens = {}
        """The new token of each old one. It is the old one itself if links have learnt different ones."""
        self.version: int = 0
        """Counts the changes."""

    def learn(self, old: bytes, new: bytes) -> None:
        """Remember a token."""
        known = self.tokens.pop(old, new)
        _remember(self.tokens, old, new if known == new else old, MOST_SHARED)
        self.version += 1


class LinkTokens:
    """The tokens of one link.

    Args:
        decoder: reads the messages of the link.
        shared: the tokens of all links.
    """

    def __init__(self, decoder: Decoder, shared: SharedTokens) -> None:
        self.unchanged: int = 0
        """How many messages had an old token, and could not be made with the new one."""
        self._decoder = decoder
        self._shared = shared
        self._own: Tokens = {}
        self._known: Tokens = {}
        self._pattern: re.Pattern[bytes] | None = None
        self._version = 0

    def learn(self, old: bytes, new: bytes) -> None:
        """Learn that the server has made a new token in the place of an old one."""
        if min(len(old), len(new)) >= SHORTEST:
            _remember(self._own, old, new, MOST_OF_LINK)
            self._shared.learn(old, new)

    def replaced(self, frame: bytes, direction: Direction = Direction.TO_SERVER) -> bytes:
        """Return a message with the new tokens in it; the same object if it has no old one."""
        if self._version != self._shared.version:
            self._prepare()
        if self._pattern is None or self._pattern.search(frame) is None:
            return frame
        changed = self._changed(frame, direction)
        if changed is None:
            self.unchanged += 1
            return frame
        return changed

    def _prepare(self) -> None:
        self._version = self._shared.version
        known = self._shared.tokens | self._own
        self._known = {old: new for old, new in known.items() if old != new}
        longest_first = sorted(self._known, key=len, reverse=True)
        alternatives = b"|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rb"(?<![0-9A-Za-z_])(?:%s)(?![0-9A-Za-z_])" % alternatives) if self._known else None

    def _in_text(self, text: bytes) -> bytes:
        assert self._pattern is not None
        return self._pattern.sub(lambda match: self._known[match[0]], text)

    def _changed(self, frame: bytes, direction: Direction) -> bytes | None:
        """Return a message with other texts in its fields, encoded again; ``None`` if that cannot be done."""
        message: Any
        message, codec = self._decoder.decoded(frame, direction)
        try:
            new = rebuilt(message, self._in_text)
            if new is not message and codec is not None:
                return self._decoder.framed(frame, codec.encode(new), direction)
        except KeyboardInterrupt:
            raise
        except BaseException:  # the code of a dialect, on bytes that somebody else has chosen
            pass
        changed = self._in_text(frame)
        return changed if len(changed) == len(frame) else None


def _remember(tokens: Tokens, old: bytes, new: bytes, most: int) -> None:
    tokens.pop(old, None)
    tokens[old] = new
    if len(tokens) > most:
        del tokens[next(iter(tokens))]
