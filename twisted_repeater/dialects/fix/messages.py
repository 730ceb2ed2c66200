"""The types of messages that filters decide about most often, as classes."""

from __future__ import annotations

from typing import ClassVar

from .message import Message
from .values import Fields, Flag, Number, Text, Value, Whole

__all__ = [
    "CLASSES",
    "BusinessMessageReject",
    "ExecutionReport",
    "Fields",
    "Heartbeat",
    "Logon",
    "Logout",
    "Message",
    "NewOrderCross",
    "NewOrderList",
    "NewOrderMultileg",
    "NewOrderSingle",
    "OrderCancelReject",
    "OrderCancelReplaceRequest",
    "OrderCancelRequest",
    "OrderMessage",
    "Reject",
    "ResendRequest",
    "SequenceReset",
    "SessionMessage",
    "TestRequest",
    "Typed",
    "Value",
]


class Typed(Message):
    """The base of the messages whose class says their type.

    Args:
        fields: the fields of the body; see `Message`.

    Raises:
        TypeError: the class has no type; or see `Message`.
        ValueError: see `Message`.
    """

    __slots__ = ()

    def __init__(self, fields: Fields = ()) -> None:
        if self.TYPE is None:
            raise TypeError(f"{type(self).__name__} has no type: make a Message of a type, or of a class that has one")
        super().__init__(self.TYPE, fields)


class SessionMessage(Typed):
    """The base of the messages of the session itself: 0, 1, 2, 3, 4, 5 and A."""

    __slots__ = ()


class Heartbeat(SessionMessage):
    """Heartbeat (0)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "0"
    test_request_id: Text = Text(112)
    """TestReqID of the request that it answers."""


class TestRequest(SessionMessage):
    """TestRequest (1)."""

    __slots__ = ()
    __test__: ClassVar[bool] = False  # pytest takes it for a test otherwise
    TYPE: ClassVar[str | None] = "1"
    test_request_id: Text = Text(112)
    """TestReqID."""


class ResendRequest(SessionMessage):
    """ResendRequest (2)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "2"
    begin: Whole = Whole(7)
    """BeginSeqNo."""
    end: Whole = Whole(16)
    """EndSeqNo: 0, and 999999 up to FIX 4.2, stand for all that follow."""


class Reject(SessionMessage):
    """Reject (3): a message was malformed."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "3"
    reference: Whole = Whole(45)
    """RefSeqNum: the number of the message."""
    reference_tag: Whole = Whole(371)
    """RefTagID: the field that was wrong."""
    reference_type: Text = Text(372)
    """RefMsgType."""
    reason: Whole = Whole(373)
    """SessionRejectReason."""
    explanation: Text = Text(58)
    """Text."""


class SequenceReset(SessionMessage):
    """SequenceReset (4)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "4"
    gap_fill: Flag = Flag(123)
    """GapFillFlag."""
    new_number: Whole = Whole(36)
    """NewSeqNo: the number of the next message."""


class Logout(SessionMessage):
    """Logout (5)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "5"
    explanation: Text = Text(58)
    """Text."""


class Logon(SessionMessage):
    """Logon (A)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "A"
    heartbeat: Whole = Whole(108)
    """HeartBtInt, in seconds."""
    reset_numbers: Flag = Flag(141)
    """ResetSeqNumFlag."""
    next_expected: Whole = Whole(789)
    """NextExpectedMsgSeqNum."""
    version: Text = Text(1137)
    """DefaultApplVerID, in FIXT.1.1."""
    username: Text = Text(553)
    """Username."""


class OrderMessage(Typed):
    """The base of the messages that place or replace an order for one instrument."""

    __slots__ = ()
    client_order_id: Text = Text(11)
    """ClOrdID."""
    account: Text = Text(1)
    """Account."""
    symbol: Text = Text(55)
    """Symbol."""
    side: Text = Text(54)
    """Side: 1 buy, 2 sell, 5 sell short, and others."""
    quantity: Number = Number(38)
    """OrderQty."""
    cash_quantity: Number = Number(152)
    """CashOrderQty."""
    order_type: Text = Text(40)
    """OrdType: 1 market, 2 limit, and others."""
    price: Number = Number(44)
    """Price."""
    stop_price: Number = Number(99)
    """StopPx."""


