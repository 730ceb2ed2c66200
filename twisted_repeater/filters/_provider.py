"""What can be given as a filter, and what it wants to see."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from .._text import guarded_text, repr_of, text_of
from ..codecs import RawCodec
from ..codecs._typed import overlap
from ..interfaces import ICodec, IFilter, ITypedCodec
from ..selectors import Selector, any_of
from ..verdicts import PASS_ON, Verdict

__all__ = [
    "Answer",
    "FilterFunction",
    "checked_answer",
    "checked_classes",
    "checked_function",
    "common_selector",
    "filter_function",
    "guarded",
    "name_of",
    "pass_on",
    "selector_for_types",
    "selector_of",
]

FilterFunction = Callable[[Any, Any], Any]
"""A function of a message and its link, which gives a verdict or something to await it from."""


Answer = Verdict | FilterFunction
"""A verdict, or a function of a message and its link that gives one."""


class _Payloads(RawCodec):
    """Stands for the bytes of messages of whatever classes."""


PAYLOADS = _Payloads()
"""Asks a filter what it wants to see by the bytes alone."""


def filter_function(provider: Any) -> FilterFunction:
    """Return the callable of a filter: a function itself, or the method ``filter`` of an object.

    Raises ``TypeError`` for anything else.
    """
    if isinstance(provider, type) and not IFilter.providedBy(provider):
        name = provider.__qualname__
        raise TypeError(f"{name} is a class, not a filter: give an instance, {name}()")
    function = getattr(provider, "filter", None)
    if callable(function):
        method: FilterFunction = function
        return method
    if callable(provider):
        plain: FilterFunction = provider
        return plain
    raise TypeError(f"a filter must be a function or an object with a method filter, not {repr_of(provider)}")


def checked_function(provider: Any) -> FilterFunction:
    """Return the callable of a filter, ``TypeError`` if it cannot be called with a message and a link."""
    function = filter_function(provider)
    try:
        signature = inspect.signature(function)
    except ValueError:
        return function  # a built-in function that doesn't tell
    try:
        signature.bind(None, None)
    except TypeError:
        raise TypeError(f"a filter takes a message and its link, {name_of(provider)} takes {signature}") from None
    return function


def checked_answer(name: str, answer: Answer) -> Answer:
    """Return the verdict, or the function of a message and its link, that an argument must be; else ``TypeError``."""
    if isinstance(answer, Verdict):
        return answer
    if not callable(answer):
        raise TypeError(f"{name} is a verdict or a function that gives one, not {answer!r}")
    return checked_function(answer)


def checked_classes(what: str, classes: Iterable[Any]) -> tuple[type, ...]:
    """Return the classes of messages that are listed; ``TypeError`` if one is no class, or one without instances."""
    classes = tuple(classes)
    for cls in classes:
        if not isinstance(cls, type):
            raise TypeError(f"{what} takes classes of messages, not {cls!r}")
        try:
            issubclass(object, cls)
        except TypeError as error:
            raise TypeError(f"{what} cannot tell what is a {cls.__name__}: {text_of(error)}") from error
    return classes


def pass_on(message: Any, link: Any) -> Verdict:
    """Be a filter that passes everything on."""
    return PASS_ON


def selector_of(provider: Any, codec: ICodec | None) -> Selector | None:
    """Return what a filter wants to see of the payloads that a codec decodes; ``None`` is all.

    ``codec`` is ``None`` where a message is not what one codec decodes: where its version is converted. ``TypeError``
    if the filter cannot work with such messages.
    """
    selector_for = getattr(provider, "selector_for", None)
    selector = selector_for(codec) if selector_for is not None else getattr(provider, "selector", None)
    if selector is not None and not isinstance(selector, Selector):
        raise TypeError(f"what a filter wants to see must be a Selector, {provider!r} has {selector!r}")
    return selector


def selector_for_types(provider: Any, types: tuple[type, ...], codec: ICodec | None) -> Selector | None:
    """Return what wants the messages of some classes: none at all, as far as it can be told, where there are none.

    ``TypeError`` if the codec makes no messages of any of these classes: the filter would never see one.
    """
    selector: Selector | None = None
    made: tuple[type, ...] = (bytes,) if type(codec) is RawCodec else ()
    if ITypedCodec.providedBy(codec):
        made = codec.message_types
        selector = codec.selector_for(types)
    if types and made and not any(overlap(one, other) for one in types for other in made):
        are = _names(made, types) + (": the dialect has no codec for them" if made == (bytes,) else "")
        raise TypeError(f"{name_of(provider)} wants {_names(types, made)}; the messages are {are}")
    return selector


def _names(classes: tuple[type, ...], others: tuple[type, ...]) -> str:
    """Name classes, with their modules where others are called like them."""
    alike = {cls.__name__ for cls in classes} & {cls.__name__ for cls in others}
    return " or ".join(f"{cls.__module__}.{cls.__qualname__}" if alike else cls.__name__ for cls in classes)


def guarded(member: Any) -> FilterFunction:
    """Return the function of a filter among others, which sees only the payloads that its own selector wants."""
    function = checked_function(member)
    selector = _byte_selector(member)
    if selector is None:
        return function
    matches = selector.matches

    def guard(message: Any, link: Any) -> Any:
        # A TypeError where messages are decoded.
        payload = message if type(message) is bytes else bytes(memoryview(message))
        return function(message, link) if matches(payload, 0, len(payload)) else PASS_ON

    return guard


def common_selector(members: Iterable[Any], codec: ICodec | None) -> Selector | None:
    """Return what wants all that any of several filters wants.

    ``TypeError`` if one tells that by the bytes, of which it will not see any.
    """
    wanted = []
    for member in members:
        wanted.append(selector_of(member, codec))
        if not isinstance(codec, RawCodec) and _byte_selector(member) is not None:
            raise TypeError(
                f"{name_of(member)} selects messages by their bytes: together with other filters, where messages are "
                "decoded, it must select them by class"
            )
    return None if None in wanted else any_of(wanted)  # type: ignore[arg-type]


def _byte_selector(member: Any) -> Selector | None:
    """Return what a filter wants to see by the bytes, whatever they are decoded to; ``None`` is all."""
    try:
        return selector_of(member, PAYLOADS)
    except TypeError:
        return None  # it works with decoded messages only, or not at all, which is told when it is given its codec


def name_of(provider: Any) -> str:
    """Return what a filter is called in logs and errors."""
    return guarded_text(_qualname, provider, "__qualname__")


def _qualname(provider: Any) -> str:
    return getattr(provider, "__qualname__", None) or type(provider).__qualname__
