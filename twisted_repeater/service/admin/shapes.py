"""The JSON objects of the debugger: messages that are shown, rules, held messages, and what people send."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = [
    "MOST_HELD",
    "Bytes",
    "ChangeBody",
    "Held",
    "HeldList",
    "Input",
    "NewRule",
    "Rule",
    "RuleList",
    "SendBody",
    "Sent",
    "Settled",
    "ShownMessage",
    "Stream",
    "StreamChoice",
    "StreamQuery",
    "Way",
]

Way = Literal["to_server", "to_client"]
"""Which way messages travel."""

Glob = Annotated[str, Meta(max_length=200)]
"""A pattern of names: ``*``, ``?`` and ``[abc]``."""

Text = Annotated[str, Meta(max_length=1000)]

Rate = Annotated[int, Meta(ge=0, le=1000)]

MOST_HELD: Final = 1000
"""How many messages may be held in the process."""


class Bytes(Struct):
    """Bytes of a message."""

    base64: str
    """The bytes, or the first of them."""
    cut: bool
    """Whether there are more."""


class Sent(Struct):
    """What the repeater has made and sent because of a message."""

    summary: str
    """One line for each message, joined."""
    size: int
    """How many bytes."""
    bytes: Bytes | None
    """The bytes; null if some of them are secret."""


class ShownMessage(Struct):
    """A message as people see it."""

    n: int
    """Its number in the stream; 0 for one that is held."""
    repeater: str
    link: int
    """The id of its link."""
    client: str
    time: float
    """When it was found or sent, in seconds since 1970."""
    direction: Way
    origin: Literal["message", "opening", "own"]
    """Where it comes from: a peer, an opening, or the repeater or the application itself."""
    number: int
    """How many messages of its direction and link came up to this one; 0 unless a peer sent it."""
    type: str | None
    """The name of its type, such as ``NewOrderSingle (D)``."""
    summary: str
    """One line about it."""
    fields: list[tuple[str, str, str | None]] | None
    r"""Its fields, in order: name, value, and what the name means. Values have escapes such as ``\x01`` and ``\\``."""
    decoded: Any
    """It, decoded, as in an export: where one message is asked for; null if it is too large, or cannot be decoded."""
    verdict: str
    """What a filter, or a holder, has decided; empty if nobody has."""
    by_filter: bool
    took: float
    """How many seconds the verdict took."""
    passed: bool
    """Whether its bytes went on as they came."""
    size: int
    """How many bytes its frame has."""
    bytes: Bytes | None
    """Its frame; for one that is held, its payload. Null if some of it is secret."""
    payload_at: int
    """Where the payload begins in the frame. That is what you write to send such a message."""
    payload_size: int
    """How many bytes the payload has."""
    forward: Sent | None
    """What went on after it, or instead of it."""
    back: Sent | None
    """What went back to its sender."""
    redacted: bool
    """Whether something of it is not shown because it is secret, or may be."""


class Input(Struct, forbid_unknown_fields=True):
    r"""A message that somebody writes: exactly one of these.

    In text, ``\xNN``, ``\r``, ``\n``, ``\t`` and ``\\`` are escapes. The bytes are those of one message without the
    header and the end that the dialect adds, such as a length before it, or the end of a line.
    """

    text: str | UnsetType = UNSET
    hex: str | UnsetType = UNSET
    """Digits, with blanks between them or not."""
    base64: str | UnsetType = UNSET
    set: Annotated[dict[str, Any], Meta(max_length=1000)] | UnsetType = UNSET
    """Fields of a held message with their new values; null takes a field away, where that is possible."""


class ChangeBody(Struct, forbid_unknown_fields=True):
    """The body of a call that changes a held message, or answers it."""

    message: Input


class SendBody(Struct, forbid_unknown_fields=True):
    """The body of a call that sends a message of your own. It goes through no filter."""

    direction: Way
    message: Input


class NewRule(Struct, forbid_unknown_fields=True):
    """The body of a call that makes a rule: which messages are held."""

    stream: str
    """The stream that it belongs to. It goes with it."""
    client: Glob | None = None
    direction: Way | None = None
    type: Glob | None = None
    """A pattern of types, in upper or lower case: ``NewOrder*``, ``D``, ``SET``, ``ADT^*``."""
    text: Text | None = None
    """What the bytes of the message must contain."""
    every: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """Hold every nth message that matches."""
    timeout: Annotated[float, Meta(ge=0.1, le=3600)] = 60.0
    """After how many seconds a message that is held is released."""
    max_held: Annotated[int, Meta(ge=1, le=MOST_HELD)] = 100
    """How many messages it holds at once; others pass."""


class Rule(Struct):
    """A rule that holds messages."""

    id: int
    stream: str
    client: str | None
    direction: Way | None
    type: str | None
    text: str | None
    every: int
    timeout: float
    max_held: int
    matched: int
    """How many messages have matched."""
    held: int
    """How many it holds now."""
    full: bool
    """Whether a message has passed because too much is held, since the rule was made."""


class RuleList(Struct):
    """All rules of a repeater."""

    rules: list[Rule]


class Held(Struct):
    """A message that is held."""

    id: int
    rule: int
    stream: str
    since: float
    """Since when, in seconds since 1970."""
    until: float
    """When it is released by itself."""
    left: float
    """In how many seconds that is."""
    behind_bytes: int
    """How many bytes of its direction wait behind it."""
    behind_messages: int | None
    """How many messages these are; null if that is not known."""
    message: ShownMessage
    settable: list[str]
    """The names of fields that ``set`` can change."""


class HeldList(Struct):
    """All messages of a repeater that are held, the first one first."""

    held: list[Held]


class Settled(Struct):
    """What has become of a held message."""

    id: int
    how: str
    """``released``, ``dropped``, ``changed``, ``answered``, ``deadline``, ``owner gone``, ``link ended`` or ``rule
    removed``."""


class StreamQuery(Struct, forbid_unknown_fields=True):
    """What a stream shows."""

    client: Glob | None = None
    direction: Way | None = None
    type: Glob | None = None
    text: Text | None = None
    max_rate: Rate = 100
    """How many messages a second are shown at most; others are counted."""
    paused: bool = False
    """Whether no messages are shown."""
    stream: str | None = None
    """The stream that this one goes on with, which has lost its connection."""


class StreamChoice(Struct, forbid_unknown_fields=True):
    """What a stream shows from now on. What is missing stays; null means all."""

    client: Glob | UnsetType | None = UNSET
    direction: Way | UnsetType | None = UNSET
    type: Glob | UnsetType | None = UNSET
    text: Text | UnsetType | None = UNSET
    max_rate: Rate | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


class Stream(Struct):
    """What a stream shows now."""

    stream: str
    repeater: str
    client: str | None
    direction: Way | None
    type: str | None
    text: str | None
    max_rate: int
    paused: bool
