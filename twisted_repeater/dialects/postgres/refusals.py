"""What the client of PostgreSQL gets to read when it is refused, or when its link is closed from here."""

from __future__ import annotations

from ..._text import text_of
from ...errors import (
    CallbackFailed,
    ClientNotAllowed,
    ConnectingError,
    InvalidHello,
    ParseError,
    RepeaterClosed,
    ServerUnreachable,
    TooManyClients,
)
from ...link import Link
from ...model import Side
from ..attempt import Attempt
from .codec import TO_CLIENT
from .messages import ErrorResponse

__all__ = ["Refused", "RefusedByServer", "farewell", "refusal"]

CODES: dict[type[ConnectingError], str] = {
    ClientNotAllowed: "28000",
    RepeaterClosed: "57P03",
    ServerUnreachable: "08001",
    TooManyClients: "53300",
}
"""The SQLSTATE of each error; all others have `REJECTED`."""

REJECTED, ADMIN_SHUTDOWN, PROTOCOL_VIOLATION = "08004", "57P01", "08P01"


class Refused(InvalidHello):
    """A client that speaks PostgreSQL's protocol cannot be served.

    Args:
        message: why.
        code: the SQLSTATE that the client gets.
        hint: what its user can do.
    """

    code: str
    """The SQLSTATE that the client gets."""
    hint: str
    """What its user can do, "" for nothing."""

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, Side.CLIENT)
        self.code = code
        self.hint = hint


class RefusedByServer(ServerUnreachable):
    """The server has refused the client.

    Args:
        answer: the server's message.
    """

    answer: bytes
    """The server's message, which the client gets as it came."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(f"the server refused the client: {_told(answer)}", Side.SERVER)
        self.answer = answer


def refusal(error: ConnectingError, attempt: Attempt) -> bytes | None:
    """Return an ErrorResponse, unless the client would take it for something else. See `Dialect`.

    Until the startup packet has come, a client may speak another protocol, or wait for an answer to its request for
    TLS. The request to cancel a statement is never answered.
    """
    if isinstance(error, RefusedByServer):
        return error.answer
    if isinstance(error, Refused):
        return fatal(text_of(error), error.code, error.hint)
    if not attempt.details or attempt.details.get("cancel"):
        return None
    code = next((code for cls, code in CODES.items() if isinstance(error, cls)), REJECTED)
    return fatal(text_of(error), code)


def farewell(reason: BaseException | None, link: Link) -> bytes | None:
    """Return an ErrorResponse that says why the link is closed. See `Dialect`."""
    if link.details.get("cancel"):
        return None
    if isinstance(reason, ParseError):
        return fatal(text_of(reason), PROTOCOL_VIOLATION)
    if reason is None or isinstance(reason, CallbackFailed):  # what has failed in the application is not for clients
        return fatal("the connection is closed", ADMIN_SHUTDOWN)
    return fatal(text_of(reason), ADMIN_SHUTDOWN)


def fatal(message: str, code: str, hint: str = "") -> bytes:
    """Return an ErrorResponse of the repeater."""
    more = {"H": hint} if hint else {}
    message = message.replace("\0", "\\0")
    return TO_CLIENT.encode(ErrorResponse.of(f"repeater: {message}", code=code, severity="FATAL", **more))


def _told(answer: bytes) -> str:
    """Return what an ErrorResponse says."""
    try:
        error = TO_CLIENT.decode(answer)
    except ParseError:
        error = None
    if not isinstance(error, ErrorResponse):
        return "its error cannot be read"
    return f"{error.severity} {error.code}: {error.message}"
