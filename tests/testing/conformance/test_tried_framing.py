"""Calls of a framing that is being tried."""

from __future__ import annotations

from time import monotonic
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import FrameTooLong, Limits, MarshalingError
from twisted_repeater.testing import ConformanceError
from twisted_repeater.testing.conformance._tried_framing import (
    TriedFraming,
    goes_on,
    keeps_state,
    tail_of,
    through_a_lane,
)

from .more_framings import PAYLOADS, Numbered, Resuming
from .plain_framing import PlainFraming


class Broken(PlainFraming):
    """A framing that fails where it is told to."""

    def __init__(self, **methods: Any) -> None:
        super().__init__(Limits())
        for name, method in methods.items():
            setattr(self, name, method)


class TriedFramingTests(SynchronousTestCase):
    """Calls that must not go wrong."""

    def complaint(self, name: str, *arguments: Any, **methods: Any) -> str:
        """Return what is said of a broken framing."""
        tried = TriedFraming(Broken(**methods), [b"x"], 100)
        return str(self.assertRaises(ConformanceError, getattr(tried, name), *arguments))

    def test_good_ones(self) -> None:
        """Calls that go well give what the framing gives."""
        tried = TriedFraming(PlainFraming(Limits()), [b"x"], 100)
        frame = tried.encode(b"abc")
        self.assertEqual(frame, b"\0\0\3abc")
        self.assertEqual(tried.find(frame, 0, 6, "a frame"), (6, 3))
        self.assertEqual(tried.payload_of(frame, "a frame"), b"abc")
        self.assertEqual(tried.header(b"abc"), b"\0\0\3")

    def test_encode(self) -> None:
        """A payload that is not encoded, or not into bytes, is a complaint."""
        told = self.complaint("encode", b"abc", encode={}.__getitem__)
        self.assertEqual(told, "Broken: encode raised KeyError: b'abc' for a payload of 3 bytes, b'abc'")
        told = self.complaint("encode", b"abc", encode=bytearray)
        self.assertEqual(told, "Broken: encode must return bytes, not bytearray, for a payload of 3 bytes, b'abc'")

    def test_find(self) -> None:
        """A frame that is not found is a complaint."""
        told = self.complaint("find", b"", 0, 0, "nothing", find=lambda data, start, end: 1 // 0)
        self.assertTrue(told.startswith("Broken: find raised ZeroDivisionError"), told)
        self.assertTrue(told.endswith("for nothing"), told)
        told = self.complaint("payload_of", b"abcd", "a frame", find=lambda data, start, end: 3)
        self.assertEqual(told, "Broken: find gave 3 for a frame, which ends at 4")

    def test_sized(self) -> None:
        """Larger payloads are made of the longest that is known to be one."""
        self.assertEqual(TriedFraming(Broken(), [b"a", b"bcd"], 100).sized(7), b"bcdbcdb")
        for payloads in ([b""], []):
            self.assertEqual(TriedFraming(Broken(), payloads, 100).sized(3), b"xxx")


class GrownTests(SynchronousTestCase):
    """Payloads that a function makes."""

    def tried(self, grow: Any) -> TriedFraming:
        """Make a framing to be tried with these payloads."""
        return TriedFraming(PlainFraming(Limits()), [b"x"], 1000, grow=grow)

    def test_about_that_size(self) -> None:
        """They are about as long as they should be, or refused."""
        self.assertEqual(self.tried(bytes).sized(7), bytes(7))
        self.assertEqual(self.tried(lambda size: bytes(size + 5)).longest(100), bytes(100))
        wrong = self.assertRaises(TypeError, self.tried(str).sized, 7)
        self.assertEqual(str(wrong), "grow(7) must return bytes, not str")
        for size in (49, 265):
            error = self.assertRaises(ValueError, self.tried(lambda _, size=size: bytes(size)).sized, 100)
            self.assertEqual(str(error), f"grow(100) must return a payload of about 100 bytes, not {size}")

    def test_limit(self) -> None:
        """One that is known to be as long as the limit is used; else the limit is searched with others."""
        tried = self.tried(bytes)
        tried.at_limit = b"x" * 50
        self.assertEqual((tried.longest(50), tried.longest(51)), (b"x" * 50, bytes(51)))
        tried.framing = PlainFraming(Limits(max_frame=300))
        self.assertEqual(tried.wire_limit(), 300)

    def test_known(self) -> None:
        """A frame that is known only as a whole has a header all the same."""
        tried = TriedFraming(Resuming(Limits()), [b"abc" * 50], 1000)
        self.assertEqual((tried.known(b"ab\n"), tried.header(b"abc" * 50)), (3, (b"abc" * 50)[:64]))
        self.assertEqual(tail_of(tried.framing), 1)


class StateTests(SynchronousTestCase):
    """Framings that keep state."""

    def test_stand_at(self) -> None:
        """A framing for a later payload is a new one, and has taken the frames before."""
        tried = TriedFraming(Numbered(Limits()), PAYLOADS, 1000, make=lambda: Numbered(Limits()))
        for number, payload in enumerate(PAYLOADS):
            tried.stand_at(number)
            self.assertTrue(tried.encode(payload).endswith(b"." * number))
        self.assertEqual((keeps_state(tried.framing), goes_on(tried.framing)), (True, False))
        plain = PlainFraming(Limits())
        tried = TriedFraming(plain, PAYLOADS, 1000)
        tried.stand_at(2)
        self.assertIs(tried.framing, plain)


class LimitTests(SynchronousTestCase):
    """The longest payload that a framing can carry."""

    def limit(self, max_frame: int, encode: Any) -> int:
        """Return the limit of a framing."""
        return TriedFraming(Broken(encode=encode), [b"abc"], max_frame).wire_limit()

    def test_limit(self) -> None:
        """It is `max_frame`, or what the wire has room for."""

        def at_most_1000(payload: bytes) -> bytes:
            if len(payload) > 1000:
                raise MarshalingError("no room")
            return payload

        for max_frame, limit in ((999, 999), (1000, 1000), (1001, 1000), (100_000, 1000), (1 << 40, 1000)):
            self.assertEqual(self.limit(max_frame, at_most_1000), limit)
        self.assertEqual(self.limit(1 << 40, bytes), 1 << 40)

    def test_none(self) -> None:
        """What is refused for what is in it, or with another error, is none."""

        def no_letters(payload: bytes) -> bytes:
            if b"a" in payload:
                raise MarshalingError("a letter")
            return payload

        self.assertEqual(self.limit(1000, no_letters), 1000)
        self.assertEqual(self.limit(1000, {}.__getitem__), 1000)


class LaneTests(SynchronousTestCase):
    """A framing in a lane."""

    def test_messages(self) -> None:
        """Gives what the lane's filter saw and what it passed on."""
        self.assertEqual(
            through_a_lane(PlainFraming(Limits()), [b"\0\0\1a\0", b"\0\2b", b"c"]),
            (None, [b"a", b"bc"], b"\0\0\1a\0\0\2bc"),
        )

    def test_large(self) -> None:
        """A large message that comes in pieces is seen whole."""
        frame = PlainFraming(Limits()).encode(b"x" * 300_000)
        error, messages, passed = through_a_lane(PlainFraming(Limits()), [frame[:100_000], frame[100_000:]])
        self.assertEqual((error, messages, passed), (None, [b"x" * 300_000], frame))

    def test_slow(self) -> None:
        """A framing may be slow: the lane does not give way to others, as there are none."""
        framing = PlainFraming(Limits())
        find = framing.find

        def slowly(data: bytes, start: int, end: int) -> int:
            done = monotonic() + 0.001
            while monotonic() < done:
                pass
            return find(data, start, end)

        framing.find = slowly  # type: ignore[method-assign]
        stream = framing.encode(b"a") * 40
        self.assertEqual(through_a_lane(framing, [stream, stream]), (None, [b"a"] * 80, stream * 2))

    def test_error(self) -> None:
        """And its error."""
        error, messages, passed = through_a_lane(PlainFraming(Limits(max_frame=1)), [b"\0\0\1a\0\0\2b"])
        self.assertIsInstance(error, FrameTooLong)
        self.assertEqual((messages, passed), ([b"a"], b"\0\0\1a"))
