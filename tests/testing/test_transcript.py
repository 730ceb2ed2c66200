"""The record of a test, and how it is printed."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, SendBack
from twisted_repeater.testing import Event, Transcript, _transcript
from twisted_repeater.testing._transcript import LINES, Remark, numbered

from ..unprintable import Mute


class TranscriptTests(SynchronousTestCase):
    """A transcript."""

    def test_reads_as_what_happened(self) -> None:
        """It is printed one entry a line: who, what, and the message, verdict or error."""
        transcript = Transcript()
        transcript.add(Event.LINKED, "alice")
        transcript.add(Event.CLIENT_SENDS, "alice", b"order", b"\0\0\0\5order")
        transcript.add(Event.TO_SERVER, "alice", None)
        transcript.add(Event.TO_SERVER, "alice", SendBack([b"no"]))
        transcript.add(Event.CLIENT_GETS, "alice", b"no")
        transcript.add(Event.CLIENT_ENDS, "alice", Remark("its connection"))
        transcript.add(Event.REFUSED, "", ValueError("who?"))
        self.assertEqual(
            str(transcript).splitlines(),
            [
                "alice      linked",
                "alice      client sends  b'order'",
                "alice        to server:  (no verdict yet)",
                "alice        to server:  SendBack([b'no'])",
                "alice      client gets   b'no'",
                "alice      client ends   its connection",
                "-          refused       ValueError: who?",
            ],
        )

    def test_nothing(self) -> None:
        """An empty one says so."""
        self.assertEqual(str(Transcript()), "(nothing happened)")

    def test_most(self) -> None:
        """One with a limit forgets the oldest entries, and says how many are left out."""
        transcript = Transcript(most=LINES)
        for number in range(2 * LINES + 1):
            transcript.add(Event.CLIENT_GETS, "alice", number)
        self.assertEqual(len(transcript), LINES + 1)
        told = str(transcript).splitlines()
        self.assertEqual(told[0], f"({LINES + 1} earlier entries are left out)")
        self.assertTrue(told[-1].endswith(f" {2 * LINES}"))

    def test_with_a_clock(self) -> None:
        """With a clock each entry has its time."""
        clock = Clock()
        transcript = Transcript(clock.seconds)
        clock.advance(1.5)
        transcript.add(Event.TO_CLIENT, "bob", PASS_ON)
        self.assertEqual(str(transcript), "   1.500 s  bob          to client:  PASS_ON")

    def test_entries(self) -> None:
        """It can be counted, gone through, and read from a point on."""
        transcript = Transcript()
        transcript.add(Event.CLIENT_GETS, "alice", b"1", b"\0\0\0\x011")
        mark = len(transcript)
        transcript.add(Event.CLIENT_GETS, "alice", b"2")
        self.assertEqual([entry.value for entry in transcript], [b"1", b"2"])
        self.assertEqual([entry.value for entry in transcript.since(mark)], [b"2"])
        self.assertEqual(next(iter(transcript)).data, b"\0\0\0\x011")

    def test_one_line(self) -> None:
        """Whatever would break a line is escaped."""

        class Lines:
            def __repr__(self) -> str:
                return "seconds: 1\nnanos: 2\n"

        transcript = Transcript()
        transcript.add(Event.CLIENT_SENDS, "alice", Lines())
        transcript.add(Event.CLIENT_ERROR, "alice", ValueError("one\ntwo"))
        transcript.add(Event.CLIENT_ENDS, "alice\n", Remark("\x1b[2J"))
        self.assertEqual(
            str(transcript).splitlines(),
            [
                r"alice      client sends  seconds: 1\nnanos: 2\n",
                r"alice      client error  ValueError: one\ntwo",
                r"alice\n    client ends   \x1b[2J",
            ],
        )
        self.assertEqual(numbered([Lines()]), r"  1. seconds: 1\nnanos: 2\n")

    def test_unprintable(self) -> None:
        """What cannot be printed does not hide the rest."""
        transcript = Transcript()
        transcript.add(Event.CLIENT_SENDS, "alice", Mute())
        transcript.add(Event.TO_SERVER, "alice", [Mute()])
        transcript.add(Event.CLIENT_ERROR, "alice", Mute())
        self.assertEqual(
            [line[25:] for line in str(transcript).splitlines()],
            [
                "Mute: <ValueError raised by its __str__>",
                "<ValueError raised by its __repr__>",
                "Mute: <ValueError raised by its __str__>",
            ],
        )

    def test_long(self) -> None:
        """Long messages are cut, with their length, and of many entries the last are printed."""
        transcript = Transcript()
        for _ in range(LINES + 3):
            transcript.add(Event.SERVER_GETS, "alice", b"x" * 1000)
        lines = str(transcript).splitlines()
        self.assertEqual((len(lines), lines[0]), (LINES + 1, "(3 earlier entries are left out)"))
        self.assertTrue(lines[1].endswith("xxx... (1003 characters)"), lines[1])


class ExpectTests(SynchronousTestCase):
    """Its assertion."""

    def test_as_expected(self) -> None:
        """A list that is as expected is fine, whatever kind of sequence it is."""
        Transcript().expect("the server got", [b"1"], (b"1",))

    def test_different(self) -> None:
        """Otherwise the error shows both lists and all that happened."""
        transcript = Transcript()
        transcript.add(Event.CLIENT_SENDS, "alice", b"1")
        error = self.assertRaises(AssertionError, transcript.expect, "the server got", [b"1", b"2"], [])
        self.assertEqual(
            str(error),
            "the server got:\n  1. b'1'\n  2. b'2'\nexpected:\n  nothing\n\n"
            "What happened:\nalice      client sends  b'1'",
        )

    def test_frames(self) -> None:
        """pytest leaves the frames of the kit out where an expectation has failed, and shows them in other errors."""
        for error, hidden in ((AssertionError(), True), (KeyError(), False)):
            self.assertIs(_transcript.__tracebackhide__(ExceptionInfo(error)), hidden)


class ExceptionInfo:
    """What pytest has of an exception."""

    def __init__(self, value: Exception) -> None:
        self.value = value
