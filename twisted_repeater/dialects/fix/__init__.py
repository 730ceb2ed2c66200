"""The dialect ``fix``: FIX 4.0 to 4.4 and FIXT 1.1, with typed messages."""

from .codec import FixCodec
from .dialect import fix
from .identity import Identity, version_of
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
    OrderMessage,
    Reject,
    ResendRequest,
    SequenceReset,
    SessionMessage,
    TestRequest,
)
from .orders import Orders
from .refusals import refuse
from .scan import Garbled

__all__ = [
    "BusinessMessageReject",
    "ExecutionReport",
    "FixCodec",
    "Garbled",
    "Heartbeat",
    "Identity",
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
    "Orders",
    "Reject",
    "ResendRequest",
    "SequenceReset",
    "SessionMessage",
    "TestRequest",
    "fix",
    "refuse",
    "version_of",
]
