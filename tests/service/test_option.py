"""What an option is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.option import Form, Option, each, listed


class OptionTests(SynchronousTestCase):
    """Options."""

    def test_help(self) -> None:
        """The help is the description without Markdown, and with the default if there is one."""
        option = Option(name="x", description="Be `so`.", default="3")
        self.assertEqual((option.plain, option.help), ("Be so.", "Be so. [default: 3]"))
        self.assertEqual(Option(name="x", description="Be `so`.").help, "Be so.")

    def test_default(self) -> None:
        """The value without a given one is the default as it is read, or else nothing, no, or an empty list."""
        self.assertEqual(Option(name="x", description="", read=int, default="3").default_value(), 3)
        self.assertIsNone(Option(name="x", description="", read=int).default_value())
        self.assertIs(Option(name="x", description="", form=Form.FLAG, read=bool).default_value(), False)
        self.assertEqual(Option(name="x", description="", form=Form.TEXTS, read=each(int)).default_value(), [])

    def test_each(self) -> None:
        """A list is read item by item."""
        self.assertEqual(each(int)(["1", "2"]), [1, 2])

    def test_listed(self) -> None:
        """Names of a sentence are in backticks."""
        self.assertEqual(listed(["a", "b"]), "`a`, `b`")
