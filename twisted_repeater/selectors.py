# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Selectors choose the payloads that a filter sees, by their bytes, before anything is decoded.

This module is ordinary Python. If a compiler was found at installation, it runs compiled, with the types of
``selectors.pxd``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from operator import index

from .errors import outside

__all__ = ["NOTHING", "Gate", "Selector", "any_of", "bytes_at", "contains", "first_byte", "predicate"]

DEEPEST = 500
"""How deeply selectors may be nested. Each level needs some of the stack, and compiled code does not check its end."""

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""


class Selector:
    """Decides whether a filter wants a payload. Other payloads pass on, undecoded and unseen.

    Combine selectors with ``a | b``, ``a & b`` and ``~a``. For one of your own, override `matches`.
    """

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """Return whether the payload at ``data[start:stop]`` is wanted.

        Raises:
            ValueError: the offsets are not within the data.
        """
        raise NotImplementedError

    def __or__(self, other: Selector) -> Selector:
        return _Either(self, other) if isinstance(other, Selector) else NotImplemented

    def __and__(self, other: Selector) -> Selector:
        return _Both(self, other) if isinstance(other, Selector) else NotImplemented

    def __invert__(self) -> Selector:
        return _Not(self)


def first_byte(values: bytes) -> Selector:
    """Return a selector of the payloads whose first byte is one of these: ``first_byte(b"OC")``."""
    if not isinstance(values, (bytes, bytearray, memoryview)):
        raise TypeError(f"first_byte takes bytes, not {values!r}")
    return bytes_at(0, {bytes([value]) for value in bytes(values)})


def bytes_at(offset: int, values: Iterable[bytes]) -> Selector:
    """Return a selector of the payloads with one of these values at an offset: ``bytes_at(2, {b"NEW", b"CXL"})``.

    Raises:
        TypeError: a value is not bytes.
        ValueError: the offset is negative, or a value is empty.
    """
    offset = _checked_offset(offset)
    wanted = _checked(values, "bytes_at")
    if all(len(value) == 1 for value in wanted):
        return _ByteAt(offset, wanted)
    return _BytesAt(offset, wanted)


def contains(values: Iterable[bytes]) -> Selector:
    """Return a selector of the payloads in which one of these values occurs, at any offset.

    Raises:
        TypeError: a value is not bytes.
        ValueError: a value is empty.
    """
    return _Contains(_checked(values, "contains"))


def predicate(function: Callable[[bytes], object]) -> Selector:
    """Return a selector of the payloads for which a function returns true. It is called for each message."""
    if not callable(function):
        raise TypeError(f"predicate takes a function of a payload, not {function!r}")
    return _Predicate(function)


def any_of(selectors: Iterable[Selector]) -> Selector:
    """Return a selector of the payloads that at least one of these selectors wants."""
    left = [selector for selector in selectors if selector is not NOTHING]
    while len(left) > 1:  # in pairs, so that many selectors are not nested deeply
        pairs = [one | other for one, other in zip(left[::2], left[1::2], strict=False)]
        left = pairs + left[2 * len(pairs) :]
    return left[0] if left else NOTHING


def reach_of(selector: Selector) -> int:
    """Return how many bytes of a payload, from its beginning, decide whether a selector wants it.

    It is 0 if the selector must see the whole payload, as those of an application must.
    """
    return getattr(selector, "_reach", 0)


def _checked_offset(offset: int) -> int:
    """Return an offset within a payload as an ``int``; raise an error if no payload has it."""
    offset = index(offset)
    if offset < 0:
        raise ValueError(f"the offset must be at least 0, from the beginning of the payload, not {offset}")
    if offset > sys.maxsize:
        raise OverflowError(f"no payload has an offset of {offset}")
    return offset


def _reach(offset: int, values: tuple[bytes, ...]) -> int:
    """Return how many bytes of a payload decide whether it has one of these values at an offset."""
    reach = offset + max(map(len, values), default=1)
    return reach if reach <= sys.maxsize else 0


def _joint_reach(first: Selector, second: Selector) -> int:
    """Return how many bytes of a payload decide about it where two selectors are asked."""
    reaches = reach_of(first), reach_of(second)
    return max(reaches) if all(reaches) else 0


def _not_initialized(selector: Selector) -> AttributeError:
    """Return the error about a selector that was made without ``__init__``; interpreted code raises the same."""
    return AttributeError(f"this {type(selector).__name__} was not initialized")


def _checked(values: Iterable[bytes], function: str) -> tuple[bytes, ...]:
    """Return the values sorted, each once."""
    if isinstance(values, (bytes, bytearray, memoryview, str)):
        raise TypeError(f"{function} takes several values: write [{values!r}]")
    wanted = set()
    for value in values:
        try:
            wanted.add(bytes(memoryview(value)))
        except TypeError:
            raise TypeError(f"{function} takes values of bytes, not {value!r}") from None
    if b"" in wanted:
        raise ValueError(
            "a value must not be empty, because every payload contains that: leave the selector out to see all"
        )
    return tuple(sorted(wanted))


def _first_bytes(values: tuple[bytes, ...]) -> bytes:
    """Return a table with 1 for each byte that a value begins with, and 0 for the others."""
    return bytes(any(value[0] == byte for value in values) for byte in range(256))


