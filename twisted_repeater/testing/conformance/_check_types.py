"""Puts a codec that knows the classes of its messages through what a repeater relies on besides."""

from __future__ import annotations

from typing import Any

from ...interfaces import ITypedCodec
from ...selectors import Selector
from .._transcript import shown
from ._conformance import Tried, start_of, told

__all__ = ["TypesCheck"]


class TypesCheck(Tried):
    """The classes and selectors of one codec being tried: a filter is not asked about what a selector misses."""

    def __init__(self, codec: ITypedCodec) -> None:
        super().__init__(codec)
        self._selectors: dict[type, Selector | None] = {}

    def known(self) -> None:
        """The classes are told as what ``isinstance`` takes."""
        types = self.tried.message_types
        if not isinstance(types, tuple) or not all(isinstance(cls, type) for cls in types):
            self.complain(f"message_types is {shown(types)}: it must be a tuple of classes")

    def given(self, message: Any) -> None:
        """A message that the codec must carry is of its classes."""
        self._of_types(message, "which it must carry,")

    def decoded(self, message: Any, payload: bytes) -> None:
        """So is every message that comes of a payload, and what wants its class wants the payload."""
        self._of_types(message, f"decoded from {start_of(payload)},")
        for cls in type(message).__mro__:
            if getattr(cls, "_is_protocol", False):  # no filter can want that, nor can issubclass be asked
                continue
            selector = self._selector(cls)
            if selector is not None and not self._wants(selector, payload):
                self.complain(
                    f"the selector for {cls.__name__}, {selector!r}, misses {start_of(payload)}, which decodes to "
                    f"{shown(message)}"
                )

    def _of_types(self, message: Any, which: str) -> None:
        types = self.tried.message_types
        if types and not isinstance(message, types):
            names = ", ".join(cls.__name__ for cls in types)
            self.complain(f"{shown(message)}, {which} is of none of its message_types: {names}")

    def _selector(self, cls: type) -> Selector | None:
        """Ask for the selector of a class, once."""
        if cls not in self._selectors:
            try:
                selector = self.tried.selector_for((cls,))
            except Exception as error:
                self.complain(f"selector_for raised {told(error)} for {cls.__name__}")
            if selector is not None and not isinstance(selector, Selector):
                self.complain(f"selector_for gave {shown(selector)} for {cls.__name__}: it must be a Selector or None")
            self._selectors[cls] = selector
        return self._selectors[cls]

    def _wants(self, selector: Selector, payload: bytes) -> bool:
        """Ask about a payload that stands alone, and about the same between others, as in a read."""
        end = len(payload)
        try:
            return selector.matches(payload, 0, end) and selector.matches(b"\0\xff" + payload + b"\0", 2, 2 + end)
        except Exception as error:
            self.complain(f"the selector {selector!r} raised {told(error)} for {start_of(payload)}")
