"""Readers and writers for bin_prot, the binary protocol of OCaml programs.

Describe a type by combining the types of this package. `bin_prot_codec` returns the codec of it::

    @dataclass
    class Order:
        seq: int
        body: bytes

    codec = bin_prot_codec(record(Order, seq=bin_int, body=bin_string))

Values are written in their shortest form. Longer legal forms are read too.
"""

from __future__ import annotations

from ._basics import bin_bool, bin_char, bin_string, bin_text, bin_unit, text
from ._compounds import array_of, lazy, list_of, option, pair, tuple_of
from ._numbers import bin_float, bin_int, bin_int32, bin_int64, bin_nat0, bin_time
from ._record import record
from ._type import BinProtCodec, BinType, bin_prot_codec
from ._variant import enumeration, variant

__all__ = [
    "BinProtCodec",
    "BinType",
    "array_of",
    "bin_bool",
    "bin_char",
    "bin_float",
    "bin_int",
    "bin_int32",
    "bin_int64",
    "bin_nat0",
    "bin_prot_codec",
    "bin_string",
    "bin_text",
    "bin_time",
    "bin_unit",
    "enumeration",
    "lazy",
    "list_of",
    "option",
    "pair",
    "record",
    "text",
    "tuple_of",
    "variant",
]
