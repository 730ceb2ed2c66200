"""Tests of `RespFraming`: judged by hiredis, whole, byte by byte and cut at random."""

from __future__ import annotations

import sys
from typing import Any

import hiredis
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.errors import BadLength, FrameTooLong, FramingError, MarshalingError
from twisted_repeater.framings.base import framing_of
from twisted_repeater.framings.resp import RespFraming
from twisted_repeater.interfaces import IFraming
from twisted_repeater.testing import check_framing

from .streams import CUTS, check_not_initialized, check_outside, frames_in, outcome, reads_of, skipped_by_find

LIMIT = 100_000
LONGEST_LINE = 64 * 1024

COMMANDS = (
    *(b"*1\r\n$4\r\nPING\r\n", b"PING\r\n", b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n", b"*-57\r\n", b"PING\n", b" PO\r\n"),
    *(
        b"*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\n",
        b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n*1\r\n$1\r\na\r\n\n\r\n",
        b"pos\r\n",
    ),
)
REPLIES = (
    *(b"+OK\r\n", b":1\r\n", b"$-1\r\n", b"*-1\r\n", b"_\r\n", b"*0\r\n", b"$0\r\n\r\n", b"!3\r\nERR\r\n", b"%0\r\n"),
    *(b"*2\r\n*1\r\n$2\r\n\r\n\r\n%1\r\n+a\r\n,1.5\r\n", b">2\r\n+x\r\n_\r\n", b"|1\r\n+a\r\n+b\r\n~1\r\n#t\r\n"),
    *(b"-ERR any \xff\0 byte\n\r, but both together\r\n", b"=7\r\ntxt:abc\r\n", b"(123456789012345678901234567890\r\n"),
    *(
        b",nan\r\n",
        b",-inf\r\n",
        b"$?\r\n;0\r\n",
        b"$?\r\n;3\r\na\r\n\r\n;1\r\n;\r\n;0\r\n",
        b"*?\r\n.\r\n",
        b"~-1\r\n",
    ),
    b"*?\r\n:1\r\n%?\r\n+a\r\n*2\r\n:1\r\n:2\r\n.\r\n~?\r\n.\r\n.\r\n",
    *(b"|?\r\n+a\r\n+b\r\n.\r\n:1\r\n", b"*1\r\n|1\r\n+a\r\n+b\r\n|0\r\n:1\r\n", b"+\r\n", b"+\r\r\n", b"+\n\r\n"),
)


def commands(limit: int = LIMIT) -> RespFraming:
    """Make the framing of commands."""
    return RespFraming(limit, commands=True)


def replies(limit: int = LIMIT) -> RespFraming:
    """Make the framing of replies."""
    return RespFraming(limit, commands=False)


def array(size: int) -> bytes:
    """Return an array of about so many bytes."""
    return b"*%d\r\n" % (size // 7) + b"$1\r\na\r\n" * (size // 7)


def line(size: int) -> bytes:
    """Return a line of about so many bytes."""
    return b"+%s\r\n" % (b"\r" * (size - 3))


def streamed(size: int) -> bytes:
    """Return a streamed array of about so many bytes."""
    return b"*?\r\n" + b"$1\r\na\r\n" * (size // 7) + b".\r\n"


def nested(size: int) -> bytes:
    """Return arrays in each other of about so many bytes."""
    return b"*1\r\n" * (size // 4) + b":1\r\n"


TEXTS = st.binary(max_size=9)
LINES = TEXTS.map(lambda text: text.replace(b"\r", b".").replace(b"\n", b","))
SCALARS = st.one_of(
    TEXTS.map(lambda text: b"$%d\r\n%s\r\n" % (len(text), text)),
    LINES.map(lambda text: b"+%s\r\n" % text),
    st.integers(-9, 10**12).map(lambda number: b":%d\r\n" % number),
    st.sampled_from([b"_\r\n", b"$-1\r\n", b"*-1\r\n", b"#t\r\n", b",1.5\r\n"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.tuples(st.sampled_from(b"*~"), st.lists(inner, max_size=4)).map(
        lambda made: b"%c%d\r\n" % (made[0], len(made[1])) + b"".join(made[1])
    ),
    max_leaves=9,
)
WORDS = st.lists(TEXTS, min_size=1, max_size=4).map(
    lambda words: b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
)
PARTS = st.sampled_from(
    [
        b"*",
        b"$",
        b"+",
        b":",
        b"|",
        b"%",
        b"~",
        b">",
        b"=",
        b"!",
        b";",
        b".",
        b"?",
        b"-",
        b"_",
        b"a",
        b"0",
        b"1",
        b"2",
        b"10",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"*2\r\n",
        b"$1\r\na\r\n",
        b"*?\r\n",
        b"POST ",
    ]
)
STREAMS = st.lists(PARTS | st.sampled_from(COMMANDS + REPLIES), max_size=20).map(b"".join)


class JudgedTests(SynchronousTestCase):
    """Frames against another reader."""

    @given(st.lists(VALUES, max_size=5), CUTS)
    def test_replies(self, made: list[bytes], cuts: list[int]) -> None:
        """Each frame is what hiredis reads as one reply, however the stream is cut."""
        stream = b"".join(made)
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            frames = list(frames_in(replies(), reads))
            self.assertEqual([frame for frame, _ in frames], made)
            self.assertEqual([payload for _, payload in frames], made)
        judge = hiredis.Reader()
        for frame in made:
            judge.feed(frame)
            self.assertIsNot(judge.gets(), False)
            self.assertFalse(judge.has_data())

    @given(st.lists(WORDS | st.sampled_from(COMMANDS), max_size=5), CUTS)
    def test_commands(self, made: list[bytes], cuts: list[int]) -> None:
        """Commands that come as arrays and as lines, also those that ask for nothing, are cut right."""
        stream = b"".join(made)
        for reads in ([stream], reads_of(stream, range(len(stream))), reads_of(stream, cuts)):
            self.assertEqual(outcome(commands(), reads), (made, ""))

    @given(STREAMS, st.booleans(), st.sampled_from([5, 20, 1000]), CUTS)
    @example(b"POST / HTTP/1.1\r\n", True, 1000, [3])
    def test_any_cut(self, stream: bytes, of_commands: bool, limit: int, cuts: list[int]) -> None:
        """Any bytes give the same frames and the same error, however they are cut."""

        def result(reads: list[bytes]) -> tuple[list[bytes], str]:
            return outcome(RespFraming(limit, commands=of_commands), reads)

        expected = result([stream])
        self.assertEqual(result(reads_of(stream, range(len(stream)))), expected)
        self.assertEqual(result(reads_of(stream, cuts)), expected)

    @given(STREAMS, st.booleans(), st.sampled_from([5, 20, 1000]))
    def test_skip(self, data: bytes, of_commands: bool, limit: int) -> None:
        """Skipping ends where finding frame by frame ends."""
        framing = RespFraming(limit, commands=of_commands)
        at, count = skipped_by_find(framing, data)
        self.assertEqual((framing.skip(data, 0, len(data)), framing.count), (at, count))
        self.assertEqual((framing.skip(data, at, len(data)), framing.count), (at, 0))


class ConformanceTests(SynchronousTestCase):
    """The promises of a framing, with frames of each kind."""

    def test_commands(self) -> None:
        """Commands are cut however they come, and each costs time in proportion to its size."""
        check_framing(lambda limits: RespFraming(limits.max_frame, commands=True), COMMANDS, grow=array, max_frame=8192)

    def test_replies(self) -> None:
        """Replies are cut however they come, and each costs time in proportion to its size."""
        for grow in (array, line, streamed, nested):
            check_framing(
                lambda limits: RespFraming(limits.max_frame, commands=False), REPLIES, grow=grow, max_frame=8192
            )


class FoundTests(SynchronousTestCase):
    """Frames in streams."""

    def test_size_is_known_early(self) -> None:
        """As soon as the last string of a frame has begun, the end of the frame is known."""
        head = b"*2\r\n$3\r\nSET\r\n$1000\r\n"
        self.assertEqual(commands().find(head, 0, len(head)), len(head) + 1002)

    def test_goes_on(self) -> None:
        """A string that is not the last is only counted, however large it is."""
        framing = replies(2**40)
        head = b"*2\r\n$1000000000000\r\n"
        self.assertEqual((framing.find(head, 0, len(head)), framing.seen), (0, len(head)))
        self.assertEqual((framing.more(b"x" * 100, 0, 100), framing.seen), (0, 100))

    def test_bytes_after_the_end_are_not_seen(self) -> None:
        """Bytes after ``end`` are not looked at."""
        for data in COMMANDS:
            for end in range(len(data)):
                self.assertIn(commands().find(data + b"\r\n", 0, end), (0, len(data)))

    def test_asked_again(self) -> None:
        """Asked again about the same frame from its beginning, it answers the same."""
        framing = replies()
        for data in REPLIES:
            for end in range(1, len(data) + 1):
                answers = {framing.find(b"..." + data, 3, 3 + end) for _ in range(2)}
                self.assertEqual(len(answers), 1)

    def test_deeply_nested(self) -> None:
        """Nesting is limited by the size of a frame alone, but for streamed arrays, which need memory."""
        data = b"*1\r\n" * 20_000 + b":1\r\n"
        self.assertEqual(replies().find(data, 0, len(data)), len(data))
        data = b"*?\r\n" * 1024 + b".\r\n" * 1024
        self.assertEqual(replies().find(data, 0, len(data)), len(data))
        error = self.assertRaises(FramingError, replies().find, b"*?\r\n" + data, 0, 4100)
        self.assertEqual(str(error), "streamed arrays must be nested at most 1024 deep")


class RefusedTests(SynchronousTestCase):
    """Bytes that are no frames."""

    def refused(self, framing: RespFraming, data: bytes, kind: type[FramingError], words: str) -> None:
        """Check the error about some bytes, in one piece and byte by byte."""
        error = self.assertRaises(kind, framing.find, data, 0, len(data))
        self.assertIn(words, str(error))
        self.assertIn(words, outcome(framing, reads_of(data, range(len(data))))[1])

    def test_lengths(self) -> None:
        """A length must be a number as Redis writes it."""
        for head in (b"*01\r\n", b"*x\r\n", b"*+1\r\n", b"*-0\r\n", b"*-\r\n", b"*\r\n", b"*1\rx", b"*1x", b"*1\n"):
            for make in (commands, replies):
                self.refused(make(), head, BadLength, f"must be a number that ends its line, not {head[1:][:1]!r}"[:-1])
        for head in (b"*1234567890123456789\r\n", b"*-1234567890123456789\r\n"):
            self.refused(commands(), head, BadLength, "must be a number")
        for data in (b"*?\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$?\r\n"):
            self.refused(commands(), data, BadLength, "must be a number")
        for data in (b"$-2\r\n", b"*-2\r\n", b"|-1\r\n", b"=?\r\n", b"!?\r\n", b"$?\r\n;-1\r\n", b"$?\r\n;?\r\n"):
            self.refused(replies(), data, BadLength, "must be a number")

    def test_types(self) -> None:
        """What has no type that fits is refused."""
        for data in (b"*1\r\n:1\r\n", b"*1\r\n*1\r\n", b"*1\r\n+a\r\n"):
            self.refused(
                commands(), data, FramingError, f"an argument of a command must begin with b'$', not {data[4:5]!r}"
            )
        for data in (b"HTTP/1.1 400 Bad Request\r\n", b";1\r\n", b"\r\n", b"*1\r\n\xff\r\n"):
            self.refused(replies(), data, FramingError, "a reply must begin with a type of RESP, not ")
        self.refused(
            replies(), b"$?\r\n+a\r\n", FramingError, "a part of a streamed string must begin with b';', not b'+'"
        )
        for data in (b".\r\n", b"*?\r\n.\r.", b"*?\r\n..", b"*?\r\n*1\r\n.\r\n"):
            self.refused(replies(), data, FramingError, "a streamed array must end with")

    def test_web(self) -> None:
        """A web browser that was lured to Redis is refused with its first line, before the commands in its request."""
        for data in (b"POST / HTTP/1.1\r\n", b"host: here\r\n"):
            self.refused(commands(), data, FramingError, f"a client of Redis must not speak HTTP: {data[:5]!r}")

    def test_limits(self) -> None:
        """A frame that is longer than allowed is refused as soon as that is certain."""
        for data, size in ((b"*1\r\n$100\r\n", 112), (b"*9999\r\n", 30004), (b"*999999999999999999\r\n", 0)):
            for make in (commands, replies):
                error = self.assertRaises(FrameTooLong, make(99).find, data, 0, len(data))
                self.assertGreaterEqual(error.size, size)
        self.refused(replies(9), b"+12345678", FrameTooLong, "frame of 10 bytes, at most 9 are allowed")
        self.refused(commands(9), b"123456789", FrameTooLong, "frame of 10 bytes, at most 9 are allowed")
        self.refused(
            commands(), b"x" * LONGEST_LINE, FramingError, "a command that is typed must have at most 65536 bytes"
        )
        data = b"x" * (LONGEST_LINE - 1) + b"\n"
        self.assertEqual(commands().find(data, 0, len(data)), len(data))


class WrittenTests(SynchronousTestCase):
    """Frames that are made."""

    def test_encode(self) -> None:
        """A payload that is one frame is framed as it is, also while another is read."""
        framing = replies()
        self.assertEqual(framing.find(b"*2\r\n:1\r\n", 0, 8), 0)
        for payload in REPLIES:
            self.assertEqual(framing.encode(payload), payload)
            self.assertEqual(framing.replace(b"+old\r\n", payload), payload)
        self.assertEqual((framing.more(b":2\r\n", 0, 4), framing.body), (4, 0))

    def test_no_frame(self) -> None:
        """Other payloads are refused, with the reason."""
        for payload, complaint in (
            (b"", "a message must be exactly one whole reply, not b''"),
            (b"+OK", "a message must be exactly one whole reply, not b'+OK'"),
            (b"$3\r\nab", "a message must be exactly one whole reply, not b'$3\\r\\nab'"),
            (b"+OK\r\n:1\r\n", "a message must be exactly one whole reply, not b'+OK\\r\\n:1\\r\\n'"),
            (b"what", "a message must be a whole frame: a reply must begin with a type of RESP, not b'w'"),
            (b"x" * 101, "a message must have at most 100 bytes, not 101"),
        ):
            error = self.assertRaises(MarshalingError, replies(100).encode, payload)
            self.assertEqual(str(error), complaint)
        error = self.assertRaises(MarshalingError, commands().encode, b"PING")
        self.assertEqual(str(error), "a message must be exactly one whole command, not b'PING'")


class MadeTests(SynchronousTestCase):
    """Framings that are made, rightly or wrongly."""

    def test_interface(self) -> None:
        """It is a framing of the package, and says what it was made with."""
        framing = commands(7)
        self.assertTrue(verifyObject(IFraming, framing))
        self.assertIs(framing_of(framing), framing)
        self.assertEqual((framing.max_frame, framing.commands), (7, True))

    def test_wrong_arguments(self) -> None:
        """Arguments that make no sense are refused, with the reason."""
        wrong: Any
        for wrong, kind, complaint in (
            ({"commands": 1}, TypeError, "commands must be True or False, not 1"),
            ({"max_frame": True}, TypeError, "max_frame must be an int, not True"),
            ({"max_frame": -1}, ValueError, f"max_frame must be 0 to {sys.maxsize}, not -1"),
        ):
            arguments = {"max_frame": LIMIT, "commands": True, **wrong}
            self.assertEqual(str(self.assertRaises(kind, RespFraming, **arguments)), complaint)

    def test_offsets_outside(self) -> None:
        """Offsets outside of the data are refused."""
        check_outside(self, commands())

    def test_not_initialized(self) -> None:
        """One that was made without its initializer reads nothing outside of the data, and finds no frame."""
        check_not_initialized(self, RespFraming)
