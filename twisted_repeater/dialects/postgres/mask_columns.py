"""`MaskColumns`: clients read NULL in place of the values of some columns."""

from __future__ import annotations

import re
from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..._types import Filters
from ...errors import LinkError
from ...filters.by_type import ByType
from ...interfaces import IFilterPair
from ...link import Link
from ...model import Direction
from ...verdicts import PASS_ON, Answer, Close, Send, Verdict
from .answers import Answers, Columns
from .failing import refuse
from .messages import (
    Bind,
    BindComplete,
    CloseComplete,
    CommandComplete,
    CopyBothResponse,
    CopyDone,
    CopyFail,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    Describe,
    EmptyQueryResponse,
    ErrorResponse,
    Execute,
    FunctionCall,
    NoData,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    ReadyForQuery,
    RowDescription,
    Sync,
)
from .messages import Close as Stop
from .sql import Statement, readings, target_of_copy
from .statements import reason_against

__all__ = ["MaskColumns"]

MOST_WAITING = 10_000
"""How many messages the server may have to answer. Then the client's next message waits. The answers to these have more
bytes than a server keeps back, so it always goes on."""
REPLACES = frozenset({"PREPARE", "DEALLOCATE", "DISCARD"})


@implementer(IFilterPair)
class MaskColumns:
    """A pair of filters that puts NULL in place of the values of some columns, in all rows that clients get.

    ``MaskColumns(["password", "16385.3"])`` masks each column of the name ``password``, and the third column of the
    table 16385, whatever its name in the result is. ``SELECT attrelid, attnum FROM pg_attribute`` shows these numbers.

    NULL is right for every type, in text and in binary. COPY TO and calls without SQL are refused, because their data
    have no columns. If a row comes whose columns the pair does not know, the link ends: a client may have prepared a
    statement before the pair was there, for example.

    A computed value is another column: ``SELECT upper(password)`` is not masked, and neither is what an error or a
    notification quotes. So this helps honest programs. To keep a value from somebody who writes SQL, take away the
    right to read the column in the server.

    If this is added while links are there, by a reload, these end with their next statement: what the server is about
    to answer them is not known.

    Args:
        columns: names of columns, in any case; or the numbers of a table and of its column, such as ``16385.3``.

    Raises:
        TypeError: the columns are not texts.
        ValueError: no column is given.
    """

    def __init__(self, columns: tuple[str, ...] | list[str]) -> None:
        names = () if isinstance(columns, str) else tuple(columns)
        if not all(isinstance(name, str) for name in names) or isinstance(columns, str):
            raise TypeError(f"columns must be a list such as ['password'], not {columns!r}")
        if not names or not all(names):
            raise ValueError("MaskColumns needs the names of columns")
        numbers = [name.split(".") for name in names if re.fullmatch(r"[0-9]+\.[0-9]+", name)]
        self._numbers = frozenset((int(table), int(attribute)) for table, attribute in numbers)
        self._names = frozenset(name.casefold() for name in names)

    def for_link(self, link: Link) -> Filters:
        """See `IFilterPair`."""
        masking = _Masking(Answers(begins=link.received(Direction.TO_CLIENT) == (0, 0)), self._places)
        return (_ToServer(masking), _ToClient(masking))

    def _places(self, columns: Columns) -> list[int]:
        """Return which columns are masked."""
        return [
            place
            for place, column in enumerate(columns)
            if (column.table, column.attribute) in self._numbers or column.name.casefold() in self._names
        ]


class _Masking:
    """What both filters of a link know."""

    def __init__(self, answers: Answers, places_of: Callable[[Columns], list[int]]) -> None:
        self.answers = answers
        self.held: Deferred[None] | None = None
        self._places_of = places_of
        self._last: tuple[Columns | None, list[int]] = (None, [])

    def places(self, columns: Columns) -> list[int]:
        """Return which of these columns are masked. Many rows have the same columns."""
        if columns is not self._last[0]:
            self._last = (columns, self._places_of(columns))
        return self._last[1]


class _ToServer(ByType):
    """Refuses what has rows without columns, and notes what the server has to answer."""

    def __init__(self, masking: _Masking) -> None:
        self.masking = masking

    def migrate(self, old: object) -> None:
        """See `IMigrating`. What the server has to answer stays the same, for both filters."""
        if isinstance(old, _ToServer):
            self.masking.answers = old.masking.answers
            self.masking.held, old.masking.held = old.masking.held, None

    def on_text(self, message: Query | Parse, link: Link) -> Answer:
        """Refuse COPY TO."""
        reason = reason_against(message.sql, link, _reason)
        verdict = PASS_ON if reason is None else refuse(message, reason)
        statements = (statement for reading in readings(message.sql) for statement in reading)
        return self._asked(message, verdict, any(REPLACES & set(statement.words[:1]) for statement in statements))

    def on_call(self, call: FunctionCall, link: Link) -> Answer:
        """Refuse it: there is no telling where its result comes from."""
        return self._asked(call, refuse(call, "a call without SQL is refused, because columns are masked"), False)

    def on_other(self, message: Bind | Describe | Execute | Stop | Sync | CopyDone | CopyFail, link: Link) -> Answer:
        """Note it."""
        return self._asked(message, PASS_ON, False)

    def _asked(self, message: object, verdict: Verdict, replaces: bool) -> Answer:
        answers = self.masking.answers
        answers.ask(message, replaces=replaces)  # what is in the place of a refused message is answered as it would be
        if len(answers.waiting) <= MOST_WAITING:
            return verdict
        self.masking.held = Deferred()
        return self.masking.held.addCallback(lambda _: verdict)


class _ToClient(ByType):
    """Masks rows, and notes what the server has answered."""

    def __init__(self, masking: _Masking) -> None:
        self.masking = masking

    def on_row(self, row: DataRow, link: Link) -> Verdict:
        """Mask it."""
        columns = self.masking.answers.columns()
        if columns is None or len(columns) != len(row.values):
            return _closed("the columns of a row are not known: have each statement described, on a new connection")
        places = self.masking.places(columns)
        if not places:
            return PASS_ON
        values = list(row.values)
        for place in places:
            values[place] = None
        return Send(DataRow(tuple(values)))

    def on_data(self, message: CopyOutResponse | CopyBothResponse, link: Link) -> Verdict:
        """End the link: what follows has no columns."""
        return _closed("data without columns are not sent, because columns are masked")

    def on_answer(
        self,
        message: RowDescription
        | NoData
        | ErrorResponse
        | ParseComplete
        | BindComplete
        | CloseComplete
        | CommandComplete
        | EmptyQueryResponse
        | PortalSuspended
        | CopyInResponse
        | ReadyForQuery,
        link: Link,
    ) -> Verdict:
        """Note it."""
        masking = self.masking
        masking.answers.answer(message)
        if masking.answers.is_lost:
            return _closed("it is not known what the server answers, so columns cannot be masked")
        if masking.held is not None and len(masking.answers.waiting) <= MOST_WAITING:
            held, masking.held = masking.held, None
            held.callback(None)
        return PASS_ON


def _reason(statement: Statement, link: Link) -> str | None:
    """Return why a statement is refused."""
    if statement.words[:1] == ("COPY",) and target_of_copy(statement):
        return "COPY TO is refused, because columns are masked"
    return None


def _closed(words: str) -> Close:
    return Close(LinkError(words))
