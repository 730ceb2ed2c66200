"""The objects that can be given as filters, and the messages that they want to see."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import FunctionType, MethodType
from typing import Final, cast
from weakref import WeakSet

from .._text import guarded_text, repr_of, text_of
from .._types import Filter, FilterFunction, FilterPairObject, Filters, Message
from ..codecs import RawCodec
from ..codecs._typed import overlap
from ..interfaces import ICodec, IFilter, ITypedCodec
from ..link import Link
from ..model import Direction
from ..selectors import Selector, any_of
from ..verdicts import PASS_ON, Answer, Verdict


class _Payloads(RawCodec):
    """Stands for the bytes of messages of whatever classes."""


PAYLOADS = _Payloads()
"""Asks a filter which messages it wants to see by the bytes alone."""

_fitting: Final[WeakSet[FunctionType]] = WeakSet()
"""Functions whose bound methods take a message and a link. Each link may get a chain, and signatures are dear."""


def filter_function(provider: object) -> FilterFunction:
    """Return the callable of a filter: a function itself, or the method ``filter`` of an object.

    Raises:
        TypeError: the object is not a filter.
    """
    if isinstance(provider, type) and not IFilter.providedBy(provider):
        name = provider.__qualname__
        raise TypeError(f"a filter must be an instance, not the class {name}: write {name}()")
    function = getattr(provider, "filter", None)
    if callable(function):
        method: FilterFunction = function
        return method
    if callable(provider):
        return provider
    if is_pair(provider):
        raise TypeError(
            f"{name_of(provider)} is a pair of filters, not the filter of one direction: give it as filters="
        )
    raise TypeError(f"a filter must be a function or an object with a method filter, not {repr_of(provider)}")


def checked_function(provider: object) -> FilterFunction:
    """Return the callable of a filter; raise ``TypeError`` if it cannot be called with a message and a link."""
    function = filter_function(provider)
    plain = function.__func__ if type(function) is MethodType else None
    if type(plain) is FunctionType and plain in _fitting:
        return function
    try:
        signature = inspect.signature(function)
    except ValueError:
        return function  # a built-in function without a signature
    try:
        signature.bind(None, None)
    except TypeError:
        raise TypeError(f"a filter takes a message and its link, {name_of(provider)} takes {signature}") from None
    if type(plain) is FunctionType:
        _fitting.add(plain)
    return function


def is_pair(provider: object) -> bool:
    """Return whether an object is a pair of filters."""
    return callable(getattr(provider, "for_link", None))


def checked_pair(provider: object) -> FilterPairObject:
    """Return a pair of filters; raise ``TypeError`` if the object is something else."""
    if isinstance(provider, type):
        name = provider.__qualname__
        raise TypeError(f"a pair of filters must be an instance, not the class {name}: write {name}()")
    if not is_pair(provider):
        kind = ", the filter of one direction: write FilterPair(to_server=...)" if _is_filter(provider) else ""
        raise TypeError(f"a pair of filters must be an object with a method for_link, not {repr_of(provider)}{kind}")
    return cast("FilterPairObject", provider)


def _is_filter(provider: object) -> bool:
    return callable(provider) or callable(getattr(provider, "filter", None))


def filters_of(pair: FilterPairObject, link: Link) -> Filters:
    """Return the filters that a pair makes for a link.

    Raises:
        TypeError: the pair made something else.
    """
    made: object = pair.for_link(link)
    if not isinstance(made, tuple) or len(made) != 2:
        raise TypeError(f"{name_of(pair)}.for_link must return (to_server, to_client), not {repr_of(made)}")
    for member in made:
        if member is not None:
            filter_function(member)
    return made


def fixed_filters(pair: object) -> Iterable[tuple[Direction, Filter]]:
    """Return the filters of a pair that are the same for all links, with their directions, as far as it can tell."""
    fixed = getattr(pair, "_fixed", None)
    return fixed() if callable(fixed) else ()


def checked_answer(name: str, answer: Verdict | FilterFunction) -> Verdict | FilterFunction:
    """Return an argument that must be a verdict or a function of a message and its link; else raise ``TypeError``."""
    if isinstance(answer, Verdict):
        return answer
    if not callable(answer):
        raise TypeError(f"{name} must be a verdict or a function that returns one, not {answer!r}")
    return checked_function(answer)


def checked_classes(what: str, classes: Iterable[object]) -> tuple[type, ...]:
    """Return classes of messages; raise ``TypeError`` if one is not a class, or has no instances."""
    checked = []
    for cls in classes:
        if not isinstance(cls, type):
            raise TypeError(f"{what} takes classes of messages, not {cls!r}")
        try:
            issubclass(object, cls)
        except TypeError as error:
            raise TypeError(f"{what} cannot recognize a {cls.__name__}: {text_of(error)}") from error
        checked.append(cls)
    return tuple(checked)


def pass_on(message: object, link: Link) -> Verdict:
    """Pass everything on."""
    return PASS_ON


def selector_of(provider: object, codec: ICodec | None) -> Selector | None:
    """Return the selector of the payloads that a filter wants to see; ``None`` selects all.

    Args:
        provider: the filter; see `ISelective` and `ISelectiveByCodec`.
        codec: the codec that decodes the payloads; ``None`` if messages are converted after that.

    Raises:
        TypeError: the filter cannot work with the messages of this codec, or its selector is not a selector.
    """
    selector_for = getattr(provider, "selector_for", None)
    selector = selector_for(codec) if selector_for is not None else getattr(provider, "selector", None)
    if selector is not None and not isinstance(selector, Selector):
        raise TypeError(f"the selector of {provider!r} must be a Selector, not {selector!r}")
    return selector


def selector_for_types(provider: object, types: tuple[type, ...], codec: ICodec | None) -> Selector | None:
    """Return the selector of the messages of some classes, as far as the codec can recognize them by their bytes.

    Raises:
        TypeError: the codec makes no messages of any of these classes, so that the filter would never see one.
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
    """Return the names of classes, with their modules if others have the same names."""
    alike = {cls.__name__ for cls in classes} & {cls.__name__ for cls in others}
    return " or ".join(f"{cls.__module__}.{cls.__qualname__}" if alike else cls.__name__ for cls in classes)


