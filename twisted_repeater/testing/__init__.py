"""The kit for testing your own filters, codecs and framings, without a network and without waiting.

* `FilterHarness` runs a filter on messages.
* `MemoryRepeater` is a whole repeater in memory. A test scripts its clients and its server, and advances its clock.
* `SocketRepeater` is the same on real sockets.
* `ThreadRepeater` runs beside a test that blocks, between real programs.
* `recorded_links` makes test cases of a recording.
* `OpeningHarness` plays the opening of a dialect, step by step.
* `check_framing` and `check_codec` try a framing or a codec.

For pytest, there are fixtures in `twisted_repeater.testing.pytest_plugin`.
"""

from ._harness import FilterHarness, Outcome
from ._opening import OpeningHarness, Progress, RawPeer, Step
from ._peer import Peer
from ._recorded import LinkRecording, recorded_links
from ._running import MemoryRepeater, RunningRepeater, SocketRepeater
from ._server import ScriptedServer
from ._thread import ThreadRepeater
from ._transcript import Entry, Event, Transcript
from .conformance import ConformanceError, check_codec, check_framing

__all__ = [
    "ConformanceError",
    "Entry",
    "Event",
    "FilterHarness",
    "LinkRecording",
    "MemoryRepeater",
    "OpeningHarness",
    "Outcome",
    "Peer",
    "Progress",
    "RawPeer",
    "RunningRepeater",
    "ScriptedServer",
    "SocketRepeater",
    "Step",
    "ThreadRepeater",
    "Transcript",
    "check_codec",
    "check_framing",
    "recorded_links",
]
