"""Makes messages of what people write: text, hexadecimal digits, base64, or fields with new values."""

from __future__ import annotations

import base64
import re
from binascii import Error as Base64Error
from typing import Any, Final, cast

from msgspec import UNSET

from ..._text import class_name
from ...dialects.fix.codec import FixCodec
from ...dialects.fix.codec import decode as decode_fix
from ...dialects.fix.decisions import check_added, is_of_session
from ...dialects.fix.message import Message as FixMessage
from ...dialects.fix.messages import CLASSES
from ...dialects.fix.scan import written
from ...dialects.fix.tags import HEADER
from ...dialects.redis.codec import CommandCodec, ReplyCodec
from ...dialects.redis.inline import split_inline
from ...dialects.redis.messages import Command
from ...holding import HeldMessage
from ...link import Link
from ...model import Direction
from .escaped import unescaped
from .setting import InputError, because, with_fields
from .shapes import Input
from .shown import payload_of
from .wire import Wire

__all__ = ["Editor", "InputError"]

MOST_SENT: Final = 16 * 1024 * 1024
"""How many bytes may be sent by one call to all clients of a name."""

MOST_FIELDS: Final = 10_000
"""How many fields a message of FIX that somebody writes may have. A hundred thousand would keep links waiting."""


class Editor:
    """Makes the messages of one repeater.

    All methods raise `InputError` if what was written is not a message that can be sent.

    Args:
        wire: reads and checks messages.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def check_alterable(self, message: Any, what: str) -> None:
        """Raise `InputError` if a held message can only be released: those of a session of FIX."""
        if isinstance(message, FixMessage) and is_of_session(message):
            raise InputError(
                f"a {class_name(message)} belongs to the session of FIX, and cannot be {what}, only released"
            )

    def change(self, held: HeldMessage, given: Input) -> Any:
        """Return the message that goes on in place of a held one."""
        self.check_alterable(held.message, "changed")
        if given.set is not UNSET:
            _check_one(given)
            message = with_fields(held.message, given.set, len(payload_of(held) or b""))
        else:
            message = self._read(held.link, held.direction, payload_in(given), held.message)
        return self._checked(held.link, held.direction, message)

    def answer(self, held: HeldMessage, given: Input) -> Any:
        """Return the message that goes back to the sender of a held one."""
        self.check_alterable(held.message, "answered")
        back = Direction.TO_CLIENT if held.direction is Direction.TO_SERVER else Direction.TO_SERVER
        return self.send(held.link, back, given)

    def send(self, link: Link | None, direction: Direction, given: Input) -> Any:
        """Return a message of one's own for a side of a link; without a link, for one side of all."""
        message = self._read(link, direction, payload_in(given), None)
        if isinstance(message, FixMessage):
            try:
                check_added(message)
            except (TypeError, ValueError) as error:
                raise InputError(str(error)) from error
        return self._checked(link, direction, message)

    def send_each(self, links: list[Link], direction: Direction, given: Input) -> list[Any]:
        """Return the message for each of some links. It is read once for each version that they speak."""
        size = len(payload_in(given))
        if len(links) > 1 and size * len(links) > MOST_SENT:
            most = MOST_SENT // len(links)
            raise InputError(f"on {len(links)} links at once a message may have at most {most} bytes, not {size}")
        made: dict[int, Any] = {}
        for link in links:
            version = self._wire.version(link, direction)
            if version not in made:
                made[version] = self.send(link, direction, given)
        return [made[self._wire.version(link, direction)] for link in links]

    def _read(self, link: Link | None, direction: Direction, payload: bytes, instead_of: Any) -> Any:
        """Return the message of a payload, as people write it."""
        try:
            codec = self._wire.kind(direction).codec(self._wire.version(link, direction))
            if isinstance(codec, FixCodec):
                return _fix(payload, instead_of)
            if isinstance(codec, (CommandCodec, ReplyCodec)):
                payload = _resp(payload, isinstance(codec, CommandCodec))
            return self._wire.read(link, direction, payload)
        except InputError:
            raise
        except Exception as error:
            raise because("the bytes are not a message", error) from error

    def _checked(self, link: Link | None, direction: Direction, message: Any) -> Any:
        if isinstance(message, FixMessage) and not message.is_whole:  # it gets its header when it is sent
            return message
        try:
            self._wire.check(link, direction, message)
        except Exception as error:
            raise because("the message cannot be sent", error) from error
        return message


