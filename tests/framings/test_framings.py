"""Tests of the base of the framings, of those of async_extra, and of what all framings keep."""

from __future__ import annotations

import contextlib
import struct
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_repeater.errors import BadLength, FrameTooLong, FramingError, MarshalingError
from twisted_repeater.framings.async_extra import AsyncExtraFraming, AsyncExtraHelloFraming
from twisted_repeater.framings.base import CheckedFraming, Framing, checked_flag, checked_number, framing_of
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.interfaces import IFraming

from .streams import CUTS, payloads_in, reads_of, skipped_by_find

LIMIT = 1000

PAYLOADS = st.lists(st.binary(max_size=40) | st.integers(100, LIMIT).map(bytes), max_size=12)


@implementer(IFraming)
class Lines:
    """A framing that is not of the package: a frame ends with a line feed."""

    def __init__(self) -> None:
        self.body = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.body = start
        return data.find(b"\n", start, end) + 1

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload + b"\n"

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`. What stands in for a frame is marked."""
        return b"*" + payload + b"\n"


FRAMINGS: list[Framing] = [
    Int32Framing(LIMIT),
    AsyncExtraHelloFraming(LIMIT),
    AsyncExtraFraming(LIMIT, lambda: 1.5),
    CheckedFraming(Int32Framing(LIMIT)),
]


class AllFramingsTests(SynchronousTestCase):
    """What every framing keeps."""

    def test_interface(self) -> None:
        """Each is a framing."""
        for framing in [*FRAMINGS, framing_of(Lines())]:
            self.assertTrue(verifyObject(IFraming, framing))

    @given(st.sampled_from(FRAMINGS), PAYLOADS, CUTS)
    def test_round_trip(self, framing: Framing, payloads: list[bytes], cuts: list[int]) -> None:
        """What is encoded is found again, however it is cut."""
        stream = b"".join(map(framing.encode, payloads))
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            self.assertEqual(payloads_in(framing, reads), payloads)

    def test_empty_message(self) -> None:
        """A message without a byte is a message."""
        for framing in FRAMINGS:
            frame = framing.encode(b"")
            self.assertEqual(framing.find(frame, 0, len(frame)), len(frame))
            self.assertEqual(framing.body, len(frame))

    def test_offsets(self) -> None:
        """Offsets count from the beginning of the data, wherever the frame begins; nothing after ``end`` is seen."""
        for framing in FRAMINGS:
            frame = framing.encode(b"payload")
            header = len(frame) - 7
            data = b"before" + frame + b"behind"
            stop = 6 + len(frame)
            for end in range(6, 6 + header):
                self.assertEqual(framing.find(data, 6, end), 0)
            for end in range(6 + header, len(data) + 1):
                self.assertEqual(framing.find(data, 6, end), stop)
                self.assertEqual(framing.body, stop - 7)

    def test_offsets_outside(self) -> None:
        """Offsets outside of the data are refused: compiled code would read whatever lies there."""
        for framing in FRAMINGS:
            frame = framing.encode(b"payload")
            for find in (framing.find, Int32Framing(LIMIT).skip):
                self.assertRaises(ValueError, find, frame, -1, len(frame))
                self.assertRaises(ValueError, find, frame, 0, len(frame) + 1)

    def test_ends_behind_all_offsets(self) -> None:
        """A length that fits the limit, but ends after the largest offset, is too long."""
        length = struct.pack("<q", sys.maxsize)
        for framing, header in (
            (AsyncExtraHelloFraming(sys.maxsize), length),
            (AsyncExtraFraming(sys.maxsize, lambda: 0.0), struct.pack("<qd", 17, 0.0) + b"\xfc" + length),
        ):
            self.assertRaises(FrameTooLong, framing.find, header, 0, len(header))
            self.assertEqual((framing.skip(header, 0, len(header)), framing.count), (0, 0))

    def test_not_initialized(self) -> None:
        """One that was made without its initializer reads nothing outside of the data."""
        for kind in (Framing, Int32Framing, AsyncExtraHelloFraming, AsyncExtraFraming, CheckedFraming):
            framing = kind.__new__(kind)
            for use in (framing.find, framing.skip):
                with contextlib.suppress(AttributeError, NotImplementedError, FramingError):
                    self.assertIn(use(b"\x09" + bytes(25), 0, 26), range(27))

    def test_limit(self) -> None:
        """A frame at the limit is found; one above it is refused as soon as its header is there."""
        for framing in FRAMINGS:
            frame = framing.encode(bytes(LIMIT))
            self.assertEqual(framing.find(frame, 0, len(frame)), len(frame))
        for generous, framing in (
            (Int32Framing(2 * LIMIT), Int32Framing(LIMIT)),
            (AsyncExtraHelloFraming(2 * LIMIT), AsyncExtraHelloFraming(LIMIT)),
            (AsyncExtraFraming(2 * LIMIT, lambda: 0.0), AsyncExtraFraming(LIMIT, lambda: 0.0)),
        ):
            frame = generous.encode(bytes(LIMIT + 1))
            header = frame[: -LIMIT - 1]
            self.assertEqual(framing.find(header, 0, len(header) - 1), 0)
            error = self.assertRaises(FrameTooLong, framing.find, header, 0, len(header))
            self.assertEqual((error.size, error.limit), (LIMIT + 1, LIMIT))

    def test_too_long_to_send(self) -> None:
        """A message above the limit is not sent either."""
        for framing in FRAMINGS:
            error = self.assertRaises(MarshalingError, framing.encode, bytes(LIMIT + 1))
            self.assertIn(str(LIMIT), str(error))
            self.assertRaises(MarshalingError, framing.replace, framing.encode(b""), bytes(LIMIT + 1))

    @given(st.sampled_from(FRAMINGS), PAYLOADS, st.binary(max_size=30), st.integers(0, 40))
    def test_skip(self, framing: Framing, payloads: list[bytes], behind: bytes, short: int) -> None:
        """Skipping ends where finding frame by frame ends, whatever comes behind or is missing."""
        data = b"".join(map(framing.encode, payloads))
        data = data[: max(0, len(data) - short)] if short < 20 else data + behind
        at, count = skipped_by_find(framing, data)
        self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (at, count))
        self.assertEqual((framing.skip(data, at, len(data)), framing.count), (at, 0))

    def test_replace(self) -> None:
        """If a header has nothing but lengths, a frame that replaces another is an ordinary frame."""
        for framing in (Int32Framing(LIMIT), AsyncExtraHelloFraming(LIMIT)):
            self.assertEqual(framing.replace(framing.encode(b"old"), b"new one"), framing.encode(b"new one"))

    def test_abstract(self) -> None:
        """The base finds and makes nothing."""
        self.assertRaises(NotImplementedError, Framing(LIMIT).find, b"", 0, 0)
        self.assertRaises(NotImplementedError, Framing(LIMIT).encode, b"")


class AsyncExtraHelloTests(SynchronousTestCase):
    """Frames with a signed 8-byte length."""

    def test_negative(self) -> None:
        """A negative length is refused, with its value."""
        for length in (-1, -(2**63)):
            error = self.assertRaises(BadLength, AsyncExtraHelloFraming(LIMIT).find, struct.pack("<q", length), 0, 8)
            self.assertIn(str(length), str(error))

    def test_huge(self) -> None:
        """So is the largest there is."""
        self.assertRaises(FrameTooLong, AsyncExtraHelloFraming(LIMIT).find, struct.pack("<q", 2**63 - 1), 0, 8)


class AsyncExtraTests(SynchronousTestCase):
    """Frames with a time stamp."""

    framing = AsyncExtraFraming(2**40, lambda: 2.5)

    def find(self, header: bytes, length: int | None = None) -> int:
        """Look for a frame with this header behind its time stamp."""
        data = struct.pack("<qd", len(header) + 8 if length is None else length, 0.0) + header
        return self.framing.find(data, 0, len(data))

    def test_stamp(self) -> None:
        """A message of our own has the clock's time, one that replaces another has the other's."""
        frame = self.framing.encode(b"abc")
        self.assertEqual(frame, struct.pack("<qd", 9, 2.5) + b"\x03abc")
        came = struct.pack("<qd", 9, 1.25) + b"\x03old"
        self.assertEqual(self.framing.replace(came, b"abc"), struct.pack("<qd", 9, 1.25) + b"\x03abc")

    def test_lengths_that_are_sent(self) -> None:
        """Each length is written in the shortest form, and read again."""
        for size, header in (
            (0, b"\x00"),
            (0x7F, b"\x7f"),
            (0x80, b"\xfe\x80\x00"),
            (0x7FFF, b"\xfe\xff\x7f"),
            (0x8000, b"\xfd\x00\x80\x00\x00"),
        ):
            frame = self.framing.encode(bytes(size))
            self.assertEqual(frame[16 : 16 + len(header)], header)
            self.assertEqual(self.framing.find(frame, 0, len(frame)), len(frame))
            self.assertEqual(self.framing.body, 16 + len(header))

    def test_length_of_four_gigabytes(self) -> None:
        """A body of 2 GiB and more has a length of 8 bytes."""

        class Huge(bytes):
            def __len__(self) -> int:
                return 2**31

        frame = self.framing.encode(Huge())
        self.assertEqual(frame, struct.pack("<qdBq", 17, 2.5, 0xFC, 2**31))
        self.assertEqual(self.framing.find(frame, 0, len(frame)), 25 + 2**31)

    def test_longer_forms_than_needed(self) -> None:
        """A length may be written in more bytes than it needs."""
        for header in (b"\xfe\x05\x00", b"\xfd\x05\x00\x00\x00", b"\xfc\x05" + bytes(7)):
            self.assertEqual(self.find(header), 16 + len(header) + 5)

    def test_bad_header_lengths(self) -> None:
        """A header that is too short or too long is refused, with its length, before anything else is looked at."""
        for length in (-1, 0, 8, 18, 255, 9 + 2**8, 9 + 2**32, 9 + 2**40, 9 + 2**56, -(2**63)):
            error = self.assertRaises(BadLength, self.framing.find, struct.pack("<q", length), 0, 8)
            self.assertIn(str(length), str(error))

    def test_header_of_another_size_than_its_fields(self) -> None:
        """A header must end where its fields end."""
        for header, length in ((b"\x05\x00", None), (b"\xfe\x05\x00\x00", None), (b"\xfd\x05", None), (b"\xfe", None)):
            error = self.assertRaises(BadLength, self.find, header, length)
            self.assertIn("that its fields use", str(error))

    def test_bad_code(self) -> None:
        """A first byte that begins no length is refused."""
        for code in (0x80, 0xFB, 0xFF):
            self.assertIn(hex(code), str(self.assertRaises(BadLength, self.find, bytes([code]))))

    def test_negative_bodies(self) -> None:
        """A negative length is refused in every form that it can be written in."""
        for header in (b"\xfe\xff\xff", b"\xfe\x00\x80", b"\xfd\xff\xff\xff\xff", b"\xfc" + b"\xff" * 8):
            self.assertRaises(BadLength, self.find, header)

    def test_huge_bodies(self) -> None:
        """A length beyond all limits is refused with its value."""
        error = self.assertRaises(FrameTooLong, self.find, b"\xfc" + b"\xff" * 7 + b"\x7f")
        self.assertEqual((error.size, error.limit), (2**63 - 1, 2**40))


class CheckedFramingTests(SynchronousTestCase):
    """Framings that are not of the package."""

    def test_used_as_it_is(self) -> None:
        """A lane gets the frames that the other framing finds and makes."""
        framing = framing_of(Lines())
        self.assertEqual(payloads_in(framing, [b"ab\nc", b"d\n", b"ef"]), [b"ab\n", b"cd\n"])
        self.assertEqual(framing.skip(b"ab\ncd\nef", 0, 8), 6)
        self.assertEqual(framing.count, 2)
        self.assertEqual((framing.encode(b"ab"), framing.replace(b"x\n", b"ab")), (b"ab\n", b"*ab\n"))

    def test_wrapped_once(self) -> None:
        """The package's own framings are used as they are; others are checked, also those derived from its own."""

        class Derived(Int32Framing):
            pass

        own = Int32Framing(LIMIT)
        self.assertIs(framing_of(own), own)
        for provider in (Lines(), Derived(LIMIT)):
            framing = framing_of(provider)
            self.assertIsInstance(framing, CheckedFraming)
            self.assertIs(framing_of(framing), framing)

    def test_impossible_answers(self) -> None:
        """A frame of no size would be found for ever, a payload outside of its frame would be anybody's bytes."""

        class Impossible(Lines):
            def __init__(self, stop: Any, body: Any) -> None:
                self.stop, self.body = stop, body

            def find(self, data: bytes, start: int, end: int) -> int:
                return self.stop  # type: ignore[no-any-return]

        for stop, body in ((2, 2), (1, 2), (-1, -1), (-1, 2), (5, 1), (5, 6), (5, -1), (5, 2**70)):
            framing = CheckedFraming(Impossible(stop, body))
            self.assertRaises((ValueError, OverflowError), framing.find, bytes(8), 2, 8)
            self.assertEqual(framing.skip(bytes(8), 2, 8), 2)

    def test_tails(self) -> None:
        """A frame may end after its payload, but not before it begins."""

        class Marked(Lines):
            tail: Any = 1

        framing = framing_of(Marked())
        self.assertEqual((framing.find(b"..ab\ncd", 2, 7), framing.body, framing.tail), (5, 2, 1))
        framing.provider.tail = 3  # type: ignore[attr-defined]
        self.assertEqual((framing.find(b"..ab\n", 2, 5), framing.tail), (5, 3))
        for wrong in (4, -1, 2**64):
            framing.provider.tail = wrong  # type: ignore[attr-defined]
            error = self.assertRaises(ValueError, framing.find, b"..ab\n", 2, 5)
            self.assertIn(f"found a frame from 2 to 5, its body at 2, and {wrong} bytes after that", str(error))
        framing.provider.tail = None  # type: ignore[attr-defined]
        self.assertRaises(TypeError, framing.find, b"..ab\n", 2, 5)

    def test_no_numbers(self) -> None:
        """An answer that is not a whole number is an error."""

        class NoNumbers(Lines):
            def __init__(self, stop: Any, body: Any) -> None:
                self.stop, self.body = stop, body

            def find(self, data: bytes, start: int, end: int) -> int:
                return self.stop  # type: ignore[no-any-return]

        for stop, body in ((None, 2), (5.0, 2), ("5", 2), (5, None), (5, 2.5)):
            framing = CheckedFraming(NoNumbers(stop, body))
            self.assertRaises(TypeError, framing.find, bytes(8), 2, 8)
            self.assertEqual(framing.skip(bytes(8), 2, 8), 2)

    def test_interrupted(self) -> None:
        """Ctrl-C in a framing goes through, also where bad frames only end a search."""

        class Interrupted(Lines):
            def find(self, data: bytes, start: int, end: int) -> int:
                raise KeyboardInterrupt

        framing = CheckedFraming(Interrupted())
        for search in (framing.find, framing.skip):
            self.assertRaises(KeyboardInterrupt, search, bytes(8), 2, 8)

    def test_unprintable_provider(self) -> None:
        """The error about a framing that cannot be printed names it all the same."""

        class Secret(Lines):
            def find(self, data: bytes, start: int, end: int) -> int:
                return -1

            def __repr__(self) -> str:
                raise SystemExit

        error = self.assertRaises(ValueError, CheckedFraming(Secret()).find, bytes(8), 2, 8)
        self.assertIn("<SystemExit raised by its __repr__> found a frame", str(error))

    def test_derived(self) -> None:
        """The base's ``skip`` ends where the ``find`` of a derived class gives no end of a frame, whatever it gives."""

        class Derived(Framing):
            answer = -1

            def find(self, data: bytes, start: int, end: int) -> int:
                return self.answer

        framing = Derived(LIMIT)
        for framing.answer in (-1, -7, 0, 2, 9, 2**63 - 1):
            self.assertEqual((framing.skip(bytes(8), 2, 8), framing.count), (2, 0))
        self.assertRaises(ValueError, framing.skip, bytes(8), -1, 8)

    def test_size_known_before_the_header_is_whole(self) -> None:
        """As long as the payload hasn't begun, a frame counts as one whose header isn't complete."""

        class Early(Lines):
            def find(self, data: bytes, start: int, end: int) -> int:
                self.body = start + 4
                return start + 6

        framing = CheckedFraming(Early())
        self.assertEqual([framing.find(bytes(9), 1, end) for end in range(1, 10)], [0, 0, 0, 0, 7, 7, 7, 7, 7])


class OptionalMembersTests(SynchronousTestCase):
    """The optional members of framings that are not of the package."""

    def test_absent(self) -> None:
        """A framing without them goes on nowhere, follows nothing, and names no number of bytes."""
        framing = CheckedFraming(Lines())
        self.assertEqual((framing.goes_on, framing.follows), (False, False))
        self.assertEqual((framing.find(b"ab", 0, 2), framing.least), (0, 0))
        framing.taken(b"ab\n", 0, 3)

    def test_flags(self) -> None:
        """A framing derived from the base says which of them count, as it has all of them."""

        class Derived(Framing):
            def __init__(self, goes_on: bool, follows: bool) -> None:
                super().__init__(LIMIT)
                self.goes_on, self.follows = goes_on, follows

        for flags in ((False, True), (True, False)):
            framing = framing_of(Derived(*flags))
            self.assertEqual((framing.goes_on, framing.follows), flags)
        self.assertRaises(NotImplementedError, Framing(LIMIT).more, b"", 0, 0)
        Framing(LIMIT).taken(b"", 0, 0)

    def scripted(self, **members: Any) -> Any:
        """Return a framing of a provider with these members, which finds no end unless it is told to."""
        provider = Lines()
        members = {"find": lambda *asked: 0, **members}
        for name, value in members.items():
            setattr(provider, name, value)
        return CheckedFraming(provider)

    def test_passed_on(self) -> None:
        """What they say is passed on; ``body`` counts from the beginning of the frame after `more`."""
        told: list[Any] = []
        framing = self.scripted(
            least=70, seen=5, body=3, more=lambda *asked: 9, taken=lambda *told_of: told.append(told_of)
        )
        self.assertEqual((framing.goes_on, framing.follows), (True, True))
        self.assertEqual((framing.find(bytes(8), 2, 8), framing.least, framing.seen), (0, 70, 5))
        self.assertEqual((framing.more(bytes(8), 2, 8), framing.body), (9, 3))
        framing.taken(bytes(8), 1, 7)
        self.assertEqual(told, [(bytes(8), 1, 7)])

    def test_wrong_numbers(self) -> None:
        """Numbers that no framing can mean are errors, before they become integers of C."""
        for least in (-1, 2**63, 2**70, -(2**70)):
            self.assertRaises(ValueError, self.scripted(least=least).find, bytes(8), 2, 8)
        for seen in (-1, 1, 9, 2**63, 2**70, -(2**70)):
            self.assertRaises(ValueError, self.scripted(seen=seen, more=lambda *asked: 0).find, bytes(8), 2, 8)
        for stop, body in ((1, 0), (2, 0), (-1, 0), (2**63, 0), (2**70, 0), (5, -1), (5, 7), (5, 2**70)):
            framing = self.scripted(seen=5, body=body, more=lambda *asked, stop=stop: stop)
            self.assertEqual(framing.find(bytes(8), 2, 8), 0)
            self.assertRaises(ValueError, framing.more, bytes(8), 2, 8)
        self.assertRaises(ValueError, self.scripted(find=lambda *asked: 2**70).find, bytes(8), 2, 8)

    def test_no_numbers(self) -> None:
        """Members that are not whole numbers are errors, which name the member."""
        for wrong in (None, 2.0, "2"):
            for members, named in (
                ({"least": wrong}, "least"),
                ({"seen": wrong, "more": lambda *asked: 0}, "seen"),
                ({"find": lambda *asked, wrong=wrong: wrong}, "find or more"),
                ({"find": lambda *asked: 5, "body": wrong}, "body"),
            ):
                error = self.assertRaises(TypeError, self.scripted(**members).find, bytes(8), 2, 8)
                self.assertIn(f"{named} of ", str(error))
                self.assertIn(f"must be an integer, not {wrong!r}", str(error))

    def test_offsets(self) -> None:
        """The offsets that they get are checked like those of the other methods."""
        framing = self.scripted(seen=2, more=lambda *asked: 0, taken=lambda *asked: None)
        for call in (framing.more, framing.taken, framing.find):
            for start, end in ((-1, 4), (4, 2), (0, 9)):
                self.assertRaises(ValueError, call, bytes(8), start, end)
            for start, end in ((2**70, 4), (0, 2**70), (-(2**70), 0)):
                self.assertRaises(OverflowError, call, bytes(8), start, end)
            for wrong in (None, "2"):
                self.assertRaises(TypeError, call, bytes(8), wrong, 8)

    def test_header_not_complete(self) -> None:
        """If the size is known before the payload begins, the provider is asked anew, not to go on."""
        asked: list[str] = []

        class Early(Lines):
            seen = 0

            def find(self, data: bytes, start: int, end: int) -> int:
                asked.append("find")
                self.body = start + 4
                return start + 6

            def more(self, data: bytes, start: int, end: int) -> int:
                raise AssertionError

        framing = CheckedFraming(Early())
        self.assertEqual((framing.find(bytes(9), 1, 3), framing.seen, framing.least), (0, 1, 0))
        self.assertEqual((framing.more(bytes(9), 1, 4), framing.seen), (0, 1))
        self.assertEqual((framing.more(bytes(9), 1, 5), framing.body), (7, 4))
        self.assertEqual(asked, ["find"] * 3)


class ArgumentTests(SynchronousTestCase):
    """The checks of arguments that framings share."""

    def test_numbers(self) -> None:
        """A number is accepted at its limits, and nothing else is."""
        wrong: Any
        self.assertEqual([checked_number("x", value, 1, 2) for value in (1, 2)], [1, 2])
        for wrong in (0, 3):
            self.assertRaises(ValueError, checked_number, "x", wrong, 1, 2)
        for wrong in (True, 1.0, "1"):
            self.assertRaises(TypeError, checked_number, "x", wrong, 1, 2)

    def test_flags(self) -> None:
        """A flag is True or False, and nothing like them."""
        wrong: Any
        self.assertEqual([checked_flag("x", value) for value in (True, False)], [True, False])
        for wrong in (1, None):
            self.assertRaises(TypeError, checked_flag, "x", wrong)
