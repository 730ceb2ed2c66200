"""The function `modbus`, which puts the dialect together, with its opening."""

from __future__ import annotations

from ...framings import LengthFraming
from ...model import Limits, SameName
from .._dialect import Dialect
from ..attempt import Attempt
from .answers import farewell, refusal
from .codec import RequestCodec, ResponseCodec
from .wire import HEAD, LONGEST

__all__ = ["after_first_request", "modbus"]


def modbus() -> Dialect:
    """Return the dialect of Modbus/TCP.

    Filters see the classes of `twisted_repeater.dialects.modbus`: typed requests and responses of the functions that
    read or write coils and registers, and `Raw` for all others. A client is named after its address, as Modbus has no
    names.

    The repeater connects to the server with the client's first request. If it cannot, or must refuse the client, that
    request is answered with an exception. ``link.details["first_header"]`` has its first eight bytes.

    A frame whose protocol number is not 0, or whose length is not 2 to 254, ends its sender's link. So does a request
    that is not valid, if there is a filter of requests, and a response that is not valid, if a filter looks at messages
    of its class.
    """
    return Dialect(
        name="modbus",
        framing=_framing,
        opening=after_first_request,
        refusal=refusal,
        farewell=farewell,
        same_name=SameName.SHARE,
        max_frame=LONGEST,
        to_server=RequestCodec(),
        to_client=ResponseCodec(),
    )


def _framing(limits: Limits) -> LengthFraming:
    """Return the framing.

    The number of the protocol and the length are read as one number of four bytes. It is small only if the protocol is
    0.
    """
    return LengthFraming(min(limits.max_frame, LONGEST), at=2, size=4, header=HEAD.size, whole=True)


async def after_first_request(attempt: Attempt) -> None:
    """Admit a client, which has only an address, when its first request is there. The request stays in the stream."""
    first = await attempt.client.peek()
    await attempt.admit(first_header=first.data[: HEAD.size])
