"""The table of options, and the pages that are made of it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.faults import Drop
from twisted_repeater.service.option import Form
from twisted_repeater.service.options import BY_NAME, OPTIONS

from ..option_pages import PAGES, written


class TableTests(SynchronousTestCase):
    """Each option by itself."""

    def test_names(self) -> None:
        """Each name is there once, in lower case with hyphens."""
        self.assertEqual(len(BY_NAME), len(OPTIONS))
        for name in BY_NAME:
            self.assertRegex(name, "^[a-z]+(-[a-z]+)*$")

    def test_descriptions(self) -> None:
        """Each description is a sentence on one line, and only the help of an option with a default has that."""
        for option in OPTIONS:
            self.assertRegex(option.description, r"^[A-Z].*\.$")
            self.assertNotIn("\n", option.help)
            self.assertNotIn("`", option.help)
            self.assertEqual(option.help.endswith("]"), option.default is not None, option.name)
            self.assertTrue(option.help.startswith(option.plain))

    def test_lists(self) -> None:
        """An option that may be given more than once says so, and no other does."""
        for option in OPTIONS:
            self.assertEqual("May be given more than once." in option.description, option.form is Form.TEXTS)

    def test_examples(self) -> None:
        """Each example of a value can be read, unless it names a file."""
        for option in OPTIONS:
            if option.form is not Form.FLAG and option.name not in ("admin-token-file", "fleet-password-file"):
                option.read([option.example] if option.form is Form.TEXTS else option.example)

    def test_defaults(self) -> None:
        """A default is read as a value of a user is; a flag is off, and a list is empty."""
        values = {option.name: option.default_value() for option in OPTIONS}
        self.assertEqual((values["linger"], values["max-hello"], values["stall-timeout"]), (30, 1 << 16, 300))
        self.assertEqual((values["reload"], values["filter"], values["server-name"]), (False, [], None))

    def test_faults(self) -> None:
        """Two faults of one kind have two names."""
        faults: Any = BY_NAME["fault"].read(["drop:every=2", "drop"])
        self.assertEqual([(name, fault) for name, fault, _ in faults], [("drop", Drop(every=2)), ("drop-2", Drop())])

    def test_recordings(self) -> None:
        """A recording needs a directory that exists; a relative one may be somewhere else later."""
        read = BY_NAME["record"].read
        self.assertEqual(read("no/such/a.db:keep=2"), {"path": "no/such/a.db", "keep": 2})
        error = self.assertRaises(ValueError, read, "/no/such/a.db")
        self.assertEqual(
            str(error), "must be a file that can be made, not '/no/such/a.db': there is no directory '/no/such'"
        )


class PageTests(SynchronousTestCase):
    """The tables of the reference."""

    def test_fresh(self) -> None:
        """The tables say what the options do. If not, run ``python -m tests.option_pages``."""
        for page, rows in PAGES.items():
            text = page.read_text()
            self.assertEqual(text, written(text, rows), f"{page.name} is stale: run python -m tests.option_pages")

    def test_all(self) -> None:
        """Each page has each option that it is about."""
        texts = {page.name: page.read_text() for page in PAGES}
        for option in OPTIONS:
            self.assertIn(f"\n| `--{option.name}` | ", texts["command-line.md"])
            key = f"\n| `{option.name}` | "
            self.assertEqual(key in texts["configuration.md"], option.scope != "command line", option.name)
