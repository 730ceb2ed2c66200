"""Tests of what a lane collects until it pushes it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._lane.output import Output
from twisted_repeater.verdicts import Frame


class Pipe:
    """An outlet that writes down, together with another, what is pushed."""

    def __init__(self, name: str, told: list[Any]) -> None:
        self.name = name
        self.told = told
        self.full = self.crowded = self.someone_waits = False

    def push(self, pieces: list[bytes]) -> None:
        """See `LaneOutlet`."""
        self.told.append((self.name, pieces))

    def push_part(self, pieces: list[bytes], goes_on: bool) -> None:
        """See `LaneOutlet`."""
        self.told.append((self.name, pieces, "goes on" if goes_on else "ends"))

    def send(self, frame: bytes) -> None:
        """See `LaneOutlet`."""
        self.told.append((self.name, frame))

    def tear(self) -> None:
        """See `LaneOutlet`."""
        self.told.append((self.name, "torn"))

    def encode(self, message: Any, instead_of: bytes | None = None) -> bytes | None:
        """See `LaneOutlet`. What is empty cannot be encoded; what stands for a frame is marked."""
        if not message:
            return None
        return b"<%s>" % message if instead_of is None else b"<%s for %s>" % (message, instead_of)


class OutputTests(SynchronousTestCase):
    """Frames for one way, answers for the other."""

    def setUp(self) -> None:
        """Make an output between two outlets."""
        self.told: list[Any] = []
        self.forward, self.back = Pipe("forward", self.told), Pipe("back", self.told)
        self.output = Output(self.forward, self.back)

    def flushed(self) -> list[Any]:
        """Flush; give what was pushed."""
        self.told.clear()
        self.output.flush()
        return list(self.told)

    def test_nothing(self) -> None:
        """Where nothing was made, nothing is pushed."""
        self.assertEqual(self.flushed(), [])

    def test_many(self) -> None:
        """Many small frames, or answers, leave in one piece; a few, or large ones, are not copied."""
        for count, size, pieces in ((100, 10, 1), (10, 10, 10), (100, 5000, 100)):
            for add, way in ((self.output.send, "forward"), (self.output.answer, "back")):
                for _ in range(count):
                    add(bytes(size))
                ((name, pushed),) = self.flushed()
                self.assertEqual((name, len(pushed), len(b"".join(pushed))), (way, pieces, count * (size + 2)))

    def test_runs(self) -> None:
        """A run of untouched bytes leaves as one slice; the whole of what came leaves as itself."""
        data = b"received bytes"
        self.output.put(data, 0, len(data))
        self.output.put(data, 3, 5)
        self.output.put(data, 5, 5)
        ((_, pieces),) = self.flushed()
        self.assertEqual(pieces, [data, b"ei"])
        self.assertIs(pieces[0], data)
        self.assertEqual(self.output.made, 0)

    def test_pieces(self) -> None:
        """A frame that came in pieces leaves in these pieces."""
        self.output.extend([b"a", b"b"])
        self.assertEqual(self.flushed(), [("forward", [b"a", b"b"])])

    def test_own_messages(self) -> None:
        """Messages are encoded by the outlet that they leave through, and counted until they are pushed."""
        self.output.send(b"one")
        self.output.send(b"two", b"2")
        self.output.answer(b"three")
        self.assertEqual(self.output.made, len(b"<one><two for 2><three>"))
        self.assertEqual(self.flushed(), [("forward", [b"<one>", b"<two for 2>"]), ("back", [b"<three>"])])
        self.assertEqual(self.output.made, 0)
        self.assertEqual(self.flushed(), [])

    def test_made_already(self) -> None:
        """Frames that are made already go the way of their outlet, in order with the others."""
        self.output.send(b"one")
        self.output.add_between(self.forward, b"two")
        self.output.add_between(self.back, b"three")
        self.output.take_between()
        self.output.answer(b"four")
        self.assertEqual(self.output.made, len(b"<one>twothree<four>"))
        self.assertEqual(self.flushed(), [("forward", [b"<one>", b"two"]), ("back", [b"three", b"<four>"])])

    def test_what_cannot_be_encoded(self) -> None:
        """It leaves a gap, no more."""
        self.output.send(b"")
        self.output.answer(b"")
        self.output.send(b"one")
        self.assertEqual(self.flushed(), [("forward", [b"<one>"])])

    def test_forward_first(self) -> None:
        """An answer never overtakes what it answers."""
        self.output.answer(b"answer")
        self.output.put(b"question", 0, 8)
        self.assertEqual(self.flushed(), [("forward", [b"question"]), ("back", [b"<answer>"])])

    def test_choked_by_what_it_fills(self) -> None:
        """It is choked by a full outlet on the way forward, on the way back only if it answers at all."""
        self.assertFalse(self.output.is_choked())
        self.back.full = True
        self.assertFalse(self.output.is_choked())
        self.output.answer(b"answer")
        self.assertFalse(self.output.is_choked())
        self.output.flush()
        self.assertTrue(self.output.is_choked())
        self.back.full, self.forward.full = False, True
        self.assertTrue(self.output.is_choked())
        self.forward.full = False
        self.assertFalse(self.output.is_choked())

    def test_choked_by_others(self) -> None:
        """What another fills the way back with, when the answers are gone, doesn't choke it."""
        self.output.answer(b"answer")
        self.output.flush()
        self.assertFalse(self.output.is_choked())
        self.back.full = True
        self.assertFalse(self.output.is_choked())

    def test_frame_in_pieces(self) -> None:
        """The outlet hears of each push that begins, or goes on, inside of a frame, until the frame has ended."""
        self.output.put(b"whole begun", 0, 11)
        self.output.goes_on = True
        self.assertEqual(self.flushed(), [("forward", [b"whole begun"], "goes on")])
        self.output.put(b"more", 0, 4)
        self.assertEqual(self.flushed(), [("forward", [b"more"], "goes on")])
        self.output.put(b"end", 0, 3)
        self.assertFalse(self.output.end_frame())
        self.assertEqual(self.flushed(), [("forward", [b"end"], "ends")])
        self.output.put(b"whole", 0, 5)
        self.assertEqual(self.flushed(), [("forward", [b"whole"])])
        self.forward.someone_waits = True
        self.assertTrue(self.output.end_frame())

    def test_between_pieces(self) -> None:
        """A frame of the application's own that comes inside of another is left to the outlet, which lets it wait."""
        self.output.put(b"begun", 0, 5)
        self.output.goes_on = True
        self.output.add_between(self.forward, b"waits")
        self.output.add_between(self.back, b"back")
        self.told.clear()
        self.output.take_between()
        self.assertEqual(self.told, [("forward", [b"begun"], "goes on"), ("forward", b"waits")])
        self.assertEqual(self.flushed(), [("back", [b"back"])])

    def test_torn(self) -> None:
        """A frame that never ends is told of once, after what has come of it; where there is none nothing is told."""
        self.output.tear()
        self.assertEqual(self.told, [])
        self.output.put(b"begun", 0, 5)
        self.output.goes_on = True
        self.output.tear()
        self.output.tear()
        self.assertEqual(self.told, [("forward", [b"begun"], "goes on"), ("forward", "torn")])

    def test_choked_by_a_crowd(self) -> None:
        """It is choked, too, by answers that wait for the end of a frame of another."""
        self.output.answer(b"answer")
        self.output.flush()
        self.back.crowded = True
        self.assertTrue(self.output.is_choked())
        self.back.crowded = False
        self.assertFalse(self.output.is_choked())

    def test_noted(self) -> None:
        """What it makes is noted as long as somebody wants to know it, each frame once."""
        self.output.send(b"before")
        self.output.note(True)
        self.output.send(b"a")
        self.output.send(b"b")
        self.output.answer(b"c")
        self.output.send(b"")
        self.assertEqual(self.output.noted(), (b"<a><b>", b"<c>"))
        self.assertEqual(self.output.noted(), (b"", b""))
        self.output.note(False)
        self.output.answer(b"d")
        self.output.flush()
        self.assertEqual(self.told, [("forward", [b"<before>", b"<a>", b"<b>"]), ("back", [b"<c>", b"<d>"])])


