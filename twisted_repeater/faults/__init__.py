"""Faults to inject on purpose, for tests and drills: by message and by bytes.

Set them with ``repeater.faults.set(name, fault)``.
"""

from __future__ import annotations

from ._fault import Fault
from ._registry import ActiveFault, Faults

__all__ = ["ActiveFault", "Fault", "Faults"]
