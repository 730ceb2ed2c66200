"""Gates, without an outlet: how many bytes go when."""

from __future__ import annotations

import math
from functools import partial
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.faults._gates import (
    CATCH_UP,
    TICK,
    BandwidthGate,
    DownGate,
    Ending,
    Gate,
    Gates,
    LimitGate,
    Line,
    ResetGate,
    SliceGate,
    SlowCloseGate,
    TimeoutGate,
)


class Pipe:
    """What an outlet does with gates: keeps bytes, and lets them go. ``out`` has the times and the pieces."""

    def __init__(self, *gates: Gate) -> None:
        self.gates = Gates()
        for gate in gates:
            self.set(gate)
        self.now = 0.0
        self.waiting = bytearray()
        self.out: list[tuple[float, bytes]] = []
        self.ended: list[tuple[float, Ending]] = []

    def set(self, gate: Gate) -> None:
        """Set a gate. It is its own key here."""
        key: Any = gate
        self.gates.set(key, gate)

    def remove(self, gate: Gate) -> None:
        """Remove a gate; what it held goes on."""
        key: Any = gate
        self.gates.set(key, None)
        self.go()

    def feed(self, data: bytes) -> None:
        """Bytes come. After the end they are dropped."""
        self.waiting += b"" if self.ended else data
        self.go()

    def go(self) -> None:
        """Let go as much as the gates allow."""
        while self.waiting and (allowed := self.gates.allows(len(self.waiting), self.now)):
            self.out.append((self.now, bytes(self.waiting[:allowed])))
            del self.waiting[:allowed]
            self.gates.passed(allowed, len(self.waiting), self.now)

    def run(self, seconds: float = math.inf) -> None:
        """Let time pass, until nothing is due any more."""
        until = self.now + seconds
        while (due := self.gates.due) <= until and due < math.inf:
            self.now = max(self.now, due)
            ended = self.gates.look(self.now)
            if ended is not None:
                self.ended.append((self.now, ended[1]))
                self.waiting.clear()
            self.go()
        if until < math.inf:
            self.now = until

    @property
    def received(self) -> bytes:
        """All that has gone."""
        return b"".join(piece for _, piece in self.out)


