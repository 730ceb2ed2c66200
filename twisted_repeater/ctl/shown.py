"""Messages, and what else happens on links, as lines for people."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from .._text import printable, shortened
from .administration import Answer
from .events import Event
from .texts import moment, size

__all__ = ["fields_of", "line_of", "message_line"]

ARROWS = {"to_server": "->", "to_client": "<-"}

LONGEST_BYTES = 2000
"""How many bytes of a message are shown, if it has no fields."""


def message_line(message: Answer) -> str:
    """Return a message as one line: who sent it, what it is, and what was decided about it."""
    arrow = ARROWS.get(message["direction"], message["direction"])
    kind = message["type"] or ""
    kind = "" if message["summary"].startswith(kind) else f"{kind}: "
    text = f"{message['client']} {arrow} {kind}{message['summary']}{_decision_about(message, arrow)}"
    return f"{moment(message['time'], day=False)} {message['link']} {printable(text)}"


def _decision_about(message: Answer, arrow: str) -> str:
    """Return what was decided about a message, and what was sent because of it: ``  [SendBack <- no]``."""
    words = [message["verdict"]] if message["verdict"] else []
    back = "->" if arrow == "<-" else "<-"
    words += [
        f"{way} {sent['summary']}" for way, sent in ((arrow, message["forward"]), (back, message["back"])) if sent
    ]
    return f"  [{' '.join(words)}]" if words else ""


def fields_of(message: Answer) -> Iterator[str]:
    """Return a line for each field of a message, or its bytes."""
    fields = message["fields"]
    if fields is not None:
        width = max((len(str(field[0])) for field in fields), default=0)
        for name, value, label in fields:
            yield printable(f"    {name:{width}} = {value}" + (f"  ({label})" if label else ""))
    elif message["bytes"] is None:
        yield "    (it is not shown, because it has secrets)"
    else:
        payload = base64.b64decode(message["bytes"]["base64"])
        cut = f" ... ({size(message['size'])})" if len(payload) > LONGEST_BYTES or message["bytes"]["cut"] else ""
        yield f"    {ascii(payload[:LONGEST_BYTES])[2:-1]}{cut}"


def line_of(event: Event) -> str | None:
    """Return what happened as one line, ``None`` if it is nothing for people."""
    kind, data = event
    if kind == "message":
        return message_line(data)
    if kind == "link_made":
        return printable(f"link {data['id']} of client {data['client']} from {data['client_address']} is made")
    if kind == "link_ended":
        why = "" if data["reason"] is None else f": {shortened(data['reason'])}"
        return printable(f"link {data['link']} of client {data['client']} has ended{why}")
    if kind == "link_refused":
        return printable(f"client {data['client'] or '?'} is refused: {shortened(data['error'])}")
    if kind == "error":
        return printable(f"link {data['link']} of client {data['client']}: {shortened(data['error'])}")
    return None
