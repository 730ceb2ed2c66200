"""The dialect's own filter keeps settings, and mends errors."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Send
from twisted_repeater.dialects.postgres.codec import TO_CLIENT
from twisted_repeater.dialects.postgres.failing import refuse
from twisted_repeater.dialects.postgres.messages import ErrorResponse, ParameterStatus, Query
from twisted_repeater.dialects.postgres.own_filters import MOST_SETTINGS, OwnFilter, settings_of


class Named:
    """Stands for a link."""


class OwnFilterTests(SynchronousTestCase):
    """It is asked about few messages."""

    def test_settings(self) -> None:
        """The last value of a setting is kept, of so many settings at most."""
        link: Any = Named()
        self.assertEqual(dict(settings_of(link)), {})
        for number in range(MOST_SETTINGS + 5):
            self.assertIs(OwnFilter().filter(ParameterStatus(f"{number}", "a"), link), PASS_ON)
        OwnFilter().filter(ParameterStatus("0", "b"), link)
        self.assertEqual(len(settings_of(link)), MOST_SETTINGS)
        self.assertEqual(settings_of(link)["0"], "b")

    def test_errors(self) -> None:
        """The error of a refused message is mended; all else passes."""
        link: Any = Named()
        (query,) = refuse(Query(""), "no").forward
        assert isinstance(query, Query)
        self.assertEqual(
            OwnFilter().filter(ErrorResponse({"M": query.sql}), link), Send(ErrorResponse({"C": "42501", "M": "no"}))
        )
        self.assertIs(OwnFilter().filter(ErrorResponse({"M": "x"}), link), PASS_ON)
        self.assertIs(OwnFilter().filter(query, link), PASS_ON)

    def test_selector(self) -> None:
        """Only errors and settings are decoded for it."""
        selector = OwnFilter().selector_for(TO_CLIENT)
        assert selector is not None
        self.assertEqual(
            [selector.matches(kind, 0, 1) for kind in (b"E", b"S", b"D", b"Z")], [True, True, False, False]
        )
