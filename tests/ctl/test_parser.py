"""The options of ``ctl``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl.parser import make_parser


class ParserTests(SynchronousTestCase):
    """`make_parser`."""

    def test_places(self) -> None:
        """Options that all commands have may stand before the command, after it, and after its action."""
        parser = make_parser()
        for words in (
            ["--admin", "unix:a", "--json", "faults", "clear"],
            ["faults", "--admin", "unix:a", "--json", "clear"],
            ["faults", "clear", "--admin", "unix:a", "--json"],
            ["--json", "faults", "--admin", "unix:a", "clear"],
        ):
            options = parser.parse_args(words)
            self.assertEqual((options.admin, options.json, options.action), ("unix:a", True, "clear"), words)

    def test_defaults(self) -> None:
        """Without an action, faults are listed and the recording is shown."""
        parser = make_parser()
        self.assertIsNone(parser.parse_args(["faults"]).action)
        self.assertEqual(parser.parse_args(["recording"]).action, "show")
        self.assertFalse(parser.parse_args(["status"]).json)

    def test_fields(self) -> None:
        """Only ``change`` changes fields of a message; the other commands that give a message give a whole one."""
        parser = make_parser()
        self.assertEqual(parser.parse_args(["change", "1", "--set", "38=5", "40=1"]).set, ["38=5", "40=1"])
        self.assertFalse(hasattr(parser.parse_args(["answer", "1", "--text", "a"]), "set"))
