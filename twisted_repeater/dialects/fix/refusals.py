"""`refuse`: answers a message in the way that FIX has for its kind, in place of the counterparty."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping

from ..._text import printable, shortened, text_of
from ...errors import ParseError
from ...link import Link
from ...verdicts import SendBack
from .identity import version_of
from .listed_orders import listed_orders
from .messages import BusinessMessageReject, ExecutionReport, Message, OrderCancelReject, Reject, SessionMessage

__all__ = ["malformed", "refuse"]

ORDERS = frozenset({"D", "E", "AB"})
"""New orders: an ExecutionReport refuses each."""
CHANGES: dict[str, str] = {"F": "1", "G": "2", "AC": "2"}
"""Messages that change or cancel an order, which an OrderCancelReject refuses, with its CxlRejResponseTo."""
ECHOED = (11, 526, 66, 1, 55, 65, 48, 22, 167, 200, 541, 201, 202, 207, 54, 38, 40, 44)
"""What an ExecutionReport repeats of its order: the ids, the account, the instrument, side, quantity and price."""
OF_CHANGE = (37, 11, 526, 66, 41)
"""What an OrderCancelReject repeats of the request: the ids."""
OF_BUSINESS = (11, 117, 131, 262, 320, 324, 335, 70, 23)
"""Fields that may have the id of a message of another kind."""

VERSION = re.compile(r"FIX\.(\d)\.(\d)")
FIX_5 = 50

INCORRECT_FORMAT = "6"
"""SessionRejectReason: a value is not written as it should be."""

MOST_REPORTS = 1000
"""How many orders of a list are answered one by one."""

LONGEST = 200
"""How many characters a text may have."""
LONGEST_FIELD = 1000
"""How many bytes a field may have that an answer repeats."""

REPEATER = uuid.uuid4().hex[:12]
"""Begins the ExecIDs of this process, so that no other has the same."""
executions: Iterator[int] = itertools.count(1)


def refuse(message: Message, text: str, *, reason: int = 0, link: Link | None = None) -> SendBack:
    """Return the verdict that refuses a message: its sender gets the answer of FIX, and the receiver gets nothing.

    What the answer is depends on the message and on the version of FIX:

    * A new order (D, AB) is answered by an ExecutionReport that says "rejected", and a list of orders (E) by one for
      each of its orders, if it has no more than 1000.
    * The request to change or to cancel an order (F, G, AC) is answered by an OrderCancelReject. The order stays as it
      was. Its OrdStatus is said to be "new", as nobody here knows how far it is.
    * Another message is answered by a BusinessMessageReject; before FIX 4.2, which brought that, by a Reject.

    Args:
        message: the message.
        text: why, for people (Text).
        reason: why, as a number, in an ExecutionReport (OrdRejReason): 0 "broker's option", 1 "unknown symbol", 3
            "order exceeds limit", and others of your version.
        link: the link. In FIXT it knows which version the session has agreed on; without it that is FIX 5.0.

    Raises:
        ValueError: a message of the session itself cannot be refused, such as a Logon or a Heartbeat.
    """
    kind = message.type
    if isinstance(message, SessionMessage):
        raise ValueError(f"a message of the session cannot be refused, such as type {kind}")
    version = _version(message, link)
    words = _words(text)
    if kind in ORDERS:
        orders = listed_orders(message)
        if len(orders) <= MOST_REPORTS and not any(_is_long(order.fields, ECHOED) for order in orders):
            return SendBack([_rejected(order.fields, version, words, reason, message) for order in orders])
    if kind in CHANGES and not _is_long(message, OF_CHANGE):
        return SendBack([_not_changed(message, version, words)])
    return SendBack([_not_processed(message, version, words)])


def malformed(message: Message, error: ParseError, link: Link) -> SendBack:
    """Return the verdict on a message with a field that cannot be read: its sender gets a Reject."""
    fields: dict[int, bytes | str] = {45: message.get(34) or b"0"}
    if _version(message, link) >= 42:
        if error.field is not None and error.field.isdigit():
            fields[371] = error.field
        fields |= {372: message.type[:LONGEST_FIELD], 373: INCORRECT_FORMAT}
    return SendBack([Reject(fields | {58: _words(text_of(error))})])


def _is_long(fields: Message | Mapping[int, bytes], tags: Iterable[int]) -> bool:
    """Return whether a field is too long to be repeated: the answer would not fit into the connection."""
    return any(len(fields.get(tag) or b"") > LONGEST_FIELD for tag in tags)


def _words(text: str) -> bytes:
    """Return a text as a field may have it."""
    return printable(shortened(text, LONGEST)).encode("latin-1", "backslashreplace")


def _version(message: Message, link: Link | None) -> int:
    """Return the version of FIX that a message is of: 42 for 4.2. All from 5.0 on are alike here."""
    found = VERSION.match(version_of(message, {} if link is None else link.details))
    return FIX_5 if found is None else 10 * int(found[1]) + int(found[2])


def _of(message: Message) -> dict[int, bytes | str]:
    """Return the fields of an answer that say of which version it is, where the message says so."""
    version = message.get(1128)
    return {} if version is None or len(version) > LONGEST_FIELD else {1128: version}


def _rejected(
    order: Message | Mapping[int, bytes], version: int, text: bytes, reason: int, message: Message
) -> ExecutionReport:
    """Return the report that an order is rejected."""
    fields = _of(message) | {37: "NONE", 17: f"{REPEATER}-{next(executions)}"}
    if version <= 42:
        fields[20] = "0"
    if version >= 41:
        fields[150] = "8"
    fields |= {39: "8", 103: str(reason)}
    for tag in ECHOED:
        value = order.get(tag)
        if value is not None:
            fields[tag] = value
    if version <= 41:
        fields |= {38: fields.get(38, "0"), 32: "0", 31: "0"}
    if version >= 41:
        fields[151] = "0"
    return ExecutionReport(fields | {14: "0", 6: "0", 58: text})


def _not_changed(message: Message, version: int, text: bytes) -> OrderCancelReject:
    """Return the answer that an order stays as it was."""
    fields = _of(message) | {37: message.get(37) or "NONE"}
    for tag in OF_CHANGE[1:]:
        value = message.get(tag)
        if value is not None:
            fields[tag] = value
    if 41 <= version < FIX_5:
        fields.setdefault(41, "NONE")
    if version >= 41:
        fields[39] = "0"
    if version >= 42:
        fields |= {434: CHANGES[message.type], 102: "2"}
    return OrderCancelReject(fields | {58: text})


def _not_processed(message: Message, version: int, text: bytes) -> BusinessMessageReject | Reject:
    """Return the answer to any other message."""
    number = message.get(34) or b"0"
    if version < 42:
        return Reject({45: number, 58: text})
    fields = _of(message) | {45: number, 372: message.type[:LONGEST_FIELD]}
    ids = (message.get(tag) for tag in OF_BUSINESS)
    known = next((value for value in ids if value is not None and len(value) <= LONGEST_FIELD), None)
    if known is not None:
        fields[379] = known
    return BusinessMessageReject(fields | {380: "0", 58: text})
