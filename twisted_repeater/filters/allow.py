"""`Allow` and `Deny`: lists of the classes of messages that may, or may not, pass."""

from __future__ import annotations

from zope.interface import implementer

from .._types import FilterFunction
from ..interfaces import ICodec, IFilter, ISelectiveByCodec
from ..link import Link
from ..selectors import Selector
from ..verdicts import DO_NOTHING, PASS_ON, Answer, Verdict
from ._provider import checked_answer, checked_classes, selector_for_types

__all__ = ["Allow", "Deny"]


@implementer(IFilter, ISelectiveByCodec)
class Allow:
    """Passes on messages of these classes only.

    Args:
        types: classes of messages.
        otherwise: the verdict on other messages, or a function of the message and the link that returns it.

    Raises:
        TypeError: an argument is of another kind.
    """

    def __init__(self, *types: type, otherwise: Verdict | FilterFunction = DO_NOTHING) -> None:
        self.types: tuple[type, ...] = checked_classes("Allow", types)
        self.otherwise: Verdict | FilterFunction = checked_answer("otherwise", otherwise)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`. It wants all: it must see messages of classes that are not allowed."""
        selector_for_types(self, self.types, codec)  # for its error
        return None

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        if isinstance(message, self.types):
            return PASS_ON
        return self.otherwise if isinstance(self.otherwise, Verdict) else self.otherwise(message, link)


@implementer(IFilter, ISelectiveByCodec)
class Deny:
    """Passes on all messages except those of these classes.

    Args:
        types: classes of messages.
        answer: the verdict on messages of these classes, or a function of the message and the link that returns it.

    Raises:
        TypeError: an argument is of another kind.
    """

    def __init__(self, *types: type, answer: Verdict | FilterFunction = DO_NOTHING) -> None:
        self.types: tuple[type, ...] = checked_classes("Deny", types)
        self.answer: Verdict | FilterFunction = checked_answer("answer", answer)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        return selector_for_types(self, self.types, codec)

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        if not isinstance(message, self.types):
            return PASS_ON
        return self.answer if isinstance(self.answer, Verdict) else self.answer(message, link)
