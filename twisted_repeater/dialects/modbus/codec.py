"""The codecs of requests and of responses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from ...codecs._typed import TypedCodec
from ...selectors import Selector, bytes_at
from .message import Raw
from .requests import Request
from .responses import Response
from .wire import REQUESTS, RESPONSES, decode_request, decode_response, encode

__all__ = ["RequestCodec", "ResponseCodec"]

FUNCTION_AT = 7
"""Where the number of the function is in a frame. The shortest frame ends with it."""


def _classes(known: Iterable[tuple[type, object]]) -> tuple[type, ...]:
    """Return the classes of messages, each once."""
    return (*dict.fromkeys(cls for cls, _ in known), Raw)


class _Codec(TypedCodec[Request | Response]):
    """What both have."""

    _functions: ClassVar[dict[int, type]]

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        if type(message) not in self.message_types:
            raise self.wrong_type(message)
        return encode(message)  # type: ignore[arg-type]

    def selector_of_some(self, types: list[type]) -> Selector:
        """See `TypedCodec`. Each class is known by its functions."""
        wanted = [bytes((number,)) for number in range(256) if self._functions.get(number, Raw) in types]
        return bytes_at(FUNCTION_AT, wanted)


class RequestCodec(_Codec):
    """What clients send. A request that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = _classes(REQUESTS.values())
    _functions: ClassVar[dict[int, type]] = {function: cls for function, (cls, _) in REQUESTS.items()}

    def decode(self, payload: bytes) -> Request:
        """See `ICodec`."""
        return decode_request(payload)


class ResponseCodec(_Codec):
    """What servers send. A response that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = _classes(RESPONSES.values())
    _functions: ClassVar[dict[int, type]] = {function: cls for function, (cls, _) in RESPONSES.items()}

    def decode(self, payload: bytes) -> Response:
        """See `ICodec`."""
        return decode_response(payload)
