"""The offsets that compiled code gets: wrong ones are errors, and nothing outside of the data is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from operator import methodcaller
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.__main__ import HOT_PATH
from twisted_repeater._lane.output import Output
from twisted_repeater.dialects.fix.of_type import of_type
from twisted_repeater.dialects.fix.tracking import Tracker, Untracked
from twisted_repeater.dialects.hl7 import of_type as hl7_of_type
from twisted_repeater.dialects.hl7.by_message_type import Again
from twisted_repeater.dialects.lines.perhaps import Perhaps
from twisted_repeater.dialects.redis.by_name import by_name
from twisted_repeater.errors import FARTHEST, FramingError
from twisted_repeater.framings import (
    AsyncExtraFraming,
    DelimitedFraming,
    FixFraming,
    Int32Framing,
    LengthFraming,
    RespFraming,
    VarintFraming,
)
from twisted_repeater.framings.async_extra import AsyncExtraHelloFraming
from twisted_repeater.framings.base import CheckedFraming, Framing
from twisted_repeater.framings.length import HeaderFraming
from twisted_repeater.selectors import Gate, Selector, bytes_at, contains, first_byte, predicate

SIZE = 26
FAR = st.sampled_from([2**31 - 1, 2**31, -(2**31), 2**63, -(2**63), 2**64, -(2**70)]) | st.integers(2**63 - 40, 2**63)
OFFSETS = st.integers(-3, SIZE + 3) | FAR
METHODS = ("find", "more", "skip", "taken", "matches")
"""The methods that get offsets."""


class Tailed:
    """A framing of an application, with every optional method. Each of its frames has one byte."""

    body: int = 0
    tail: int = 0
    least: int = 0
    seen: int = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        self.body = start
        self.seen = start
        return min(start + 1, end) if start < end else 0

    def more(self, data: bytes, start: int, end: int) -> int:
        stop = self.find(data, start, end)
        self.body = 0
        return stop

    def taken(self, data: bytes, start: int, stop: int) -> None: ...

    def encode(self, payload: bytes) -> bytes:
        return payload

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        return payload


def within_a_frame() -> DelimitedFraming:
    """Return a framing that has seen a part of a frame."""
    framing = DelimitedFraming(99, b"\r\n", start=b"\0")
    assert framing.find(b"\0bc", 0, 3) == 0
    return framing


def within_a_reply() -> RespFraming:
    """Return a framing that has seen a part of a reply."""
    framing = RespFraming(99, commands=False)
    assert framing.find(b"*3\r\n$20\r\na", 0, 10) == 0
    return framing


def plain() -> Tracker:
    """Return what is known of a flow in which nothing is to be done."""
    tracker = Tracker()
    tracker.is_quiet = True
    return tracker


MADE: list[Callable[[], Framing | Selector]] = [
    lambda: Int32Framing(99),
    lambda: LengthFraming(99, size=3, at=2, order="little", header=9, whole=True),
    lambda: LengthFraming(FARTHEST, size=8),
    lambda: VarintFraming(99),
    lambda: VarintFraming(FARTHEST, at=20, max_bytes=9, whole=True),
    lambda: DelimitedFraming(99, b"\n"),
    lambda: DelimitedFraming(99, b"\x1c\r", start=b"\x0b", between=b"\r\n\0"),
    within_a_frame,
    lambda: RespFraming(99, commands=True),
    lambda: RespFraming(FARTHEST, commands=False),
    within_a_reply,
    lambda: FixFraming(99),
    lambda: FixFraming(FARTHEST),
    lambda: AsyncExtraFraming(99, lambda: 1.5),
    lambda: AsyncExtraHelloFraming(99),
    lambda: CheckedFraming(Tailed()),
    lambda: CheckedFraming(DelimitedFraming(99, b"\n")),
    lambda: first_byte(b"a"),
    lambda: bytes_at(2, [b"ab", b"c"]),
    lambda: contains([b"ab", b"c"]),
    lambda: predicate(len),
    lambda: by_name(["GET", "SET"]),
    lambda: Perhaps(lambda lines: False, True),
    lambda: hl7_of_type("ADT^A01", "ORU"),
    Again,
    lambda: of_type(["D", "AB"]),
    lambda: Untracked(plain(), True, None),
    Gate,
    lambda: first_byte(b"a") | contains([b"b"]),
    lambda: first_byte(b"a") & contains([b"b"]),
    lambda: ~first_byte(b"a"),
]
"""Make one object of each compiled class that gets offsets, and of some in other states."""

ABSTRACT: set[type] = {Framing, HeaderFraming, Selector}


def calls() -> Iterator[tuple[Framing | Selector, str]]:
    """Yield a new object for each method that gets offsets, and the name of the method."""
    for make in MADE:
        for method in METHODS:
            made = make()
            if hasattr(made, method) and (method != "more" or made.goes_on):  # type: ignore[union-attr]
                yield made, method


class EveryMethodTests(SynchronousTestCase):
    """Every method of the compiled classes that gets offsets. `.ci/run sanitizer` sees what they read."""

    def test_all_are_here(self) -> None:
        """No compiled class that gets offsets is left out below."""
        found = {
            value
            for module in HOT_PATH
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, (Framing, Selector))
        }
        self.assertEqual(found - ABSTRACT, {type(make()) for make in MADE})

    @given(OFFSETS, OFFSETS)
    def test_anywhere(self, start: int, end: int) -> None:
        """Wherever the offsets are, wrong ones are an error of the same class, compiled or not."""
        data = bytes(SIZE)
        for made, method in calls():
            call = methodcaller(method, data, start, end)
            if max(abs(start), abs(end)) > sys.maxsize:
                self.assertRaises(OverflowError, call, made)
            elif start < 0 or start > end or end > SIZE:
                self.assertRaises(ValueError, call, made)
            else:
                try:
                    self.assertGreaterEqual(call(made) or 0, 0)
                except FramingError:  # about the bytes, not the offsets
                    self.assertNotIn(method, ("skip", "matches", "taken"))

    def test_no_integers(self) -> None:
        """What is no integer is a ``TypeError``; interpreted code can also work with a float."""
        wrong: Any
        for made, method in calls():
            compiled = not sys.modules[type(made).__module__].__file__.endswith(".py")  # type: ignore[union-attr]
            for wrong in (None, "1", b"1", *([1.5] if compiled else [])):
                for start, end in ((wrong, SIZE), (0, wrong)):
                    self.assertRaises(TypeError, methodcaller(method, bytes(SIZE), start, end), made)

    def test_no_bytes(self) -> None:
        """Data that has no length is a ``TypeError``; compiled code wants ``bytes``."""
        for made, method in calls():
            compiled = not sys.modules[type(made).__module__].__file__.endswith(".py")  # type: ignore[union-attr]
            for wrong in (None, 5, *([bytearray(SIZE), "x" * SIZE] if compiled else [])):
                self.assertRaises(TypeError, methodcaller(method, wrong, 0, SIZE), made)

    @given(OFFSETS, OFFSETS)
    def test_output(self, start: int, end: int) -> None:
        """The output of a lane takes the bytes that Python's slices would, or none."""
        data = bytes(range(SIZE))
        pushed: list[list[bytes]] = []

        class Outlet:
            full = False
            push = pushed.append

        outlet: Any = Outlet()
        output = Output(outlet, outlet)
        try:
            output.put(data, start, end)
        except OverflowError:
            self.assertGreater(max(abs(start), abs(end)), sys.maxsize)
        output.flush()
        self.assertIn(b"".join(b"".join(pieces) for pieces in pushed), (b"", data[start:end], data))
