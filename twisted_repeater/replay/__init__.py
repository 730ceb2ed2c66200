"""Plays recordings again: against a server, or through filters."""

from __future__ import annotations

from .against_server import replay
from .comparison import Comparison
from .masks import Masks, masks_of
from .pace import Pace
from .report import Report
from .through_filters import replay_through_filters

__all__ = ["Comparison", "Masks", "Pace", "Report", "masks_of", "replay", "replay_through_filters"]
