"""`Allow` and `Deny`: lists of the classes of messages that may, or may not, go through."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from ..interfaces import ICodec, IFilter
from ..selectors import Selector
from ..verdicts import DO_NOTHING, PASS_ON
from ._provider import Answer, checked_answer, checked_classes, selector_for_types

__all__ = ["Allow", "Deny"]


@implementer(IFilter)
class Allow:
    """Passes on messages of these classes only.

    ``otherwise`` is the verdict on the others, `DO_NOTHING` by default, or a function that gives it.
    """

    def __init__(self, *types: type, otherwise: Answer = DO_NOTHING) -> None:
        self.types = checked_classes("Allow", types)
        self.otherwise = checked_answer("otherwise", otherwise)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `IFilter`. All: it must see what is not allowed, whatever it is."""
        selector_for_types(self, self.types, codec)  # for its error
        return None

    def filter(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        if isinstance(message, self.types):
            return PASS_ON
        return self.otherwise(message, link) if callable(self.otherwise) else self.otherwise


@implementer(IFilter)
class Deny:
    """Passes on all messages but those of these classes.

    ``answer`` is the verdict on them, `DO_NOTHING` by default, or a function that gives it.
    """

    def __init__(self, *types: type, answer: Answer = DO_NOTHING) -> None:
        self.types = checked_classes("Deny", types)
        self.answer = checked_answer("answer", answer)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `IFilter`."""
        return selector_for_types(self, self.types, codec)

    def filter(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        if not isinstance(message, self.types):
            return PASS_ON
        return self.answer(message, link) if callable(self.answer) else self.answer
