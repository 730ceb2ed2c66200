"""What users need to test their filters, and their dialects: no network, no waiting, failures that can be read.

* `FilterHarness` runs a filter on messages.
* `MemoryRepeater` is a whole repeater in memory, with clients and a server that do what a test tells them to, and a
  clock to advance; `SocketRepeater` is the same on real sockets.
* `check_framing` and `check_codec` try a framing or a codec of one's own.

For pytest there are fixtures in `twisted_repeater.testing.pytest_plugin`.
"""

from ._harness import FilterHarness, Outcome
from ._peer import Peer
from ._running import MemoryRepeater, RunningRepeater, SocketRepeater
from ._server import ScriptedServer
from ._transcript import Entry, Event, Transcript
from .conformance import ConformanceError, check_codec, check_framing

__all__ = [
    "ConformanceError",
    "Entry",
    "Event",
    "FilterHarness",
    "MemoryRepeater",
    "Outcome",
    "Peer",
    "RunningRepeater",
    "ScriptedServer",
    "SocketRepeater",
    "Transcript",
    "check_codec",
    "check_framing",
]
