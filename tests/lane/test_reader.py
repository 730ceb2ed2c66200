"""Tests of the reader of a lane: it finds every frame, however the bytes come, and whatever the framing says."""

from __future__ import annotations

from itertools import accumulate
from types import SimpleNamespace
from typing import Any, ClassVar

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_repeater._lane.account import WatchClock
from twisted_repeater._lane.lane import Lane
from twisted_repeater._lane.reader import MAX_STRIDE, parse_error_of
from twisted_repeater._lane.setup import LaneSetup
from twisted_repeater._slices import SLICE
from twisted_repeater.errors import (
    FrameTooLong,
    FramingError,
    ParseError,
)
from twisted_repeater.interfaces import IFraming
from twisted_repeater.selectors import Selector
from twisted_repeater.verdicts import (
    PASS_ON,
    SendBack,
    Verdict,
)
from twisted_repeater.watching import WatchedMessage

from ..unprintable import UNPRINTABLE
from .lanes import (
    FRAMING,
    LARGE,
    LIMIT,
    LaneCase,
    RecordingHost,
    RecordingOutlet,
    SlowFilterCase,
    StartedLaneCase,
    frames,
    messages_in,
    numbered,
    reads_of,
)


class NoFilterTests(StartedLaneCase):
    """Where nobody looks."""

    def setUp(self) -> None:
        """Have no filter."""
        super().setUp()
        self.equip(filter=None)

    def test_whole_read(self) -> None:
        """A read of whole frames leaves as the object that came."""
        data = frames(b"a", b"", b"c")
        self.lane.feed(data)
        ((piece,),) = self.forward.pushes
        self.assertIs(piece, data)
        self.assertEqual((self.lane.messages, self.lane.size), (3, len(data)))

    def test_one_slice(self) -> None:
        """The complete frames of a read leave as one slice; the rest waits for its end."""
        data = frames(b"a", b"b", b"c")
        self.lane.feed(data[:12])
        self.assertEqual(self.forward.pushes, [[data[:10]]])
        self.lane.feed(data[12:])
        self.assertEqual(self.forward.stream, data)
        self.assertEqual((self.lane.messages, self.lane.size), (3, 15))

    def test_byte_by_byte(self) -> None:
        """Nothing leaves before it is whole."""
        data = frames(b"a", b"", b"c")
        for size in range(1, len(data) + 1):
            self.lane.feed(data[size - 1 : size])
            whole = max(end for end in (0, 5, 9, 14) if end <= size)
            self.assertEqual(self.forward.stream, data[:whole])

    def test_large(self) -> None:
        """A large message leaves in pieces as it comes, and is counted when it is whole; nothing is copied or kept."""
        data = frames(bytes(LARGE), b"b")
        for number, read in enumerate(reads_of(data)):
            self.assertEqual((self.lane.messages, self.lane.size), (0, 0))
            self.assertEqual((self.lane.unfinished_size, self.lane.kept_size), (65536 * number, 0))
            self.lane.feed(read)
            self.assertIs(self.forward.pushes[number][0], read)
        self.assertEqual((self.lane.messages, self.lane.size), (2, len(data)))
        self.assertEqual((self.forward.stream, self.lane.unfinished_size), (data, 0))

    def test_many_large(self) -> None:
        """Of large messages, too, a read leaves as the object that came, wherever the messages begin in it."""
        data = frames(*(bytes([number]) * (40_000 + number) for number in range(9)))
        reads = list(reads_of(data))
        for read in reads:
            self.lane.feed(read)
        self.assertEqual([push for push in self.forward.pushes if len(push) != 1], [])
        for (piece,), read in zip(self.forward.pushes, reads, strict=True):
            self.assertIs(piece, read)
        self.assertEqual((self.lane.messages, self.lane.size, self.lane.unfinished_size), (9, len(data), 0))

    def test_bad_frame(self) -> None:
        """What comes before a bad frame is passed on; nothing after it is."""
        data = frames(b"a", b"b")
        self.lane.feed(data + b"\xff\xff\xff\xffab" + data)
        self.assert_journal(
            "forward: a b", f"framing failed: frame of 4294967295 bytes, at most {LIMIT} are allowed", "flowing"
        )
        self.lane.feed(data)
        self.assert_journal()
        self.assertEqual((self.lane.messages, self.lane.discarding, self.lane.unfinished_size), (2, True, 0))

    def test_bad_frame_behind_a_large_one(self) -> None:
        """The same where what comes before it came in several reads."""
        self.feed(frames(bytes(LARGE)) + b"\xff\xff\xff\xff")
        self.assertEqual(self.forward.stream, frames(bytes(LARGE)))
        self.assertIsInstance(self.host.errors[0], FrameTooLong)

    def test_above_the_limit(self) -> None:
        """A frame above the limit is refused at its header, before there is anything of its body."""
        self.lane.feed((LIMIT + 1).to_bytes(4, "big"))
        (error,) = self.host.errors
        assert isinstance(error, FrameTooLong)
        self.assertEqual((error.size, error.limit), (LIMIT + 1, LIMIT))


