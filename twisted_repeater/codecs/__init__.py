"""Codecs turn payloads into messages and back.

Those of `twisted_repeater.codecs.msgspec` and `twisted_repeater.codecs.protobuf` need the extra of that name;
`twisted_repeater.codecs.bin_prot` is for the messages of OCaml programs.
"""

from ._raw import LEFT_OUT, RawCodec
from .fixed import Chars, FixedCodec, fixed
from .tagged import TaggedCodec, tagged
from .text import TextCodec, text

__all__ = [
    "LEFT_OUT",
    "Chars",
    "FixedCodec",
    "RawCodec",
    "TaggedCodec",
    "TextCodec",
    "fixed",
    "tagged",
    "text",
]
