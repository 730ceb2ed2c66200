"""Filters that read the judge's messages, and send them anew, with the types of judge.ml in Python."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twisted_repeater.codecs.bin_prot import (
    BinProtCodec,
    BinType,
    array_of,
    bin_bool,
    bin_char,
    bin_float,
    bin_int,
    bin_int32,
    bin_int64,
    bin_prot_codec,
    bin_string,
    bin_unit,
    enumeration,
    lazy,
    list_of,
    option,
    pair,
    record,
    tuple_of,
    variant,
)
from twisted_repeater.verdicts import PASS_ON, Send

if TYPE_CHECKING:
    from twisted_repeater.interfaces import ILink

SEEN = b"seen: "


class TradeSide(enum.Enum):
    """``side``."""

    BUY = 0
    SELL = 1


@dataclass
class Price:
    """``price``."""

    units: int
    fraction: float | None


@dataclass
class Leg:
    """``leg``."""

    side: TradeSide
    price: Price
    ratio: tuple[int, float]
    remark: tuple[bool, bytes, tuple[()]]


@dataclass
class Named:
    """``Named of ...``, a constructor of ``shape``."""

    label: bytes
    inner: Any


@dataclass
class Request:
    """``request``."""

    number: int
    account: bytes
    legs: list[Leg]
    limits: list[tuple[bytes, int | None]]
    curve: list[float]
    shape: Any
    wide: Any
    nested: Any
    integers: list[int]
    sign: bytes
    boxed: tuple[int, int, int]


@dataclass
class Filled:
    """``Filled of ...``, a constructor of ``answer``."""

    at: Price
    fills: list[tuple[int, float, bytes]]


@dataclass
class Reply:
    """``reply``."""

    number: int
    answer: Any


price = record(Price, units=bin_int, fraction=option(bin_float))
leg = record(
    Leg,
    side=enumeration(TradeSide),
    price=price,
    ratio=pair(bin_int, bin_float),
    remark=tuple_of(bin_bool, bin_string, bin_unit),
)
inner_shape: BinType[Any] = lazy(lambda: shape)
shape: BinType[Any] = variant(
    "Point",
    ("Circle", bin_float),
    ("Box", pair(bin_float, bin_float), bin_int),
    record(Named, label=bin_string, inner=option(inner_shape)),
    ("Group", list_of(inner_shape)),
)
wide = variant(*[f"W{index}" for index in range(257)], ("Carrying", bin_string))
request = record(
    Request,
    number=bin_int,
    account=bin_string,
    legs=list_of(leg),
    limits=array_of(pair(bin_string, option(bin_int))),
    curve=array_of(bin_float),
    shape=shape,
    wide=wide,
    nested=variant("None", ("Some", option(bin_int))),
    integers=list_of(bin_int),
    sign=bin_char,
    boxed=tuple_of(bin_int32, bin_int64, bin_int64),
)
reply = record(
    Reply,
    number=bin_int,
    answer=variant(
        "Accepted",
        ("Rejected", bin_string),
        record(Filled, at=price, fills=list_of(tuple_of(bin_int, bin_float, bin_string))),
        ("Snapshot", array_of(leg), option(shape), bin_int),
    ),
)

request_codec = bin_prot_codec(request)
reply_codec = bin_prot_codec(reply)


def check_round_trip(codec: BinProtCodec[Any], payload: bytes) -> Any:
    """Read a message, and raise unless it is written back to the same bytes."""
    message = codec.decode(payload)
    written = codec.encode(message)
    if written != payload:
        raise ValueError(f"{payload.hex()} reads as {message!r}, which is written as {written.hex()}")
    return message


def read_request(payload: bytes, link: ILink) -> Any:
    """Read a request and pass it on."""
    check_round_trip(request_codec, payload)
    return PASS_ON


def read_reply(payload: bytes, link: ILink) -> Any:
    """Read a reply and pass it on."""
    check_round_trip(reply_codec, payload)
    return PASS_ON


def change_request(payload: bytes, link: ILink) -> Any:
    """Send another request instead: the server can tell that it was written here."""
    message: Request = request_codec.decode(payload)
    return Send(request_codec.encode(replace(message, account=SEEN + message.account)))


def rewrite_reply(payload: bytes, link: ILink) -> Any:
    """Send an equal reply instead."""
    return Send(reply_codec.encode(reply_codec.decode(payload)))
