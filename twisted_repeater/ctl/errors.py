"""What ends a command of ``ctl``, each with its exit status."""

from __future__ import annotations

__all__ = ["CtlError", "Refused", "SaidNo", "Unreachable", "Unusable"]


class CtlError(Exception):
    """Ends the command. Its text is for people."""

    status: int = 2
    """The exit status of the process."""


class Refused(CtlError):
    """The administration refused, and said why.

    Args:
        code: the status of its answer, such as 404.
        reason: its sentence.
    """

    status = 1

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code: int = code


class SaidNo(CtlError):
    """The answer was printed, and is that something is not as it should be."""

    status = 1


class Unreachable(CtlError):
    """Nobody answers, or not in time."""


class Unusable(CtlError):
    """The command cannot be done as it was given, or an answer is not that of an administration."""
