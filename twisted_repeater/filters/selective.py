"""`wants`: shows a filter only the messages that it asks for."""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from .._types import Filter, FilterFunction
from ..interfaces import ICodec, IFilter, IMigrating, ISelectiveByCodec
from ..link import Link
from ..selectors import Selector, any_of
from ..verdicts import PASS_ON, Answer
from ._migration import hand_over
from ._provider import (
    checked_classes,
    checked_function,
    filter_function,
    name_of,
    selector_for_types,
    selector_of,
)

__all__ = ["Selective", "wants"]


def wants(*wanted: Selector | type) -> Callable[[Filter], Selective]:
    """Decorate a filter so that it sees some messages only; the others pass on.

    Give either selectors of payloads (`twisted_repeater.selectors`)::

        @wants(first_byte(b"OC"))
        def check(message, link): ...

    or classes of messages. Messages of other classes are not decoded if the codec can recognize them by their bytes::

        @wants(Order, Cancel)
        def check(message, link): ...

    Args:
        wanted: selectors, or classes. Messages of any of them are shown.

    Raises:
        TypeError: an argument is of another kind.
    """
    if not wanted:
        raise TypeError("wants needs selectors or classes")
    selectors = [item for item in wanted if isinstance(item, Selector)]
    types = tuple(item for item in wanted if isinstance(item, type))
    if len(selectors) != len(wanted) and len(types) != len(wanted):
        raise TypeError("wants takes selectors or classes, not both")
    checked_classes("wants", types)

    def decorate(provider: Filter) -> Selective:
        return Selective(provider, any_of(selectors) if selectors else None, types)

    return decorate


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class Selective:
    """A filter that sees only the messages that it wants; `wants` makes it."""

    filter: FilterFunction
    """See `IFilter`."""

    def __init__(self, provider: Filter, selector: Selector | None, types: tuple[type, ...]) -> None:
        self.provider = provider
        self.selector = selector
        self.types = types
        function = checked_function(provider)
        self.filter = _only(function, types) if types else function
        self.__qualname__: str = name_of(provider)

    def __repr__(self) -> str:
        wanted = self.selector if self.selector is not None else ", ".join(cls.__name__ for cls in self.types)
        return f"wants({wanted})({self.provider!r})"

    def __call__(self, message: object, link: Link) -> Answer:
        """Ask the filter about any message, as if it were not decorated."""
        return filter_function(self.provider)(message, link)

    def migrate(self, old: object) -> None:
        """See `IMigrating`. The decorated filter takes over from the one before it."""
        hand_over(self.provider, old.provider if isinstance(old, Selective) else old)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        own = self.selector if self.selector is not None else selector_for_types(self, self.types, codec)
        inner = selector_of(self.provider, codec)
        return own & inner if own is not None and inner is not None else own or inner


def _only(function: FilterFunction, types: tuple[type, ...]) -> FilterFunction:
    """Return the function of a filter that sees messages of these classes only."""

    def only(message: object, link: Link) -> Answer:
        return function(message, link) if isinstance(message, types) else PASS_ON

    only.__qualname__ = getattr(function, "__qualname__", only.__qualname__)
    return only
