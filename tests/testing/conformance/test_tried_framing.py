"""Calls of a framing that is being tried."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import FrameTooLong, Limits, MarshalingError
from twisted_repeater.testing import ConformanceError
from twisted_repeater.testing.conformance._tried_framing import TriedFraming, through_a_lane

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

    def test_error(self) -> None:
        """And its error."""
        error, messages, passed = through_a_lane(PlainFraming(Limits(max_frame=1)), [b"\0\0\1a\0\0\2b"])
        self.assertIsInstance(error, FrameTooLong)
        self.assertEqual((messages, passed), ([b"a"], b"\0\0\1a"))