class _ByteAt(Selector):
    """One byte, looked up in a table."""

    def __init__(self, offset: int, values: tuple[bytes, ...]) -> None:
        self._firsts = _first_bytes(values)
        self._offset = _checked_offset(offset)
        self._values = values
        self._reach = _reach(self._offset, values)

    def __repr__(self) -> str:
        joined = b"".join(self._values)
        return f"bytes_at({self._offset}, {list(self._values)})" if self._offset else f"first_byte({joined!r})"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._firsts is None:
            raise _not_initialized(self)
        view = data
        firsts = self._firsts
        return self._offset < stop - start and firsts[view[start + self._offset]] != 0


class _BytesAt(Selector):
    """Some bytes, compared with each value in turn; `_firsts` rules most payloads out before."""

    def __init__(self, offset: int, values: tuple[bytes, ...]) -> None:
        self._firsts = _first_bytes(values)
        self._offset = _checked_offset(offset)
        self._values = values
        self._reach = _reach(self._offset, values)

    def __repr__(self) -> str:
        return f"bytes_at({self._offset}, {list(self._values)})"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._firsts is None:
            raise _not_initialized(self)
        view = data
        firsts = self._firsts
        if self._offset >= stop - start:
            return False
        at = start + self._offset
        if firsts[view[at]] == 0:
            return False
        return _begins_with(view, at, stop, self._values)


def _begins_with(view: bytes, at: int, stop: int, values: tuple[bytes, ...]) -> bool:
    """Return whether one of the values is at an offset."""
    for value in values:
        size = len(value)
        if size > stop - at:
            continue
        wanted = value
        index = 0
        while index < size and view[at + index] == wanted[index]:
            index += 1
        if index == size:
            return True
    return False


class _Contains(Selector):
    """Values that are searched for in the whole payload, in one pass if this is compiled."""

    def __init__(self, values: tuple[bytes, ...], in_one_pass: bool = COMPILED) -> None:
        self._values = values
        self._firsts = _first_bytes(values)
        self._in_one_pass = in_one_pass
        self._reach = 0 if values else 1

    def __repr__(self) -> str:
        return f"contains({list(self._values)})"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._firsts is None:
            raise _not_initialized(self)
        if not self._in_one_pass:
            for value in self._values:  # noqa: SIM110 - no closures in compiled code
                if data.find(value, start, stop) >= 0:
                    return True
            return False
        if not self._values:
            return False
        view = data
        firsts = self._firsts
        for at in range(start, stop):  # noqa: SIM110 - likewise
            if firsts[view[at]] != 0 and _begins_with(view, at, stop, self._values):
                return True
        return False


class _Predicate(Selector):
    """A function of the application."""

    def __init__(self, function: Callable[[bytes], object]) -> None:
        self._function = function

    def __repr__(self) -> str:
        return f"predicate({self._function!r})"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        if self._function is None:
            raise _not_initialized(self)
        return bool(self._function(data[start:stop]))


class Gate(Selector):
    """Selects all payloads while it is open, and none while it is closed.

    For a filter of one link that waits for something from time to time. While its gate is closed, messages cost it
    nothing. It may be opened and closed at any time; that counts from the next message on.
    """

    is_open: bool
    """Whether it is open. It is closed at first."""

    def __init__(self) -> None:
        self.is_open = False
        self._reach = 1

    def __repr__(self) -> str:
        return f"<gate, {'open' if self.is_open else 'closed'}>"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if start < 0 or start > stop or stop > len(data):
            raise outside(start, stop)
        return self.is_open


def _nested(*selectors: Selector) -> int:
    """Return how deeply a combination of these is nested; raise ``ValueError`` if that is too deep."""
    for selector in selectors:
        if not isinstance(selector, Selector):
            raise TypeError(f"only selectors can be combined, not {selector!r}")
    depth = 1 + max(getattr(selector, "_depth", 0) for selector in selectors)
    if depth > DEEPEST:
        raise ValueError(f"selectors must be nested at most {DEEPEST} deep; any_of combines more")
    return depth


class _Either(Selector):
    """The payloads that one of two selectors wants."""

    def __init__(self, first: Selector, second: Selector) -> None:
        self._depth = _nested(first, second)
        self._reach = _joint_reach(first, second)
        self._first = first
        self._second = second

    def __repr__(self) -> str:
        return f"({self._first!r} | {self._second!r})"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if self._first is None or self._second is None:
            raise _not_initialized(self)
        return self._first.matches(data, start, stop) or self._second.matches(data, start, stop)


class _Both(Selector):
    """The payloads that both of two selectors want."""

    def __init__(self, first: Selector, second: Selector) -> None:
        self._depth = _nested(first, second)
        self._reach = _joint_reach(first, second)
        self._first = first
        self._second = second

    def __repr__(self) -> str:
        return f"({self._first!r} & {self._second!r})"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if self._first is None or self._second is None:
            raise _not_initialized(self)
        return self._first.matches(data, start, stop) and self._second.matches(data, start, stop)


class _Not(Selector):
    """The payloads that another selector does not want."""

    def __init__(self, selector: Selector) -> None:
        self._depth = _nested(selector)
        self._reach = reach_of(selector)
        self._selector = selector

    def __repr__(self) -> str:
        return f"~{self._selector!r}"

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """See `Selector`."""
        if self._selector is None:
            raise _not_initialized(self)
        return not self._selector.matches(data, start, stop)


NOTHING: Selector = contains(())
"""Selects no payload."""
