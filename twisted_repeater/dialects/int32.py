"""The dialect ``int32``: frames of `twisted.protocols.basic.Int32StringReceiver`, and a hello in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from zope.interface import implementer

from .._types import Codec
from ..errors import InvalidHello
from ..framings.base import Framing
from ..framings.length import Int32Framing
from ..interfaces import IHandshake
from ..model import Hello
from ._dialect import Dialect
from .hellos import hellos
from .message_types import MessageType

__all__ = ["Extra", "JSONHandshake", "int32"]

MEMBERS: dict[str, type] = {
    "name": str,
    "mode": str,
    "send_version": int,
    "recv_version": int,
    "credentials": str,
}
"""The members of a hello that the repeater knows, and their types. Only ``name`` is required."""

LONGEST_INT = 4000
"""How many digits a number may have to be read as an ``int``: Python refuses more than 4,300."""

SPACE = re.compile(r"[ \t\n\r]*")


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= LONGEST_INT else Decimal(digits)


DECODER = json.JSONDecoder(parse_int=_integer)

ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Extra(Mapping[str, object]):
    """The members of a hello that the repeater does not know, in their order.

    A member's value is read as Python's ``json`` does. The repeater forwards the text that the peer wrote, so 1.10,
    1e400 and an integer of any length stay as they were.
    """

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, tuple[str, str]]) -> None:
        self._texts = texts

    def __getitem__(self, name: str) -> object:
        return DECODER.decode(self._texts[name][1])

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return f"<the members {', '.join(map(repr, self))}>"  # a value may be a secret

    def texts(self) -> list[str]:
        """Return each member in JSON, name and value, as the peer wrote it."""
        return [f"{name}:{value}" for name, value in self._texts.values()]


@implementer(IHandshake)
class JSONHandshake:
    """A hello is a UTF-8 JSON object with the members of `Hello`, in one frame.

    Args:
        max_hello: the longest hello that is read, in bytes. A hello that the repeater writes may be longer by the
            members that it fills in itself: the mode, the versions and the credentials.
    """

    framing: Framing
    """See `IHandshake`."""

    def __init__(self, max_hello: int) -> None:
        self.framing = Int32Framing(max_hello)

    def decode(self, payload: bytes) -> Hello:
        """See `IHandshake`."""
        try:
            text = payload.decode("utf-8")
            value = DECODER.decode(text)
        except UnicodeDecodeError as error:
            raise InvalidHello(f"a hello must be UTF-8: {error}") from error
        except (ValueError, RecursionError) as error:
            raise InvalidHello(f"a hello must be a JSON object: {error}") from error
        if not isinstance(value, dict):
            raise InvalidHello(f"a hello must be a JSON object, not {type(value).__name__}")
        if "name" not in value:
            raise _wrong("a hello must have a member 'name'")
        known: dict[str, Any] = {}
        for member, kind in MEMBERS.items():
            if member in value:
                said = value[member]
                if not isinstance(said, kind) or isinstance(said, bool):
                    raise _wrong(f"'{member}' in a hello must be {kind.__name__}, not {type(said).__name__}")
                if isinstance(said, str) and not _is_text(said):
                    raise _wrong(f"'{member}' in a hello has half a surrogate pair, which UTF-8 cannot write")
                known[member] = said
        return Hello(**known, extra=Extra(_others(text) if len(value) > len(known) else {}))

    def encode(self, hello: Hello) -> bytes:
        """See `IHandshake`."""
        said = [f'"{member}":{_json(getattr(hello, member))}' for member in MEMBERS]
        own = sum(len(text.encode()) + len(",") for text in said[1:])  # the members that the repeater fills in itself
        said += hello.extra.texts() if isinstance(hello.extra, Extra) else _texts(hello.extra)
        payload = f"{{{','.join(said)}}}".encode()
        for size in (len(hello.credentials.encode()), len(payload) - own):
            if size > self.framing.max_frame:
                raise InvalidHello(f"a hello must have at most {self.framing.max_frame} bytes, not {size}")
        return len(payload).to_bytes(4, "big") + payload


def _others(text: str) -> dict[str, tuple[str, str]]:
    """Return the members of a valid JSON object that are not known: for each the JSON of its name and of its value.

    If a member occurs twice, the last one counts.
    """
    members: dict[str, tuple[str, str]] = {}
    at = _skip(text, _skip(text, 0) + 1)  # after the brace
    while text[at] != "}":
        name, end = DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, end) + 1)
        _, stop = DECODER.raw_decode(text, start)
        if name not in MEMBERS:
            if name.casefold() in MEMBERS:  # a server that ignores case would take it for the known one
                raise _wrong(f"'{name.casefold()}' in a hello must be written like that, not {name!r}")
            members[name] = (text[at:end], text[start:stop])
        at = _skip(text, stop)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members


def _texts(extra: Mapping[str, object]) -> list[str]:
    """Return the JSON of members that no peer wrote."""
    for member in extra:
        if member.casefold() in MEMBERS:
            raise InvalidHello(f"{member!r} must not be an extra member of a hello: the repeater writes it itself")
    return [f"{_json(member)}:{_json(value)}" for member, value in extra.items()]


def _skip(text: str, at: int) -> int:
    """Return the offset after the white space at ``at``, if there is any."""
    match = SPACE.match(text, at)
    assert match is not None
    return match.end()


def _json(value: object) -> str:
    """Return the JSON of a value without escapes, with which a name of 11,000 CJK characters would be too long."""
    text = ENCODER.encode(value)
    if not _is_text(text):
        raise InvalidHello(f"{text[:60]!r} has half a surrogate pair, which UTF-8 cannot write")
    return text


def _wrong(message: str) -> InvalidHello:
    """Return the error about a frame that is a wrong hello; its bytes may be a secret."""
    error = InvalidHello(message)
    error.is_hello = True
    return error


def _is_text(value: str) -> bool:
    """Return whether a string can be written in UTF-8, as halves of surrogate pairs in JSON cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def int32(
    *,
    to_server: Codec | MessageType | None = None,
    to_client: Codec | MessageType | None = None,
    mode: str = "",
    production: bool = True,
) -> Dialect:
    """Return the default dialect.

    A frame is a 4-byte unsigned big-endian length and that many bytes of payload. The first frame each way is the
    hello, a UTF-8 JSON object such as ``{"name": "ann"}``. It may also have ``mode``, ``send_version``,
    ``recv_version`` and ``credentials``. The repeater forwards other members unchanged; see `Hello.extra`.

    Args:
        to_server: the messages to the server: a codec, a `MessageType` for codecs with versions, or ``None`` for plain
            ``bytes``.
        to_client: the messages to the client, in the same way.
        mode: the mode, which must be equal in the hellos of both peers.
        production: whether the repeater's hellos state the ``prod`` versions of the messages, or else ``test``.

    Raises:
        TypeError: a codec is not a codec.
    """
    return Dialect(
        name="int32",
        framing=lambda limits: Int32Framing(limits.max_frame),
        opening=hellos(lambda limits: JSONHandshake(limits.max_hello), mode=mode, production=production),
        to_server=to_server,
        to_client=to_client,
    )
