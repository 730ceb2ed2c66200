"""The dialect as a whole: its options and its parts."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, SameName, dialects
from twisted_repeater.dialects.postgres._dialect import LARGEST, postgres
from twisted_repeater.testing import OpeningHarness

from .test_startup import startup


class DialectTests(SynchronousTestCase):
    """What the options make of it."""

    def test_parts(self) -> None:
        """Names are shared, and the framing has the limit, which counts the type of a message too."""
        dialect = dialects.postgres()
        self.assertEqual((dialect.name, dialect.same_name, dialect.max_frame), ("postgres", SameName.SHARE, LARGEST))
        self.assertEqual(postgres(max_frame=1000).max_frame, 1000)
        framing: Any = dialect.framings(Limits(max_frame=99)).to_server
        self.assertEqual(framing.max_frame, 99)
        self.assertEqual(framing.find(b"S\0\0\0\4Q", 0, 6), 5)

    def test_parameters(self) -> None:
        """Parameters, as texts or as a mapping, are in each startup packet in place of the client's."""
        for parameters in (("search_path=a=b", "TimeZone="), {"search_path": "a=b", "TimeZone": ""}):
            harness = OpeningHarness(postgres(parameters=parameters))
            harness.client_connects()
            progress = harness.client_sends(startup(user="ann", SEARCH_PATH="mine"))
            self.assertEqual(progress.to_server, startup(user="ann", search_path="a=b", TimeZone=""))

    def test_wrong_parameters(self) -> None:
        """What cannot be a parameter is refused when the dialect is made."""
        for parameters in ({"a": 1}, ((1, "a"),)):
            self.assertRaises(TypeError, postgres, parameters=parameters)
        for texts in (("a",), ("=a",), ("a=\0",), ("USER=bob",), ("_pq_.x=1",)):
            self.assertRaises(ValueError, postgres, parameters=texts)