class GateTests(SynchronousTestCase):
    """One gate."""

    def test_none(self) -> None:
        """Without a gate, and with one that allows everything, all bytes pass at once."""
        for pipe in (Pipe(), Pipe(Plain())):
            pipe.feed(b"hello")
            self.assertEqual((pipe.out, pipe.gates.due, pipe.gates.held_until), ([(0, b"hello")], math.inf, None))
        self.assertEqual(Plain().opens_at, math.inf)

    def test_bandwidth(self) -> None:
        """Bytes come as a line carries them: in pieces, each at the time of its last byte."""
        pipe = Pipe(BandwidthGate(Line(1000)))
        pipe.feed(bytes(10))
        self.assertEqual((pipe.out, pipe.gates.held_until), ([], 0.01))
        pipe.run()
        pipe.feed(bytes(120))
        pipe.run()
        expected = [(0.01, 10), (0.01 + TICK, 50), (0.01 + 2 * TICK, 50), (0.13, 20)]
        for (time, piece), (at, size) in zip(pipe.out, expected, strict=True):
            self.assertAlmostEqual(time, at)
            self.assertEqual(len(piece), size)

    def test_slowest(self) -> None:
        """A line may need long for one byte."""
        pipe = Pipe(BandwidthGate(Line(0.1)))
        pipe.feed(b"abc")
        pipe.run()
        self.assertEqual([(round(time), piece) for time, piece in pipe.out], [(10, b"a"), (20, b"b"), (30, b"c")])

    def test_idle_line(self) -> None:
        """A line that was idle has saved nothing."""
        pipe = Pipe(BandwidthGate(Line(1000)))
        pipe.run(100)
        pipe.feed(bytes(10))
        self.assertAlmostEqual(pipe.gates.due, 100.01)

    def test_late_timers(self) -> None:
        """A busy line makes up for timers that are a little late, and not for a peer that took nothing for long."""
        for late, size in ((TICK, 1950), (10.0, 150)):
            pipe = Pipe(BandwidthGate(Line(1000)))
            pipe.feed(bytes(10_000))
            if late > 1:
                pipe.now = 10.0
            while pipe.now < (10.0 if late > 1 else 2.0):
                pipe.now = pipe.gates.due + late / 2
                pipe.gates.look(pipe.now)
                pipe.go()
            pipe.gates.look(pipe.now)
            pipe.go()
            self.assertLessEqual(len(pipe.received), pipe.now * 1000)
            self.assertGreaterEqual(len(pipe.received), size - CATCH_UP * 1000)

    def test_shared(self) -> None:
        """Two that share a line take turns, and get half of it each."""
        line = Line(1000)
        pipes = [Pipe(BandwidthGate(line)) for _ in range(2)]
        for pipe in pipes:
            pipe.feed(bytes(1000))
        for step in range(1, 101):
            for pipe in pipes:
                pipe.run(step / 100 + 0.001 - pipe.now)
        sizes = [len(pipe.received) for pipe in pipes]
        self.assertEqual(sum(sizes), 1000)
        self.assertLessEqual(abs(sizes[0] - sizes[1]), 1000 * TICK)

    def test_slices(self) -> None:
        """Slices go one by one, with a pause after each; the cuts do not depend on the reads."""
        data = bytes(range(200))
        cuts = []
        for reads in ([data], [data[:50], data[50:57], data[57:]], [data[at : at + 1] for at in range(200)]):
            random = Random(7)
            pipe = Pipe(SliceGate(partial(random.randint, 5, 15), 0.5))
            for read in reads:
                pipe.feed(read)
            pipe.run()
            self.assertEqual(pipe.received, data)
            times = sorted({time for time, _ in pipe.out})
            cuts.append([sum(len(piece) for time, piece in pipe.out if time == at) for at in times])
            self.assertEqual(times, [index * 0.5 for index in range(len(times))])
            self.assertTrue(all(5 <= size <= 15 for size in cuts[-1][:-1]))
        self.assertEqual(cuts[0], cuts[1])
        self.assertEqual(cuts[0], cuts[2])

    def test_slices_without_pause(self) -> None:
        """Without a pause each slice waits for a look of its own."""
        pipe = Pipe(SliceGate(lambda: 2, 0))
        pipe.feed(b"abcde")
        self.assertEqual((pipe.out, pipe.gates.due), ([(0, b"ab")], 0))
        pipe.gates.look(0)
        pipe.go()
        self.assertEqual(pipe.out, [(0, b"ab"), (0, b"cd")])

    def test_limit(self) -> None:
        """So many bytes pass; then the stream is cut, at once."""
        pipe = Pipe(LimitGate(7))
        pipe.feed(b"hello ")
        self.assertEqual(pipe.gates.due, math.inf)
        pipe.feed(b"world")
        pipe.run(5)
        self.assertEqual((pipe.received, pipe.ended), (b"hello w", [(0, Ending.CUT)]))

    def test_limit_of_nothing(self) -> None:
        """A limit of 0 cuts when the first bytes come."""
        pipe = Pipe(LimitGate(0))
        pipe.run(5)
        self.assertEqual(pipe.ended, [])
        pipe.feed(b"x")
        pipe.run(0)
        self.assertEqual((pipe.received, pipe.ended[0]), (b"", (5, Ending.CUT)))

    def test_reset(self) -> None:
        """Some time after the first bytes the connection is reset, and nothing passes, however much comes."""
        pipe = Pipe(ResetGate(2))
        pipe.run(10)
        pipe.feed(b"first")
        pipe.run(1)
        pipe.feed(b"second")
        pipe.run(100)
        self.assertEqual((pipe.received, pipe.ended), (b"", [(12, Ending.RESET)]))

    def test_timeout(self) -> None:
        """At its time the stream is cut, also if bytes keep coming; without one nothing happens, ever."""
        pipe = Pipe(TimeoutGate(3))
        for _ in range(10):
            pipe.feed(b"x")
            pipe.run(1)
        self.assertEqual((pipe.received, pipe.ended), (b"", [(3, Ending.CUT)]))
        pipe = Pipe(TimeoutGate(math.inf))
        pipe.feed(b"x")
        self.assertEqual((pipe.gates.due, pipe.gates.held_until), (math.inf, math.inf))

    def test_down(self) -> None:
        """The link ends at once."""
        pipe = Pipe(DownGate(0))
        pipe.feed(b"x")
        pipe.run(0)
        self.assertEqual((pipe.received, pipe.ended), (b"", [(0, Ending.RESET)]))

    def test_slow_close(self) -> None:
        """Bytes pass; the end waits, from when it could come first."""
        pipe = Pipe(SlowCloseGate(2), Plain())
        pipe.feed(b"all")
        self.assertEqual(pipe.received, b"all")
        self.assertTrue(pipe.gates.holds_end(5))
        self.assertTrue(pipe.gates.holds_end(6))
        self.assertEqual((pipe.gates.due, pipe.gates.held_until), (7, 7))
        self.assertFalse(pipe.gates.holds_end(7))
        self.assertEqual((pipe.gates.due, pipe.gates.held_until), (math.inf, None))


