"""A link in memory with a fault."""

from __future__ import annotations

from typing import Any

from twisted_repeater.faults import Fault
from twisted_repeater.testing import FilterHarness


def broken(fault: Fault, **options: Any) -> FilterHarness:
    """Return a harness with a link that has one fault."""
    harness = FilterHarness(**options)
    harness.repeater.faults.set("it", fault)
    return harness
