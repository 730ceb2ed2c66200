"""What calls of the administration are answered with: structs that become JSON, and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

__all__ = ["Answer", "ApiError", "ErrorAnswer", "Nothing", "json_of"]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An object without members: the query, or the body, of a call that takes none."""


class ErrorAnswer(msgspec.Struct):
    """The answer to a call that failed."""

    error: str
    """What is wrong, in one sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is more than a struct with status 200."""

    content: object
    """A struct, which becomes JSON; ``bytes`` are sent as they are."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers, by their names in lower case; ``content-type`` is that of JSON if it is not here."""


class ApiError(Exception):
    """A call that is answered with an error.

    Args:
        status: the HTTP status.
        error: what is wrong, in one sentence.
        headers: more headers of the answer.
    """

    def __init__(self, status: int, error: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status: int = status
        self.error: str = error
        self.headers: Mapping[str, str] = headers or {}

    @property
    def answer(self) -> Answer:
        """The answer that says so."""
        return Answer(ErrorAnswer(self.error), self.status, self.headers)


def json_of(value: object) -> bytes:
    """Return a struct, or what structs are made of, as JSON on one line.

    The name of a client may hold bytes that are not UTF-8, as surrogate escapes. They become escapes of JSON.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode()
