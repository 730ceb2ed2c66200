"""The messages of PostgreSQL's protocol."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres.messages import BackendKeyData, CopyDone, Query
from twisted_repeater.dialects.postgres.messages import Sync as Synchronize


class MessagesTests(SynchronousTestCase):
    """What users see of them."""

    def test_secrets(self) -> None:
        """The key by which statements are cancelled is not shown."""
        self.assertEqual(repr(BackendKeyData(7, b"abcd")), "BackendKeyData(process=7, key=<4 bytes>)")

    def test_values(self) -> None:
        """Messages are values: equal by class and content, and changed by making others."""
        query = Query("SELECT 1")
        with self.assertRaises(FrozenInstanceError):
            query.sql = ""  # type: ignore[misc]
        self.assertEqual(replace(query, sql="x"), Query("x"))
        self.assertNotEqual(CopyDone(), Synchronize())
        self.assertEqual(len({Query("x"), Query("x")}), 1)