def guarded(member: object) -> FilterFunction:
    """Return the function of a filter among others, which sees only the payloads that its own selector wants."""
    function = checked_function(member)
    selector = _byte_selector(member)
    if selector is None:
        return function
    matches = selector.matches

    def guard(message: Message, link: Link) -> Answer:
        # A TypeError where messages are decoded, unless they keep their bytes.
        payload = message if type(message) is bytes else _payload(message)
        return function(message, link) if matches(payload, 0, len(payload)) else PASS_ON

    return guard


def _payload(message: Message) -> bytes:
    """Return the bytes of a message."""
    return bytes(message if hasattr(message, "__bytes__") else memoryview(message))


def common_selector(members: Iterable[object], codec: ICodec | None) -> Selector | None:
    """Return the selector of all that any of several filters wants.

    Raises:
        TypeError: one chooses messages by their bytes, and messages are decoded.
    """
    wanted = []
    for member in members:
        wanted.append(selector_of(member, codec))
        keeps_bytes = isinstance(codec, RawCodec) or getattr(codec, "keeps_bytes", False)
        if not keeps_bytes and _byte_selector(member) is not None:
            raise TypeError(
                f"{name_of(member)} selects messages by their bytes; beside other filters it gets decoded messages, so "
                "it must select them by class"
            )
    return None if None in wanted else any_of(selector for selector in wanted if selector is not None)


def _byte_selector(member: object) -> Selector | None:
    """Return the selector of the messages that a filter wants by their bytes, whatever they are decoded to."""
    try:
        return selector_of(member, PAYLOADS)
    except TypeError:
        return None  # it works with decoded messages only, or not at all: `start` raises the error


def name_of(provider: object) -> str:
    """Return the name of a filter in logs and errors.

    Functions and classes have a ``__qualname__``. Filters that are made of others set one of their own.
    """
    return guarded_text(_qualname, provider, "__qualname__")


def _qualname(provider: object) -> str:
    return getattr(provider, "__qualname__", None) or type(provider).__qualname__
