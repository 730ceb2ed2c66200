"""The number of a process, and what it stands for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.process_number import NUMBER, numbers, own_number, read_processes, with_number


class NumberTests(SynchronousTestCase):
    """Numbers of processes."""

    def test_count(self) -> None:
        """A count is a whole number from 1 to 256."""
        self.assertEqual([read_processes(text) for text in ("1", "256")], [1, 256])
        for text in ("0", "257", "-1", "two", "", "1.5", "\u0663"):
            self.assertRaises(ValueError, read_processes, text)

    def test_digits(self) -> None:
        """All numbers of a count have as many digits, so that names sort as numbers do."""
        self.assertEqual(numbers(3), ["1", "2", "3"])
        self.assertEqual(numbers(10)[::9], ["01", "10"])

    def test_own(self) -> None:
        """The environment has it, and without that it is 1. It must fit into the name of a file."""
        self.assertEqual((own_number({}), own_number({NUMBER: "a-2"})), ("1", "a-2"))
        for number in ("", "../a", "a:b", "x" * 65):
            self.assertRaises(ValueError, own_number, {NUMBER: number})

    def test_place(self) -> None:
        """It is written in the place of ``{process}``, wherever that is."""
        self.assertEqual(with_number("a-{process}.db:{process}", "02"), "a-02.db:02")
        self.assertEqual(with_number(True, "2"), True)
