"""Broken framings are found out, each with a complaint that says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import FrameTooLong, FramingError, IFraming, Limits, MarshalingError
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.testing import ConformanceError, check_framing

from .plain_framing import PlainFraming

Find = Callable[[PlainFraming, bytes, int, int], int]


def finding(find: Find) -> type[PlainFraming]:
    """Make a framing that finds frames in a way of its own."""
    return type("Broken", (PlainFraming,), {"find": find})


def found(change: Callable[[PlainFraming, int, int, int], int]) -> type[PlainFraming]:
    """Make a framing that changes what it has found: given the start, the end and where the frame ends."""

    def find(self: PlainFraming, data: bytes, start: int, end: int) -> int:
        stop = PlainFraming.find(self, data, start, end)
        return stop and change(self, start, end, stop)

    return finding(find)


def with_body(body: int) -> type[PlainFraming]:
    """Make a framing that is wrong about the body of a frame."""

    def change(self: PlainFraming, start: int, end: int, stop: int) -> int:
        self.body = start + body
        return stop

    return found(change)


def encoding(**methods: Any) -> type[PlainFraming]:
    """Make a framing that encodes in a way of its own."""
    return type("Broken", (PlainFraming,), methods)


def too_early(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Tells from two bytes of the header what takes three."""
    if end == start + 2:
        return start + 3 + int.from_bytes(data[start:end] + b"\0", "big")
    return PlainFraming.find(self, data, start, end)


