"""The codecs of requests and of responses."""

from __future__ import annotations

from collections.abc import Iterable

from ...codecs._typed import TypedCodec
from ...selectors import Selector, bytes_at
from .message import Raw
from .requests import Request
from .responses import Response
from .wire import REQUESTS, RESPONSES, decode_request, decode_response, encode

__all__ = ["RequestCodec", "ResponseCodec"]

LENGTH_AT = 4
"""Where the length of what follows it is in a frame."""
FUNCTION_AT = 7
"""Where the number of the function is in a frame. The shortest frame ends with it."""
FIXED: dict[int, type] = {function: cls for function, (cls, _) in REQUESTS.items() if function <= 6}
"""The requests that all have the same length."""
FIXED_LENGTH = b"\0\6"


def _classes(known: Iterable[tuple[type, object]]) -> tuple[type, ...]:
    """Return the classes of messages, each once."""
    return (*dict.fromkeys(cls for cls, _ in known), Raw)


class _Codec(TypedCodec[Request | Response]):
    """What both have."""

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        if type(message) not in self.message_types:
            raise self.wrong_type(message)
        return encode(message)  # type: ignore[arg-type]


class RequestCodec(_Codec):
    """What clients send. A request that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = _classes(REQUESTS.values())

    def decode(self, payload: bytes) -> Request:
        """See `ICodec`."""
        return decode_request(payload)

    def selector_of_some(self, types: list[type]) -> Selector | None:
        """See `TypedCodec`. Only requests whose length is right are not decoded.

        Servers such as libmodbus take as many bytes as the function has, and what follows in the frame for another
        request: one that no filter has seen.
        """
        others = [bytes((function,)) for function, cls in FIXED.items() if cls not in types]
        return ~(bytes_at(FUNCTION_AT, others) & bytes_at(LENGTH_AT, [FIXED_LENGTH])) if others else None


class ResponseCodec(_Codec):
    """What servers send. A response that a filter passes on leaves as the bytes that came."""

    message_types: tuple[type, ...] = _classes(RESPONSES.values())

    def decode(self, payload: bytes) -> Response:
        """See `ICodec`."""
        return decode_response(payload)

    def selector_of_some(self, types: list[type]) -> Selector:
        """See `TypedCodec`. Each class is known by its functions."""
        functions = {function: cls for function, (cls, _) in RESPONSES.items()}
        wanted = [bytes((number,)) for number in range(256) if functions.get(number, Raw) in types]
        return bytes_at(FUNCTION_AT, wanted)
