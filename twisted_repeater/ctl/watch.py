"""``ctl watch``: messages as they pass."""

from __future__ import annotations

import argparse

from .administration import Query
from .events import Event, Events
from .session import Session, note
from .shown import fields_of, line_of

__all__ = ["watch"]


def watch(session: Session, options: argparse.Namespace) -> None:
    """Show messages as they pass, until Ctrl-C."""
    query: Query = {name: getattr(options, name) for name in ("client", "direction", "type", "text", "max_rate")}
    if options.direction is not None:
        query["direction"] = options.direction.replace("-", "_")
    try:
        for event in Events(session.administration, *session.path, "stream", query=query):
            _show(session, event, with_fields=options.fields)
    except KeyboardInterrupt:
        return


def _show(session: Session, event: Event, *, with_fields: bool) -> None:
    """Show what happened."""
    if session.as_json:
        session.print_json({"event": event.kind} | event.data)
        return
    line = line_of(event)
    if line is not None:
        print(line, flush=True)
    if event.kind == "message" and with_fields:
        for field in fields_of(event.data):
            print(field, flush=True)
    elif event.kind == "counts" and event.data["left_out"]:
        note(f"({event.data['left_out']:,} messages are left out: --max-rate shows more, --client fewer)")
    elif event.kind == "resync":
        note("(messages are left out: the connection was lost)")
