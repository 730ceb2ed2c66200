"""The hello of ``int32`` and the agreement on versions; sans-IO."""

from __future__ import annotations

import json
from typing import Any

from zope.interface import implementer

from .errors import InvalidHello
from .framing import Framing, Int32Framing
from .interfaces import IHandshake
from .model import Hello

__all__ = ["JSONHandshake", "agreed_version"]

MEMBERS: dict[str, type] = {
    "name": str,
    "mode": str,
    "send_version": int,
    "recv_version": int,
    "credentials": str,
}
"""The members of a hello and their types; all but ``name`` may be missing, others are ignored."""


@implementer(IHandshake)
class JSONHandshake:
    """A hello is a UTF-8 JSON object with the members of `Hello`, in one frame.

    ``max_hello`` is the longest hello that is read, in bytes.
    """

    framing: Framing

    def __init__(self, max_hello: int) -> None:
        self.framing = Int32Framing(max_hello)

    def decode(self, payload: bytes) -> Hello:
        """Read a hello; see `IHandshake`."""
        try:
            members = json.loads(payload.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InvalidHello(f"a hello must be UTF-8: {error}") from error
        except (ValueError, RecursionError) as error:
            raise InvalidHello(f"a hello must be a JSON object: {error}") from error
        if not isinstance(members, dict):
            raise InvalidHello(f"a hello must be a JSON object, not {type(members).__name__}")
        if "name" not in members:
            raise InvalidHello("a hello must have a member 'name'")
        known: dict[str, Any] = {}
        for member, kind in MEMBERS.items():
            if member in members:
                value = members[member]
                if not isinstance(value, kind) or isinstance(value, bool):
                    raise InvalidHello(f"'{member}' in a hello must be {kind.__name__}, not {type(value).__name__}")
                if isinstance(value, str) and not _is_text(value):
                    raise InvalidHello(f"'{member}' in a hello has half a surrogate pair, which no UTF-8 can say")
                known[member] = value
        return Hello(**known)

    def encode(self, hello: Hello) -> bytes:
        """Write a hello; see `IHandshake`."""
        payload = json.dumps({member: getattr(hello, member) for member in MEMBERS}).encode("ascii")
        if len(payload) > self.framing.max_frame:
            raise InvalidHello(f"a hello of {len(payload)} bytes, at most {self.framing.max_frame} can be sent")
        return self.framing.encode(payload)


def _is_text(value: str) -> bool:
    """Tell whether a string can be written in UTF-8: JSON can say halves of surrogate pairs."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def agreed_version(sends: int, receives: int) -> int:
    """Give the version that a connection uses in one direction: the newest that both ends have."""
    return min(sends, receives)
