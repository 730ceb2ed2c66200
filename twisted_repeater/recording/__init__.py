"""Recording: traffic in an SQLite file, and how it is read again."""

from __future__ import annotations

from .reader import Recording, open_recording
from .records import Origin, RecordedGap, RecordedLink, RecordedMessage, RecordingError

__all__ = [
    "Origin",
    "RecordedGap",
    "RecordedLink",
    "RecordedMessage",
    "Recording",
    "RecordingError",
    "open_recording",
]
