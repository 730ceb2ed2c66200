"""The messages of PostgreSQL's protocol, as filters get them.

Text is ``str``. Bytes that are not UTF-8 are kept in it by ``surrogateescape``, so text in any encoding of a client
arrives at the server as the very bytes that it was. Values are ``bytes``, or ``None`` for NULL.

Messages cannot be changed: return ``Send(replace(query, sql="SELECT 1"))``, with `dataclasses.replace`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "BackendKeyData",
    "Bind",
    "BindComplete",
    "Close",
    "CloseComplete",
    "Column",
    "CommandComplete",
    "CopyBothResponse",
    "CopyData",
    "CopyDone",
    "CopyFail",
    "CopyInResponse",
    "CopyOutResponse",
    "DataRow",
    "Describe",
    "EmptyQueryResponse",
    "ErrorResponse",
    "Execute",
    "Flush",
    "FunctionCall",
    "FunctionCallResponse",
    "NoData",
    "NoticeResponse",
    "NotificationResponse",
    "ParameterDescription",
    "ParameterStatus",
    "Parse",
    "ParseComplete",
    "PortalSuspended",
    "Query",
    "Raw",
    "ReadyForQuery",
    "RowDescription",
    "Sync",
    "Terminate",
]


# -- to the server ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Query:
    """Statements of the simple protocol. They are one transaction unless they say otherwise."""

    sql: str
    """The text: any number of statements, with semicolons between them."""


@dataclass(frozen=True, slots=True)
class Parse:
    """Prepare a statement."""

    statement: str
    """The name that the statement gets; "" for the one without a name, which the next such Parse replaces."""
    sql: str
    """The text: one statement, or none."""
    parameter_types: tuple[int, ...] = ()
    """The types of its first parameters, by their numbers in the server's ``pg_type``; 0 leaves the choice to it."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Make a portal: a prepared statement with its parameters."""

    portal: str
    """The name that the portal gets; "" for the one without a name."""
    statement: str
    """The name of the statement."""
    formats: tuple[int, ...] = ()
    """The formats of the parameters: 0 is text, 1 is binary. None means that all are text, one that it is for all."""
    parameters: tuple[bytes | None, ...] = ()
    """The parameters."""
    result_formats: tuple[int, ...] = ()
    """The formats of the columns of the result, in the same way."""


@dataclass(frozen=True, slots=True)
class Describe:
    """Ask what a statement needs and returns, or what a portal returns."""

    kind: str
    """``"S"`` for a statement, ``"P"`` for a portal."""
    name: str
    """Its name."""


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a portal."""

    portal: str
    """Its name."""
    max_rows: int = 0
    """After how many rows the server stops, until the next Execute; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Close:
    """Forget a statement or a portal. One that does not exist is no error."""

    kind: str
    """``"S"`` for a statement, ``"P"`` for a portal."""
    name: str
    """Its name."""


@dataclass(frozen=True, slots=True)
class Sync:
    """End a group of messages of the extended protocol: the server answers with a `ReadyForQuery`."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Ask for the answers that the server has kept back."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """Call a function, without SQL. Few clients use it."""

    function: int
    """The number of the function in the server's ``pg_proc``."""
    formats: tuple[int, ...] = ()
    """The formats of the arguments, as in `Bind`."""
    arguments: tuple[bytes | None, ...] = ()
    """The arguments."""
    result_format: int = 0
    """The format of the result."""


@dataclass(frozen=True, slots=True)
class CopyFail:
    """End a COPY to the server: it is to fail."""

    reason: str
    """Why. The server repeats it in its error."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """The client leaves."""


# -- in both directions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CopyData:
    """A part of the data of a COPY, or of a replication. The server sends one row in each; a client cuts anywhere."""

    data: bytes
    """The data."""


@dataclass(frozen=True, slots=True)
class CopyDone:
    """The data of a COPY are complete."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A message that has no class of its own. Its ``type`` is one character, such as ``"p"``."""

    type: str
    """Its type: one character, such as ``"p"``."""
    body: bytes
    """The bytes after its length."""


# -- to the client ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """The error of a statement, or of the connection."""

    fields: dict[str, str]
    """The fields by their letters: ``S`` and ``V`` severity, ``C`` code, ``M`` message, ``D`` detail, ``H`` hint, …"""

    @classmethod
    def of(cls, message: str, *, code: str = "42501", severity: str = "ERROR", **more: str) -> ErrorResponse:
        """Return an error of your own.

        Args:
            message: one sentence.
            code: the SQLSTATE; by default that of a missing privilege.
            severity: ``ERROR``, or ``FATAL`` if the connection ends after it.
            more: other fields, by their letters, such as ``D="a detail"`` or ``H="a hint"``.
        """
        return cls({"S": severity, "V": severity, "C": code, "M": message, **more})

    @property
    def severity(self) -> str:
        """``ERROR``, ``FATAL`` or ``PANIC``, whatever language the server speaks."""
        return self.fields.get("V") or self.fields.get("S", "")

    @property
    def code(self) -> str:
        """The SQLSTATE, such as ``42P01``."""
        return self.fields.get("C", "")

    @property
    def message(self) -> str:
        """What is wrong, in one sentence."""
        return self.fields.get("M", "")