@implementer(IFraming)
class OtherFraming:
    """A framing of somebody else's, for the frames of ``int32``."""

    def __init__(self) -> None:
        self.body = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        stop = FRAMING.find(data, start, end)
        self.body = FRAMING.body
        return stop

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return FRAMING.encode(payload)

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return FRAMING.encode(payload)


class SlowFraming(OtherFraming):
    """Takes some time for each frame."""

    def __init__(self, case: LaneCase) -> None:
        super().__init__()
        self.case = case

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.case.time += SLICE / 500
        return super().find(data, start, end)


class GivingWayTests(LaneCase):
    """A lane whose framing takes its time, mostly without a filter."""

    def setUp(self) -> None:
        """Start with that."""
        self.framing = SlowFraming(self)
        super().setUp()
        self.equip(filter=None)
        self.start()

    def test_in_slices(self) -> None:
        """It looks for no more frames in a turn than in some slices of time, and goes on in the next one, in order."""
        data = frames(*[b""] * 30_000)
        self.lane.feed(data)
        turns = 0
        while self.lane.gave_way:
            self.assertLess(self.time, 6 * SLICE)
            self.time = 0.0
            self.lane.take_turn()
            turns += 1
        self.assertGreater(turns, 10)
        self.assertEqual((self.forward.stream, self.lane.messages, self.lane.size), (data, 30_000, len(data)))
        self.assertTrue(self.lane.idle)

    def test_filtered(self) -> None:
        """With a filter it gives way as well, in the middle of a read; nothing is lost, doubled or counted twice."""
        self.equip(filter=self.answer)
        self.answers[b""] = SendBack([b"x"])
        data = frames(*[b"", b"a"] * 2000)
        self.lane.feed(data)
        turns = 0
        while self.lane.gave_way:
            self.assertEqual(self.lane.messages, len(self.asked))
            self.lane.take_turn()
            turns += 1
        self.assertGreater(turns, 3)
        self.assertEqual((self.lane.messages, self.lane.size), (4000, len(data)))
        self.assertEqual((self.forward.stream, self.back.stream), (frames(b"a") * 2000, frames(b"x") * 2000))

    def test_sizes(self) -> None:
        """Frames may be longer than what it looks through at once, lie across its borders, and be incomplete."""
        for size in (0, 1, 4000, 8187, 8188, 8189, 9000, 40_000):
            self.setUp()
            data = frames(*[b"small", bytes(size), b""] * 40)
            rest = frames(b"cut off")
            self.lane.feed(data + rest[:-2])
            while self.lane.gave_way:
                self.lane.take_turn()
            self.assertEqual((self.forward.stream, self.lane.messages, self.lane.size), (data, 120, len(data)))
            self.assertEqual(self.lane.unfinished_size, len(rest) - 2)
            self.lane.feed(rest[-2:])
            self.assertEqual(self.forward.stream, data + rest)

    def test_bad_frame(self) -> None:
        """What comes before a bad frame is passed on, wherever that is."""
        for before in (0, 10, 2048, 10_000):
            self.setUp()
            data = frames(*[b""] * before)
            self.lane.feed(data + b"\xff" * 9000)
            while self.lane.gave_way:
                self.lane.take_turn()
            self.assertEqual((self.forward.stream, self.lane.messages, self.lane.size), (data, before, len(data)))
            self.assertTrue(self.lane.discarding)


