"""Recording: traffic in an SQLite file, and how it is read again."""

from __future__ import annotations

from .reader import Recording, open_recording
from .recorder import Recorder
from .records import Origin, RecordedGap, RecordedLink, RecordedMessage, RecordingError
from .start import record

__all__ = [
    "Origin",
    "RecordedGap",
    "RecordedLink",
    "RecordedMessage",
    "Recorder",
    "Recording",
    "RecordingError",
    "open_recording",
    "record",
]