@dataclass(frozen=True, slots=True)
class NoticeResponse:
    """A warning, or something else to be shown. It may come at any time, and answers nothing."""

    fields: dict[str, str]
    """The fields by their letters, as in `ErrorResponse`."""

    @property
    def severity(self) -> str:
        """``WARNING``, ``NOTICE``, ``INFO``, ``LOG`` or ``DEBUG``."""
        return self.fields.get("V") or self.fields.get("S", "")

    @property
    def code(self) -> str:
        """The SQLSTATE, such as ``01000``."""
        return self.fields.get("C", "")

    @property
    def message(self) -> str:
        """The text."""
        return self.fields.get("M", "")


class Column(NamedTuple):
    """What a `RowDescription` says of one column. Its ``type`` is a number in the server's ``pg_type``."""

    name: str
    """Its name in the result, which the statement may choose."""
    table: int
    """The number of the table that it comes from, in the server's ``pg_class``; 0 if it is computed."""
    attribute: int
    """The number of the column in that table; 0 if it is computed."""
    type: int
    """The number of its type, in the server's ``pg_type``."""
    size: int
    """How many bytes a value of the type has; below 0 if that varies."""
    modifier: int
    """The modifier of the type, such as the length of a ``varchar``; -1 for none."""
    format: int
    """0 for text, 1 for binary. It is not known, and 0, in the description of a statement."""


@dataclass(frozen=True, slots=True)
class RowDescription:
    """The columns of the rows that follow, or of those that a statement will return."""

    columns: tuple[Column, ...]
    """The columns."""


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row of a result."""

    values: tuple[bytes | None, ...]
    """Its values."""


@dataclass(frozen=True, slots=True)
class CommandComplete:
    """A statement is done."""

    tag: str
    """What was done, such as ``SELECT 3``."""


@dataclass(frozen=True, slots=True)
class EmptyQueryResponse:
    """There was no statement in the text."""


@dataclass(frozen=True, slots=True)
class PortalSuspended:
    """An Execute has returned as many rows as it was to, and there may be more."""


@dataclass(frozen=True, slots=True)
class ReadyForQuery:
    """The server waits for the next command. It answers a `Query`, a `Sync` or a `FunctionCall`."""

    status: str
    """``"I"`` outside of a transaction, ``"T"`` inside, ``"E"`` inside of one that has failed."""


@dataclass(frozen=True, slots=True)
class ParseComplete:
    """A statement is prepared."""


@dataclass(frozen=True, slots=True)
class BindComplete:
    """A portal is made."""


@dataclass(frozen=True, slots=True)
class CloseComplete:
    """A statement or a portal is forgotten."""


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """The parameters of a statement: the first answer to its `Describe`."""

    types: tuple[int, ...]
    """Their types, by their numbers in the server's ``pg_type``."""


@dataclass(frozen=True, slots=True)
class NoData:
    """A statement or a portal returns no rows: the answer to its `Describe` in place of a `RowDescription`."""


@dataclass(frozen=True, slots=True)
class FunctionCallResponse:
    """The result of a `FunctionCall`."""

    value: bytes | None
    """The result."""


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    """The value of a setting of the session: at its beginning, and whenever it changes."""

    name: str
    """The name of the setting, such as ``client_encoding``."""
    value: str
    """Its value."""


@dataclass(frozen=True, slots=True)
class BackendKeyData:
    """What a client needs to cancel a statement. It is as good as a password: do not log it."""

    process: int
    """The number of the server's process."""
    key: bytes
    """The key: 4 bytes, in version 3.2 of the protocol up to 256."""

    def __repr__(self) -> str:
        return f"BackendKeyData(process={self.process}, key=<{len(self.key)} bytes>)"


@dataclass(frozen=True, slots=True)
class NotificationResponse:
    """A notification by NOTIFY. It may come at any time, and answers nothing."""

    process: int
    """The number of the server's process that sent it."""
    channel: str
    """The name of the channel."""
    payload: str
    """The text that was sent."""


@dataclass(frozen=True, slots=True)
class CopyInResponse:
    """The server waits for the data of a COPY."""

    format: int
    """0 for text, 1 for binary."""
    formats: tuple[int, ...]
    """The format of each column."""


@dataclass(frozen=True, slots=True)
class CopyOutResponse:
    """The data of a COPY follow."""

    format: int
    """0 for text, 1 for binary."""
    formats: tuple[int, ...]
    """The format of each column."""


@dataclass(frozen=True, slots=True)
class CopyBothResponse:
    """Data follow in both directions: a replication begins."""

    format: int
    """0 for text, 1 for binary."""
    formats: tuple[int, ...]
    """The format of each column."""
