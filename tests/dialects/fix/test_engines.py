"""The judge itself: two engines that are joined directly never have anything to complain about."""

from __future__ import annotations

from functools import partial

from hypothesis import settings

from ...drawn import examples
from .conversations import Conversation


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
