"""Calls about the recording of a repeater."""

from __future__ import annotations

from msgspec import Struct, convert
from twisted.web import http

from ..._text import printable, text_of
from ..recording import ServiceRecording
from .answers import ApiError, Nothing
from .routes import Call, Route

__all__ = ["ROUTES"]


class RecordingState(Struct):
    """The state of a recording."""

    runs: bool
    """Whether messages are recorded."""
    file: str = ""
    """The file, once the recording was begun."""
    recorded: int = 0
    """How many messages were recorded."""
    left_out: int = 0
    """How many messages were left out."""
    waiting_bytes: int = 0
    """Bytes of messages that are not written yet."""
    age: float = 0.0
    """How many seconds old the oldest of them is."""
    suspended: str = ""
    """Why nothing is recorded at the moment; empty if it is."""


def _recording(call: Call[Nothing, None]) -> ServiceRecording:
    """Return the recording of the repeater. A client cannot choose its file, and so write anywhere."""
    if (recording := call.administered.recording) is None:
        raise ApiError(http.NOT_FOUND, "there is no recording; the option --record names a file for it")
    return recording


def _state(recording: ServiceRecording) -> RecordingState:
    return convert(recording.state(), RecordingState)


def show(call: Call[Nothing, None]) -> RecordingState:
    """Return the state of the recording."""
    return _state(_recording(call))


def start(call: Call[Nothing, None]) -> RecordingState:
    """Begin, or go on, to record."""
    recording = _recording(call)
    try:
        recording.start(call.administered.repeater)
    except (OSError, ValueError, RuntimeError) as error:
        raise ApiError(http.CONFLICT, printable(text_of(error))) from error
    return _state(recording)


def stop(call: Call[Nothing, None]) -> RecordingState:
    """End the recording."""
    recording = _recording(call)
    recording.stop()
    return _state(recording)


NONE = {404: "no repeater has this name, or no file was configured"}
ALL = "/repeaters/{repeater}/recording"

ROUTES: list[Route] = [
    Route("GET", ALL, "Show the state of the recording.", show, RecordingState, errors=NONE),
    Route(
        "POST",
        f"{ALL}/start",
        "Begin to record into the file of --record, or go on.",
        start,
        RecordingState,
        errors={**NONE, 409: "the file cannot be written"},
    ),
    Route(
        "POST", f"{ALL}/stop", "End the recording; the file is complete soon after.", stop, RecordingState, errors=NONE
    ),
]
