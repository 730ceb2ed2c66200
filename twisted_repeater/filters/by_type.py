"""`ByType`: a filter class with a method for each class of message."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import singledispatch
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

from zope.interface import implementer

from ..interfaces import ICodec, IFilter
from ..selectors import Selector
from ..verdicts import PASS_ON
from ._provider import checked_classes, selector_for_types

__all__ = ["ByType"]

Method = Callable[[Any, Any, Any], Any]


@implementer(IFilter)
class ByType:
    """The base of filters with a method for each class of message.

    Each method whose name begins with ``on_`` is given the messages of the class that its first parameter is
    annotated with, or of any class of a union; what has no method passes on::

        class Risk(ByType):
            def on_order(self, order: Order, link: ILink) -> Verdict:
                return DO_NOTHING if order.size > 100 else PASS_ON

            async def on_cancel(self, cancel: Cancel | CancelAll, link: ILink) -> Verdict: ...

    A message of a subclass goes to the method of its nearest base class, which may be an abstract one (``Mapping``);
    ``object`` is the base of all. Messages without a method are not decoded where the codec can tell them from the
    bytes.
    """

    _own: ClassVar[dict[type, Method] | None] = None
    _methods: ClassVar[dict[type, Method]] = {}
    """The methods, and those found for other classes since, `_pass_on` for most."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._own = None
        cls._methods = {}
        for name in _names(cls):
            _check_method(f"{cls.__qualname__}.{name}", inspect.getattr_static(cls, name))

    def filter(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        kind = type(message)
        method = self._methods.get(kind) or self._find(kind)
        return method(self, message, link)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `IFilter`."""
        return selector_for_types(self, tuple(self.own_methods()), codec)

    @classmethod
    def own_methods(cls) -> dict[type, Method]:
        """Return the method of each class of message."""
        if cls._own is None:  # not earlier: an annotation may name what stands further down in its module
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


def _pass_on(self: ByType, message: Any, link: Any) -> Any:
    """Be the method of messages that have none."""
    return PASS_ON


def _names(cls: type[ByType]) -> list[str]:
    """Return the names of the methods for messages."""
    return [name for name in dir(cls) if name.startswith("on_")]


def _check_method(what: str, method: Any) -> None:
    """Raise ``TypeError`` for what cannot be called as a method for messages."""
    if not inspect.isfunction(method) or not inspect.isfunction(inspect.unwrap(method)):
        raise TypeError(f"{what}, {method!r}, must be a plain method for messages, or not begin with on_")
    signature = inspect.signature(method)
    try:
        signature.bind(None, None, None)
    except TypeError:
        raise TypeError(f"{what} must take (self, message: ..., link), it takes {signature}") from None


def _kinds(what: str, method: Any) -> tuple[type, ...]:
    """Return the classes that the first parameter behind ``self`` is annotated with."""
    what = f"{what}(self, message: ..., link)"
    method = inspect.unwrap(method)  # with the names that its annotations were written among
    parameters = list(inspect.signature(method).parameters)
    annotation = method.__annotations__.get(parameters[1]) if len(parameters) > 1 else None
    if isinstance(annotation, str):
        annotation = _read_annotation(what, annotation, method.__globals__)
    is_union = isinstance(annotation, UnionType) or get_origin(annotation) is Union
    kinds = get_args(annotation) if is_union else (object if annotation is Any else annotation,)
    if not all(isinstance(kind, type) for kind in kinds):
        raise TypeError(f"{what}: annotate the message with a class or a union of classes")
    return checked_classes(what, kinds)


def _read_annotation(what: str, annotation: str, names: dict[str, Any]) -> Any:
    """Return the value of an annotation that is kept as text, as with ``from __future__ import annotations``.

    `get_type_hints` runs that text in the module of the method. This is safe: the text is part of the module's source,
    all of which has run already, and no text from outside gets here. Only this annotation is read, because others may
    name classes that are imported for type checkers alone.
    """

    def one() -> None:
        """Carry the annotation."""

    one.__annotations__ = {"message": annotation}
    try:
        return get_type_hints(one, globalns=names)["message"]
    except Exception as error:
        raise TypeError(f"{what}: {error}") from error
