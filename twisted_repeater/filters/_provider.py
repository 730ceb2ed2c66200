"""What can be given as a filter, and what it wants to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..codecs import RawCodec
from ..interfaces import ICodec, IFilter, ITypedCodec
from ..selectors import Selector, any_of
from ..verdicts import PASS_ON

__all__ = [
    "FilterFunction",
    "common_selector",
    "filter_function",
    "guarded",
    "name_of",
    "selector_for_types",
    "selector_of",
]

FilterFunction = Callable[[Any, Any], Any]
"""A function of a message and its link, which gives a verdict or something to await it from."""


def filter_function(provider: Any) -> FilterFunction:
    """Give the callable of a filter: a function itself, or the method of an `IFilter` provider."""
    if IFilter.providedBy(provider):
        function: FilterFunction = provider.filter
        return function
    if callable(provider):
        plain: FilterFunction = provider
        return plain
    raise TypeError(f"a filter must provide IFilter or be callable, {provider!r} is neither")


def selector_of(provider: Any, codec: ICodec | None) -> Selector | None:
    """Give what a filter wants to see of the payloads that a codec decodes; ``None`` is all.

    ``codec`` is ``None`` where a message is not what one codec decodes: where its version is converted. ``TypeError``
    if the filter cannot work with such messages.
    """
    selector_for = getattr(provider, "selector_for", None)
    selector = selector_for(codec) if selector_for is not None else getattr(provider, "selector", None)
    if selector is not None and not isinstance(selector, Selector):
        raise TypeError(f"what a filter wants to see must be a Selector, {provider!r} has {selector!r}")
    return selector


def selector_for_types(types: tuple[type, ...], codec: ICodec | None) -> Selector | None:
    """Give what wants the messages of some classes: none at all, as far as it can be told, where there are none."""
    if ITypedCodec.providedBy(codec):
        selector: Selector | None = codec.selector_for(types)
        return selector
    return None


def guarded(member: Any) -> FilterFunction:
    """Give the function of a filter among others, which sees only the payloads that its own selector wants."""
    function = filter_function(member)
    selector: Selector | None = getattr(member, "selector", None)
    if selector is None:
        return function
    matches = selector.matches

    def guard(message: Any, link: Any) -> Any:
        payload = bytes(memoryview(message))  # a TypeError where messages are decoded
        return function(message, link) if matches(payload, 0, len(payload)) else PASS_ON

    return guard


def common_selector(members: Iterable[Any], codec: ICodec | None) -> Selector | None:
    """Give what wants all that any of several filters wants.

    ``TypeError`` if one tells that by the bytes, of which it will not see any.
    """
    wanted = []
    for member in members:
        if getattr(member, "selector", None) is not None and not isinstance(codec, RawCodec):
            raise TypeError(
                f"{name_of(member)} selects messages by their bytes: together with other filters, where messages are "
                "decoded, it must select them by class"
            )
        wanted.append(selector_of(member, codec))
    return None if None in wanted else any_of(wanted)  # type: ignore[arg-type]


def name_of(provider: Any) -> str:
    """Give what a filter is called in logs and errors."""
    return getattr(provider, "__qualname__", None) or type(provider).__qualname__