class Plain(Gate):
    """A gate that does nothing of its own."""

    order = SlowCloseGate.order


class GatesTests(SynchronousTestCase):
    """Several gates."""

    def test_order(self) -> None:
        """Their order is fixed: what lets nothing pass comes first, whenever it was set."""
        gates = [SlowCloseGate(1), BandwidthGate(Line(1)), SliceGate(lambda: 1, 1), LimitGate(1)]
        gates += [TimeoutGate(1), ResetGate(1), DownGate(1)]
        orders = []
        for several in (gates, gates[::-1]):
            pipe = Pipe(*several)
            orders.append([type(gate) for gate in pipe.gates._gates.values()])
        self.assertEqual(orders[0], orders[1])
        self.assertEqual(orders[0], [type(gate) for gate in gates[::-1]])

    def test_keys(self) -> None:
        """A gate is found by its key, replaced and removed; to remove one that is not there does nothing."""
        gates, key, other = Gates(), "key", "other"
        first, second = LimitGate(1), LimitGate(2)
        gates.set(key, first)  # type: ignore[arg-type]
        gates.set(key, second)  # type: ignore[arg-type]
        gates.set(other, None)  # type: ignore[arg-type]
        self.assertEqual((len(gates), gates.allows(9, 0), key in gates, other in gates), (1, 2, True, False))
        gates.set(key, None)  # type: ignore[arg-type]
        self.assertEqual((len(gates), gates.allows(9, 0)), (0, 9))

    def test_removed(self) -> None:
        """If a gate that lets nothing pass is removed, all that it held goes on, in order."""
        holding = TimeoutGate(math.inf)
        pipe = Pipe(holding)
        pipe.feed(b"one ")
        pipe.feed(b"two")
        pipe.remove(holding)
        self.assertEqual(pipe.out, [(0, b"one two")])

    def test_removed_in_the_pace_of_others(self) -> None:
        """If others stay, it goes on in their pace."""
        holding = TimeoutGate(math.inf)
        pipe = Pipe(holding, BandwidthGate(Line(10)))
        pipe.feed(b"0123456789")
        pipe.run(100)
        pipe.remove(holding)
        self.assertEqual(pipe.out, [])
        pipe.run()
        self.assertAlmostEqual(pipe.now, 101)
        self.assertEqual(pipe.received, b"0123456789")

    def test_limit_on_a_slow_line(self) -> None:
        """Bytes count for a limit when they go, not when they come."""
        pipe = Pipe(LimitGate(3), BandwidthGate(Line(1)))
        pipe.feed(b"abcdef")
        pipe.run(10)
        self.assertEqual((pipe.received, [(round(time), how) for time, how in pipe.ended]), (b"abc", [(3, Ending.CUT)]))

    @given(
        st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.floats(0, 3)), max_size=12),
        st.one_of(st.none(), st.floats(10, 10_000)),
        st.one_of(st.none(), st.tuples(st.integers(1, 50), st.integers(0, 49), st.floats(0, 1))),
        st.integers(0, 2**32),
    )
    def test_all(
        self,
        reads: list[tuple[bytes, float]],
        rate: float | None,
        slices: tuple[int, int, float] | None,
        seed: int,
    ) -> None:
        """All bytes come out, in order, never faster than the rate, and again the same with the same seed."""
        results = []
        for _ in range(2):
            pipe = Pipe()
            if rate is not None:
                pipe.set(BandwidthGate(Line(rate)))
            if slices is not None:
                size, spread, pause = slices
                random, spread = Random(seed), min(spread, size - 1)
                pipe.set(SliceGate(partial(random.randint, size - spread, size + spread), pause))
            for data, gap in reads:
                pipe.feed(data)
                pipe.run(gap)
            pipe.run()
            results.append(pipe.out)
            self.assertEqual(pipe.received, b"".join(data for data, _ in reads))
            self.assertEqual((pipe.gates.held_until, len(pipe.waiting)), (None, 0))
            gone = 0
            for time, piece in pipe.out:
                gone += len(piece)
                self.assertTrue(rate is None or gone <= rate * time * (1 + 1e-9) + 1e-3)
        self.assertEqual(results[0], results[1])
