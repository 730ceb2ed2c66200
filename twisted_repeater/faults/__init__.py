"""Faults to inject on purpose, for tests and drills: by message and by bytes.

Set them with ``repeater.faults.set(name, fault)``.
"""

from __future__ import annotations

from ._fault import Fault
from ._link_faults import MessageFault
from ._registry import ActiveFault, Faults
from .by_bytes import Bandwidth, ByteFault, Down, LimitData, ResetPeer, Slicer, SlowClose, Timeout
from .by_message import Corrupt, Cut, Drop, Duplicate, Latency, Reorder, Stall

__all__ = [
    "ActiveFault",
    "Bandwidth",
    "ByteFault",
    "Corrupt",
    "Cut",
    "Down",
    "Drop",
    "Duplicate",
    "Fault",
    "Faults",
    "Latency",
    "LimitData",
    "MessageFault",
    "Reorder",
    "ResetPeer",
    "Slicer",
    "SlowClose",
    "Stall",
    "Timeout",
]