class FramingTests(StartedLaneCase):
    """Frames at the edge."""

    def test_no_size(self) -> None:
        """Empty messages are messages."""
        self.lane.feed(frames(b"", b"", b""))
        self.assertEqual((self.asked, self.forward.stream), ([b"", b"", b""], frames(b"", b"", b"")))


@implementer(IFraming)
class Strange:
    """A framing of frames of one byte, which does as it is told when it meets certain bytes."""

    body = 0
    errors: ClassVar[dict[bytes, BaseException]] = {}
    """What is raised at a byte."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.body = start
        byte = data[start : start + 1]
        if byte in self.errors:
            raise self.errors[byte]
        if byte == b"!":
            raise FramingError("an exclamation mark")
        if byte == b"/":
            return start // 0
        if byte == b"0":
            return start
        if byte == b"-":
            return start - 1
        return start + 1 if start < end else 0

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload


class ForeignFramingTests(SynchronousTestCase):
    """Framings that are not of the package, and what they may do."""

    def relayed(self, data: bytes, filtered: bool) -> tuple[bytes, list[BaseException | None]]:
        """Feed a lane; give what it passed on and what it reported."""
        host = RecordingHost([])
        outlet = RecordingOutlet("forward", [])
        pushed: list[bytes] = []
        outlet.push = pushed.extend  # type: ignore[method-assign, assignment]
        setup = LaneSetup(filter=(lambda message, link: PASS_ON) if filtered else None)
        lane = Lane(setup, Strange(), outlet, outlet, host)
        lane.start()
        lane.feed(data)
        return b"".join(pushed), host.errors

    def test_used(self) -> None:
        """A framing of one's own is all that a lane needs."""
        for filtered in (False, True):
            self.assertEqual(self.relayed(b"abc", filtered), (b"abc", []))

    def test_framing_error(self) -> None:
        """It says what is wrong; what comes before that is passed on."""
        for filtered in (False, True):
            passed, (error,) = self.relayed(b"abc!d", filtered)
            self.assertEqual((passed, str(error)), (b"abc", "an exclamation mark"))

    def test_other_errors(self) -> None:
        """Whatever else it raises ends this stream, and nothing else."""
        for filtered in (False, True):
            passed, (error,) = self.relayed(b"abc/d", filtered)
            self.assertEqual(passed, b"abc")
            self.assertIsInstance(error, FramingError)
            self.assertIn("ZeroDivisionError in the framing", str(error))
            assert error is not None
            self.assertIsInstance(error.__cause__, ZeroDivisionError)

    def test_unprintable_errors(self) -> None:
        """It may be no ``Exception``, and one that cannot be printed."""
        for kind in [*UNPRINTABLE, SystemExit]:
            self.patch(Strange, "errors", {b"d": kind()})
            for filtered in (False, True):
                passed, (error,) = self.relayed(b"abcde", filtered)
                self.assertEqual(passed, b"abc")
                assert isinstance(error, FramingError)
                self.assertIn(f"{kind.__name__} in the framing: ", str(error))

    def test_interrupted(self) -> None:
        """Ctrl-C in a framing goes through."""
        self.patch(Strange, "errors", {b"d": KeyboardInterrupt()})
        for filtered in (False, True):
            self.assertRaises(KeyboardInterrupt, self.relayed, b"abcde", filtered)

        class AskedAgain(Strange):
            asked = 0

            def find(self, data: bytes, start: int, end: int) -> int:
                self.asked += 1
                if self.asked > 1:
                    raise KeyboardInterrupt
                return 0

        outlet = RecordingOutlet("forward", [])
        lane = Lane(LaneSetup(), AskedAgain(), outlet, outlet, RecordingHost([]))
        lane.start()
        self.assertRaises(KeyboardInterrupt, lane.feed, b"abc")

    def test_frames_without_end(self) -> None:
        """A frame of no size, which would be found for ever, is an error of the framing, and so is one of less."""
        for filtered in (False, True):
            for byte in (b"0", b"-"):
                passed, (error,) = self.relayed(b"abc" + byte, filtered)
                self.assertEqual(passed, b"abc")
                self.assertIn("ValueError in the framing", str(error))