def forgetful(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Needs more bytes again after it has known."""
    stop = PlainFraming.find(self, data, start, end)
    return 0 if end == start + 5 < stop else stop


def beyond_the_end(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Looks at what it isn't asked about."""
    return PlainFraming.find(self, data, start, len(data))


def only_at_the_beginning(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Doesn't know that frames begin anywhere."""
    return PlainFraming.find(self, data, 0, end)


def remembering(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Is wrong about a short frame that comes after half of a long one."""
    stop = PlainFraming.find(self, data, start, end)
    if end == len(data) // 2 > 50:
        self.seen = True  # type: ignore[attr-defined]
    elif 0 < stop < 10:
        wrong, self.seen = getattr(self, "seen", False), False  # type: ignore[attr-defined]
        return stop - wrong
    return stop


def signed(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Takes lengths for signed."""
    if start + 3 > end:
        return 0
    size = int.from_bytes(data[start : start + 3], "big", signed=True)
    if size > self.limit:
        raise FrameTooLong(size, self.limit)
    self.body = start + 3
    return self.body + size


def unlimited(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Trusts a length."""
    if start + 3 > end:
        return 0
    self.body = start + 3
    return self.body + int.from_bytes(data[start : start + 3], "big")


def with_one_over(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Is wrong by one about its limit."""
    return PlainFraming.find(PlainFraming(Limits(max_frame=self.limit + 1)), data, start, end) and unlimited(
        self, data, start, end
    )


def with_one_over_if_odd(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Is wrong by one about some limits."""
    return (with_one_over if self.limit % 2 else PlainFraming.find)(self, data, start, end)


def preparing(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Makes room for a body before it is there."""
    stop = PlainFraming.find(self, data, start, end)
    if stop > end:
        bytearray(100_000)
    return stop


def misled(self: PlainFraming, start: int, end: int, stop: int) -> int:
    """Is wrong about the body of a frame of one length."""
    if stop - self.body == 256:
        self.body = 99
    return stop


def wrong_error(error: type[Exception], hostile: bool = True) -> type[PlainFraming]:
    """Make a framing that raises this for lengths that are too long, or only for those that are by one, and even."""

    def find(self: PlainFraming, data: bytes, start: int, end: int) -> int:
        try:
            return PlainFraming.find(self, data, start, end)
        except FrameTooLong as too_long:
            if hostile or (too_long.size == self.limit + 1 and self.limit % 2):
                raise error("too long") from None
            raise

    return finding(find)


def in_a_stream(self: PlainFraming, start: int, end: int, stop: int) -> int:
    """Is wrong in the middle of a stream only."""
    return stop - 1 if start == 15 else stop


def swallowing(self: PlainFraming, start: int, end: int, stop: int) -> int:
    """Takes two frames in the middle of a stream for one."""
    return stop + 153 if start == 15 else stop


def at_the_end(self: PlainFraming, data: bytes, start: int, end: int) -> int:
    """Cannot stand at the end of what was read, unless that is nothing."""
    if start == end > 500:
        raise IndexError("no byte there")
    return PlainFraming.find(self, data, start, end)


def cuts_off(self: PlainFraming, payload: bytes) -> bytes:
    """Loses what is longer than a payload may be."""
    return PlainFraming.encode(self, payload[: self.limit])


def rejects_the_longest(self: PlainFraming, start: int, end: int, stop: int) -> int:
    """Finds the longest frame, but with its body one byte too late."""
    if stop - self.body == self.limit:
        self.body += 1
    return stop


def encoding_raises(self: PlainFraming, payload: bytes) -> bytes:
    """Has no error of its own for what is too long."""
    if len(payload) > self.limit:
        raise ValueError("too long")
    return PlainFraming.encode(self, payload)


def refuses_letters(self: PlainFraming, payload: bytes) -> bytes:
    """Has no place for some bytes."""
    if b"l" in payload:
        raise MarshalingError("letters")
    return PlainFraming.encode(self, payload)


class BrokenFramingTests(SynchronousTestCase):
    """Framings that break a promise."""

    def told(self, framing: Any, **arguments: Any) -> str:
        """Return the complaint."""
        return str(self.assertRaises(ConformanceError, check_framing, framing, **arguments))

    def check(self, *cases: tuple[Any, str]) -> None:
        """See that each is complained about, like this."""
        for framing, complaint in cases:
            told = self.told(framing)
            self.assertTrue(re.match(f"Broken: {complaint}", told), f"{told}\nis not\n{complaint}")

    def test_good_frames(self) -> None:
        """Frames that do not carry their payloads."""
        self.check(
            (found(lambda self, start, end, stop: stop + 1), r"find gave 4 for the frame of b'', which ends at 3"),
            (with_body(1), r"the body of the frame of b'' is b'\\x00\\x00'"),
            (encoding(encode=lambda self, payload: [payload]), "encode must return bytes, not list"),
            (
                encoding(replace=lambda self, frame, payload: 1 // 0),
                r"replace raised ZeroDivisionError: .* for the payload b''",
            ),
            (
                encoding(replace=lambda self, frame, payload: frame),
                r"replace for the payload b'' made a frame of b'\\x00'",
            ),
        )

    def test_cuts(self) -> None:
        """Frames that have come in part."""
        self.check(
            (
                found(lambda self, start, end, stop: min(stop, end)),
                r"find must return 0, for more bytes, or the end of the frame, not 3, for the first 3 of 4 bytes",
            ),
            (
                finding(too_early),
                "find must return 0, .* or the end of the frame, not 3, for the first 2 of 4 bytes",
            ),
            (finding(forgetful), "find returned 0 for the first 5 of 8 bytes .*, but knew the end with fewer"),
            (
                finding(beyond_the_end),
                "find looks at bytes after the end of the data: for the first 0 of 3 bytes .* returned 0 or",
            ),
        )

    def test_header_not_complete(self) -> None:
        """A body that begins after the bytes that are there."""

        def find(self: PlainFraming, data: bytes, start: int, end: int) -> int:
            if end - start == 2 and data[start:end] == b"\0\0" and len(data) == 2:
                self.body = start + 3
                return start + 3
            return PlainFraming.find(self, data, start, end)

        self.check((finding(find), r"find says that the body begins at 3 for the first 2 of 3 bytes .* is incomplete"))

    def test_offsets(self) -> None:
        """Frames that begin elsewhere than at 0."""
        self.check(
            (finding(only_at_the_beginning), r"find returned .* for the frame of b'' that begins at 1 and ends at 4")
        )

    def test_state(self) -> None:
        """A framing that remembers what it has seen."""
        self.check(
            (
                finding(remembering),
                "find must move no state: its answer for b'.*' changes after a call for b'",
            )
        )

    def test_hostile_lengths(self) -> None:
        """Lengths that nobody sane sends."""
        self.check(
            (finding(signed), r"find says that a frame at . ends at -\d+, for the bytes b'.*: reading would never end"),
            (finding(unlimited), r"find accepts a body of \d+ bytes where 65536 are allowed, for the bytes b'"),
            (finding(preparing), r"find takes 10\d+ bytes of memory for the bytes b'.*, before the body is there"),
            (wrong_error(OverflowError), r"find raised OverflowError: too long, not FramingError, for the bytes b'"),
            (found(misled), r"find says that a body begins at 99 of a frame from 0 to 259, for the bytes b'"),
        )

    def test_limits(self) -> None:
        """Limits that are not kept exactly."""
        self.check(
            (encoding(encode=cuts_off), "encode accepts a payload above max_frame: it must raise MarshalingError"),
            (
                encoding(encode=encoding_raises),
                "encode raised ValueError: too long, not MarshalingError, for a payload",
            ),
            (found(rejects_the_longest), "a payload of max_frame bytes must come back the same"),
        )
        told = self.told(finding(with_one_over), payloads=[b"ab"])
        self.assertIn("Broken: find accepts a body of 65537 bytes where 65536 are allowed, for the bytes b'", told)
        told = self.told(finding(with_one_over_if_odd), payloads=[b"ab"])
        self.assertIn("Broken: find accepts a header that announces 65536 bytes where 65535 are allowed", told)
        told = self.told(wrong_error(ValueError, hostile=False), payloads=[b"ab"])
        self.assertIn("Broken: find raised ValueError: too long, not FramingError, for a header", told)
        told = self.told(lambda limits: PlainFraming(Limits()), max_frame=100)
        self.assertIn("PlainFraming: find accepts a body of", told)
        told = self.told(lambda limits: PlainFraming(Limits(max_frame=100)), payloads=[b"ab"], max_frame=100)
        self.assertIn("encode accepts a payload of 100 bytes, one more than the max_frame of its Limits: it must", told)

        class OneLess(PlainFraming):
            def encode(self, payload: bytes) -> bytes:
                return PlainFraming.encode(self, payload if len(payload) < self.limit else b"x" * (self.limit + 1))

        self.assertIn(
            "OneLess: encode raised MarshalingError: too long for a payload of 65535 bytes", self.told(OneLess)
        )
        told = self.told(OneLess(Limits(max_frame=1000)), max_frame=1000)
        self.assertIn("OneLess: find accepts a body of 1000 bytes where 999 are allowed, for the bytes b'", told)

    def test_streams(self) -> None:
        """Streams that come out changed, though each frame comes out the same."""
        self.check(
            (found(in_a_stream), "all payloads in one stream, as a whole: FrameTooLong"),
            (found(swallowing), "all payloads in one stream, as a whole: other messages were found, 5"),
            (finding(at_the_end), "all payloads in one stream, as a whole: FramingError: IndexError in the framing"),
        )

    def test_cost(self) -> None:
        """The cost is counted as well."""

        def find(self: PlainFraming, data: bytes, start: int, end: int) -> int:
            stop = PlainFraming.find(self, data, start, end)
            return stop if stop <= end else 0

        self.check((finding(find), "find and more are shown .* bytes of a frame of"))

    def test_endless_headers(self) -> None:
        """A header that never ends is not waited for."""

        class Varint(PlainFraming):
            longest = 1 << 30

            def find(self, data: bytes, start: int, end: int) -> int:
                size = 0
                for at in range(start, min(end, start + self.longest)):
                    size |= (data[at] & 0x7F) << 7 * (at - start)
                    if data[at] < 0x80:
                        if size > self.limit:
                            raise FrameTooLong(size, self.limit)
                        self.body = at + 1
                        return self.body + size
                if end >= start + self.longest:
                    raise FramingError("no length")
                return 0

            def encode(self, payload: bytes) -> bytes:
                PlainFraming.encode(self, payload)
                header, size = bytearray(), len(payload)
                while size > 0x7F:
                    header.append(size & 0x7F | 0x80)
                    size >>= 7
                return bytes([*header, size]) + payload

        told = self.told(Varint)
        self.assertRegex(
            told, r"^Varint: find must refuse a header without an end; it returned 0 for 4096 bytes, b'\\x80.*'\.\.\.$"
        )
        check_framing(type("Varint", (Varint,), {"longest": 5}))

        def find(self: PlainFraming, data: bytes, start: int, end: int) -> int:
            if data == b"\x80" * 4096:
                raise OverflowError("too much")
            return PlainFraming.find(self, data, start, end)

        self.check((finding(find), r"find raised OverflowError: too much, not FramingError, for 4096 bytes, b'"))


class GivenTests(SynchronousTestCase):
    """What the check can be given."""

    def test_no_framing(self) -> None:
        """Something that is none is complained about."""
        error = self.assertRaises(ConformanceError, check_framing, "no framing")
        self.assertTrue(str(error).startswith("str: it does not provide IFraming: "), error)

        class Silent(PlainFraming):
            find = None  # type: ignore[assignment]

        self.assertIn(
            "Silent: it does not provide IFraming: ", str(self.assertRaises(ConformanceError, check_framing, Silent))
        )

    def test_a_framing(self) -> None:
        """A framing is tried at its own limit, which has to be known."""
        check_framing(Int32Framing(50), [b"x"])
        check_framing(PlainFraming(Limits(max_frame=600)), max_frame=600)
        self.assertRaises(TypeError, check_framing, PlainFraming(Limits()))

    def test_high_limit(self) -> None:
        """A limit that is too high for a payload of that size is not tried with one."""
        check_framing(Int32Framing(1 << 31), [b"x"])

    def test_payloads(self) -> None:
        """The payloads that it must carry may be given; long ones raise the limit that is tried."""
        check_framing(PlainFraming, [b"x" * 100_000])
        narrow = encoding(
            encode=lambda self, payload: 1 // 0 if b"\n" in payload else PlainFraming.encode(self, payload)
        )
        check_framing(narrow, [b"a", b"b"])
        self.assertRaises(ConformanceError, check_framing, narrow)

    def test_limit_of_the_wire(self) -> None:
        """A wire whose length has one byte, or two, carries less than it is asked for; that is found out."""
        for size in (1, 2):

            class Short(PlainFraming):
                header = size

                def find(self, data: bytes, start: int, end: int) -> int:
                    if start + self.header > end:
                        return 0
                    length = int.from_bytes(data[start : start + self.header], "big")
                    if length > self.limit:
                        raise FrameTooLong(length, self.limit)
                    self.body = start + self.header
                    return self.body + length

                def encode(self, payload: bytes) -> bytes:
                    if len(payload) > min(self.limit, (1 << 8 * self.header) - 1):
                        raise MarshalingError("no room")
                    return len(payload).to_bytes(self.header, "big") + payload

            limit = (1 << 8 * size) - 1
            check_framing(Short)
            for max_frame in (100, limit, limit + 1, 1 << 20, 1 << 31):
                check_framing(Short, max_frame=max_frame)
                check_framing(Short(Limits(max_frame=max_frame)), max_frame=max_frame)
            told = str(self.assertRaises(ConformanceError, check_framing, Short, [b"x" * (limit + 1)]))
            self.assertIn(f"encode raised MarshalingError: no room for a payload of {limit + 1} bytes, b'xxx", told)

    def test_no_limit_of_the_wire(self) -> None:
        """What is refused for something else than its length is no limit."""
        picky = encoding(encode=refuses_letters)
        told = str(self.assertRaises(ConformanceError, check_framing, picky))
        self.assertIn("Broken: encode raised MarshalingError: letters for a payload of 5 bytes, b'hello'", told)
        nothing = encoding(encode=lambda self, payload: PlainFraming.encode(self, payload and bytes(self.limit + 1)))
        told = str(self.assertRaises(ConformanceError, check_framing, nothing, [b""]))
        self.assertIn("Broken: encode raised MarshalingError: too long for a payload of 1 bytes, b'x'", told)
        check_framing(PlainFraming, max_frame=1)

    def test_other_errors(self) -> None:
        """A hostile header may be any error of framing."""
        check_framing(wrong_error(FramingError))
        self.assertTrue(IFraming.implementedBy(PlainFraming))
