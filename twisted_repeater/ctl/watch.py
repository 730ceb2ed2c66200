"""``ctl watch``: messages as they pass."""

from __future__ import annotations

import argparse

from .events import Event, Events
from .session import Session, criteria_of, note
from .shown import fields_of, line_of
from .texts import plural

__all__ = ["watch"]


HINT = "--max-rate shows more, --client fewer"


def watch(session: Session, options: argparse.Namespace) -> None:
    """Show messages as they pass, until Ctrl-C."""
    query = criteria_of(options, "max_rate")
    try:
        left_out = 0
        for event in Events(session.administration, *session.path, "stream", query=query):
            _show(session, event, with_fields=options.fields)
            if event.kind == "counts" and event.data["left_out"] != left_out:
                if not session.as_json:
                    note(f"({plural(event.data['left_out'] - left_out, 'message')} left out: {HINT})")
                left_out = event.data["left_out"]
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
    elif event.kind == "hello":
        note("messages are shown as they pass; Ctrl-C ends that")
    elif event.kind == "resync":
        note("(messages are left out: the connection was lost)")
