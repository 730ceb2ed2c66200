"""The recording of ``twistd repeater --record``, which the administration can stop and start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from twisted.internet.defer import Deferred

from .._repeater import Repeater
from .._types import Reactor
from ..observers.metrics import MetricsObserver
from .descriptions import arguments_of, described

if TYPE_CHECKING:
    from ..recording import Recorder

__all__ = ["ServiceRecording", "record_arguments"]


def options(
    *,
    max_size: int = 1 << 30,
    keep: int = 4,
    when_slow: Literal["leave-out", "wait"] = "leave-out",
    max_waiting: int = 64 << 20,
    durable: bool = False,
) -> None:
    """Have the signature of the options of ``--record``: those of `record` that can be written as text."""


def record_arguments(text: str) -> dict[str, Any]:
    r"""Read the value of ``--record``: ``traffic.db:max-size=1GiB:keep=4:when-slow=wait``.

    Args:
        text: the file, with options. A colon in its name is written ``\:``.

    Returns:
        The arguments of `record`.

    Raises:
        ValueError: an option is unknown or wrong, or there is no file.
    """
    from ..recording.start import check_numbers  # not before, as it imports SQLite

    kind, parts, given = described(text)
    path = re.sub(r"\\(.)", r"\1", ":".join((kind, *parts)))
    if not path:
        raise ValueError(f"must have a file, such as traffic.db:max-size=1GiB, not {text!r}")
    arguments = arguments_of(options, given)
    try:
        check_numbers(arguments)
    except ValueError as error:
        raise ValueError(str(error).replace("_", "-")) from error
    return {"path": path, **arguments}


class ServiceRecording:
    """Begins and ends the recording of one repeater, always into the file that was configured.

    Args:
        arguments: the arguments of `record`.
        metrics: shows the numbers of the recording.
        reactor: the reactor.
    """

    def __init__(self, arguments: Mapping[str, Any], metrics: MetricsObserver, reactor: Reactor) -> None:
        self.recorder: Recorder | None = None
        """The last recording; it may be over."""
        self._arguments = arguments
        self._metrics = metrics
        self._reactor = reactor
        self._ends = False

    @property
    def runs(self) -> bool:
        """Whether there is a recording that is not over."""
        return self.recorder is not None and not self.recorder.over

    def start(self, repeater: Repeater) -> None:
        """Begin, unless a recording runs.

        Raises:
            RecordingError: the file cannot be recorded into.
            OSError: the file cannot be made.
            RuntimeError: the repeater is shut down, or the recording is being ended.
        """
        from ..recording import record

        if self.runs and self._ends:
            raise RuntimeError("the recording is being ended; try again in a moment")
        if not self.runs:
            self._ends = False
            self.recorder = self._metrics.recording = record(repeater, reactor=self._reactor, **self._arguments)

    def stop(self) -> Deferred[None]:
        """End the recording; fires when the file is complete."""
        if self.recorder is None:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done
        self._ends = True
        return self.recorder.stop()

    def state(self) -> dict[str, object]:
        """Return what the administration shows."""
        recorder = self.recorder
        if recorder is None:
            return {"runs": False}
        return {
            "runs": self.runs,
            "file": recorder.path,
            "recorded": recorder.recorded,
            "left_out": recorder.left_out,
            "waiting_bytes": recorder.waiting,
            "age": round(recorder.age, 3),
            "suspended": recorder.suspended,
        }
