"""The errors and notices of PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ErrorResponse", "NoticeResponse", "Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """What errors and notices have in common."""

    fields: dict[str, str]
    """The fields by their letters: ``S`` and ``V`` severity, ``C`` code, ``M`` message, ``D`` detail, ``H`` hint, …"""

    @property
    def severity(self) -> str:
        """``ERROR``, ``FATAL`` or ``PANIC``; ``WARNING``, ``NOTICE``, ``INFO``, ``LOG`` or ``DEBUG`` of a notice.

        It is English, whatever language the server speaks.
        """
        return self.fields.get("V") or self.fields.get("S", "")

    @property
    def code(self) -> str:
        """The SQLSTATE, such as ``42P01``."""
        return self.fields.get("C", "")

    @property
    def message(self) -> str:
        """What is wrong, in one sentence."""
        return self.fields.get("M", "")


@dataclass(frozen=True, slots=True)
class ErrorResponse(Report):
    """The error of a statement, or of the connection."""

    @classmethod
    def of(cls, message: str, *, code: str = "42501", severity: str = "ERROR", **more: str) -> ErrorResponse:
        """Return an error of your own.

        Args:
            message: one sentence.
            code: the SQLSTATE; by default that of a missing privilege.
            severity: ``ERROR``, or ``FATAL`` if the connection ends after it.
            more: other fields, by their letters, such as ``D="a detail"`` or ``H="a hint"``.
        """
        return cls({"S": severity, "V": severity, "C": code, "M": message, **more})


@dataclass(frozen=True, slots=True)
class NoticeResponse(Report):
    """A warning, or something else to be shown. It may come at any time, and answers nothing."""