class Waiting:
    """What goes out later, as far as an output knows it."""

    def __init__(self, told: list[Any]) -> None:
        self.told = told
        self.holds = True
        self.full = False

    def extend(self, frames: list[bytes], answers: list[bytes]) -> None:
        """See `Delayed`."""
        self.told.append(("later", frames, answers))

    def send_all(self) -> None:
        """See `Delayed`."""
        self.told.append("all")


class DelayedTests(SynchronousTestCase):
    """An output that something is delayed of."""

    def setUp(self) -> None:
        """Make the outputs of both directions."""
        self.told: list[Any] = []
        self.forward, self.back = Pipe("forward", self.told), Pipe("back", self.told)
        self.output, self.other = Output(self.forward, self.back), Output(self.back, self.forward)
        self.output.opposite, self.other.opposite = self.other, self.output
        self.waiting: Any = Waiting(self.told)

    def test_frames_and_answers_wait(self) -> None:
        """While something holds the way, frames and answers join it; otherwise they are pushed."""
        self.output.delayed = self.waiting
        self.output.flush()
        self.output.send(b"a")
        self.output.answer(b"b")
        self.output.flush()
        self.waiting.holds = False
        self.output.send(b"c")
        self.output.flush()
        self.assertEqual(self.told, [("later", [b"<a>"], [b"<b>"]), ("forward", [b"<c>"])])
        self.assertEqual(self.output.take(), ([], []))

    def test_answers_wait_for_the_other_direction(self) -> None:
        """Answers go behind what the other direction delays, and choke the lane if that is too much."""
        self.output.delayed = self.waiting
        self.other.push_now([b"x"], [])
        self.other.push_now([], [b"y"])
        self.assertEqual(self.told, [("back", [b"x"]), ("later", [b"y"], [])])
        self.assertFalse(self.other.is_choked())
        self.other.push_now([], [b"z"])
        self.waiting.full = True
        self.assertTrue(self.other.is_choked())
        self.assertTrue(self.output.is_choked())

    def test_own_frames_wait(self) -> None:
        """A frame of the application's own goes behind what is delayed on its way; too many end the delays."""
        self.assertFalse(self.output.send_behind(self.forward, b"a"))
        self.output.delayed = self.waiting
        self.assertFalse(self.output.send_behind(self.back, b"a"))
        self.assertTrue(self.output.send_behind(self.forward, b"b"))
        self.waiting.full = True
        self.assertFalse(self.output.send_behind(self.forward, b"c"))
        self.assertEqual(self.told, [("later", [b"b"], []), "all"])

    def test_frames_of_faults(self) -> None:
        """A message can be encoded for those who change it, and a frame goes out as it is."""
        self.assertEqual(self.output.encode(b"a"), b"<a>")
        self.output.send(Frame(b"raw"))
        self.output.flush()
        self.assertEqual(self.told, [("forward", [b"raw"])])
        self.forward.full = True
        self.assertTrue(self.output.is_full())
