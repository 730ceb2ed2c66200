"""`ByType`: a filter class with a method for each class of message."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import singledispatch
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

from zope.interface import implementer

from .._types import Message
from ..interfaces import ICodec, IFilter, ISelectiveByCodec
from ..link import Link
from ..selectors import Selector
from ..verdicts import PASS_ON, Answer
from ._provider import checked_classes, selector_for_types

__all__ = ["ByType"]

Method = Callable[[Any, Message, Link], Answer]


@implementer(IFilter, ISelectiveByCodec)
class ByType:
    """The base of filters with a method for each class of message.

    Each method whose name begins with ``on_`` gets the messages of the class, or union of classes, that its first
    parameter is annotated with. Messages without a method pass on::

        class Risk(ByType):
            def on_order(self, order: Order, link: Link) -> Verdict:
                return DO_NOTHING if order.size > 100 else PASS_ON

            async def on_cancel(self, cancel: Cancel | CancelAll, link: Link) -> Verdict: ...

    A message of a subclass goes to the method of its nearest base class, which may be an abstract one (``Mapping``);
    ``object`` is the base of all. Messages without a method are not decoded if the codec can recognize them by their
    bytes.

    Defining a subclass raises ``TypeError`` if a method whose name begins with ``on_`` cannot be called with a message
    and a link; starting with it does, if an annotation is missing or two methods are for one class.
    """

    _own: ClassVar[dict[type, Method] | None] = None
    _methods: ClassVar[dict[type, Method]] = {}
    """The methods, and those found for other classes since: `_pass_on` for most."""

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        cls._own = None
        cls._methods = {}
        for name in _names(cls):
            _check_method(f"{cls.__qualname__}.{name}", inspect.getattr_static(cls, name))

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        kind = type(message)
        method = self._methods.get(kind) or self._find(kind)
        return method(self, message, link)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        return selector_for_types(self, tuple(self.own_methods()), codec)

    @classmethod
    def own_methods(cls) -> dict[type, Method]:
        """Return the method of each class of message."""
        if cls._own is None:  # not earlier: an annotation may name a class that its module defines later
            own: dict[type, Method] = {}
            for name in _names(cls):
                method = inspect.getattr_static(cls, name)
                for kind in _kinds(f"{cls.__qualname__}.{name}", method):
                    if kind in own:
                        raise TypeError(f"{cls.__name__} has two methods for {kind.__name__}")
                    own[kind] = method
            cls._own = own
        return cls._own

    @classmethod
    def _find(cls, kind: type) -> Method:
        dispatcher = singledispatch(_pass_on)
        for of, method in cls.own_methods().items():
            dispatcher.register(of, method)
        found: Method = dispatcher.dispatch(kind)
        cls._methods[kind] = found
        return found


def _pass_on(self: ByType, message: object, link: Link) -> Answer:
    """Pass on the messages that have no method."""
    return PASS_ON


def _names(cls: type[ByType]) -> list[str]:
    """Return the names of the methods for messages."""
    return [name for name in dir(cls) if name.startswith("on_")]


def _check_method(what: str, method: object) -> None:
    """Raise ``TypeError`` unless a method can be called with a message and a link."""
    if not inspect.isfunction(method) or not inspect.isfunction(inspect.unwrap(method)):
        raise TypeError(
            f"{what} must be a plain method for messages, not {method!r}, or have a name that does not begin with on_"
        )
    signature = inspect.signature(method)
    try:
        signature.bind(None, None, None)
    except TypeError:
        raise TypeError(f"{what} must take (self, message: ..., link), not {signature}") from None


def _kinds(what: str, method: Method) -> tuple[type, ...]:
    """Return the classes that the first parameter after ``self`` is annotated with."""
    what = f"{what}(self, message: ..., link)"
    method = inspect.unwrap(method)  # its annotations use the names of its own module
    parameters = list(inspect.signature(method).parameters)
    annotation = method.__annotations__.get(parameters[1]) if len(parameters) > 1 else None
    if isinstance(annotation, str):
        annotation = _read_annotation(what, annotation, method.__globals__)
    is_union = isinstance(annotation, UnionType) or get_origin(annotation) is Union
    kinds = get_args(annotation) if is_union else (object if annotation is Any else annotation,)
    if not all(isinstance(kind, type) for kind in kinds):
        raise TypeError(f"{what}: annotate the message with a class or a union of classes")
    return checked_classes(what, kinds)


def _read_annotation(what: str, annotation: str, names: dict[str, object]) -> object:
    """Return the value of an annotation that is text, as with ``from __future__ import annotations``.

    `get_type_hints` runs that text in the module of the method. This is safe: the text is part of the module's source,
    all of which has run already, and no text from outside gets here. Only this annotation is read, because others may
    name classes that are imported only for type checkers.
    """

    def one() -> None:
        """Carry the annotation."""

    one.__annotations__ = {"message": annotation}
    try:
        return get_type_hints(one, globalns=names)["message"]
    except Exception as error:
        raise TypeError(f"{what}: {error}") from error
