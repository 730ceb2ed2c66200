"""Knows for each answer of the server what it answers, and for each row the columns that were described for it.

A client may have a statement described once, and run it a thousand times without a description. So what the client has
asked is kept in its order, until the server has answered it. The rules:

* The answers of a Query and of a FunctionCall end with a ReadyForQuery, and so does that of a Sync. The other messages
  have one answer each, a Flush none.
* After an error of the extended protocol the server discards all messages up to the next Sync.
* While the server reads the data of a COPY, it discards Sync and Flush. CopyDone and CopyFail end the data; at other
  times it discards these.

If something does not fit, the order is lost, for good (`is_lost`): nothing is known from then on.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import NamedTuple, TypeAlias

from .messages import (
    Bind,
    BindComplete,
    Close,
    CloseComplete,
    Column,
    CommandComplete,
    CopyDone,
    CopyFail,
    CopyInResponse,
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
from .startup import cut_name

__all__ = ["Answers", "Columns"]

MOST_NAMES = 10_000
"""How many statements and portals of a session are known. The oldest are forgotten."""

Columns: TypeAlias = tuple[Column, ...]
"""The columns of a result."""


class Prepared:
    """A statement, and its columns as soon as it or a portal of it was described."""

    __slots__ = ("columns", "replaces")

    def __init__(self, replaces: bool = False) -> None:
        self.columns: Columns | None = None
        self.replaces: bool = replaces
        """Whether running it may change which statement has which name, as PREPARE and DEALLOCATE do."""


FIXED = Prepared()


class Asked(NamedTuple):
    """A message that the server has not answered yet."""

    cls: type
    """Its class."""
    name: str = ""
    """The name of the statement, or of the portal."""
    other: str = ""
    """The statement of a portal that is made, or what is described or closed: ``S`` or ``P``."""
    replaces: bool = False
    """Whether it is about to change which statement has which name."""


class Answers:
    """What the client of one link has asked, and the answers that are due.

    Args:
        begins: whether the session begins. Then its first ReadyForQuery answers nothing.
    """

    def __init__(self, begins: bool = True) -> None:
        self.waiting: deque[Asked] = deque([Asked(Sync)] if begins else ())
        """What the server has not answered yet."""
        self.is_lost: bool = False
        """Whether something did not fit."""
        self._discards = False
        self._copies = False
        self._statements: OrderedDict[str, Prepared] = OrderedDict()
        self._portals: OrderedDict[str, Prepared] = OrderedDict()
        self._described: Columns | None = None

    # -- to the server ------------------------------------------------------------------------------------------------

    def ask(self, message: object, *, replaces: bool = False) -> None:
        """Note a message to the server.

        Args:
            message: the message.
            replaces: whether its statements may change which statement has which name.
        """
        asked = _asked(message, replaces)
        if asked is None:
            return
        if self._copies:
            self._copies = asked.cls not in (CopyDone, CopyFail)
            if self._copies and asked.cls is not Sync:
                self.is_lost = True
            return
        if self._discards and asked.cls is not Sync:
            return
        self._discards = False
        self.waiting.append(asked)

    # -- to the client ------------------------------------------------------------------------------------------------

    def columns(self) -> Columns | None:
        """Return the columns of the row that has come; ``None`` if they are not known."""
        head = self._head()
        if head is None or self.is_lost:
            return None
        if head.cls is Query:
            return self._described
        portal = self._portals.get(head.name) if head.cls is Execute else None
        return portal.columns if portal is not None else None

    def answer(self, message: object) -> None:
        """Note an answer of the server that is not a row."""
        kind = type(message)
        if isinstance(message, RowDescription):
            self._describe(message.columns)
        elif kind is NoData:
            self._describe(())
        elif isinstance(message, ErrorResponse):
            self._fail(message)
        elif kind in ENDS:
            self._described = None
            self._end(kind)

    def _head(self) -> Asked | None:
        """Return what is answered now. The server has discarded what ends a COPY that there was not."""
        while self.waiting and self.waiting[0].cls in (CopyDone, CopyFail):
            self.waiting.popleft()
        return self.waiting[0] if self.waiting else None

    def _describe(self, columns: Columns) -> None:
        head = self._head()
        if head is not None and head.cls is Query:
            self._described = columns
            return
        if head is None or head.cls is not Describe:
            self.is_lost = True
            return
        self.waiting.popleft()
        known = self._statements if head.other == "S" else self._portals
        if head.name not in known:
            _keep(known, head.name, Prepared())
        known[head.name].columns = columns

    def _fail(self, error: ErrorResponse) -> None:
        self._described = None
        self._copies = False
        head = self._head()
        if head is None or head.cls in (Query, FunctionCall) or error.severity != "ERROR":
            return
        while self.waiting and self.waiting[0].cls is not Sync:
            self.waiting.popleft()
        self._discards = not self.waiting

    def _end(self, kind: type) -> None:
        """Note the last answer to a message, or one that only a Query has in its middle."""
        head = self._head()
        if head is None or head.cls not in ENDS[kind]:
            self.is_lost = True
        elif kind is CopyInResponse:
            self._copy()
        elif kind is ReadyForQuery or head.cls not in (Query, FunctionCall):
            self.waiting.popleft()
            self._done(head)

    def _copy(self) -> None:
        """The server reads data now: find where they end, among the messages that were sent before this was known."""
        head = self.waiting.popleft()
        while self.waiting:
            asked = self.waiting.popleft()
            if asked.cls in (CopyDone, CopyFail):
                break
            if asked.cls is not Sync:
                self.is_lost = True
                return
        else:
            self._copies = True
        self.waiting.appendleft(head)

    def _done(self, asked: Asked) -> None:
        """Keep what the server has done."""
        if asked.cls is Parse:
            _keep(self._statements, asked.name, Prepared(asked.replaces))
        elif asked.cls is Bind:
            _keep(self._portals, asked.name, self._statements.get(asked.other) or Prepared())
        elif asked.cls is Close:
            (self._statements if asked.other == "S" else self._portals).pop(asked.name, None)
        elif asked.replaces or (asked.cls is Execute and self._portals.get(asked.name, FIXED).replaces):
            self._statements.clear()


ENDS: dict[type, tuple[type, ...]] = {
    ParseComplete: (Parse,),
    BindComplete: (Bind,),
    CloseComplete: (Close,),
    CommandComplete: (Execute, Query),
    EmptyQueryResponse: (Execute, Query),
    PortalSuspended: (Execute,),
    CopyInResponse: (Execute, Query),
    ReadyForQuery: (Query, FunctionCall, Sync),
}
"""The answers after which no more rows come, and what they may answer."""


def _asked(message: object, replaces: bool) -> Asked | None:
    """Return what is kept of a message; ``None`` if it has no answer."""
    match message:
        case Query() | FunctionCall() | Sync() | CopyDone() | CopyFail():
            return Asked(type(message), replaces=replaces)
        case Parse():
            return Asked(Parse, cut_name(message.statement), replaces=replaces)
        case Bind():
            return Asked(Bind, cut_name(message.portal), cut_name(message.statement))
        case Describe() | Close():
            return Asked(type(message), cut_name(message.name), message.kind)
        case Execute():
            return Asked(Execute, cut_name(message.portal))
    return None


def _keep(known: OrderedDict[str, Prepared], name: str, prepared: Prepared) -> None:
    """Know a statement or a portal by its name."""
    known[name] = prepared
    known.move_to_end(name)
    if len(known) > MOST_NAMES:
        known.popitem(last=False)
