"""Failures for the log whose text is cut: an exception may quote a message of a stranger, which may have megabytes."""

from __future__ import annotations

from twisted.python.failure import Failure

__all__ = ["BriefFailure"]

LONGEST_LINE = 500
LONGEST = 16_000
"""Both in characters; an ordinary traceback is far below."""


class BriefFailure(Failure):
    """A failure whose traceback has at most some hundred lines, none of which is long."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value, failure.type, failure.getTracebackObject())  # type: ignore[no-untyped-call]
        self._whole = failure

    def getTraceback(self, elideFrameworkCode: int = 0, detail: str = "default") -> str:
        """See `Failure`."""
        text = self._whole.getTraceback(elideFrameworkCode, detail)
        text = "\n".join(_cut(line, LONGEST_LINE) for line in text.split("\n"))
        return _cut(text, LONGEST)


def _cut(text: str, longest: int) -> str:
    """Leave out the middle of a long text: its beginning and its end tell the most."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} ... ({len(text) - 2 * half} characters are left out) ... {text[-half:]}"
