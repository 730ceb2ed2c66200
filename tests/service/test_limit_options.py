"""The options of the command line that set limits."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits
from twisted_repeater.service.limit_options import LIMITS, limit_options


class LimitTests(SynchronousTestCase):
    """They follow from the fields of `Limits`."""

    def test_every_field(self) -> None:
        """Each field has an option, with a description that begins a sentence and ends one."""
        self.assertEqual([limit.field for limit in LIMITS], [field.name for field in fields(Limits)])
        for limit in LIMITS:
            self.assertRegex(limit.description, r"^[A-Z][^`]*\.$")
            self.assertEqual(limit.name, limit.field.replace("_", "-"))

    def test_defaults(self) -> None:
        """A default is shown as a user writes it; if it depends on something, the description says on what."""
        for limit in LIMITS:
            default: Any = getattr(Limits(), limit.field)
            if limit.default is None:
                self.assertIs(default, None)
                self.assertIn("If not given: ", limit.description)
            else:
                self.assertEqual(limit.read(limit.default), default)
        shown = {limit.name: limit.default for limit in LIMITS}
        self.assertEqual((shown["max-frame"], shown["linger"], shown["filter-timeout"]), ("16MiB", "30", "none"))

    def test_names_of_other_options(self) -> None:
        """Where a description names another field, the option's names that field's option."""
        (unfinished,) = [limit.description for limit in LIMITS if limit.field == "max_unfinished_frames"]
        self.assertIn("--max-frame", unfinished)

    def test_no_source(self) -> None:
        """Where Python has no source of the class, the options have no descriptions."""

        def missing(it: object) -> str:
            raise OSError

        self.patch(inspect, "getsource", missing)
        units = {"", " In seconds.", " In seconds, or none for no limit."}
        self.assertEqual({limit.description for limit in limit_options()}, units)
