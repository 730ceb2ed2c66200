"""The faults of a repeater in its administration."""

from __future__ import annotations

import json

from twisted.web import http
from twisted.web.server import Request

from ..._repeater import Repeater
from ..._text import text_of
from ..ready_faults import fault_of
from .site import Answer

__all__ = ["clear_faults", "faults_page", "remove_fault", "set_fault"]


def faults_page(request: Request, repeater: Repeater) -> bytes:
    """Return the faults that are set, as JSON, in the order in which they hit."""
    request.setHeader(b"content-type", b"application/json")
    shown = [
        {
            "name": active.name,
            "fault": str(active.fault),
            "direction": active.fault.way,
            "seed": active.seed,
            "seconds_left": None if active.seconds_left is None else round(active.seconds_left, 3),
            "seen": active.seen,
            "hit": active.hit,
        }
        for active in repeater.faults
    ]
    return json.dumps({"faults": shown}, indent=1).encode() + b"\n"


def set_fault(request: Request, repeater: Repeater, name: str) -> Answer:
    """Set the fault of this name, which the query describes: ``?fault=latency:seconds=0.1:lasts=60``."""
    given = (request.args or {}).get(b"fault", [])
    if len(given) != 1:
        return (http.BAD_REQUEST, "the query must have one fault, such as ?fault=latency:seconds=0.1")
    try:
        wanted = fault_of(given[0].decode("utf-8", "replace"), name)
        active = repeater.faults.set(name, wanted.fault, seconds=wanted.lasts)
    except ValueError as error:
        return (http.BAD_REQUEST, text_of(error))
    return (http.OK, f"set: {active.fault}, direction {active.fault.way}, seed {active.seed}")


def remove_fault(request: Request, repeater: Repeater, name: str) -> Answer:
    """Remove the fault of this name."""
    if not repeater.faults.remove(name):
        return (http.NOT_FOUND, f"no fault {name!a} is set")
    return (http.OK, f"the fault {name!a} is removed")


def clear_faults(request: Request, repeater: Repeater) -> Answer:
    """Remove all faults."""
    repeater.faults.clear()
    return (http.OK, "no fault is set")
