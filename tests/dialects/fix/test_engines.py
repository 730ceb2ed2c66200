"""The judge itself: two engines that are joined directly never have anything to complain about."""

from __future__ import annotations

from functools import partial
from unittest import TestCase

from hypothesis import settings

from ...drawn import examples
from .conversations import Conversation
from .engine_sending import now
from .engines import Habits


class Joined(Conversation):
    """Two engines on one wire."""

    def start(self) -> None:
        """Make the wire: what each engine has sent, and whether it has hung up behind that."""
        self.wires = [bytearray(), bytearray()]
        self.hung_up = [False, False]

    def connect(self) -> None:
        """Connect them, if both are free."""
        self.watch_refusals()
        if any(engine.out for engine in self.engines):
            return
        self.start()
        for side in (1, 0):
            self.engines[side].connected(self.wires[side].extend, partial(self.hang_up, side))

    def hang_up(self, side: int) -> None:
        """An engine ends the connection, behind what it has sent."""
        self.hung_up[side] = True
        self.engines[side].disconnected()
        self.wires[1 - side].clear()

    def carry(self, side: int, amount: int) -> bool:
        """Carry bytes, and the end of the connection behind them."""
        data = bytes(self.wires[side][: amount or None])
        del self.wires[side][: len(data)]
        other = self.engines[1 - side]
        if data:
            other.data(data)
        elif self.hung_up[side] and other.out:
            other.disconnected()
        else:
            return False
        return True

    def cut(self) -> None:
        """Lose everything."""
        self.start()
        for engine in self.engines:
            engine.disconnected()


Joined.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
JoinedEnginesTests = Joined.TestCase


class JudgeTests(TestCase):
    """What an engine does not forgive."""

    def setUp(self) -> None:
        """Two engines are logged on; the second has taken three messages."""
        self.joined = Joined()
        self.joined.begin(b"FIX.4.4", Habits(), Habits())
        self.joined.flush()
        for number in range(3):
            self.joined.send(0, 1 + number)
        self.joined.flush()
        self.first, self.second = self.joined.engines

    def message(self, kind: str, number: int, body: list[tuple[int, bytes]], first_time: bytes = b"") -> bytes:
        """Return a message of the first engine."""
        return self.first.write(kind, number, body, first_time)

    def complains(self, data: bytes, words: str) -> None:
        """Check that the second engine complains of some bytes."""
        with self.assertRaisesRegex(AssertionError, words):
            self.second.data(data)

    def test_low(self) -> None:
        """A number that is too low, also that of a gap fill, unless it is a possible duplicate."""
        order = [(11, b"INI9"), (58, b"INI9")]
        self.complains(self.message("D", 4, order), "too low, expected 5")
        self.complains(self.message("4", 4, [(123, b"Y"), (36, b"5")]), "too low, expected 5")
        self.second.data(self.message("4", 4, [(123, b"Y"), (36, b"5")], now()))

    def test_other_content(self) -> None:
        """A message that comes again with other content."""
        order = [(11, b"INI9"), (58, b"INI9")]
        self.complains(self.message("D", 4, order, now()), "had come as")
        self.complains(self.message("D", 1, order, now()), "came as a message of the session")

    def test_bytes(self) -> None:
        """A wrong checksum, a wrong name, a header field that comes twice or too late."""
        whole = self.message("0", 5, [])
        self.complains(whole[:-4] + b"%03d\x01" % ((int(whole[-4:-1]) + 1) % 256), "checksum")
        self.complains(whole.replace(b"56=ACC", b"56=ACX"), "checksum")
        self.first.peer = "ACX"
        self.complains(self.message("0", 5, []), "wrong names")
        self.first.peer = "ACC"
        self.complains(self.message("0", 5, [(34, b"5")]), "tag 34 twice")
        self.complains(self.message("0", 5, [(112, b"a"), (369, b"1")]), "header field in the body")

    def test_requests(self) -> None:
        """A request for what was never sent, and one that is never answered."""
        self.complains(self.message("2", 5, [(7, b"9"), (16, b"0")]), "never sent")
        self.second.ask(2, 3)
        self.joined.wires[1].clear()
        with self.assertRaisesRegex(AssertionError, "asks|was not answered|never sent|too low|waits"):
            self.joined.teardown()

    def test_lost(self) -> None:
        """A message that was dropped on its way with a gap fill in its place, which the model must miss."""
        self.first.send("INI9")
        self.joined.wires[0].clear()
        self.joined.wires[0].extend(self.message("4", 5, [(123, b"Y"), (36, b"6")]))
        with self.assertRaisesRegex(AssertionError, "has not got .*INI9"):
            self.joined.teardown()
