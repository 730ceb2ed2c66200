"""Tests of the dialect `redis`, as a whole."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, SameName, ServerUnreachable, dialects
from twisted_repeater.dialects.redis._dialect import MAX_FRAME


class DialectTests(SynchronousTestCase):
    """What the dialect says."""

    def test_parts(self) -> None:
        """Names are shared, and each direction has its framing with the limit."""
        dialect = dialects.redis()
        self.assertEqual((dialect.name, dialect.same_name, dialect.max_frame), ("redis", SameName.SHARE, MAX_FRAME))
        to_server: Any
        to_client: Any
        to_server, to_client = dialect.framings(Limits(max_frame=99))
        self.assertEqual((to_server.commands, to_client.commands, to_server.max_frame), (True, False, 99))
        self.assertIn("names", repr(dialect.filters))
        self.assertIsNone(dialects.redis(names=False).filters)

    def test_refusal(self) -> None:
        """A client that cannot be linked reads an error of Redis."""
        refusal: Any = dialects.redis().refusal
        self.assertEqual(refusal(ServerUnreachable("no\r\nserver"), None), b"-ERR no server\r\n")
