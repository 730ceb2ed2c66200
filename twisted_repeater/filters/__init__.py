"""Filters that are ready to use, and functions for writing others."""

from __future__ import annotations

from ._provider import filter_function, selector_of
from .allow import Allow, Deny
from .by_type import ByType
from .chain import Chain, chain
from .count import Count
from .in_order import in_order
from .log import Log
from .pair import FilterPair
from .rate_limit import WAIT, RateLimit
from .selective import Selective, wants
from .shadow import Shadow

__all__ = [
    "WAIT",
    "Allow",
    "ByType",
    "Chain",
    "Count",
    "Deny",
    "FilterPair",
    "Log",
    "RateLimit",
    "Selective",
    "Shadow",
    "chain",
    "filter_function",
    "in_order",
    "selector_of",
    "wants",
]
