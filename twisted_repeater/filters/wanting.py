"""`wants`: shows a filter only the messages that it asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from ..interfaces import ICodec, IFilter
from ..selectors import Selector, any_of
from ..verdicts import PASS_ON
from ._migration import hand_over
from ._provider import (
    FilterFunction,
    checked_classes,
    checked_function,
    filter_function,
    name_of,
    selector_for_types,
    selector_of,
)

__all__ = ["Wanting", "wants"]


def wants(*wanted: Selector | type) -> Callable[[Any], Wanting]:
    """Decorate a filter so that it sees some messages only; the others pass on.

    Either selectors of payloads (`twisted_repeater.selectors`)::

        @wants(first_byte(b"OC"))
        def check(message, link): ...

    or classes of messages; those that the codec can tell from the bytes are not decoded for others::

        @wants(Order, Cancel)
        def check(message, link): ...
    """
    if not wanted:
        raise TypeError("wants needs to be told what: selectors or classes")
    selectors = [item for item in wanted if isinstance(item, Selector)]
    types = tuple(item for item in wanted if isinstance(item, type))
    if len(selectors) != len(wanted) and len(types) != len(wanted):
        raise TypeError("wants takes either selectors or classes")
    checked_classes("wants", types)

    def decorate(provider: Any) -> Wanting:
        return Wanting(provider, any_of(selectors) if selectors else None, types)

    return decorate


@implementer(IFilter)
class Wanting:
    """A filter that sees what it wants only; `wants` makes it."""

    filter: Callable[[Any, Any], Any]

    def __init__(self, provider: Any, selector: Selector | None, types: tuple[type, ...]) -> None:
        self.provider = provider
        self.selector = selector
        self.types = types
        function = checked_function(provider)
        self.filter = _only(function, types) if types else function
        self.__qualname__ = name_of(provider)

    def __repr__(self) -> str:
        wanted = self.selector if self.selector is not None else ", ".join(cls.__name__ for cls in self.types)
        return f"wants({wanted})({self.provider!r})"

    def __call__(self, message: Any, link: Any) -> Any:
        """Ask the filter, as if it were not decorated."""
        return filter_function(self.provider)(message, link)

    def migrate(self, old: Any) -> None:
        """Let the filter take over from the one before it."""
        hand_over(self.provider, old.provider if isinstance(old, Wanting) else old)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `IFilter`."""
        own = self.selector if self.selector is not None else selector_for_types(self, self.types, codec)
        inner = selector_of(self.provider, codec)
        return own & inner if own is not None and inner is not None else own or inner


def _only(function: FilterFunction, types: tuple[type, ...]) -> FilterFunction:
    """Return the filter function that lets others than messages of these classes pass."""

    def only(message: Any, link: Any) -> Any:
        return function(message, link) if isinstance(message, types) else PASS_ON

    only.__qualname__ = getattr(function, "__qualname__", only.__qualname__)
    return only
