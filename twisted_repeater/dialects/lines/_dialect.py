"""The dialect `lines`."""

from __future__ import annotations

from ..._types import Message
from ...framings import DelimitedFraming
from ...model import Direction
from .._dialect import Dialect
from ..plain import Messages, plain
from .patterns import Pattern

__all__ = ["lines"]


def lines(
    *,
    end: bytes = b"\n",
    secret: str | None = None,
    max_frame: int | None = None,
    to_server: Messages = None,
    to_client: Messages = None,
) -> Dialect:
    r"""Return a dialect whose messages are lines.

    Filters see a line without its end. A line that ends with ``\r\n`` is split at the ``\n``, so filters see the ``\r``
    as the last byte, and one that they send should have it too. If every line of the protocol ends with ``\r\n``, pass
    ``end=b"\r\n"``: then filters do not see it, and the repeater writes it.

    It dials, and names clients, as `length` does.

    Args:
        end: the bytes at which a line ends.
        secret: a regular expression of RE2, such as ``"^(PASS|OPER) "``. Of lines in which it matches, logs show only
            what comes before the end of the match. It needs the extra ``lines``.
        max_frame: the longest line, in bytes, unless the repeater's limits say otherwise.
        to_server: the messages to the server, as for `length`.
        to_client: the messages to the client, in the same way.

    Raises:
        ImportError: ``secret`` is given, and google-re2 is not installed.
        ValueError: ``end`` is empty, or ``secret`` is not a regular expression.
    """
    dialect = plain("lines", lambda longest: DelimitedFraming(longest, end), max_frame, to_server, to_client)
    if secret is None:
        return dialect
    pattern = Pattern("secret", secret)

    def redact(message: Message, direction: Direction) -> Message:
        """Leave out what follows the match."""
        spans = pattern.search(message) if isinstance(message, bytes) else None
        return message if spans is None else message[: spans[0][1]] + b"..."

    return dialect.changed(redact=redact)
