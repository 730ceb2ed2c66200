"""Masks: the parts of answers that always differ, and the values among them that a client sends back.

Masks are regular expressions of Python, not of RE2. The person who replays a recording writes them, on bytes that may
be anybody's: an expression such as ``(a+)+$`` can take very long on some bytes. But no link waits for a replay, and
Ctrl-C ends it. So a replay needs no extra.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..model import Direction
from .decoding import Decoder
from .fields import from_json, named_parts, plain_of

__all__ = ["ALWAYS_DIFFERENT", "ALWAYS_TOKENS", "Masks", "Token", "masks_of"]

MARKER = b"<masked>"
"""Replaces what is masked before messages are compared."""

ALWAYS_DIFFERENT: dict[str, tuple[str, ...]] = {"fix": ("9", "10", "52")}
"""The fields that are masked without being asked for, by dialect: BodyLength, CheckSum and SendingTime of FIX."""

ALWAYS_TOKENS: dict[str, tuple[str, ...]] = {"mqtt": ("assigned_client_identifier",)}
"""The fields that are tokens without being asked for, by dialect."""

USUAL: dict[str, tuple[re.Pattern[bytes], ...]] = {
    "redis": (re.compile(rb"\A[%*]\d+\r\n\$6\r\nserver\r\n.{1,200}?\$2\r\nid\r\n:(\d+)\r\n", re.DOTALL),),
}
"""What is masked without being asked for, by dialect: the number of the connection in Redis' reply to HELLO."""

OF_REPEATER: dict[str, tuple[re.Pattern[bytes], ...]] = {
    "fix": (re.compile(rb"\x0117=([0-9a-f]{12}-\d+)\x01"),),
    "hl7": (re.compile(rb"MSH[^\r]{1,400}?(\d{14}\+0000)([^\r])\2ACK[^\r]*?\2([0-9A-F]{20})\2"),),
    "postgres": (re.compile(rb"refused_by_twisted_repeater_(?P<mark>[0-9a-f]{16})"),),
    "redis": (re.compile(rb"TWISTED-REPEATER:(?P<mark>[0-9A-F]{16})(?=:)"),),
}
"""What a repeater chooses at random for its own messages, by dialect. Marks come back from the server."""

Token = tuple[str, bytes]
"""A value that the server has made and the client may send back: the name of its place, and the value."""


