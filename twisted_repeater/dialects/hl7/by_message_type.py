# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Selects messages by their types, before anything is decoded.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import outside
from ...selectors import Selector

__all__ = ["Again", "ByMessageType", "comes_again", "of_type", "split_type"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""


def of_type(*types: str) -> Selector:
    """Return a selector of the messages of some types, for `twisted_repeater.filters.wants`.

    What the header alone does not decide is always selected: batches, and messages that have no event in MSH-9.

    Args:
        types: the types, such as ``"ADT^A01"``, or ``"ADT"`` for all events.

    Raises:
        TypeError: no type is given, or one is not a string.
        ValueError: a type is not written like that.
    """
    if not types:
        raise TypeError("of_type needs a type")
    return ByMessageType(types, others=False)


def split_type(text: str) -> tuple[bytes, bytes]:
    """Return a type and its event; ``b""`` for all events.

    Raises:
        TypeError: the type is not a string.
        ValueError: it is not written as types are.
    """
    if not isinstance(text, str):
        raise TypeError(f"a type of messages must be a str such as ADT^A01, not {text!r}")
    code, mark, event = text.partition("^")
    if not (code.isascii() and code.isalnum()) or (mark and not (event.isascii() and event.isalnum())):
        raise ValueError(f"expected a type of messages such as ADT^A01 or ADT, got {text!r}")
    return code.upper().encode(), event.upper().encode()


class ByMessageType(Selector):
    """Compares the type of a message with some types.

    Args:
        types: the types.
        others: whether it selects all other messages.
    """

    def __init__(self, types: Iterable[str], *, others: bool) -> None:
        pairs = sorted({split_type(text) for text in types})
        self._codes: tuple[bytes, ...] | None = tuple(code for code, _ in pairs)
        self._events: tuple[bytes, ...] = tuple(event for _, event in pairs)
        self._others = others

    def __repr__(self) -> str:
        pairs = zip(self._codes or (), self._events, strict=True)
        types = ", ".join(repr((code + b"^" + event).decode().rstrip("^")) for code, event in pairs)
        return f"~of_type({types})" if self._others else f"of_type({types})"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._codes is None:
            raise AttributeError("this ByMessageType was not initialized")
        view = data
        at = start
        if stop - at < 9 or view[at] != 77 or view[at + 1] != 83 or view[at + 2] != 72:  # MSH
            return True
        field = view[at + 3]
        component = view[at + 4]
        if component == field:
            return True
        at += 4
        fields = 1
        while at < stop and fields < 8:
            if view[at] == 13 or view[at] == 10:
                return True
            if view[at] == field:
                fields += 1
            at += 1
        code = at
        at = _end_of(view, at, stop, field, component)
        code_stop = at
        if at >= stop or view[at] != component:
            return True
        event = at + 1
        at = _end_of(view, event, stop, field, component)
        if _is_blank(view, event, at) or not (_is_plain(view, code, code_stop) and _is_plain(view, event, at)):
            return True
        if self._has(data, code, code_stop, event, at) != self._others:
            return True
        return comes_again(data, at, stop)

    def _has(self, data: bytes, code: int, code_stop: int, event: int, event_stop: int) -> bool:
        """Return whether one of the types is that of the message."""
        codes = self._codes or ()
        events = self._events
        for index in range(len(codes)):
            if _is_word(data, code, code_stop, codes[index]):
                wanted = events[index]
                if len(wanted) == 0 or _is_word(data, event, event_stop, wanted):
                    return True
        return False


def comes_again(data: bytes, start: int, stop: int) -> bool:
    """Return whether MSH is somewhere after the first byte: perhaps there are several messages."""
    if start < 0 or start > stop or stop > len(data):
        raise outside(start, stop)
    again: bool = (
        has_header(data, start + 1, stop)  # type: ignore[name-defined]  # noqa: F821
        if COMPILED  # the function is in the .pxd
        else data.find(b"MSH", start + 1, stop) >= 0
    )
    return again


class Again(Selector):
    """Selects messages in which MSH comes again: perhaps there are several."""

    def __repr__(self) -> str:
        return "Again()"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        return comes_again(data, start, stop)


def _end_of(view: bytes, at: int, stop: int, field: int, component: int) -> int:
    """Return where a component ends."""
    while at < stop and view[at] != component and view[at] != field and view[at] != 13 and view[at] != 10:
        at += 1
    return at


def _is_blank(view: bytes, at: int, stop: int) -> bool:
    """Return whether there are only spaces and the like."""
    while at < stop and view[at] <= 32:
        at += 1
    return at == stop


def _is_plain(view: bytes, at: int, stop: int) -> bool:
    """Return whether there are only letters, digits, spaces and the like: no other delimiter, and no escape."""
    while at < stop:
        byte = view[at]
        if not (byte <= 32 or 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122):
            return False
        at += 1
    return True


def _is_word(view: bytes, at: int, stop: int, word: bytes) -> bool:
    """Return whether a word is there, in whatever case, with or without spaces and the like around it."""
    wanted = word
    size = len(word)
    while at < stop and view[at] <= 32:
        at += 1
    while stop > at and view[stop - 1] <= 32:
        stop -= 1
    if stop - at != size:
        return False
    index = 0
    while index < size:
        byte = view[at + index]
        if 97 <= byte <= 122:
            byte -= 32
        if byte != wanted[index]:
            return False
        index += 1
    return True
