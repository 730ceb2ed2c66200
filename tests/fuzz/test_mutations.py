"""Peers that say what they must not are ended or refused, and harm nobody else.

``python -m tests.fuzz.attacks`` plays more of these sessions, and shows those again in which something was wrong.
"""

from __future__ import annotations

import tracemalloc
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction
from twisted_repeater.dialects.redis.messages import read_reply

from ..drawn import examples
from .attacks import attacks
from .mutations import PROTOCOLS as KNOWN
from .mutations import mutated
from .playing import Script, collected
from .protocols import PROTOCOLS, Case

COUNT = examples(500)
"""How many sessions are played for each protocol and direction, with all kinds of filters together."""


class MutatedTests(SynchronousTestCase):
    """The mutations themselves."""

    def test_the_same_seed(self) -> None:
        """A seed gives the same session each time, and another seed another one."""
        for case in PROTOCOLS.values():
            for direction in Direction:
                sessions = [mutated(Random(seed), case.name, case.recordings, direction) for seed in (1, 1, 2)]
                self.assertEqual(sessions[0], sessions[1])
                self.assertNotEqual(sessions[0], sessions[2])

    def test_one_direction(self) -> None:
        """What goes in the other direction stays as it was, up to the end of the session."""
        for case in PROTOCOLS.values():
            for seed in range(100):
                steps, what = mutated(Random(seed), case.name, case.recordings, Direction.TO_CLIENT)
                (recording,) = [one for one in case.recordings if one.name == what.partition(":")[0]]
                said = b"".join(data or b"" for direction, data in steps if direction is Direction.TO_SERVER)
                self.assertEqual(said, recording.sent(Direction.TO_SERVER))


class AttackTests(SynchronousTestCase):
    """The sessions."""

    def play(self, name: str) -> None:
        """Play the sessions of a protocol: the seeds are shared out among the kinds of filters."""
        case = PROTOCOLS[name]
        kinds = {**case.passing, **case.ruling}
        for direction in Direction:
            outcomes = []
            for number, (filters, options) in enumerate(kinds.items()):
                with self.subTest(filters=filters, direction=direction.value):
                    outcomes.append(attacks(case, direction, options, range(number, COUNT, len(kinds))))
            self.assertTrue(any(found["passed"] for found in outcomes))
            self.assertTrue(any(found.total() - found["passed"] for found in outcomes))
        collected()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_postgres(self) -> None:
        """PostgreSQL, in either direction: each session passes, or ends with an error of the side that was wrong."""
        self.play("postgres")

    def test_redis(self) -> None:
        """So does each session of Redis."""
        self.play("redis")

    def test_hl7(self) -> None:
        """So does each session of HL7."""
        self.play("hl7")

    def test_mqtt(self) -> None:
        """So does each session of MQTT."""
        self.play("mqtt")

    def test_modbus(self) -> None:
        """So does each session of Modbus."""
        self.play("modbus")

    def test_fix(self) -> None:
        """So does each session of FIX."""
        self.play("fix")

    def test_lines(self) -> None:
        """So does each session of lines."""
        self.play("lines")


class DeclaredSizeTests(SynchronousTestCase):
    """Messages that say that they are large."""

    def test_memory(self) -> None:
        """A size that was only announced takes no memory, in whichever direction, with and without filters."""
        for case in PROTOCOLS.values():
            for options in case.passing.values():
                for direction in Direction:
                    with self.subTest(protocol=case.name, direction=direction.value):
                        self.assertLess(self.peak(case, options(), direction), 2_000_000)

    def peak(self, case: Case, options: dict[str, Any], direction: Direction) -> int:
        """Return how many bytes more were in use at once, while each opening of a long message came on a link."""
        repeater = case.repeater(**options)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for opening in KNOWN[case.name].openings:
                script = Script(repeater)
                script.play([*case.greeting, (direction, opening), (direction, b"some of it")])
                script.end()
                repeater.advance(60)
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
            repeater.close()


class ShownTests(SynchronousTestCase):
    """Messages in logs."""

    def test_reply_of_redis(self) -> None:
        """A reply without a value, or one that is too deep to be shown, is shown as bytes."""
        for frame in (b"*1\r\n" * 5000 + b":1\r\n", b":x\r\n"):
            self.assertTrue(repr(read_reply(frame)).startswith("<reply b'"))