class NewOrderSingle(OrderMessage):
    """NewOrderSingle (D)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "D"


class OrderCancelReplaceRequest(OrderMessage):
    """OrderCancelReplaceRequest (G)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "G"
    original_client_order_id: Text = Text(41)
    """OrigClOrdID."""
    order_id: Text = Text(37)
    """OrderID."""


class OrderCancelRequest(Typed):
    """OrderCancelRequest (F)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "F"
    client_order_id: Text = Text(11)
    """ClOrdID."""
    original_client_order_id: Text = Text(41)
    """OrigClOrdID."""
    order_id: Text = Text(37)
    """OrderID."""
    symbol: Text = Text(55)
    """Symbol."""
    side: Text = Text(54)
    """Side."""
    quantity: Number = Number(38)
    """OrderQty."""


class NewOrderList(Typed):
    """NewOrderList (E): several orders in one message. `Message.values` has the fields of all of them."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "E"
    list_id: Text = Text(66)
    """ListID."""


class NewOrderMultileg(Typed):
    """NewOrderMultileg (AB): one order for several instruments."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "AB"
    client_order_id: Text = Text(11)
    """ClOrdID."""
    symbol: Text = Text(55)
    """Symbol."""
    side: Text = Text(54)
    """Side."""
    quantity: Number = Number(38)
    """OrderQty."""
    price: Number = Number(44)
    """Price."""


class NewOrderCross(Typed):
    """NewOrderCross (s): both sides of a trade in one message. `Message.values` has the fields of both."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "s"
    cross_id: Text = Text(548)
    """CrossID."""
    symbol: Text = Text(55)
    """Symbol."""
    price: Number = Number(44)
    """Price."""


class ExecutionReport(Typed):
    """ExecutionReport (8)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "8"
    order_id: Text = Text(37)
    """OrderID."""
    client_order_id: Text = Text(11)
    """ClOrdID."""
    original_client_order_id: Text = Text(41)
    """OrigClOrdID."""
    execution_id: Text = Text(17)
    """ExecID."""
    execution_type: Text = Text(150)
    """ExecType."""
    order_status: Text = Text(39)
    """OrdStatus."""
    symbol: Text = Text(55)
    """Symbol."""
    side: Text = Text(54)
    """Side."""
    quantity: Number = Number(38)
    """OrderQty."""
    last_quantity: Number = Number(32)
    """LastQty, LastShares before FIX 4.3."""
    last_price: Number = Number(31)
    """LastPx."""
    leaves_quantity: Number = Number(151)
    """LeavesQty: how much is open."""
    cumulative_quantity: Number = Number(14)
    """CumQty: how much is filled."""
    explanation: Text = Text(58)
    """Text."""


class OrderCancelReject(Typed):
    """OrderCancelReject (9)."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "9"
    order_id: Text = Text(37)
    """OrderID."""
    client_order_id: Text = Text(11)
    """ClOrdID."""
    original_client_order_id: Text = Text(41)
    """OrigClOrdID."""
    order_status: Text = Text(39)
    """OrdStatus."""
    reason: Whole = Whole(102)
    """CxlRejReason."""
    response_to: Text = Text(434)
    """CxlRejResponseTo: 1 for a request to cancel, 2 for one to replace."""
    explanation: Text = Text(58)
    """Text."""


class BusinessMessageReject(Typed):
    """BusinessMessageReject (j), from FIX 4.2 on."""

    __slots__ = ()
    TYPE: ClassVar[str | None] = "j"
    reference: Whole = Whole(45)
    """RefSeqNum: the number of the message."""
    reference_type: Text = Text(372)
    """RefMsgType."""
    reference_id: Text = Text(379)
    """BusinessRejectRefID."""
    reason: Whole = Whole(380)
    """BusinessRejectReason."""
    explanation: Text = Text(58)
    """Text."""


CLASSES: dict[bytes, type[Message]] = {
    kind.TYPE.encode(): kind
    for kind in (
        Heartbeat,
        TestRequest,
        ResendRequest,
        Reject,
        SequenceReset,
        Logout,
        Logon,
        NewOrderSingle,
        OrderCancelReplaceRequest,
        OrderCancelRequest,
        NewOrderList,
        NewOrderMultileg,
        NewOrderCross,
        ExecutionReport,
        OrderCancelReject,
        BusinessMessageReject,
    )
    if kind.TYPE is not None
}
"""The class of each type that has one."""
