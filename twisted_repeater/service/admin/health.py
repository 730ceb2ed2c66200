"""Calls of programs that watch the process: whether it lives, whether it is ready, its version, its numbers."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from msgspec import Struct
from twisted.web import http

from ...__main__ import how_it_runs, version_of
from ...observers.metrics import exposition
from .answers import Answer, ApiError, Nothing
from .routes import Call, Route

__all__ = ["ROUTES"]

NO_METRICS = "metrics need prometheus_client (pip install 'twisted_repeater[metrics]')"


class Health(Struct):
    """That the process lives."""

    healthy: bool
    """Always true: a process that does not live gives no answer."""


class Readiness(Struct):
    """Whether clients should be sent here."""

    ready: bool
    """Whether all repeaters accept clients."""
    reasons: list[str]
    """Why not; each begins with the name of a repeater, if it concerns only that one."""


class Version(Struct):
    """What runs here."""

    version: str
    """The version of twisted_repeater."""
    twisted: str
    """The version of Twisted."""
    python: str
    """The version of Python."""
    hot_path: str
    """Whether the parts that relay messages are compiled or interpreted."""


def health(call: Call[Nothing, None]) -> Health:
    """Answer."""
    return Health(True)


def readiness(call: Call[Nothing, None]) -> Answer:
    """Return why clients should not be sent here, if there is a reason."""
    reasons = list(call.context.administered.unready())
    return Answer(Readiness(not reasons, reasons), http.SERVICE_UNAVAILABLE if reasons else http.OK)


def versions(call: Call[Nothing, None]) -> Version:
    """Return the versions."""
    return Version(version_of("twisted_repeater"), version("twisted"), platform.python_version(), how_it_runs())


def metrics(call: Call[Nothing, None]) -> Answer:
    """Return the metrics of all repeaters, in the format that the client accepts best."""
    accept = (call.request.getHeader(b"accept") or b"").decode("ascii", "replace")
    administered = call.context.administered
    observers = {name: each.metrics for name, each in administered.repeaters.items()}
    fleet: Any = administered.fleet  # that of a process alone has no numbers
    try:
        page, content_type = exposition(observers, accept, *([fleet] if hasattr(fleet, "collect") else []))
    except ImportError as error:
        raise ApiError(http.NOT_IMPLEMENTED, NO_METRICS) from error
    return Answer(page, headers={"content-type": content_type})


ROUTES: list[Route] = [
    Route("GET", "/healthz", "Answer as long as the process lives.", health, Health, is_open=True),
    Route(
        "GET",
        "/readyz",
        "Show whether load balancers should send clients here.",
        readiness,
        Readiness,
        answers={200: "ready", 503: "not ready"},
        is_open=True,
    ),
    Route("GET", "/version", "Show the versions.", versions, Version),
    Route(
        "GET",
        "/metrics",
        "Show counters and gauges of all repeaters, for Prometheus.",
        metrics,
        None,
        errors={501: "prometheus_client is not installed"},
        content_type="text/plain",
    ),
]
