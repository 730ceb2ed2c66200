"""The dialect `redis`."""

from __future__ import annotations

from ...errors import ConnectingError
from ...framings import Framings
from ...framings.resp import RespFraming
from ...model import SameName
from .._dialect import Dialect
from ..attempt import Attempt
from ..openings import server_first
from .codec import CommandCodec, ReplyCodec
from .naming import Naming
from .redacting import redacted
from .values import line_of, load_hiredis

__all__ = ["redis"]

MAX_FRAME = 1024 * 1024 * 1024
"""Redis itself allows 512 MiB for a single string. Large frames that no filter wants are passed on in pieces."""


def redis(*, names: bool = True, max_frame: int = MAX_FRAME) -> Dialect:
    """Return the dialect of Redis, Valkey and the like, in RESP2 and RESP3.

    Messages to the server are `Command`, or `Raw` where a client sends bytes that ask for nothing; those to the client
    are `Reply`. A filter that answers commands itself does so with `in_turn`.

    The repeater connects to the server as soon as a client connects. The client is named after its address. With
    ``names`` it gets the name of the user that it logs in as (``AUTH``, ``HELLO``), or else the name that it gives to
    its connection (``CLIENT SETNAME``), as soon as the server has accepted that. Many clients may share a name.

    Args:
        names: whether clients get names of their own. It costs a look at each message.
        max_frame: the longest command or reply, in bytes, unless the repeater's limits say otherwise.

    Raises:
        ImportError: hiredis is not installed.
    """
    load_hiredis()
    return Dialect(
        name="redis",
        framing=lambda limits: Framings(
            RespFraming(int(limits.max_frame), commands=True), RespFraming(int(limits.max_frame), commands=False)
        ),
        opening=server_first,
        refusal=_refusal,
        same_name=SameName.SHARE,
        redact=redacted,
        max_frame=max_frame,
        to_server=CommandCodec(),
        to_client=ReplyCodec(),
        filters=Naming() if names else None,
    )


def _refusal(error: ConnectingError, attempt: Attempt) -> bytes:
    """Return the error for a client that cannot be linked. It reads it as the reply to its first command."""
    return line_of(b"-", f"ERR {error}")
