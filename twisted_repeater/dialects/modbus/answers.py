"""What the repeater itself answers: exceptions, for refused requests and refused clients."""

from __future__ import annotations

from ...errors import (
    ClientIPNotAuthorized,
    ClientNotAllowed,
    ConnectingError,
    RefusedByApplication,
    RepeaterClosed,
    ServerUnreachable,
    TooManyClients,
)
from ...link import Link
from ...model import Side
from ...verdicts import SendBack, Verdict
from ..attempt import Attempt
from .message import ExceptionCode
from .requests import Request
from .responses import ExceptionResponse
from .wire import HEAD, MalformedMessage, exception

__all__ = ["farewell", "refusal", "refuse"]

REFUSALS: dict[type[ConnectingError], ExceptionCode] = {
    ServerUnreachable: ExceptionCode.GATEWAY_PATH_UNAVAILABLE,
    TooManyClients: ExceptionCode.SERVER_DEVICE_BUSY,
    RepeaterClosed: ExceptionCode.SERVER_DEVICE_BUSY,
    ClientIPNotAuthorized: ExceptionCode.ILLEGAL_FUNCTION,
    ClientNotAllowed: ExceptionCode.ILLEGAL_FUNCTION,
    RefusedByApplication: ExceptionCode.ILLEGAL_FUNCTION,
}
"""The code for a client that cannot be linked; others get `ExceptionCode.GATEWAY_TARGET_FAILED`."""


def refuse(request: Request, code: int = ExceptionCode.ILLEGAL_FUNCTION) -> Verdict:
    """Return the verdict that answers a request with an exception. The server does not get the request.

    The exception goes out at once: the client knows by its transaction number to which request it belongs.

    Args:
        request: the request.
        code: why it is refused; usually an `ExceptionCode`.
    """
    function = request.function & 0x7F
    return SendBack([ExceptionResponse(function, code, unit=request.unit, transaction=request.transaction)])


def refusal(error: ConnectingError, attempt: Attempt) -> bytes | None:
    """Return the exception for the first request of a client that cannot be linked; ``None`` if it has sent none."""
    header = attempt.details.get("first_header")
    if not isinstance(header, bytes):
        return None
    transaction, _, _, unit, function = HEAD.unpack(header)
    code = REFUSALS.get(type(error), ExceptionCode.GATEWAY_TARGET_FAILED)
    return exception(function, code, unit, transaction)


def farewell(reason: BaseException | None, link: Link) -> bytes | None:
    """Return the exception for a request that is not valid and has ended its link; ``None`` for other reasons."""
    if isinstance(reason, MalformedMessage) and reason.side is Side.CLIENT:
        return reason.answer or None
    return None