class Counting(OtherFraming):
    """Counts how often it is asked."""

    calls = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.calls += 1
        return super().find(data, start, end)


class CostTests(LaneCase):
    """What a message may cost, counted in calls."""

    def setUp(self) -> None:
        """Count how often the framing is asked."""
        self.counting = self.framing = Counting()
        super().setUp()
        self.start()

    def calls(self, stream: bytes, size: int) -> int:
        """Feed a stream in reads of this size; give how often the framing was asked."""
        before = self.counting.calls
        for read in reads_of(stream, size):
            self.lane.feed(read)
        return self.counting.calls - before

    def test_many_small_ones(self) -> None:
        """Each frame of a read is looked for once, and so is the end of the last."""
        for filtered in (self.answer, None):
            self.equip(filter=filtered)
            self.assertLessEqual(self.calls(frames(*[b"m"] * 1000), 65536), 1002)

    def test_a_large_one(self) -> None:
        """A frame is looked for until its header is there, not at each of its reads."""
        for filtered in (self.answer, None):
            self.equip(filter=filtered)
            few = self.calls(frames(bytes(100_000)), 1000)
            self.assertEqual(self.calls(frames(bytes(400_000)), 1000), few)
            self.assertLessEqual(few, 3)
            self.assertLessEqual(self.calls(frames(bytes(10_000)), 1), 10)


