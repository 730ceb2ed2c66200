"""`ReadOnly`: keeps sessions from writing."""

from __future__ import annotations

import re

from ...errors import LinkError
from ...filters.by_type import ByType
from ...filters.pair import FilterPair
from ...link import Link
from ...verdicts import PASS_ON, Close, Verdict
from .failing import refuse
from .messages import FunctionCall, ParameterStatus, Parse, Query
from .own_filters import settings_of
from .sql import CHANGES, Statement, Token, target_of_copy
from .statements import reason_against

__all__ = ["ReadOnly"]

SETTING = "default_transaction_read_only"
NEEDS = f"ReadOnly needs PostgreSQL 14, and the option parameters={SETTING}=on of the dialect"

READING = """
    ABORT BEGIN CLOSE COMMIT COPY DEALLOCATE DECLARE DISCARD END EXECUTE EXPLAIN FETCH LISTEN LOCK MOVE PREPARE RELEASE
    RESET ROLLBACK SAVEPOINT SELECT SET SHOW START TABLE UNLISTEN VALUES WITH
"""
ALLOWED = frozenset(READING.split())
"""What statements may begin with. Some of the others write in read-only transactions too: VACUUM, ALTER SYSTEM, DO."""
TWO_PHASES = frozenset({("PREPARE", "TRANSACTION"), ("COMMIT", "PREPARED"), ("ROLLBACK", "PREPARED")})
LITERAL = re.compile(r"'[^'\\]*'")
FALSE = re.compile(r"'\s*(?:0|f|fa|fal|fals|false|n|no|of|off)?\s*'", re.IGNORECASE)
"""A value that could switch a setting off."""
MODES = frozenset({"BEGIN", "START", "SET"})
"""Statements that may say READ WRITE."""
OF_TRANSACTIONS = frozenset({SETTING, "transaction_read_only"})
"""The settings that decide whether a transaction is read-only."""
FUNCTIONS = re.compile(
    r"query_to_xml|query_to_xmlschema|query_to_xml_and_xmlschema|ts_stat|ts_rewrite|xpath_table|connectby|crosstab.*"
    r"|dblink.*|lo_(?!get$|open$|close$|lseek|tell).*|lowrite|pg_file_.*|pg_(?:create|drop|copy|logical|replication)_.*"
    r"|pg_(?:restore|clear)_.*|pg_switch_wal|pg_promote|pg_import_system_collations"
)
"""Functions that write in a read-only transaction, or run text as statements."""


UNREADABLE = "U&"
"""Stands for a name with escapes."""


class ReadOnly(FilterPair):
    """A pair of filters that keeps sessions from writing.

    The server does the work. The option ``parameters=default_transaction_read_only=on`` of the dialect asks it for
    transactions that are read-only; without that, all statements are refused. This pair refuses what could switch it
    off, and what writes all the same: BEGIN READ WRITE, SET, ``set_config``, DO, CALL, VACUUM, COPY but TO STDOUT,
    functions for large objects, and all statements that do not read. If the server reports that its transactions write
    again, the link ends.

    It needs PostgreSQL 14 or newer, which reports this. What functions of the database do, nobody sees in the text of a
    statement. If somebody may call a function that changes the setting, one transaction may write before the link ends:
    give its user no rights to write.
    """

    def __init__(self) -> None:
        super().__init__(to_server=_Statements(), to_client=_Setting())
        self.__qualname__ = "ReadOnly"


class _Statements(ByType):
    """The filter of messages to the server."""

    def on_statements(self, message: Query | Parse, link: Link) -> Verdict:
        """Refuse a message with a statement that could write."""
        reason = reason_against(message.sql, link, _reason)
        if reason is None and settings_of(link).get(SETTING) != "on":
            reason = NEEDS
        return PASS_ON if reason is None else refuse(message, f"read only: {reason}", code="25006")

    def on_call(self, call: FunctionCall, link: Link) -> Verdict:
        """Refuse a call: only its number is known."""
        return refuse(call, "read only: a call without SQL is refused", code="25006")


class _Setting(ByType):
    """The filter of messages to the client."""

    def on_setting(self, status: ParameterStatus, link: Link) -> Verdict:
        """End the link when its transactions may write."""
        if status.name != SETTING or status.value == "on":
            return PASS_ON
        return Close(LinkError(f"{SETTING} is {status.value}: {NEEDS}"))


def _reason(statement: Statement, link: Link) -> str | None:
    """Return why a statement is refused."""
    words, tokens = statement.words, statement.tokens
    for at, command in enumerate(statement.commands):
        if command and command[0] in (ALLOWED | CHANGES if at else ALLOWED) and command[:2] not in TWO_PHASES:
            continue  # the server refuses changes where they are inside of another statement
        return f"{command[0] if command else 'a statement that begins with no word'} is refused"
    if words[0] in MODES and any(token.word == "WRITE" for token in tokens):
        return f"{words[0]} with WRITE is refused"
    names = [_name(token) for token in tokens]
    if UNREADABLE in names:
        return "a name with escapes is refused"
    if words[0] in ("SET", "RESET") and not OF_TRANSACTIONS.isdisjoint(names):
        return f"{words[0]} of this setting is refused"
    if words[0] == "COPY" and target_of_copy(statement) != "STDOUT":
        return "COPY is refused, but TO STDOUT"
    for at, name in enumerate(names[:-1]):
        if name and tokens[at + 1].text == "(" and _is_function_refused(name, tokens, at):
            return f"the function {name} is refused"
    return None


def _is_function_refused(name: str, tokens: tuple[Token, ...], at: int) -> bool:
    """Return whether the function whose name is at an offset is refused.

    pg_dump sets what is no matter here: a setting that it names, or one to a value that is not false.
    """
    if name != "set_config":
        return FUNCTIONS.fullmatch(name) is not None
    name, comma, value, end = (*(token.text for token in tokens[at + 2 : at + 6]), "", "", "", "")[:4]
    if comma == "," and LITERAL.fullmatch(name):
        return name[1:-1].lower() in OF_TRANSACTIONS
    return not (comma == end == "," and LITERAL.fullmatch(value) and not FALSE.fullmatch(value))


def _name(token: Token) -> str:
    """Return the name that a token is, in small letters; "" if it is something else."""
    if token.kind == "word":
        return token.text.lower()
    if token.kind != "name":
        return ""
    return token.text[1:-1].lower() if token.text.startswith('"') else UNREADABLE
