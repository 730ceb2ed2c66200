"""Values of masked columns are replaced by NULL, and what is not known ends the link."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Close, Send
from twisted_repeater.dialects.postgres import MaskColumns, mask_columns
from twisted_repeater.dialects.postgres.messages import (
    Column,
    CopyOutResponse,
    DataRow,
    FunctionCall,
    Query,
    ReadyForQuery,
    RowDescription,
    Sync,
)

COLUMNS = RowDescription(
    tuple(Column(name, 7, number, 25, -1, -1, 0) for number, name in enumerate(("a", "B", "c"), 1))
)
ROW = DataRow((b"1", b"2", b"3"))


class NewLink:
    """Stands for a link that begins."""

    def received(self, direction: object) -> tuple[int, int]:
        """See `Link`."""
        return (0, 0)


LINK: Any = NewLink()


class MaskColumnsTests(SynchronousTestCase):
    """The verdicts on messages."""

    def filters(self, *columns: str) -> tuple[Any, Any]:
        """Return the filters of a link that has begun."""
        to_server, to_client = MaskColumns(columns or ("b", "7.3")).for_link(LINK)
        to_client.filter(ReadyForQuery("I"), LINK)  # type: ignore[union-attr]
        return to_server, to_client

    def test_mask(self) -> None:
        """Columns are masked by name and by number; rows without any pass as they are."""
        for columns, verdict in (((), Send(DataRow((b"1", None, None)))), (("x",), PASS_ON)):
            to_server, to_client = self.filters(*columns)
            self.assertIs(to_server.filter(Query("TABLE a"), LINK), PASS_ON)
            to_client.filter(COLUMNS, LINK)
            self.assertEqual([to_client.filter(ROW, LINK) for _ in range(2)], [verdict] * 2)

    def test_unknown(self) -> None:
        """A row without columns, data of a COPY, and an answer to nothing end the link."""
        for message in (ROW, CopyOutResponse(0, ()), COLUMNS):
            self.assertIsInstance(self.filters()[1].filter(message, LINK), Close)

    def test_refused(self) -> None:
        """COPY TO and calls are refused."""
        to_server, _ = self.filters()
        for message in (Query("COPY a TO STDOUT"), FunctionCall(1)):
            self.assertTrue(to_server.filter(message, LINK).forward)

    def test_many(self) -> None:
        """If too many answers are due the client waits, also while filters are replaced."""
        self.patch(mask_columns, "MOST_WAITING", 1)
        old, _ = self.filters()
        old.filter(Sync(), LINK)
        held = old.filter(Query(""), LINK)
        self.assertIsInstance(held, Deferred)
        new, to_client = MaskColumns(["x"]).for_link(LINK)
        new.migrate(old)  # type: ignore[union-attr]
        new.migrate(None)  # type: ignore[union-attr]
        self.assertNoResult(held)
        to_client.filter(ReadyForQuery("I"), LINK)  # type: ignore[union-attr]
        self.assertIs(self.successResultOf(held), PASS_ON)

    def test_wrong_arguments(self) -> None:
        """Wrong arguments raise errors."""
        for columns, error in (("a", TypeError), ([3], TypeError), ([], ValueError), ([""], ValueError)):
            wrong: Any = columns
            self.assertRaises(error, MaskColumns, wrong)
