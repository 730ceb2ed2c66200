"""The dialect ``fix``: FIX 4.0 to 4.4 and FIXT 1.1, with typed messages, and sequence numbers that stay right.

Its modules, from the bytes to the engines:

* **Messages.** `scan` finds fields in the bytes; `message` and `messages` are what filters see; `values` and `tags` say
  how fields are written; `codec` and `of_type` make messages of frames, and select them by type.
* **A link.** `dialect` puts all together; `opening` looks at the Logon; `identity` names the session; `sessions` finds
  it, and `store` keeps it in a file.
* **Numbers.** `session_filters` stand around the application's filters. They ask `numbers`, which decides what both
  engines get; begin there. `flow` is one direction: its numbers are in `flow_map`, what its receiver asked for in
  `resends`, the messages that the repeater makes in `own_messages`, sets of numbers in `runs`. `tracking` is the short
  cut for messages that just pass. `decisions`, `references`, `session_messages` and `resets` are the rules.
* **Orders.** `refusals` makes answers, `orders` is the ready filter, `listed_orders` reads lists of orders.
"""

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
