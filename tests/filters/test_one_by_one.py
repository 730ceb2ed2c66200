"""Tests of asking filters one by one."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DO_NOTHING, PASS_ON, Send
from twisted_repeater.filters._one_by_one import one_by_one

LINK: Any = object()


class OneByOneTests(SynchronousTestCase):
    """Filters that are asked one by one."""

    def test_all(self) -> None:
        """As long as they pass the message on, all are asked, in order, until one says something else."""
        sent = Send(b"n")
        for second, expected, asked in ((PASS_ON, PASS_ON, 3), (DO_NOTHING, DO_NOTHING, 2), (sent, "stopped", 2)):
            seen: list[Any] = []

            def answer(number: int, verdict: Any, seen: list[Any] = seen) -> Any:
                def ask(message: Any, link: Any) -> Any:
                    seen.append((number, message, link))
                    return verdict

                return ask

            def stopped(*arguments: Any) -> Any:
                self.assertEqual(arguments, (1, sent, b"m", LINK))
                return "stopped"

            linked = one_by_one((answer(0, PASS_ON), answer(1, second), answer(2, PASS_ON)), stopped)
            self.assertEqual(linked(b"m", LINK), expected)
            self.assertEqual(seen, [(number, b"m", LINK) for number in range(asked)])

    def test_raising(self) -> None:
        """What one raises is raised, and nobody else is asked."""

        def fail(*arguments: Any) -> Any:
            raise LookupError

        self.assertRaises(LookupError, one_by_one((fail, lambda message, link: self.fail()), fail), b"m", LINK)
