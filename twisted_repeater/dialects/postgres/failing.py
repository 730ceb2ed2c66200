"""Refuses a message by one that fails at the server, and gives the server's error our words on its way back.

An error that the repeater answered itself would be wrong in many ways: the server would still be in its transaction,
and commit it; the error could overtake answers that the server owes; and in the extended protocol the server would not
skip what follows, up to the next Sync. So the server itself has to fail, in the place of the message that is refused.

The statement in its place is a string, which no statement begins with. The server repeats it in its error ("syntax
error at or near ..."), whatever language it speaks. So the words travel through the server, and nothing is kept here.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from urllib.parse import quote, unquote

from ...verdicts import Send
from .messages import (
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    ErrorResponse,
    Execute,
    FunctionCall,
    Parse,
    Query,
)

__all__ = ["is_refusal", "mended", "refuse"]

TAG: str = f"$refused_by_twisted_repeater_{secrets.token_hex(8)}$"
"""Begins and ends the string. It is another one in each process, so that repeaters in a row keep theirs apart. If a
client found it out, it could choose the words of its own errors, no more."""
REFUSAL = re.compile(rf"{re.escape(TAG)}([0-9A-Z]{{5}}) (.*?){re.escape(TAG)}")

PLAIN = " !\"#&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""Characters that, like letters and digits, are not escaped, so that the server's log can be read."""
LONGEST = 1000
"""How many characters of a reason are kept."""

Refusable = Query | Parse | Bind | Describe | Execute | Close | FunctionCall | CopyData | CopyDone | CopyFail


def refuse(message: Refusable, reason: str, *, code: str = "42501") -> Send:
    """Return the verdict that refuses a message to the server.

    The server gets a message that fails in its place. So nothing of a refused `Query` is run, a transaction in which it
    comes has failed, and in a pipeline the messages up to the next Sync are skipped. The client reads the reason as
    ``ERROR:  no DROP here``.

    Args:
        message: the message.
        reason: one sentence for the client's user. It is in the server's log too.
        code: the SQLSTATE of the error; by default that of a missing privilege.

    Raises:
        TypeError: a message of this class cannot be refused: the server answers it, but does not act on it.
        ValueError: the code is not a SQLSTATE.
    """
    if not re.fullmatch("[0-9A-Z]{5}", code):
        raise ValueError(f"code must be a SQLSTATE of five characters, such as 42501, not {code!r}")
    text = f"{TAG}{code} {quote(reason[:LONGEST], safe=PLAIN, errors='replace')}{TAG}"
    if isinstance(message, Query | FunctionCall):
        return Send(Query(text))
    if isinstance(message, Parse):
        return Send(Parse(message.statement, text))
    if isinstance(message, CopyData | CopyDone | CopyFail):
        return Send(CopyFail(text))
    if isinstance(message, Bind | Describe | Execute | Close):
        # A name, because a Parse without one would make the server forget the statement without a name.
        return Send(Parse("refused_by_twisted_repeater", text))
    raise TypeError(f"{type(message).__name__} cannot be refused, only a message that the server acts on")


def mended(error: ErrorResponse) -> ErrorResponse | None:
    """Return the error of a refused message in our words; ``None`` for any other error."""
    match = REFUSAL.search(error.message)
    if match is None:
        return None
    fields = {name: text for name, text in error.fields.items() if name in "SV"}
    return replace(error, fields={**fields, "C": match[1], "M": unquote(match[2])})


def is_refusal(sql: str) -> bool:
    """Return whether a text is in the place of a refused message. Whoever wrote it, the server runs nothing of it."""
    return sql.startswith(TAG)
