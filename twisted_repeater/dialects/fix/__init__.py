"""The dialect ``fix``: FIX 4.0 to 4.4 and FIXT 1.1, with typed messages."""

from .messages import (
    BusinessMessageReject,
    ExecutionReport,
    Heartbeat,
    Logon,
    Logout,
    Message,
    NewOrderCross,
    NewOrderList,
    NewOrderMultileg,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    Reject,
    ResendRequest,
    SequenceReset,
    TestRequest,
)
from .scan import Garbled

__all__ = [
    "BusinessMessageReject",
    "ExecutionReport",
    "Garbled",
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
    "Reject",
    "ResendRequest",
    "SequenceReset",
    "TestRequest",
]
