"""Tries a codec that knows the classes of its messages."""

from __future__ import annotations

from ...interfaces import ITypedCodec
from ...selectors import Selector
from .._transcript import __tracebackhide__, shown
from ._conformance import Tried, start_of, told

__all__ = ["TypesCheck", "__tracebackhide__"]


class TypesCheck(Tried):
    """The trial of the classes and selectors of one codec. A filter never sees a message that a selector misses."""

    def __init__(self, codec: ITypedCodec) -> None:
        super().__init__(codec)
        self._selectors: dict[type, Selector | None] = {}

    def known(self) -> None:
        """Check that the classes are a tuple, as ``isinstance`` wants it."""
        types = self.tried.message_types
        if not isinstance(types, tuple) or not all(isinstance(cls, type) for cls in types):
            self.complain(f"message_types must be a tuple of classes, not {shown(types)}")

    def given(self, message: object) -> None:
        """Check that a message that the codec must carry is of its classes."""
        self._of_types(message, "which it must carry,")

    def decoded(self, message: object, payload: bytes) -> None:
        """Check that a decoded message is of the classes, and that the selectors for its classes match the payload."""
        self._of_types(message, f"decoded from {start_of(payload)},")
        for cls in type(message).__mro__:
            if getattr(cls, "_is_protocol", False):  # no filter can ask for it, and issubclass refuses it
                continue
            selector = self._selector(cls)
            if selector is not None and not self._wants(selector, payload):
                self.complain(
                    f"the selector for {cls.__name__}, {selector!r}, misses {start_of(payload)}, which decodes to "
                    f"{shown(message)}"
                )

    def _of_types(self, message: object, which: str) -> None:
        types = self.tried.message_types
        if types and not isinstance(message, types):
            names = ", ".join(cls.__name__ for cls in types)
            self.complain(f"{shown(message)}, {which} must be of one of its message_types, {names}")

    def _selector(self, cls: type) -> Selector | None:
        """Return the selector of a class, which the codec is asked for once."""
        if cls not in self._selectors:
            selector = self.call("selector_for", self.tried.selector_for, cls.__name__, (cls,))
            if selector is not None and not isinstance(selector, Selector):
                self.complain(f"selector_for must return a Selector or None for {cls.__name__}, not {shown(selector)}")
            self._selectors[cls] = selector
        return self._selectors[cls]

    def _wants(self, selector: Selector, payload: bytes) -> bool:
        """Return whether a selector matches a payload, alone and between other bytes, as in a read."""
        end = len(payload)
        try:
            return selector.matches(payload, 0, end) and selector.matches(b"\0\xff" + payload + b"\0", 2, 2 + end)
        except Exception as error:
            self.complain(f"the selector {selector!r} raised {told(error)} for {start_of(payload)}")
