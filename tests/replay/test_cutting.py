"""Streams are cut into messages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import FramingError, Limits, dialects
from twisted_repeater._types import FramingObject
from twisted_repeater.dialects import Dialect
from twisted_repeater.framings import Framings, LengthFraming
from twisted_repeater.replay.cutting import Answers, Cutter

STREAMS: dict[str, tuple[Dialect, list[bytes]]] = {
    "int32": (dialects.int32(), [b"\0\0\0\x02ab", b"\0\0\0\0", b"\0\0\0\x05hello"]),
    "lines": (dialects.lines(), [b"220 ready\r\n", b"\r\n", b"250 ok\r\n"]),
    "redis": (
        dialects.redis(),
        [b"+OK\r\n", b"*2\r\n$3\r\nabc\r\n*1\r\n:5\r\n", b"$-1\r\n", b">2\r\n+a\r\n$1\r\nb\r\n"],
    ),
    "mqtt": (dialects.mqtt(), [b"\x20\x02\0\0", b"\x30\x05\0\x01ahi", b"\xd0\0"]),
}
"""Streams to the client, as their messages."""


class Following(LengthFraming):
    """A framing that notes the frames that it is told of."""

    def __init__(self) -> None:
        super().__init__(100, size=1)
        self.follows = True
        self.noted: list[bytes] = []

    def taken(self, data: bytes, start: int, stop: int) -> None:
        """See `IStatefulFraming`."""
        self.noted.append(data[start:stop])


class Failing(LengthFraming):
    """A framing with a mistake."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        raise ZeroDivisionError


def answers_of(dialect: Dialect) -> FramingObject:
    """Return the framing of what servers send."""
    return dialect.framings(Limits()).to_client


class CutterTests(SynchronousTestCase):
    """`Cutter`."""

    def test_every_cut(self) -> None:
        """However the stream is cut, the same messages come out."""
        for dialect, messages in STREAMS.values():
            stream = b"".join(messages)
            for first in range(len(stream)):
                for second in range(first, len(stream)):
                    cutter = Cutter(answers_of(dialect))
                    pieces = [stream[:first], stream[first:second], stream[second:]]
                    self.assertEqual([frame for piece in pieces for frame in cutter.feed(piece)], messages)
                    self.assertFalse(cutter.has_rest)

    def test_byte_by_byte(self) -> None:
        """A stream may come byte by byte."""
        for dialect, messages in STREAMS.values():
            cutter = Cutter(answers_of(dialect))
            stream = b"".join(messages)
            got = [frame for at in range(len(stream)) for frame in cutter.feed(stream[at : at + 1])]
            self.assertEqual(got, messages)

    def test_rest(self) -> None:
        """The beginning of a message is noticed."""
        cutter = Cutter(answers_of(dialects.int32()))
        self.assertEqual(list(cutter.feed(b"\0\0\0\x05he")), [])
        self.assertTrue(cutter.has_rest)

    def test_large_messages(self) -> None:
        """The time for a large message grows with its size only: a framing is not shown again what it has seen."""
        large = b"*2\r\n$200000\r\n" + b"x" * 200_000 + b"\r\n*50000\r\n" + b":1\r\n" * 50_000
        cutter = Cutter(answers_of(dialects.redis()))
        got = [frame for at in range(0, len(large), 7) for frame in cutter.feed(large[at : at + 7])]
        self.assertEqual(got, [large])

    def test_followed(self) -> None:
        """A framing that keeps state is told of each frame."""
        framing = Following()
        cutter = Cutter(framing)
        self.assertTrue(cutter.follows)
        self.assertEqual(list(cutter.feed(b"\x01a\x02b")), [b"\x01a"])
        self.assertEqual(list(cutter.feed(b"c")), [b"\x02bc"])
        self.assertEqual(framing.noted, [b"\x01a", b"\x02bc"])
        self.assertFalse(Cutter(answers_of(dialects.mqtt())).follows)

    def test_no_message(self) -> None:
        """Bytes that are no message are an error, and so is a mistake in a framing; messages before them come out."""
        stream = Cutter(answers_of(dialects.int32())).feed(b"\0\0\0\0\xff\xff\xff\xff")
        self.assertEqual(next(stream), b"\0\0\0\0")
        self.assertRaises(FramingError, next, stream)
        abandoned = Cutter(answers_of(dialects.int32())).feed(bytes(8))
        next(abandoned)
        abandoned.close()
        self.assertRaises(FramingError, list, Cutter(Failing(9, size=1)).feed(b"a"))


class AnswersTests(SynchronousTestCase):
    """`Answers`."""

    def test_answers(self) -> None:
        """Answers are cut, and the framing of the requests is not needed for them."""
        answers = Answers(dialects.redis().framings(Limits()))
        answers.after(b"GET / HTTP/1.1\r\n")
        self.assertEqual(list(answers.feed(b"+OK\r\n$3\r\na")), [b"+OK\r\n"])
        self.assertTrue(answers.has_rest)

    def test_framings_that_follow_requests(self) -> None:
        """A framing that must know the requests is told of them."""
        requests = Following()
        answers = Answers(Framings(requests, Following()))
        answers.after(b"\x01a\x02bc")
        self.assertEqual(requests.noted, [b"\x01a", b"\x02bc"])
