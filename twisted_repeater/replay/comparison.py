"""Compares the answers of a replay with the recorded ones. It does no input or output, and knows no time."""

from __future__ import annotations

from .._text import printable, shortened
from ..dialects import Dialect
from ..recording.records import RecordedLink
from .conversation import Conversation
from .differences import Findings, Trouble
from .learning import SharedTokens
from .masks import Masks
from .report import Report

__all__ = ["Comparison", "Conversation", "Trouble"]


class Comparison:
    """The comparison of one replay.

    Answers are paired within their link, in order. Equal bytes are equal; others may be equal but for what is masked.

    Args:
        dialect: the dialect of the recording.
        masks: what may differ. What always differs in a ready dialect, such as the time of a FIX message, is added.
        max_differences: how many differences the report shows. The others are counted.

    Raises:
        ValueError: ``max_differences`` is negative.
    """

    def __init__(self, dialect: Dialect, *, masks: Masks | None = None, max_differences: int = 100) -> None:
        if max_differences < 0:
            raise ValueError(f"max_differences must be at least 0, not {max_differences}")
        self.dialect: Dialect = dialect
        """The dialect of the recording."""
        self.masks: Masks = (masks or Masks()).with_usual(dialect.name)
        """What may differ."""
        self.findings: Findings = Findings(max_differences)
        """What was found so far."""
        self.tokens: SharedTokens = SharedTokens()
        """The tokens that were learnt from all links."""

    def conversation(self, link: RecordedLink) -> Conversation:
        """Return the comparison of one link, which begins to be played."""
        self.findings.links += 1
        return Conversation(self.dialect, self.masks, self.findings, self.tokens, link)

    def note(self, text: str) -> None:
        """Add a note to the report."""
        self.findings.note(printable(shortened(text)))

    def report(self, **facts: float | str) -> Report:
        """Return the report.

        Args:
            facts: what else is known about the replay, by name, such as ``seconds``.
        """
        return Report(self.findings, self.dialect.name, facts)
