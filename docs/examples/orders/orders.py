"""The messages between traders and the exchange."""

from msgspec import Struct

from twisted_repeater import Dialect
from twisted_repeater.codecs.msgspec import msgspec_json
from twisted_repeater.dialects import int32


class Order(Struct, tag=True):
    """A trader wants to buy or sell."""

    id: int
    side: str
    size: int
    symbol: str
    price: float


class Cancel(Struct, tag=True):
    """A trader withdraws an order."""

    id: int


class Accepted(Struct, tag=True):
    """The exchange has an order."""

    id: int


class Cancelled(Struct, tag=True):
    """The exchange has removed an order."""

    id: int


class Rejected(Struct, tag=True):
    """An order will not be carried out."""

    id: int
    reason: str


def dialect() -> Dialect:
    """Return the protocol: which messages travel which way, as JSON."""
    return int32(
        to_server=msgspec_json(Order | Cancel),
        to_client=msgspec_json(Accepted | Cancelled | Rejected),
    )
