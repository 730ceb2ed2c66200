"""What writes is refused where sessions only read; tests/real/test_postgres_filters.py asks the server too."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Close
from twisted_repeater.dialects.postgres.failing import mended
from twisted_repeater.dialects.postgres.messages import ErrorResponse, FunctionCall, ParameterStatus, Query
from twisted_repeater.dialects.postgres.own_filters import OwnFilter
from twisted_repeater.dialects.postgres.read_only import ReadOnly


class Named:
    """Stands for a link."""


LINK: Any = Named()
OwnFilter().filter(ParameterStatus("client_encoding", "UTF8"), LINK)
OwnFilter().filter(ParameterStatus("default_transaction_read_only", "on"), LINK)


def reason(sql: str, link: Any = LINK) -> str | None:
    """Return why a text is refused."""
    to_server: Any = ReadOnly().for_link(link)[0]
    verdict = to_server.filter(Query(sql), link)
    if verdict is PASS_ON:
        return None
    error = mended(ErrorResponse({"M": verdict.forward[0].sql}))
    assert error is not None
    return error.message


class ReadOnlyTests(SynchronousTestCase):
    """The verdicts on texts, calls and settings."""

    def test_reads(self) -> None:
        """What reads passes."""
        for sql in (
            "SELECT 1; TABLE a",
            "WITH a AS (DELETE FROM b) SELECT 1",
            "BEGIN READ ONLY",
            "SET a = 1",
            "COPY a TO STDOUT",
            "SELECT set_config('search_path', '', false), lo_get(1), f(2)",
            "SELECT set_config(name, 'view, table', false) FROM pg_settings",
        ):
            self.assertIsNone(reason(sql), sql)

    def test_writes(self) -> None:
        """What may write does not."""
        for sql in (
            "INSERT INTO a VALUES (1)",
            "'x'",
            "COMMIT PREPARED 'a'",
            "BEGIN READ WRITE",
            "SET transaction_read_only = off",
            'SELECT U&"x"',
            "COPY a TO 'b'",
            'SELECT "lo_create"(1)',
            "SELECT set_config('transaction_read_only', 'x', true)",
            "SELECT set_config(name, 'OF', false)",
            "SELECT set_config(",
        ):
            self.assertIn("read only: ", reason(sql) or "", sql)

    def test_call(self) -> None:
        """A call without SQL is refused."""
        to_server: Any = ReadOnly().for_link(LINK)[0]
        self.assertTrue(to_server.filter(FunctionCall(1), LINK).forward)

    def test_settings(self) -> None:
        """If the server says that transactions write, or says nothing, no statement runs."""
        to_client: Any = ReadOnly().for_link(LINK)[1]
        self.assertIs(to_client.filter(ParameterStatus("default_transaction_read_only", "on"), LINK), PASS_ON)
        self.assertIs(to_client.filter(ParameterStatus("TimeZone", "off"), LINK), PASS_ON)
        self.assertIsInstance(to_client.filter(ParameterStatus("default_transaction_read_only", "off"), LINK), Close)
        self.assertIn("ReadOnly needs", reason("SELECT 1", Named()) or "")
