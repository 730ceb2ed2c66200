"""Writes recordings as JSON lines: one object for each message, and for the beginning and the end of each link."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final

from ..._text import told
from ..records import Origin, RecordedGap, RecordedLink, RecordedMessage
from .decoding import Decoder
from .plain import plain, plain_bytes
from .timeline import Event, LinkEnded, LinkMade, MessagePassed

__all__ = ["FORMAT", "write_jsonl"]

FORMAT: Final = 1
"""The version of the names and values below. New names do not change it."""

UNSAFE: Final = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Characters that could change a terminal or hide text, and those that UTF-8 lacks. JSON escapes lower ones."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write_jsonl(
    events: Iterable[Event], file: BinaryIO, *, facts: Mapping[str, str], decoder: Decoder | None = None
) -> None:
    """Write a recording as JSON lines, in UTF-8.

    Each line is an object. Its ``event`` is ``recording`` (the first line), ``link_made``, ``message``, ``link_ended``,
    ``client_refused`` or ``gap``. The other names are those of `RecordedLink`, `RecordedMessage` and `RecordedGap`.
    ``time`` is a text in ISO 8601, ``timestamp`` the same in seconds since 1970; ``took`` is in seconds, too.

    Args:
        events: what happened; see `timeline`.
        file: where to write.
        facts: what is known about the whole recording; see `Recording.facts`.
        decoder: decodes the messages; ``None`` to leave out ``decoded``.
    """
    write_line(file, {"event": "recording", "format": FORMAT, "facts": dict(facts)})
    for event in events:
        if isinstance(event, MessagePassed):
            write_line(file, _message(event.link, event.message) | _decoded(event.message, decoder))
        elif isinstance(event, LinkMade):
            if event.link.refused is None:
                write_line(file, _link_made(event.link))
        elif isinstance(event, LinkEnded):
            write_line(file, _link_ended(event.link))
            if decoder is not None:
                decoder.forget(event.link.id)
        else:
            write_line(file, _gap(event))


def write_line(file: BinaryIO, values: dict[str, Any]) -> None:
    """Write an object as a line."""
    line = ENCODER.encode(values)
    if not line.isascii() or "\x7f" in line:
        line = UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    file.write(line.encode() + b"\n")


def _message(link: RecordedLink, message: RecordedMessage) -> dict[str, Any]:
    return {
        "event": "message",
        "id": message.id,
        **_who(link),
        **_when(message.time),
        "direction": message.direction.value,
        "origin": message.origin.value,
        "number": message.number,
        "verdict": message.verdict,
        "by_filter": message.by_filter,
        "took": message.took / 1e6,
        "passed": message.passed,
        "frame": plain_bytes(message.frame),
        "forward": plain_bytes(message.forward),
        "back": plain_bytes(message.back),
    }


def _decoded(message: RecordedMessage, decoder: Decoder | None) -> dict[str, Any]:
    """Return the message in a frame, or why it cannot be decoded."""
    if decoder is None or message.origin is not Origin.MESSAGE:
        return {}
    try:
        return {"decoded": plain(decoder.decode(message))}
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a codec of the application
        return {"decoded": None, "error": told(error)}


def _link_made(link: RecordedLink) -> dict[str, Any]:
    return {"event": "link_made", **_who(link), **_when(link.made), **_where(link)}


def _link_ended(link: RecordedLink) -> dict[str, Any]:
    if link.refused is not None:
        return {"event": "client_refused", **_who(link), **_when(link.ended), **_where(link), "refused": link.refused}
    return {"event": "link_ended", **_who(link), **_when(link.ended), "reason": link.reason}


def _who(link: RecordedLink) -> dict[str, Any]:
    return {"link": link.id, "client_name": link.client_name}


def _where(link: RecordedLink) -> dict[str, Any]:
    return {
        "client_address": link.client_address,
        "server_name": link.server_name,
        "server_address": link.server_address,
        "details": plain(link.details),
    }


def _gap(gap: RecordedGap) -> dict[str, Any]:
    return {
        "event": "gap",
        **_when(gap.began),
        "ended": _iso(gap.ended),
        "after": gap.after,
        "left_out": gap.left_out,
        "reason": gap.reason,
    }


def _when(time: int | None) -> dict[str, Any]:
    """Return a time for people and for programs."""
    return {"time": _iso(time), "timestamp": None if time is None else time / 1e6}


def _iso(time: int | None) -> str | None:
    if time is None:
        return None
    return (EPOCH + timedelta(microseconds=time)).isoformat(timespec="microseconds").replace("+00:00", "Z")