@dataclass(frozen=True, slots=True)
class Masks:
    """What is left out when answers are compared."""

    patterns: Sequence[re.Pattern[bytes]] = ()
    """What they match is masked; only their groups if they have some. Groups with names are tokens."""
    fields: Collection[str] = ()
    """The names of fields that are masked, wherever in a message they are."""
    token_fields: Collection[str] = ()
    """The names of fields that are masked, and are tokens."""
    ignored: Sequence[re.Pattern[bytes]] = ()
    """Messages that match one of these are not compared."""
    unasked: Sequence[re.Pattern[bytes]] = ()
    """Messages that match one of these come by themselves: they may change places with answers."""
    _names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", frozenset(_plain(name) for name in (*self.fields, *self.token_fields)))

    def with_usual(self, dialect: str) -> Masks:
        """Return these masks and the usual ones of a dialect."""
        return Masks(
            [*self.patterns, *USUAL.get(dialect, ())],
            {*self.fields, *ALWAYS_DIFFERENT.get(dialect, ())},
            {*self.token_fields, *ALWAYS_TOKENS.get(dialect, ())},
            self.ignored,
            self.unasked,
        )

    def with_own(self, dialect: str) -> Masks:
        """Return these masks and those of what a repeater chooses at random in a dialect."""
        return replace(self, patterns=[*self.patterns, *OF_REPEATER.get(dialect, ())])

    @property
    def looks_at_fields(self) -> bool:
        """Whether messages must be decoded."""
        return bool(self._names)

    @property
    def empty(self) -> bool:
        """Whether nothing is masked."""
        return not self.patterns and not self._names

    @property
    def has_tokens(self) -> bool:
        """Whether there are tokens to learn."""
        return bool(self.token_fields) or any(pattern.groupindex for pattern in self.patterns)

    def ignores(self, frame: bytes) -> bool:
        """Return whether a message is not compared."""
        return any(pattern.search(frame) for pattern in self.ignored)

    def is_unasked(self, frame: bytes) -> bool:
        """Return whether a message comes by itself."""
        return any(pattern.search(frame) for pattern in self.unasked)

    def masked(self, data: bytes) -> bytes:
        """Return bytes with a marker in the place of all that patterns match."""
        for pattern in self.patterns:
            data = pattern.sub(_without_groups, data)
        return data

    def masked_message(self, message: object) -> Hashable:
        """Return a message as nested tuples, masked; ``None`` if it has none of the fields."""
        seen = [False]

        def change(name: str | None, value: object) -> object:
            if name is not None and _plain(name) in self._names:
                seen[0] = True
                return MARKER
            if self.patterns and isinstance(value, (bytes, str)):
                text = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
                masked = self.masked(text)
                return value if masked == text else masked
            return value

        masked = plain_of(from_json(message), change)
        return masked if seen[0] else None

    def key_of(self, frame: bytes, decoder: Decoder, direction: Direction) -> Hashable:
        """Return what is compared of a message: all that is not masked.

        Args:
            frame: the message.
            decoder: reads it.
            direction: which way it travels.
        """
        if self.looks_at_fields:
            message, _ = decoder.decoded(frame, direction)
            try:
                masked = self.masked_message(message)
            except KeyboardInterrupt:
                raise
            except BaseException:  # the code of a dialect, on bytes that somebody else has chosen
                masked = None
            if masked is not None:
                return masked
        return self.masked(frame)

    def tokens_in(self, frame: bytes) -> Iterator[Token]:
        """Return the tokens that patterns find in a frame."""
        for pattern in self.patterns:
            if pattern.groupindex:
                for match in pattern.finditer(frame):
                    for name, value in match.groupdict().items():
                        if value:
                            yield name, value

    def tokens_of(self, message: object) -> Iterator[Token]:
        """Return the tokens in the fields of a message."""
        if self.token_fields:
            names = {_plain(name) for name in self.token_fields}
            yield from _values(from_json(message), names)


def _values(value: object, names: Collection[str]) -> Iterator[Token]:
    for name, content in named_parts(value) or ():
        if name is not None and _plain(name) in names:
            if content is not None and named_parts(content) is None:
                yield name, content if isinstance(content, bytes) else str(content).encode("utf-8", "surrogateescape")
        else:
            yield from _values(content, names)


def _plain(name: str) -> str:
    """Return the name of a field as it is compared: ``Session-ID`` is ``session_id``."""
    return name.lower().replace("-", "_")


def _without_groups(match: re.Match[bytes]) -> bytes:
    """Return what a pattern has matched, without its groups; or nothing of it, if it has none."""
    whole = match[0]
    if not match.re.groups:
        return MARKER if whole else whole
    pieces, at, first = [], 0, match.start()
    spans = [match.span(group) for group in range(1, match.re.groups + 1)]
    for start, stop in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start - first >= at:  # not a group that stands for nothing, and none inside of another
            pieces += [whole[at : start - first], MARKER]
            at = stop - first
    return b"".join([*pieces, whole[at:]])


def masks_of(
    *,
    patterns: Sequence[str] = (),
    fields: Collection[str] = (),
    token_fields: Collection[str] = (),
    ignored: Sequence[str] = (),
    unasked: Sequence[str] = (),
) -> Masks:
    """Return the masks that a command line describes.

    Raises:
        ValueError: one of the regular expressions is not valid. The message begins with its option.
    """
    return Masks(
        [_pattern("--mask", text) for text in patterns],
        fields,
        token_fields,
        [_pattern("--ignore", text) for text in ignored],
        [_pattern("--unasked", text) for text in unasked],
    )


def _pattern(option: str, text: str) -> re.Pattern[bytes]:
    """Return a regular expression for bytes. ``.`` stands for any byte."""
    try:
        return re.compile(text.encode("utf-8", "surrogateescape"), re.DOTALL)
    except re.error as error:
        raise ValueError(f"{option}: must be a regular expression, not {text!r}: {error}") from None