def payload_in(given: Input) -> bytes:
    """Return the bytes that somebody has written.

    Raises:
        InputError: they are not written as they should be.
    """
    _check_one(given)
    try:
        if given.text is not UNSET:
            return unescaped(given.text)
        if given.hex is not UNSET:
            return bytes.fromhex(given.hex)
        if given.base64 is not UNSET:
            return base64.b64decode(given.base64, validate=True)
    except Base64Error as error:
        raise InputError(f"base64 must be letters, digits, +, / and =: {error}") from error
    except ValueError as error:
        what = f"hex must be pairs of digits from 0 to f: {error}" if given.hex is not UNSET else str(error)
        raise InputError(what) from error
    raise InputError("set is for a message that is held: give text, hex or base64")


def _check_one(given: Input) -> None:
    parts = (given.text, given.hex, given.base64, given.set)
    if sum(part is not UNSET for part in parts) != 1:
        raise InputError("a message must have exactly one of text, hex, base64 and set")


# -- FIX and Redis as people write them -------------------------------------------------------------------------------


def _fix(payload: bytes, instead_of: Any) -> FixMessage:
    r"""Return a message of FIX. Its BodyLength and CheckSum need not be right, and its header may be missing.

    Args:
        payload: fields, each with SOH (``\x01``) behind it; at the last one it may be missing.
        instead_of: the message whose place it takes; it gets the number of that one. ``None`` if it is sent alone.
    """
    if payload.count(b"\1") > MOST_FIELDS:
        raise InputError(
            f"a message of FIX that is written by hand may have {MOST_FIELDS} fields; use set to change one"
        )
    fields = _fix_fields(payload)
    kinds = [value for tag, value in fields if tag == 35]
    if len(kinds) != 1 or not kinds[0]:
        raise InputError("a message of FIX must have its type once, such as 35=D")
    begin = [value for tag, value in fields if tag == 8]
    rest = [(tag, value) for tag, value in fields if tag not in (8, 9, 10, 35)]
    if isinstance(instead_of, FixMessage) and instead_of.is_whole:
        begin = begin or [instead_of[8]]
        kept = {34} | ({tag for tag, _ in instead_of.fields if tag in HEADER} - {tag for tag, _ in rest})
        rest = [(tag, value) for tag, value in rest if tag != 34]
        rest[:0] = [(tag, value) for tag, value in instead_of.fields if tag in kept and tag not in (8, 9, 35)]
    if begin:
        return decode_fix(written([(8, begin[0]), (35, kinds[0]), *rest]))
    kind = CLASSES.get(kinds[0])
    return FixMessage(kinds[0].decode("latin-1"), rest) if kind is None else cast(Any, kind)(rest)


def _fix_fields(payload: bytes) -> list[tuple[int, bytes]]:
    """Return the fields of a message, whose BodyLength and CheckSum may be wrong."""
    if payload[-1:] != b"\1":
        payload += b"\1"
    try:
        return list(decode_fix(payload).fields)
    except Exception:
        fields = [re.fullmatch(rb"([1-9][0-9]{0,8})=(.*)", field, re.DOTALL) for field in payload[:-1].split(b"\1")]
    if not all(fields):
        raise InputError(r"a message of FIX must be fields such as 55=ABC, each with \x01 behind it")
    return [(int(field[1]), field[2]) for field in fields if field is not None]


def _resp(payload: bytes, is_command: bool) -> bytes:
    """Return a message of Redis. A command may be words, as in redis-cli; a short reply needs no end."""
    if is_command and payload[:1] != b"*":
        words = split_inline(payload)
        if not words:
            raise InputError("a command must be words such as SET key value, with quotes that match")
        return bytes(Command(words[0].decode("utf-8", "surrogateescape"), *words[1:]))
    return payload if payload.endswith(b"\r\n") else payload + b"\r\n"