class Liar:
    """A framing that gives one answer after the other, whatever it is asked; then that more is needed."""

    def __init__(self, answers: list[tuple[int, int]]) -> None:
        self.answers = answers
        self.body: Any = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`. The answers count from where it is asked."""
        if not self.answers:
            return 0
        stop, body = self.answers.pop(0)
        self.body = start + body
        return start + stop

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload


NEAR = st.integers(-8, 40)

FAR = st.sampled_from([2**31, -(2**31), 2**63 - 30, 2**63 - 1, 2**63, -(2**63), 2**64, -(2**70)])


class LyingFramingTests(SynchronousTestCase):
    """Framings whose answers are wrong, or differ from one question to the next."""

    def relayed(
        self, framing: Any, reads: list[bytes], filtered: bool
    ) -> tuple[bytes, list[bytes], list[BaseException | None]]:
        """Feed a lane; give what it passed on, what its filter saw, and what it reported."""
        host = RecordingHost([])
        outlet = RecordingOutlet("forward", [])
        pushed: list[bytes] = []
        seen: list[bytes] = []
        outlet.push = pushed.extend  # type: ignore[method-assign, assignment]
        lane = Lane(LaneSetup(), framing, outlet, outlet, host)

        def see(message: bytes, link: Any) -> Verdict:
            seen.append(message)
            return PASS_ON

        lane.start()
        for number, read in enumerate(reads):
            lane.equip(LaneSetup(filter=see if filtered or number % 2 else None))
            lane.feed(read)
        return b"".join(pushed), seen, host.errors

    def test_asked_twice(self) -> None:
        """A frame that is whole only when it is asked for again is an error: its offsets would be outside the data."""
        for stop in (1, 17, 40):
            passed, seen, (error,) = self.relayed(Liar([(50, 0), (stop, 0)]), [b"A" * 41, b"B" * 5], False)
            self.assertEqual((passed, seen), (b"", []))
            self.assertIsInstance(error, FramingError)
            self.assertIn("one when asked again", str(error))

    @given(
        st.lists(st.tuples(st.integers(1, 40) | NEAR | FAR, st.integers(0, 4) | NEAR | FAR), max_size=12),
        st.lists(st.integers(1, 30), min_size=1, max_size=6),
        st.booleans(),
    )
    @example([(40, 0), (6, 0), (16, 0), (16, 0)], [30, 5], False)
    def test_whatever_it_says(self, answers: list[tuple[int, int]], sizes: list[int], filtered: bool) -> None:
        """Nothing is passed on or shown to a filter but bytes that came, in order."""
        stream = bytes(range(1, 181))
        reads = [stream[at - size : at] for at, size in zip(accumulate(sizes), sizes, strict=True)]
        passed, seen, errors = self.relayed(Liar(answers), reads, filtered)
        self.assertTrue(stream.startswith(passed))
        for message in seen:
            self.assertIn(message, stream)
        self.assertLessEqual(len(errors), 1)
        for error in errors:
            self.assertIsInstance(error, FramingError)


class StrideTests(SlowFilterCase):
    """How often the reader looks at the clock."""

    def test_fast(self) -> None:
        """Where messages are fast it does all of a read at once, and hardly ever looks at the clock."""
        self.cost = SLICE / 100_000
        self.feed(*numbered(6400))
        self.assertEqual((len(self.asked), self.journal[1:]), (6400, []))
        self.assertLess(self.looks, 6400 / MAX_STRIDE + 10)

    def test_few(self) -> None:
        """A read of a few messages doesn't pay for a clock."""
        self.cost = self.looks = 0
        for _ in range(100):
            self.feed(*numbered(8))
        self.assertEqual(self.looks, 0)

    def test_one_slow_message(self) -> None:
        """Each message may take longer than a slice: then one is looked at in each turn."""
        self.cost = 2 * SLICE
        self.feed(*numbered(20))
        self.feed(*numbered(20, 20))
        self.assertEqual(set(self.turns()), {1})
        self.feed(*numbered(3))
        self.assertEqual(self.turns(), [1, 1])

    def test_slow_all_at_once(self) -> None:
        """When messages become slow it notices within a bounded number of them; fast ones are many again in no time."""
        self.cost = 0
        self.feed(*numbered(1000))
        self.cost = SLICE
        self.asked.clear()
        self.feed(*numbered(1000))
        self.assertLessEqual(len(self.asked), 8 + MAX_STRIDE)
        self.assertEqual(self.turns(5), [1] * 5)
        self.cost = 0
        self.assertEqual(len(self.turns()), 1)

    def test_selected(self) -> None:
        """Messages that the filter does not want take time as well, if it takes some to tell."""
        case = self

        class Slow(Selector):
            """Wants nothing, and takes a while to say so."""

            def matches(self, data: bytes, start: int, stop: int) -> bool:
                case.time += SLICE
                return False

        self.equip(selector=Slow())
        self.feed(*numbered(50))
        self.assertEqual(self.told(), ["gave way"])
        self.assertLessEqual(len(messages_in(self.forward.stream)), 16)
        self.assertGreater(len(self.turns()), 30)
        self.assertEqual((messages_in(self.forward.stream), self.lane.messages), (numbered(50), 50))

    def test_reads_that_wait(self) -> None:
        """Reads that come while the lane is stopped are looked at later, in order."""
        self.forward.full = True
        self.feed(b"a")
        self.feed(b"b")
        self.feed(b"c")
        self.assertEqual(self.asked, [b"a"])
        self.forward.full = False
        self.lane.unchoke()
        self.assertEqual(self.asked, [b"a", b"b", b"c"])


class ParseErrorTests(SynchronousTestCase):
    """What is reported of a codec that raises."""

    def test_parse_error_of(self) -> None:
        """An error of parsing stays as it is; any other becomes one, and says where it comes from."""
        error = ParseError("no such message")
        self.assertIs(parse_error_of(error), error)
        made = parse_error_of(KeyError("x"))
        self.assertEqual(str(made), "KeyError in the codec: 'x'")
        self.assertIsInstance(made.__cause__, KeyError)


class FrameTests(StartedLaneCase):
    """The frame at which a reader stands, for those who watch."""

    def test_frame(self) -> None:
        """It is a part of the read, or all pieces that came of it."""
        seen: list[WatchedMessage] = []
        watch: Any = SimpleNamespace(clock=WatchClock(lambda: 0.0), message_watched=seen.append)
        self.equip(watch=watch)
        self.feed(frames(b"a", b"bc", bytes(LARGE)), 60_000)
        self.assertEqual([each.frame for each in seen], [frames(b"a"), frames(b"bc"), frames(bytes(LARGE))])
